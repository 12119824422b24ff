"""Blanks are no key, whichever way they come in: a required text of nothing but blanks is missing,
at its pointer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed, token

from jackfield.call.admit import cleaned
from jackfield.invocation import request
from jackfield.kernel.errors import JackfieldError
from shell import Shell

pytest_plugins = ["shell_fixture"]

BLANKS = {
    "spaces": "   ",
    "tab": "\t",
    "line breaks": "\r\n\n",
    "no-break space": "\u00a0",
    "zero-width space": "\u200b",
    "BOM": "\ufeff",
    "direction mark": "\u200e \u202e",
    "soft hyphen": "\u00ad",
    "Hangul filler": "\u3164",
    "braille blank": "\u2800",
    "tags": "\U000e0041",
}
SAY = {"connector": "echo", "action": "say", "inputs": {"text": "x"}}


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with placed(tmp_path_factory.mktemp("blanks"), queue_workers=0) as found:
        found.host.runtime("default").connections.add(
            "hall", "echo/token", {"token": "sesame-0815"}
        )
        yield found


def over_http(place: Place, method: str, address: str, body: Any) -> set[str]:
    """The places of the faults that the HTTP API answers with."""
    bearer = {
        "authorization": f"Bearer {token(place, 'manage')}",
        "content-type": "application/json",
    }
    answer = Client(place.app).send(method, address, json.dumps(body).encode(), bearer)
    assert answer.status in (200, 400, 422), answer.text
    found = json.loads(answer.text)
    return {item["path"] for item in found.get("error", found).get("details", ())}


def in_library(call: Callable[[], Any]) -> set[str]:
    """The places of the faults that the library raises."""
    with pytest.raises(JackfieldError) as found:
        call()
    return {item.path for item in found.value.details}


def inline(blank: str) -> dict[str, Any]:
    """A call that brings its connection."""
    return {**SAY, "connection": {"type": "token", "values": {"token": blank}}}


WAYS: dict[str, Callable[[Place, str], set[str]]] = {
    "add": lambda place, blank: in_library(
        lambda: place.host.runtime("default").connections.add(
            "new", "echo/token", {"token": blank}, test=False
        )
    ),
    "replace": lambda place, blank: in_library(
        lambda: place.host.runtime("default").connections.replace(
            "hall", {"token": blank}, test=False
        )
    ),
    "inline": lambda place, blank: {
        item.path
        for error in (place.host.runtime("default").invoke(inline(blank)).error,)
        if error is not None
        for item in error.details
    },
    "POST": lambda place, blank: over_http(
        place,
        "POST",
        "/v1/connections",
        {"name": "new", "type": "echo/token", "values": {"token": blank}},
    ),
    "PUT": lambda place, blank: over_http(
        place, "PUT", "/v1/connections/hall", {"values": {"token": blank}}
    ),
    ":test": lambda place, blank: over_http(
        place, "POST", "/v1/connections:test", {"type": "echo/token", "values": {"token": blank}}
    ),
    "inline over HTTP": lambda place, blank: over_http(
        place, "POST", "/v1/invocations", inline(blank)
    ),
    "OAuth client": lambda place, blank: over_http(
        place,
        "POST",
        "/v1/oauth-clients",
        {
            "name": "c",
            "server": ["a.example"],
            "values": {"clientId": blank, "clientSecret": blank},
        },
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("blank", BLANKS)
def test_blanks_are_no_key(place: Place, way: str, blank: str) -> None:
    """Over the library and the HTTP API, stored or inline; nothing is stored."""
    expected = {"OAuth client": {"/values/clientId", "/values/clientSecret"}}.get(way, {"/token"})
    assert {
        path.removeprefix("/connection/values").replace("/values/token", "/token")
        for path in WAYS[way](place, BLANKS[blank])
    } == expected
    known = place.host.runtime("default").connections
    assert [row["name"] for row in known.list().items] == ["hall"]
    assert known.find("hall").values["token"] == "sesame-0815"


@pytest.mark.parametrize("blank", BLANKS)
def test_blanks_in_the_console_are_no_key(place: Place, blank: str) -> None:
    """The form of a new connection says so at the field."""
    sent = {"name": "new", "type": "echo/token", "values": json.dumps({"token": BLANKS[blank]})}
    answer = place.signed_in().change("/new-connection?type=echo/token", "/connections", **sent)
    assert "is required" in answer.words or "is missing" in answer.words, answer.words
    assert [row["name"] for row in place.host.runtime("default").connections.list().items] == [
        "hall"
    ]


@pytest.mark.parametrize("blank", BLANKS)
def test_blanks_of_a_file_a_variable_and_a_command_are_no_key(
    shell: Shell, tmp_path: Path, blank: str
) -> None:
    """A connection of JACKFIELD_CONNECTIONS, its value there or in a variable, of `connections add`
    and of `connections import`.
    """
    values = json.dumps({"token": BLANKS[blank]})
    in_yaml = values.replace("\\udb40\\udc41", "\\U000e0041")
    shell.write(
        "connections.yaml", f"connections: {{hall: {{type: echo/token, values: {in_yaml}}}}}\n"
    )
    errors = [shell.run("invoke", "echo", "say", "--connection", "hall", "text=x").json["error"]]
    shell.write(
        "connections.yaml",
        "connections: {hall: {type: echo/token, values: {token: {$env: ACME_TOKEN}}}}\n",
    )
    shell.set(ACME_TOKEN=BLANKS[blank])
    errors.append(
        shell.run("invoke", "echo", "say", "--connection", "hall", "text=x").json["error"]
    )
    shell.write(
        "connections.yaml", f"connections: {{hall: {{type: echo/token, values: {in_yaml}}}}}\n"
    )
    shell.set(JACKFIELD_DATABASE_URL=f"sqlite:///{tmp_path}/stored.db")
    assert shell.run("db", "upgrade").code == 0
    errors += [
        shell.run(
            "connections",
            "add",
            "new",
            "--type",
            "echo/token",
            "--no-test",
            "--values",
            "-",
            stdin=values,
        ).json["error"],
        shell.run("connections", "import", "connections.yaml").json[0]["error"],
    ]
    assert [item["path"] for error in errors for item in error["details"]] == ["/token"] * 4


def test_a_password_keeps_its_ends(place: Place) -> None:
    """Of other texts white space and hidden characters are cut off, so that a key that was copied
    with them works.
    """
    found = place.host.runtime("default").connections.add(
        "cut", "echo/token", {"token": "\u200b sesame\u00a0\n"}, test=False
    )
    assert place.host.runtime("default").connections.find("cut").values["token"] == "sesame"
    place.host.runtime("default").connections.remove(found["name"])
    schema = {
        "properties": {
            "password": {},
            "proxyPassword": {},
            "key": {"x-jackfield": {"multiline": True}},
            "user": {},
        }
    }
    given = {
        "password": " a ",
        "proxyPassword": " a ",
        "key": "a\n",
        "user": "\ufeffa ",
        "other": 5,
        "tls": {"ca": " x "},
    }
    assert cleaned(schema, given) == {**given, "user": "a"}
    assert cleaned(
        {**schema, "anyOf": [{"required": ["password"]}]}, {"password": "  ", "user": "a"}
    ) == {"user": "a"}


def test_an_old_call_under_a_blank_key_is_shown_with_its_problem(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version has taken it: its page says what is wrong with its key."""
    with monkeypatch.context() as older:
        older.setattr(request, "_option_faults", lambda _given: iter(()))
        old = (
            place.host.runtime("default")
            .invoke({**SAY, "connection": "hall", "idempotencyKey": "   "})
            .meta.invocation_id
        )
    person = place.signed_in()
    assert (
        "Problem its idempotency key consists of blanks" in person.get(f"/invocations/{old}").words
    )
    assert f"/invocations/{old}" in person.get("/invocations").text
