"""What seldom happens: broken connectors, connections of files, lists with many pages, forms that
are no forms, a database that is away.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed, token

from jackfield.callers import Rules
from jackfield.kernel.errors import Unavailable
from jackfield_store.journal import Queue

CALL = {"connector": "echo", "action": "post", "connection": "hall", "inputs": {"text": "Hi"}}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a connection to the echo."""
    with placed(tmp_path, max_body=20_000) as found:
        found.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame"})
        yield found


@pytest.fixture
def client(place: Place) -> Client:
    """Somebody who is signed in."""
    return place.signed_in()


def run(client: Client, invocation: object, mode: str = "run") -> str:
    """What the page of an action shows of a run."""
    fields = {
        "csrf": client.get("/").csrf,
        "invocation": invocation if isinstance(invocation, str) else json.dumps(invocation),
        "mode": mode,
    }
    return client.post("/connectors/echo/actions/post/run", fields, hx_request="true").words


def test_forms_that_are_none(client: Client) -> None:
    """What is no form, too large a form, or no JSON is refused with the reason; connector and
    action are always the page's.
    """
    assert (
        "cannot be read"
        in client.send(
            "POST", "/tokens", b"a=\xff", {"content-type": "application/x-www-form-urlencoded"}
        ).words
    )
    assert "larger than" in client.post("/tokens", {"a": "x" * 30_000}).words
    assert "not valid JSON" in run(client, "{nonsense") or "not JSON" in run(client, "{nonsense")
    assert "must be an object" in run(client, "[]")
    shown = run(
        client,
        {"connector": "other", "action": "say", "connection": "hall", "inputs": {"text": "Hi"}},
    )
    assert "Succeeded" in shown
    assert "Post a Note echo" in client.get("/invocations").words


def test_an_address_of_nothing_is_a_page_to_people(place: Place, client: Client) -> None:
    """With the menu for who is signed in, without it for others; programs, and what they call, get
    a problem document.
    """
    browser = {"accept": "text/html,application/xhtml+xml"}
    found = client.send("GET", "/nowhere", b"", browser)
    assert (
        found.status,
        "There is no page at this address" in found.words,
        "Invocations" in found.words,
    ) == (404, True, True)
    stranger = Client(place.app)
    found = stranger.send("GET", "/invocations/x/nowhere", b"", browser)
    assert (
        found.status,
        "There is no page at this address" in found.words,
        "Invocations" in found.words,
    ) == (404, True, False)
    for path, headers in (("/v1/nowhere", browser), ("/nowhere", {"accept": "application/json"})):
        assert (
            client.send("GET", path, b"", headers).headers["content-type"]
            == "application/problem+json"
        )


def test_a_file_that_is_gone(client: Client) -> None:
    """A file that was never uploaded is told at its place, and nothing is sent."""
    shown = run(
        client,
        {
            "connection": "hall",
            "inputs": {"text": "Hi", "picture": {"file": "file_aaaaaaaaaaaaaaaaaaaaaa"}},
        },
    )
    assert "/picture/file the file does not exist or has expired" in shown


def test_uploads_are_bound_to_the_session(client: Client, place: Place) -> None:
    """A file is uploaded with the token of the session's forms, and belongs to its workspace."""
    csrf = client.get("/").csrf
    answer = client.send(
        "POST", "/uploads", b"hello", {"x-csrf-token": csrf, "content-type": "text/plain"}
    )
    assert answer.status == 201
    name = json.loads(answer.text)["file"]
    assert "Succeeded" in run(
        client, {"connection": "hall", "inputs": {"text": "Hi", "picture": {"file": name}}}
    )
    assert client.send("POST", "/uploads", b"hello", {"content-type": "text/plain"}).status == 403


