"""No secret stands in a variable of an exception that leaves the library, whichever tool shows the
variables.
"""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield.embedding.shown_frames import (
    TOOLS,
    injected,
    spellings,
    tools_that_show,
    variables,
)

from jackfield import Invocation, JackfieldError, Result
from jackfield.connector import ConnectionType, Field
from jackfield.invocation import Meta, decode
from jackfield.kernel.frames import clear
from jackfield_store.journal import Queue
from jackfield_store.management.policies import PolicyRequest
from jackfield_store.runtime import Jackfield
from plugboard import make_connector, plugged

SECRET = 'tok-4711-v3ry/s+cret "välue'
NEEDLES = spellings(SECRET)
VALUES: Mapping[str, Any] = {"token": SECRET}
INLINE = {"type": "acme/token", "values": VALUES}
_NUMBERS = count()

_ACME = '''
"""A connector of an author who shows what runs below him."""
import sys
from jackfield.connector import ConnectionType, Connector, Field, Inputs, Option, Output, Step, current_call

class Token(ConnectionType):
    """A token."""

    key, title, auth, setup, reports_begin = "token", "Token", "apiKey", "Make one up.", True
    token: str = Field(title="Token", secret=True)

    def open(self, context):
        """Open it."""
        WATCH(sys._getframe())
        return object()

    def test(self, context):
        """Test it."""
        WATCH(sys._getframe())
        yield Step("look", "Look", passed=True, message="ok")

connector = Connector("acme", title="Acme", version="1.0.0", description="A test.", connections=[Token], categories=["tests"])

class Note(Inputs):
    """A note."""

    text: str = Field(title="Text")
    password: str | None = Field(None, title="Password", secret=True)

class Written(Output):
    """It is written."""

    text: str = Field(title="Text")

@connector.action("write", effect="write", title="Write")
def write(inputs: Note, client: object) -> Written:
    """Write."""
    current_call().begin()
    WATCH(sys._getframe())
    return Written(text="x")

@connector.action("writeLater", effect="write", title="Write Later")
async def write_later(inputs: Note, client: object) -> Written:
    """Write."""
    return write(inputs, client)

@connector.options("rooms")
def rooms(client: object) -> list[Option]:
    """Rooms."""
    WATCH(sys._getframe())
    return [Option("hall", "Hall")]

def WATCH(frame):
    """Look at what runs."""
'''


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An author's connector, as installed."""
    folder = tmp_path_factory.mktemp("acme")
    make_connector(folder, "acme", _ACME)
    with plugged(folder):
        yield import_module("jackfield_acme")


@pytest.fixture
def jackfield(acme: Any, tmp_path: Path) -> Iterator[Jackfield]:
    """A runtime with a stored connection and a queued invocation."""
    with Jackfield(database_url=f"sqlite:///{tmp_path / 'j.db'}") as found:
        found.connections.add("m", "acme/token", VALUES)
        found.enqueue(_call())
        yield found


def _call(**members: Any) -> dict[str, Any]:
    return {
        "connector": "acme",
        "action": "write",
        "connection": "m",
        "inputs": {"text": "x", "password": SECRET},
        **members,
    }


def _name() -> str:
    return f"n{next(_NUMBERS)}"


def _document() -> str:
    return json.dumps({"connections": {_name(): {"type": "acme/token", "values": dict(VALUES)}}})


def _claimed(jackfield: Jackfield) -> Any:
    return Queue(jackfield.storage.database).claim(1)[0]


async def _begun(jackfield: Jackfield) -> None:
    await jackfield.begin(_call(connection=INLINE))


def _added_and_removed(jackfield: Jackfield) -> None:
    name = _name()
    jackfield.connections.add(name, "acme/token", VALUES, test=False)
    jackfield.connections.remove(name)


async def _within(jackfield: Jackfield) -> None:
    async with jackfield:
        jackfield.connections.check("acme/token", {**VALUES, "more": 1})


def _line() -> str:
    """Return a document in one line, which may be taken for a path."""
    return (
        f"connections: {{{_name()}: {{type: acme/token, values: {{token: {json.dumps(SECRET)}}}}}}}"
    )


def _refused(jackfield: Jackfield) -> None:
    jackfield.connections.check("acme/token", {**VALUES, "more": 1})


