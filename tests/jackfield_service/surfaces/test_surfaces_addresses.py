"""Every input of Amazon SES's actions that names a person, with texts that lose one: refused at its
place, through every surface.

The fields are read from the manifest, so a new one is tested, too. Calls are dry runs: nothing is
sent.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_dapr.sidecars import component

from converting import convert
from http_stand import Client, Stand, clean, standing
from jackfield import Jackfield
from jackfield.cli.main import main
from jackfield_dapr.sidecar import Components
from mcp_talk import called, remote
from waiting import until

MANIFEST = json.loads(
    Path(str(__import__("jackfield_aws_ses").__file__))
    .with_name("connector.json")
    .read_text(encoding="utf-8")
)
ACTIONS = {action["key"]: action for action in MANIFEST["actions"]}
VALUES = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "secret/of+acme",
    "region": "eu-west-1",
    "sender": "noreply@example.com",
}
CONNECTION = {"type": "aws/apiKeySecret", "values": VALUES}
ANYWHERE = (
    "Ada <ada@x.io> Bob <bob@x.io>",
    "ada@x.io bob@x.io",
    "ada@x.io | Bob <bob@x.io>",
    "ada@x.io <bob@x.io>",
    "ada@x.io/bob@x.io",
    "ada@x.io\r\nBcc: eve@x.io",
    "ada..b@x.io",
    "jörg@x.io",
    "=?utf-8?q?ada=40b.io?=@x.io",
    "undisclosed-recipients:;",
    "Team: ada@x.io, bob@x.io;",
    "ada@x.io, bob",
)
SEVERAL = ("ada@x.io, bob@x.io", "ada@x.io; Bob <bob@x.io>", "ada@x.io\nbob@x.io")
NAMED = ("Ada <ada@x.io>", '"bob@x.io" <ada@x.io>', "ada@x.io (Ada)")
ONE = (*NAMED, "ada@x.io", '"a b"@x.io', "ada@bücher.example", "'ada@x.io' <ada@x.io>")
BARE = ("additionalContactEmailAddresses", "address", "identity")
"""Inputs whose addresses have no display name."""


def _fields(
    schema: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path of each input that holds addresses, with its kind: ``list``, ``one`` or
    ``bare``.
    """
    for name, member in schema.get("properties", {}).items():
        formats = {part.get("format") for part in (member, *member.get("anyOf", ()))}
        if formats & {"mailbox", "mailbox-list"}:
            yield (*path, name), "list" if "mailbox-list" in formats else "one"
        elif name in BARE:
            yield (*path, name, "0") if member["type"] == "array" else (*path, name), "bare"
        elif member.get("type") == "array" and "properties" in member["items"]:
            yield from _fields(member["items"], (*path, name, "0"))


FIELDS = [
    (action, path, kind)
    for action, found in ACTIONS.items()
    for path, kind in _fields(found["inputs"])
]
BAD = {"list": ANYWHERE, "one": (*ANYWHERE, *SEVERAL), "bare": (*ANYWHERE, *SEVERAL, *NAMED[:2])}
GOOD = {"list": (*ONE, *SEVERAL), "one": ONE, "bare": ("ada@x.io",)}
_FULL = {
    "sendRawEmail": {"to": "z@x.io"},
    "requestProductionAccess": {"additionalContactEmailAddresses": ["z@x.io"]},
}
"""Inputs that the first example of an action does not have."""


