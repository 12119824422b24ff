"""Exchanges of calls over HTTP that failed, are in doubt or were traced: what is kept of them, and
that it has no secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from http_rig import TOKEN, Acme
from inmemory import installed
from jackfield import Result
from jackfield.connector import Connector, Inputs, Output
from jackfield.testing import CLOSE, Answer, Provider, refused
from jackfield_http import HttpClient
from jackfield_market.testing.loopback_provider import Step
from jackfield_store.journal.exchanges import exchanges_of, with_curl
from jackfield_store.runtime import Jackfield


class Named(Inputs):
    """A thing to make."""

    name: str
    note: str = ""


class Made(Output):
    """What was made."""

    state: str


class Stage:
    """A runtime with a journal, and an action of two requests over a provider that plays a
    script.
    """

    def __init__(self, jackfield: Jackfield, url: str) -> None:
        self.jackfield, self.url = jackfield, url

    def call(self, **more: Any) -> Result:
        """Run the action over the connection ``shop``."""
        body = {
            "connector": "acme",
            "action": "make",
            "connection": "shop",
            "inputs": {"name": "box", "note": "by hand"},
        }
        return self.jackfield.invoke({**body, **more})

    @property
    def inline(self) -> Mapping[str, Any]:
        """The same connection, inline."""
        return {"type": "acmeToken", "values": {"server": self.url, "token": TOKEN}}

    def kept(self, result: Result) -> Mapping[str, Any] | None:
        """What the journal keeps of a call's exchanges."""
        journal = self.jackfield.journal
        assert journal is not None
        return exchanges_of(journal, result.meta.invocation_id)


@contextmanager
def staged(folder: Path, script: Sequence[Step], url: str = "") -> Iterator[Stage]:
    """A stage whose provider plays a script; the connection leads to ``url``, if that is given."""
    connector = Connector("acme", title="Acme", version="1.0.0", connections=[Acme])

    @connector.action("make", effect="write")
    def make(wanted: Named, api: HttpClient) -> Made:
        """Make a thing, and look at it."""
        api.post(
            "/things/{name}",
            {"name": wanted.name},
            json={"name": wanted.name, "note": wanted.note},
            query={"sig": "abcdefgh"},
        )
        return Made(state=api.get("/things/{name}", {"name": wanted.name}).json("/state"))

    with (
        Provider(script) as provider,
        installed(folder, connector) as catalog,
        _runtime(catalog, url or provider.url, folder) as jackfield,
    ):
        yield Stage(jackfield, provider.url)


def _runtime(catalog: Any, url: str, folder: Path) -> Jackfield:
    shop = {"type": "acme/acmeToken", "values": {"server": url, "token": TOKEN}}
    return Jackfield(
        catalog=catalog,
        database_url=f"sqlite:///{folder}/journal.db",
        connections=[{"connections": {"shop": shop}}],
    )


def test_a_doubt_shows_what_was_sent(tmp_path: Path) -> None:
    """A request without an answer is kept with its method, URL, header fields and size, without the
    token and the signature.
    """
    with staged(tmp_path, [CLOSE]) as stage:
        result = stage.call()
        kept = stage.kept(result)
    assert result.status == "in_doubt"
    assert kept is not None
    (exchange,) = kept["exchanges"]
    assert exchange["method"] == "POST"
    assert exchange["url"] == f"{stage.url}/things/box?sig=***"
    assert {"name": "Authorization", "value": "***"} in exchange["request"]["headers"]
    assert exchange["request"]["bytes"] == len(
        json.dumps({"name": "box", "note": "by hand"}, separators=(",", ":"))
    )
    assert "body" not in exchange["request"]
    assert exchange["sent"] is True
    assert exchange["error"] == "the connection broke: no byte of an answer came"
    assert TOKEN not in json.dumps(kept)