def test_a_database_that_is_away(
    place: Place, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the database cannot be read the console says so, to strangers too, and shows no
    traceback.
    """

    def away(*_arguments: object, **_rest: object) -> None:
        raise Unavailable("the database is away", hint="Wait for it.")

    csrf = client.get("/login").csrf
    monkeypatch.setattr("jackfield_store.access.sessions.Sessions.find", away)
    monkeypatch.setattr("jackfield_store.access.sessions.Sessions.spend_link", away)
    monkeypatch.setattr("jackfield_service.shell.pages.sign_in.ConsoleSessions.by_token", away)
    answers = [
        client.get("/"),
        place.client().get("/login?once=x"),
        client.post("/login", {"csrf": csrf, "token": "x"}),
    ]
    for answer in answers:
        assert answer.status == 503
        assert "The database is away" in answer.words
        assert "Traceback" not in answer.text


def test_connections_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection of a file is shown, masked, and says where it is edited; one whose connector is
    gone says so.
    """
    file = tmp_path / "connections.json"
    values = {
        "filed": {"type": "echo/token", "values": {"token": "sesame"}},
        "lost": {"type": "gone/door", "values": {"word": "sesame"}},
    }
    file.write_text(json.dumps({"connections": values}), encoding="utf-8")
    monkeypatch.setenv("JACKFIELD_CONNECTIONS", str(file))
    with placed(tmp_path) as place:
        client = place.signed_in()
        page = client.get("/connections/filed")
        assert "Defined in connections.json" in page.words
        assert "sesame" not in page.text
        assert "Rename" not in page.words
        lost = client.get("/connections/lost")
        assert "no installed connector uses this type" in lost.words
        assert "sesame" not in lost.text
        assert "connections.json" in client.get("/connections").words


def test_lists_with_many_pages(place: Place, client: Client) -> None:
    """Lists are shown page by page, and every entry is on one of them, once."""
    runtime = place.host.runtime("default")
    for _ in range(60):
        runtime.invoke(CALL)
    first = client.get("/invocations?status=succeeded")
    older = (
        first.text.rpartition('class="more"')[2]
        .partition('href="')[2]
        .partition('"')[0]
        .replace("&amp;", "&")
    )
    second = client.get(older)
    ids = [
        found
        for page in (first, second)
        for found in re.findall('href="/invocations/([0-9a-f-]{36})"', page.text)
    ]
    assert len(ids) == len(set(ids)) == 60
    # only the first page follows what is new
    assert "live=1" not in second.text.partition('id="found"')[2]


def test_entries_that_are_not_settled(place: Place, client: Client) -> None:
    """An entry that waits looks for news by itself until it is settled, and cannot be cancelled
    once it was begun.
    """
    runtime = place.host.runtime("default")
    identifier = runtime.enqueue(CALL)
    page = client.get(f"/invocations/{identifier}")
    assert "Waiting for a worker." in page.words
    assert f'hx-get="/invocations/{identifier}?live=1"' in page.text
    assert (
        'data-live-next="1"'
        in client.get(f"/invocations/{identifier}?live=1", hx_request="true").text
    )
    database = place.host.storage.database
    assert Queue(database).claim(1)
    database.record(
        lambda transaction: transaction.change(
            "UPDATE invocations SET status = 'running' WHERE status = 'queued'", {}
        )
    )
    address = f"/invocations/{identifier}/cancel"
    moved = client.post(address, {"csrf": page.csrf_of(address)})
    assert moved.headers["location"] == f"/invocations/{identifier}?anew=1"
    late = client.change(f"/invocations/{identifier}", address)
    assert late.headers["location"].endswith("?done=late")
    assert "Too late" in client.get(late.headers["location"]).words
    settled = runtime.invoke(CALL).meta.invocation_id
    assert (
        'data-live-next="never"'
        in client.get(f"/invocations/{settled}?live=1", hx_request="true").text
    )
    csrf = client.get("/").csrf
    late = client.post(f"/invocations/{settled}/resolve", {"csrf": csrf, "as": "failed"})
    assert "It was no longer in doubt" in client.get(late.headers["location"]).words
    assert (
        client.post(f"/invocations/{settled}/resolve", {"csrf": csrf, "as": "perhaps"}).status
        == 400
    )


def test_l10_a_cancelled_call_is_called_cancelled(place: Place, client: Client) -> None:
    """L10: a cancelled call was shown as "failed", while the list's filter calls it "Cancelled"."""
    identifier = place.host.runtime("default").enqueue(CALL)
    client.change(f"/invocations/{identifier}", f"/invocations/{identifier}/cancel")
    for path in (f"/invocations/{identifier}", "/invocations?status=cancelled"):
        assert ">cancelled</span>" in client.get(path).text


def test_what_is_not_installed_any_more(place: Place, client: Client) -> None:
    """An entry of a connector that is gone is shown without a way to run it again."""
    result = place.host.runtime("default").invoke(
        {"connector": "gone", "action": "away", "inputs": {}}
    )
    page = client.get(f"/invocations/{result.meta.invocation_id}")
    assert page.status == 200
    assert "Run again" not in page.words
    assert "unknown_connector" in page.words


def test_choices_of_a_field(client: Client) -> None:
    """The choices of a field are JSON; a source that is none is not found."""
    answer = client.get("/connectors/echo/options/voices")
    assert [item["value"] for item in json.loads(answer.text)["items"]] == ["alto", "bass"]
    assert client.get("/connectors/echo/options/nothing").status == 404


def test_choices_that_the_provider_knows(place: Place, client: Client) -> None:
    """They come over the chosen connection, for who may invoke; for others, and where rules forbid
    it, there are none, with the reason.
    """
    address = "/connectors/echo/options/rooms"
    assert [
        item["value"] for item in json.loads(client.get(f"{address}?connection=hall").text)["items"]
    ] == ["hall", "attic"]
    reader = place.signed_in(token(place, "read"))
    bound = place.signed_in(token(place, "invoke", rules=Rules(block=("connection:hall",))))
    for visitor, reason in (
        (client, "needs a connection"),
        (reader, "needs a connection"),
        (bound, "the rules of the token forbid"),
    ):
        found = json.loads(
            visitor.get(address if visitor is client else f"{address}?connection=hall").text
        )
        assert found["items"] == []
        assert reason in found["message"]


def test_a_reader_sees_and_changes_nothing(place: Place) -> None:
    """With the scope `read` every page is shown, and what cannot be done is not offered."""
    place.host.runtime("default").invoke(
        {**CALL, "inputs": {"text": "Hi", "fault": {"kind": "reset"}}}
    )
    text = place.tokens().create("read").text
    client = place.signed_in(text)
    identifier = client.get("/invocations").text.partition('href="/invocations/')[2][:36]
    entry = client.get(f"/invocations/{identifier}")
    assert "Resolving it requires the scope manage" in entry.words
    assert "Mark as succeeded" not in entry.words
    assert "Your token is not allowed to edit connections." in client.get("/connections/hall").words
    assert "Your token is not allowed to create or revoke tokens." in client.get("/tokens").words
    assert "not allowed to run actions" in client.get("/connectors/echo/actions/say").words
    assert "Set by the operator" in client.get("/workspace").words
    assert "New connection" not in client.get("/connections").words
    verdict = client.get("/workspace/verdict?call=echo/say", hx_request="true")
    assert "does not allow running actions" in verdict.words
    assert (
        "Enter the action as connector/action" in client.get("/workspace/verdict?call=echo").words
    )


def test_pages_without_scripts(place: Place, client: Client) -> None:
    """Forms that need no script work without one: tests, tokens, settings and removals answer with
    pages.
    """
    assert client.change("/", "/connections/hall/test").headers["location"] == "/connections/hall"
    made = client.change("/tokens", "/tokens", scope="read", name="Shop")
    assert made.status == 200
    assert "jf_" in made.text
    assert client.change("/tokens", "/tokens", scope="nonsense").status == 400
    assert (
        client.change("/workspace", "/workspace", retentionDays="7", keepInputs="on").headers[
            "location"
        ]
        == "/workspace?done=changed"
    )
    assert client.change("/workspace", "/workspace", retentionDays="x").status == 400
    settings = place.host.runtime("default").access.settings
    assert (settings.retention_days, settings.keep_inputs) == (7, True)
    token = place.tokens().list()[0][0].id
    assert (
        "does not allow running actions"
        in client.get(f"/workspace/verdict?call=echo/say&token={token}").words
    )
    renamed = client.change("/connections/hall", "/connections/hall/name", new="hall two")
    assert (renamed.status, "a name is 1 to 100 letters" in renamed.words) == (422, True)
    assert (
        client.change("/connections/hall", "/connections/hall/removal").headers["location"]
        == "/connections?done=removed"
    )


def test_a_name_is_needed(client: Client) -> None:
    """A connection without a name, or of a type that is none, is refused before anything is
    tried.
    """
    csrf = client.get("/").csrf
    fields = {"csrf": csrf, "type": "echo/token", "values": '{"token": "x"}'}
    assert (
        "a name is 1 to 100 letters" in client.post("/connections", fields, hx_request="true").words
    )
    assert (
        "did you mean"
        in client.post(
            "/connections", {**fields, "name": "a", "type": "echo/tokem"}, hx_request="true"
        ).words
    )
    assert (
        "must be an object"
        in client.post(
            "/connections", {**fields, "name": "a", "values": "[]"}, hx_request="true"
        ).words
    )
    assert (
        "hall" in client.post("/connections", {**fields, "name": "hall"}, hx_request="true").words
    )
    assert client.get("/new-connection?type=nothing").status == 422


def test_what_is_wrong_with_a_new_connection_is_told_in_its_words(client: Client) -> None:
    """A connection that has no valid name yet is not called an inline one, which nobody made
    here.
    """
    fields = {
        "csrf": client.get("/").csrf,
        "type": "echo/token",
        "values": "{}",
        "name": "My account",
    }
    told = client.post("/connections", fields, hx_request="true").words
    assert "1 value of the connection (token) is not valid" in told