def _given(action: str, path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A dry run of the action's first example with a value at a path."""
    inputs = json.loads(
        json.dumps(ACTIONS[action]["examples"][0]["invocation"]["inputs"])
    ) | json.loads(json.dumps(_FULL.get(action, {})))
    place: Any = inputs
    for step in path[:-1]:
        place = place[int(step)] if step.isdigit() else place[step]
    place[int(path[-1]) if path[-1].isdigit() else path[-1]] = value
    return {
        "connector": "aws-ses",
        "action": action,
        "connection": "acme-ses",
        "dryRun": True,
        "inputs": inputs,
    }


def _places(result: Mapping[str, Any]) -> set[str]:
    """The places of what is invalid; a Result that failed otherwise has none."""
    error = result.get("error") or {}
    return (
        {detail["path"] for detail in error.get("details", ())}
        if error.get("code") == "invalid_input"
        else {str(error or "accepted")}
    )


def test_the_table_has_every_field() -> None:
    """42 inputs of 23 actions hold addresses."""
    counts = {kind: sum(found == kind for _, _, found in FIELDS) for kind in BAD}
    assert (counts, len({action for action, _, _ in FIELDS})) == (
        {"list": 15, "one": 11, "bare": 16},
        23,
    )


@pytest.fixture(scope="module")
def jackfield() -> Iterator[Jackfield]:
    """A runtime with the connection."""
    with Jackfield(
        connections=[{"acme-ses": CONNECTION}], database_url="none", environment={}
    ) as found:
        yield found


@pytest.mark.parametrize(
    ("action", "path", "kind"),
    FIELDS,
    ids=[f"{action}-{'.'.join(path)}" for action, path, _ in FIELDS],
)
def test_no_field_loses_a_person(
    jackfield: Jackfield, action: str, path: tuple[str, ...], kind: str
) -> None:
    """Whatever is not the addresses that it seems is refused at the field, as a text and as an
    element of a list; the rest passes.
    """
    for value in BAD[kind]:
        for shape in (value, [value]) if kind == "list" else (value,):
            found = _places(jackfield.invoke(_given(action, path, shape)).to_json())
            assert {place.removesuffix("/0") if kind == "list" else place for place in found} == {
                f"/{'/'.join(path)}"
            }, value
    for value in ("example.com",) if path[0] == "identity" else GOOD[kind]:
        assert jackfield.invoke(_given(action, path, value)).status == "succeeded", value


def _posted(client: Client, given: Mapping[str, Any]) -> Any:
    return client.post("/v1/invocations", given).json


def _queued(client: Client, given: Mapping[str, Any]) -> Any:
    accepted = client.post(
        "/v1/invocations", {**given, "dryRun": False}, Prefer="respond-async"
    ).json
    if accepted["status"] not in {"queued", "running"}:
        return accepted

    def ended() -> Any:
        found = client.get(f"/v1/invocations/{accepted['invocationId']}").json
        return None if found["status"] in {"queued", "running"} else found

    return until(ended)


def _over_mcp(client: Client, given: Mapping[str, Any]) -> Any:
    return called(remote(client.port, client.token), "execute_action", **given).structured_content


SURFACES: Mapping[str, Callable[[Client, Mapping[str, Any]], Any]] = {
    "http": _posted,
    "queue": _queued,
    "mcp": _over_mcp,
}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with the connection, and with a component of Dapr."""
    folder = tmp_path_factory.mktemp("addresses")
    (folder / "components").mkdir()
    (folder / "components" / "outbox.yaml").write_text(component(), encoding="utf-8")
    with standing(
        folder,
        components=Components((str(folder / "components"),), "billing"),
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
    ) as found:
        made = found.client().post("/v1/connections?test=false", {"name": "acme-ses", **CONNECTION})
        assert made.status == 201, made.json
        yield found


@pytest.mark.parametrize("surface", SURFACES)
def test_no_server_loses_a_person(stand: Stand, surface: str) -> None:
    """Over HTTP, from the queue and over MCP, each field refuses a text at the same place as the
    library; the texts go by turns.
    """
    client, found = stand.client(), {}
    for number, (action, path, kind) in enumerate(FIELDS):
        value = BAD[kind][number % len(BAD[kind])]
        found[action, path] = _places(SURFACES[surface](client, _given(action, path, value)))
    assert found == {(action, path): {f"/{'/'.join(path)}"} for action, path, _ in FIELDS}


def test_no_command_loses_a_person(tmp_path: Path) -> None:
    """So it is on the command line, of files and of words."""
    (tmp_path / "c.json").write_text(
        json.dumps({"connections": {"acme-ses": CONNECTION}}), encoding="utf-8"
    )
    environment = clean(
        tmp_path / "home",
        JACKFIELD_CONNECTIONS=str(tmp_path / "c.json"),
        JACKFIELD_DATABASE_URL="none",
    )
    with mock.patch.dict(os.environ, environment, clear=True):
        for number, (action, path, kind) in enumerate(FIELDS):
            given = _given(action, path, BAD[kind][-1 - number % len(BAD[kind])])
            (tmp_path / "given.json").write_text(json.dumps(given), encoding="utf-8")
            words = [f"{name}:={json.dumps(value)}" for name, value in given["inputs"].items()]
            for line in (
                ["--file", str(tmp_path / "given.json")],
                ["aws-ses", action, "--connection", "acme-ses", "--dry-run", *words],
            ):
                with contextlib.redirect_stdout(io.StringIO()) as printed:
                    assert main(["invoke", "--json", *line]) == 2
                assert _places(json.loads(printed.getvalue())) == {f"/{'/'.join(path)}"}, (
                    action,
                    path,
                    line,
                )


_METADATA = {
    "emailFrom": ("one", "sender"),
    "emailTo": ("list", "to"),
    "emailCc": ("list", "cc"),
    "emailBcc": ("list", "bcc"),
}


@pytest.mark.parametrize("field", _METADATA)
def test_no_binding_loses_a_person(stand: Stand, field: str) -> None:
    """Of Dapr's metadata, each is refused at the input that it fills, and nothing is sent."""
    (kind, name), words = (
        _METADATA[field],
        {"emailFrom": "noreply@example.com", "emailTo": "ada@x.io", "subject": "s"},
    )
    for value in BAD[kind]:
        reply = Client(stand.port).post(
            "/v1.0/bindings/outbox",
            {"operation": "create", "data": "t", "metadata": {**words, field: value}},
        )
        assert (reply.status, f"(/{name}" in reply.json["message"]) == (500, True), (
            value,
            reply.json,
        )


_CONVERTED: Mapping[str, Callable[[str, str], dict[str, Any]]] = {
    "mailgun": lambda name, value: {
        "from": "a@x.io",
        "to": "b@x.io",
        "subject": "s",
        "text": "t",
        name: value,
    },
    "postmark": lambda name, value: {
        "From": "a@x.io",
        "To": "b@x.io",
        "Subject": "s",
        "TextBody": "t",
        name: value,
    },
    "resend": lambda name, value: {
        "from": "a@x.io",
        "to": "b@x.io",
        "subject": "s",
        "text": "t",
        name: value,
    },
}
_OF_FORMS = {
    "mailgun": {"from": "one", "to": "list", "cc": "list", "bcc": "list", "h:Reply-To": "list"},
    "postmark": {"From": "one", "To": "list", "Cc": "list", "Bcc": "list", "ReplyTo": "list"},
    "resend": {"from": "one", "to": "list", "cc": "list", "bcc": "list", "reply_to": "list"},
}


@pytest.mark.parametrize(
    ("form", "field"), [(form, field) for form, fields in _OF_FORMS.items() for field in fields]
)
def test_no_converter_loses_a_person(form: str, field: str) -> None:
    """A request with such a text makes no invocation, and is listed as refused."""
    for value in BAD[_OF_FORMS[form][field]]:
        found = convert(form, _CONVERTED[form](field, value), "--region", "eu-west-1")
        assert (found["invocations"], len(found["refused"])) == ([], 1), value


@pytest.mark.parametrize("field", ["from", "to", "cc", "bcc", "reply_to"])
def test_no_address_of_sendgrid_is_two(field: str) -> None:
    """SendGrid's addresses are objects of one address each: any text of several is refused, with a
    name and without.
    """
    for value in (*ANYWHERE, *SEVERAL):
        for person in ({"email": value}, {"email": value, "name": "Ada"}):
            people: Any = person if field in ("from", "reply_to") else [person]
            own = {"to": [{"email": "b@x.io"}]} | (
                {field: people} if field in ("to", "cc", "bcc") else {}
            )
            request = {
                "personalizations": [own],
                "from": {"email": "a@x.io"},
                "subject": "s",
                "content": [{"type": "text/plain", "value": "t"}],
            }
            request |= {field: people} if field in ("from", "reply_to") else {}
            found = convert("sendgrid", request, "--region", "eu-west-1")
            assert (found["invocations"], len(found["refused"])) == ([], 1), person