def test_a_failure_shows_each_request_and_answer(tmp_path: Path) -> None:
    """Of an action of two requests, both are kept in order, the last with its status and header
    fields.
    """
    with staged(tmp_path, [Answer({"id": 1}, 201), refused(404)]) as stage:
        result = stage.call()
        kept = stage.kept(result)
    assert kept is not None, result
    assert [one["method"] for one in kept["exchanges"]] == ["POST", "GET"]
    assert [one["response"]["status"] for one in kept["exchanges"]] == [201, 404]
    assert kept["exchanges"][1]["response"]["bytes"] > 0
    assert kept["captured"] is True
    assert kept["dropped"] == 0


def test_a_success_keeps_nothing_unless_it_is_traced(tmp_path: Path) -> None:
    """Of a success nothing is kept; with ``trace``, all of it, with the bodies."""
    fine: list[Step] = [Answer({"id": 1}, 201), Answer({"state": "new", "apiToken": "tok-9"})]
    with staged(tmp_path, [*fine, *fine]) as stage:
        assert stage.kept(stage.call()) is None
        kept = stage.kept(stage.call(trace=True))
    assert kept is not None
    assert json.loads(kept["exchanges"][0]["request"]["body"]) == {"name": "box", "note": "by hand"}
    assert json.loads(kept["exchanges"][1]["response"]["body"]) == {
        "state": "new",
        "apiToken": "***",
    }


def test_the_entry_of_a_call_with_exchanges_names_its_connection(tmp_path: Path) -> None:
    """Also that of a read, whose entry is written once it has ended: a refused one, and a traced
    one.
    """
    connector = Connector("acme", title="Acme", version="1.0.0", connections=[Acme])

    @connector.action("look", effect="read")
    def look(wanted: Named, api: HttpClient) -> Made:
        """Look at a thing."""
        return Made(state=api.get("/things/{name}", {"name": wanted.name}).json("/state"))

    with (
        Provider([refused(404), Answer({"state": "new"})]) as provider,
        installed(tmp_path, connector) as catalog,
        _runtime(catalog, provider.url, tmp_path) as jackfield,
    ):
        call = {
            "connector": "acme",
            "action": "look",
            "connection": "shop",
            "inputs": {"name": "box"},
        }
        results = [jackfield.invoke(call), jackfield.invoke({**call, "trace": True})]
        assert jackfield.journal is not None
        entries = [jackfield.journal.find(result.meta.invocation_id) for result in results]
    assert [(entry.status, entry.connection, entry.damage) for entry in entries] == [
        ("failed", "shop", None),
        ("succeeded", "shop", None),
    ]


def test_a_refused_connection_was_not_sent(tmp_path: Path) -> None:
    """A server that cannot be reached got nothing: the exchange says so."""
    with staged(tmp_path, [CLOSE], "http://127.0.0.1:9") as stage:
        kept = stage.kept(stage.call(timeoutSeconds=1))
    assert kept is not None
    assert {one["sent"] for one in kept["exchanges"]} == {False}
    assert {one["error"] for one in kept["exchanges"]} == {"the connection was refused"}


def test_values_of_an_inline_connection_are_stored_nowhere(tmp_path: Path) -> None:
    """Of an inline connection not even the server's name is kept."""
    with staged(tmp_path, [CLOSE]) as stage:
        kept = stage.kept(stage.call(connection=stage.inline))
    assert kept is not None
    assert kept["exchanges"][0]["url"] == "***/things/box?sig=***"
    assert stage.url not in json.dumps(kept)


def test_what_was_refused_before_has_no_exchange(tmp_path: Path) -> None:
    """Inputs that are not valid send nothing, and nothing is kept."""
    with staged(tmp_path, [CLOSE]) as stage:
        assert stage.kept(stage.call(inputs={})) is None


def test_curl_has_no_secret_and_the_body_if_it_was_kept(tmp_path: Path) -> None:
    """A request is shown as a command line that a shell reads as it was meant."""
    with staged(tmp_path, [CLOSE]) as stage:
        kept = stage.kept(stage.call(trace=True, inputs={"name": "it's", "note": "$(id)"}))
    assert kept is not None
    line = with_curl(kept)["exchanges"][0]["curl"]
    assert line.startswith("curl -X POST 'http://127.0.0.1")
    assert "-H 'Authorization: ***'" in line
    assert "$(id)" in line
    assert TOKEN not in line