async def _grouped(jackfield: Jackfield) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(asyncio.to_thread(_refused, jackfield))


def _several(jackfield: Jackfield) -> None:
    try:
        _refused(jackfield)
    except JackfieldError as error:
        try:
            jackfield.connections.add(_name(), "acme/token", {**VALUES, "more": 1})
        except JackfieldError as other:
            raise ExceptionGroup("both", [error, ExceptionGroup("within", [other])]) from other


def _pooled(jackfield: Jackfield) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_refused, jackfield).result()


def _closed(jackfield: Jackfield) -> None:
    jackfield.close()
    jackfield.connections.add(_name(), "acme/token", VALUES)


def _made(connections: Callable[[], Any]) -> None:
    with Jackfield(database_url="none", connections=[connections()]) as made:
        made.invoke(_call()).unwrap()


def _fail(_found: object) -> None:
    raise _Held("the host's")


class _Held(Exception):
    """What the host raises."""


_FILE = {"data": b64encode(SECRET.encode()).decode(), "contentType": "text/plain"}
METHODS: dict[str, Callable[[Jackfield], object]] = {
    "Jackfield": lambda _: Jackfield(connections={"i": INLINE}, database_url="none").invoke(
        _call(connection="i")
    ),
    "Jackfield, database": lambda _: Jackfield(
        database_url=f"postgresql://u:{SECRET[:12]}@127.0.0.1:9/x?connect_timeout=1"
    ).open(),
    "invoke": lambda jf: jf.invoke(_call()),
    "invoke, inline": lambda jf: jf.invoke(_call(connection=INLINE)),
    "invoke, text": lambda jf: jf.invoke(json.dumps(_call(connection=INLINE))),
    "invoke, keyed": lambda jf: jf.invoke(_call(connection=INLINE, idempotencyKey=_name())),
    "invoke, dry run": lambda jf: jf.invoke(_call(dryRun=True)),
    "invoke, on time": lambda jf: jf.invoke(_call(), on_time=True),
    "invoke, a coroutine": lambda jf: jf.invoke(_call(action="writeLater")),
    "ainvoke": lambda jf: asyncio.run(jf.ainvoke(_call(connection=INLINE))),
    "begin": lambda jf: asyncio.run(_begun(jf)),
    "enqueue": lambda jf: jf.enqueue(_call()),
    "enqueue, inline": lambda jf: jf.enqueue(_call(connection=INLINE)),
    "enqueue_many": lambda jf: jf.enqueue_many([_call(), _call()]),
    "enqueue_many, one": lambda jf: jf.enqueue_many(_call(connection=INLINE)),
    "prepare": lambda jf: jf.prepare(_call()),
    "run": lambda jf: jf.run(_claimed(jf)),
    "arun": lambda jf: asyncio.run(jf.arun(_claimed(jf))),
    "show": lambda jf: jf.show("m"),
    "test": lambda jf: jf.test("m"),
    "diagnose": lambda jf: jf.diagnose("m"),
    "options": lambda jf: jf.options("acme", "rooms", connection="m", inputs={"password": SECRET}),
    "lend": lambda jf: jf.lend("m").client(),
    "cancel": lambda jf: jf.cancel(_name()),
    "wait": lambda jf: jf.wait(_name()),
    "events": lambda jf: list(jf.events()),
    "journal": lambda jf: jf.journal_of().entries(),
    "connections.list": lambda jf: jf.connections.list(text=SECRET),
    "connections.find": lambda jf: jf.connections.find("m"),
    "connections.check": lambda jf: jf.connections.check("acme/token", {**VALUES, "more": 1}),
    "connections.check, remote": lambda jf: jf.connections.check(
        "http/bearer", {"server": "nope", **VALUES}
    ),
    "connections.add": lambda jf: jf.connections.add(_name(), "acme/token", VALUES),
    "connections.add, taken": lambda jf: jf.connections.add(
        "m", "acme/token", {**VALUES, "more": 1}
    ),
    "connections.add, untested": lambda jf: jf.connections.add(
        _name(), "acme/token", VALUES, test=False
    ),
    "connections.replace": lambda jf: jf.connections.replace("m", VALUES),
    "connections.replace, moved": lambda jf: jf.connections.replace("m", VALUES, 1_000),
    "connections.rename": lambda jf: jf.connections.rename("m", _name()),
    "connections.remove": _added_and_removed,
    "connections.test_draft": lambda jf: jf.connections.test_draft("acme/token", VALUES),
    "connections.import_document": lambda jf: jf.connections.import_document(_document()),
    "connections.import_document, bad": lambda jf: jf.connections.import_document(
        "{" + _document()
    ),
    "connections.import_document, values": lambda jf: jf.connections.import_document(
        _document(), values=VALUES, force=True
    ),
    "connections.import_document, a line": lambda jf: jf.connections.import_document(_line()),
    "connections.import_document, bytes": lambda jf: jf.connections.import_document(
        _document().encode()  # type: ignore[arg-type]
    ),
    "connections.add, no text": lambda jf: jf.connections.add(SECRET, 5, VALUES),  # type: ignore[arg-type]
    "connections.add, no object": lambda jf: jf.connections.add(_name(), "acme/token", [SECRET]),  # type: ignore[arg-type]
    "connections.add, closed": _closed,
    "connections.check, in a group": lambda jf: asyncio.run(_grouped(jf)),
    "connections.check, several errors": _several,
    "connections.check, in a pool": _pooled,
    "invoke, named": lambda jf: jf.invoke(_call(connection=INLINE), named=_fail),
    "invoke, followed": lambda jf: jf.invoke(_call(connection=INLINE), follow=_fail),
    "Jackfield, a line": lambda _: _made(_line),
    "Jackfield, wrong": lambda _: _made(
        lambda: {"connections": {"m": {"type": 5, "values": VALUES}}, "more": VALUES}
    ),
    "connections.export": lambda jf: jf.connections.export(secrets=True),
    "connections.policy": lambda jf: jf.connections.policy("m"),
    "connections.draft_policy": lambda jf: jf.connections.draft_policy(
        "acme/token", VALUES, "x", PolicyRequest()
    ),
    "connections.external_id": lambda jf: jf.connections.external_id("m"),
    "connections.authorizing": lambda jf: jf.connections.authorizing().begin(
        "m", "http://127.0.0.1/back"
    ),
    "stream": lambda jf: [*jf.stream(_call(connection=INLINE))],
    "stream, refused": lambda jf: jf.stream(_call(connection=INLINE, more=1)).result.unwrap(),
    "Invocation": lambda _: Invocation.from_json({**_call(connection=INLINE), "more": 1}),
    "Invocation, no object": lambda _: Invocation.from_json([_call(connection=INLINE)]),
    "Result": lambda jf: jf.invoke(_call(action="nothing", connection=INLINE)).unwrap(),
    "Result.from_json": lambda _: Result.from_json(
        {"status": "succeeded", "output": VALUES, "meta": {}}
    ),
    "Result, of a job": lambda _: Result("running", Meta("x"), output=VALUES).wait(),
    "files": lambda _: (
        Result("succeeded", Meta("x"), output={"x": _FILE}).files[0].save("/nowhere/x")
    ),
    "decode": lambda _: decode(json.dumps(_call(connection=INLINE)) + "}"),
    "async with": lambda jf: asyncio.run(_within(jf)),
}
"""Public methods, and arguments with secrets: some are refused, the others are made to fail."""


_REACH_AN_AUTHOR = (
    "invoke",
    "invoke, inline",
    "invoke, text",
    "invoke, on time",
    "invoke, a coroutine",
    "ainvoke",
    "begin",
    "run",
    "options",
    "lend",
    "test",
    "diagnose",
    "connections.add",
    "connections.replace",
    "connections.test_draft",
    "connections.import_document",
)


def _in_variables(error: BaseException) -> set[tuple[str, str]]:
    return {
        (file, name)
        for file, name, text in variables(error)
        if any(needle in text for needle in NEEDLES)
    }


# raised into before its first step
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("method", list(METHODS))
def test_no_tool_shows_a_secret(method: str, jackfield: Jackfield) -> None:
    """What comes out of a public method, refused or interrupted anywhere, shows no secret: not in
    the variables of a frame, not in those of its causes, in no spelling, and in no tool.
    """
    calls, error = injected(lambda: METHODS[method](jackfield), -1)
    errors = [error]
    errors += [
        injected(lambda: METHODS[method](jackfield), max(1, calls * part // 4))[1]
        for part in (0, 1, 2)
    ]
    raised = [error for error in errors if error is not None]
    assert raised or "invoke" in method  # whose errors are Results
    for error in raised:
        assert _in_variables(error) == set()
    for name, show in TOOLS.items():
        shown = [show(error) for error in raised[:1]]
        assert not any(needle in text for text in shown for needle in NEEDLES), name
        assert all(type(raised[0]).__name__ in text for text in shown)


# raised into before its first step
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.campaign
@pytest.mark.parametrize("method", list(METHODS))
def test_no_place_shows_a_secret(method: str, jackfield: Jackfield) -> None:
    """The same, with an exception in a hundred places of each method, in all tools."""
    calls, _ = injected(lambda: METHODS[method](jackfield), -1)
    for at in range(1, calls + 1, max(1, calls // 100)):
        _, error = injected(lambda: METHODS[method](jackfield), at)
        if error is not None:
            assert _in_variables(error) == set(), at
            assert tools_that_show(error, NEEDLES) == set(), at


@pytest.mark.parametrize("method", _REACH_AN_AUTHOR)
def test_what_runs_below_an_author_shows_no_secret(
    method: str, acme: Any, jackfield: Jackfield, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tool that shows the frames that run, as error trackers do with a log message of a
    connector, finds no secret in one of ours.
    """
    found = set[tuple[str, str]]()
    seen = []

    def watch(frame: Any) -> None:
        seen.append(frame.f_code.co_name)
        while frame is not None:
            if "jackfield." in str(frame.f_globals.get("__name__")):
                found.update(
                    (frame.f_code.co_name, name)
                    for name, value in frame.f_locals.items()
                    if any(n in _shown(value) for n in NEEDLES)
                )
            frame = frame.f_back

    monkeypatch.setattr(acme, "WATCH", watch)
    METHODS[method](jackfield)
    assert seen
    assert found == set()


def _shown(value: object) -> str:
    return repr(value)


def test_the_hosts_frames_keep_their_variables(jackfield: Jackfield) -> None:
    """What a host's function raises through us has its file, line and variables, and the frames of
    ours their file and line.
    """

    def named(identifier: str) -> None:
        note = f"about {identifier[:1]}"
        raise _Held(note)

    with pytest.raises(_Held) as raised:
        jackfield.invoke(_call(), named=named)
    trace = raised.traceback
    assert (trace[-1].name, sorted(trace[-1].frame.f_locals)) == ("named", ["identifier", "note"])
    assert "runtime.py" in [Path(str(entry.path)).name for entry in trace]
    assert all(entry.lineno > 0 for entry in trace)


def test_causes_are_cleared_too(jackfield: Jackfield) -> None:
    """An error of ours that was made of another, and one that came while another was handled, have
    no variables of ours.
    """

    def values(_connection: object) -> Mapping[str, Any]:
        try:
            jackfield.connections.check("acme/token", {**VALUES, "more": 1})
        except JackfieldError as error:
            raise _Held from error
        return {}

    with pytest.raises(_Held) as raised:
        jackfield.connections.import_document(_document(), values=values)
    assert isinstance(raised.value.__cause__, JackfieldError)
    assert _in_variables(raised.value) == set()


_SUSPENDED = """
def work():
    value = 5
    try:
        raise KeyError(1)
    except KeyError as error:
        kept.append(error)
    yield
    yield value
"""


def test_an_error_that_cannot_be_looked_through_has_no_frames(
    jackfield: Jackfield, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that calls from as deep as one may leaves no room to look: the error comes out,
    without the frames below the border.
    """

    def frames(_error: BaseException) -> Any:
        raise RecursionError

    monkeypatch.setattr("jackfield.kernel.frames._frames", frames)
    with pytest.raises(JackfieldError, match="more") as raised:
        _refused(jackfield)
    assert _in_variables(raised.value) == set()
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_a_suspended_generator_is_not_ended() -> None:
    """A frame that has handled an exception and goes on later keeps what it needs; so does one that
    runs.
    """
    kept: list[BaseException] = []
    scope: dict[str, Any] = {"__name__": "jackfield.anything", "kept": kept}
    exec(_SUSPENDED, scope)
    generator = scope["work"]()
    next(generator)
    clear(kept[0])
    assert next(generator) == 5
    generator.close()
    assert kept[0].__traceback__ is not None
    assert kept[0].__traceback__.tb_frame.f_locals["value"] == 5
    exec("def ended():\n    value = 5\n    raise KeyError(1)", scope)
    with pytest.raises(KeyError) as raised:
        scope["ended"]()
    clear(raised.value)
    assert raised.traceback[-1].frame.f_locals == {}


_CATCHES = """
def parse(text):
    token = text
    raise KeyError(token[:1])

def read(text):
    token = text
    try:
        parse(token)
    except KeyError as error:
        raise ValueError("cut short") from error
"""


def test_what_a_library_caught_below_us_is_cleared_too() -> None:
    """The trace of such a cause begins in the library: that we called it, only its consequence
    shows. What the host's own call of the library made keeps its variables.
    """
    library: dict[str, Any] = {"__name__": "json.anything"}
    exec(_CATCHES, library)
    ours: dict[str, Any] = {"__name__": "jackfield.anything", "read": library["read"]}
    exec("def ask(text):\n    read(text)", ours)
    for ask, left in (
        (ours["ask"], []),
        (library["read"], ["read.text", "read.token", "parse.text", "parse.token"]),
    ):
        with pytest.raises(ValueError, match="cut short") as raised:
            ask(SECRET)
        clear(raised.value)
        found = [
            name
            for _, name, text in variables(raised.value)
            if SECRET[:8] in text and not name.startswith("test_")
        ]
        assert sorted(set(found)) == sorted(left)
        assert isinstance(raised.value.__cause__, KeyError)


def test_an_authors_frame_keeps_its_variables_which_show_no_values() -> None:
    """Objects with values, which authors get, show none of them, also to tools that ask pydantic's
    models.
    """

    class Key(ConnectionType):
        """A key."""

        key, title = "key", "Key"
        token: str = Field(title="Token", secret=True)

    def author(values: Key) -> None:
        raise _Held(values.key)

    for name, show in TOOLS.items():
        with pytest.raises(_Held) as raised:
            author(Key(token=SECRET))
        shown = show(raised.value)
        assert "values" in shown
        assert not any(needle in shown for needle in NEEDLES), name


@pytest.mark.parametrize(
    ("service", "method", "given"),
    [
        ("sqs", "send_message", {"QueueUrl": 5}),
        ("sesv2", "get_email_identity", {"EmailIdentity": "\ud800"}),
    ],
)
def test_a_parameter_that_a_lent_client_of_aws_refuses_shows_no_credentials(
    service: str, method: str, given: dict[str, Any]
) -> None:
    """Calls of a lent client have no border: while a request is built, no frame of ours holds
    keys.
    """
    keys = {
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey": SECRET,
        "sessionToken": SECRET,
        "region": "eu-west-1",
    }
    found = {"aws": {"type": "aws-ses/apiKeySecret", "values": keys}}
    with Jackfield(
        connections=[{"connections": found}], database_url="none", environment={}, only_hosts=[]
    ) as jackfield:
        clients: Any = jackfield.lend("aws").client()
        call = getattr(clients.client(service), method)
        del keys, found
        with pytest.raises(Exception, match=r"QueueUrl|surrogates") as raised:
            call(**given)
    assert "requests.py" in {Path(str(entry.path)).name for entry in raised.traceback}
    assert _in_variables(raised.value) == set()


def test_the_trace_is_in_the_log_at_debug(
    jackfield: Jackfield, caplog: pytest.LogCaptureFixture
) -> None:
    """At DEBUG the log has all frames of what is raised to the host, and of its causes, without
    values; else nothing.
    """
    for level, expected in ((logging.INFO, 0), (logging.DEBUG, 1)):
        caplog.clear()
        with caplog.at_level(level, "jackfield.frames"), pytest.raises(JackfieldError):
            jackfield.connections.check("acme/token", {**VALUES, "more": 1})
        found = [
            record.getMessage() for record in caplog.records if record.name == "jackfield.frames"
        ]
        assert len(found) == expected
    assert "InvalidConnection" in found[0]
    assert "drafts.py" in found[0]
    assert not any(needle in found[0] for needle in NEEDLES)
