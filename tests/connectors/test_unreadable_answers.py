"""Whatever a library raises over an answer: the answer cannot be read, and the error says what was
sent by that step.
"""

from __future__ import annotations

import json
import pkgutil
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from psycopg import pq

import flooding
from jackfield import Jackfield, Result
from jackfield.connector import Deadline, Sent
from polite_servers import CHANGE, COMMIT, FIRST, GREETING, SIGN_IN, polite

_SAID, _UNREAD = "said-by-a-stranger", "the server's answer cannot be read"
_KINDS = (
    RecursionError,
    ValueError,
    MemoryError,
    IndexError,
    KeyError,
    TypeError,
    AssertionError,
    RuntimeError,
    OverflowError,
)
_RAISED: dict[str, Exception] = {
    **{kind.__name__: kind(_SAID) for kind in _KINDS},
    "UnicodeDecodeError": UnicodeDecodeError("utf-8", _SAID.encode(), 0, 1, _SAID),
    "struct.error": struct.error(_SAID),
}
_CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "imap saveDraft": (CHANGE, {"text": "a"}),
    "sftp deleteFile": (CHANGE, {"path": "a"}),
    "mysql executeStatement": (COMMIT, {"sql": "DELETE FROM a"}),
    "postgresql executeStatement": (COMMIT, {"sql": "DELETE FROM a"}),
    "redis setValueIfAbsent": (CHANGE, {"key": "a", "value": "b"}),
    "redis popItems": (CHANGE, {"key": "a"}),
    "rabbitmq publishMessage": (CHANGE, {"routingKey": "orders", "body": "a"}),
    "rabbitmq takeMessages": (CHANGE, {"queue": "orders", "count": 1}),
    "aws-ses sendEmail": (CHANGE, flooding.CALLS["aws-ses"][3]),
}
"""Changes that are no idempotent ones, and the step of their last answer."""
_CHANGED = {"postgresql": (COMMIT,)}
"""Steps after which something may have changed, if these are not all that there are."""
_NO_STEP = {"redis": {GREETING}, "imap": {FIRST}}
"""Steps without an answer: Redis says nothing before it is spoken to; of IMAP, saving is the first
command.
"""
_READERS: dict[str, tuple[str, ...]] = {
    "imap": ("imaplib:IMAP4 _get_response", "imaplib:IMAP4 _get_line"),
    "sftp": (
        "jackfield_sftp.session:_Packets read_message",
        "jackfield_sftp.session:_Bounded get_bytes",
        "paramiko:SFTPClient _read_packet",
    ),
    "mysql": (
        "pymysql.connections:Connection _read_packet",
        "pymysql.connections:Connection _read_bytes",
    ),
    "postgresql": (),
    "redis": (
        "redis._parsers.resp2:_RESP2Parser _read_response",
        "redis._parsers.socket:SocketBuffer readline",
    ),
    "rabbitmq": ("jackfield_rabbitmq.session decode_frame",),
    "aws-ses": (
        "jackfield_aws_ses.smtp.session:Session getreply",
        "jackfield_aws_ses.smtp.session:Session _line",
    ),
}
"""What reads answers."""
_LIBPQ = ("connect_poll", "consume_input", "get_result")
"""The same of libpq, whose connection no test can change."""


@dataclass
class Readers:
    """What reads the answers of a connector's library. It raises an error, once, in place of the
    first answer to a step.
    """

    step: str = GREETING
    error: Exception | None = None
    at: tuple[str, str] | None = None
    met: list[tuple[str, str]] = field(default_factory=list)
    """Readers that had an answer, and its step."""

    def told(self, step: str) -> None:
        """Note which step a server was sent."""
        self.step = step

    def fail(self, at: tuple[str, str], error: Exception) -> None:
        """Raise an error in place of an answer."""
        self.at, self.error = at, error

    def after(self, name: str, read: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that reads an answer with ``read``."""

        def reads(*given: Any, **named: Any) -> Any:
            found, place = read(*given, **named), (name, self.step)
            self.met.append(place)
            if place == self.at and self.error is not None:
                self.at = None
                raise self.error
            return found

        return reads


class _Libpq:
    def __init__(self, connection: Any, readers: Readers) -> None:
        self.__dict__["own"] = connection, readers

    def __getattr__(self, name: str) -> Any:
        connection, readers = self.own
        found = getattr(connection, name)
        return readers.after(name, found) if name in _LIBPQ else found

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.own[0], name, value)


class _Pq:
    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self.PGconn = self

    def __getattr__(self, name: str) -> Any:
        return getattr(pq, name)

    def connect_start(self, settings: bytes) -> _Libpq:
        """Begin a connection."""
        return _Libpq(pq.PGconn.connect_start(settings), self._readers)


@dataclass
class Stage:
    """A connector, and its server."""

    jackfield: Jackfield
    readers: Readers
    name: str
    port: int

    def call(self, user: int = 0) -> Result:
        """Call the action; each user has a session of his own."""
        connector, _, action = self.name.partition(" ")
        values = {**flooding.values_for(connector, self.port), "username": f"ada{user}"}
        kind = flooding.CALLS[connector][2]
        self.readers.step = GREETING
        return self.jackfield.invoke(
            {
                "connector": connector,
                "action": action,
                "inputs": _CALLS[self.name][1],
                "timeoutSeconds": 60,
                "connection": {"type": kind, "values": values},
            }
        )

    def places(self, user: int = 0) -> list[tuple[str, str]]:
        """Call the action, and return what has read something, at which steps."""
        self.readers.met.clear()
        self.call(user).unwrap()
        return [*dict.fromkeys(self.readers.met)]

    def broken(self, place: tuple[str, str], error: Exception, user: int) -> Result:
        """Call the action, with an error in place of an answer."""
        self.readers.fail(place, error)
        result = self.call(user)
        assert self.readers.at is None, place
        return result


@contextmanager
def _served(connector: str) -> Iterator[tuple[Readers, int]]:
    """Serve a connector's protocol at a port, and let what reads its answers be told."""
    readers = Readers()
    with ExitStack() as stack:
        port = stack.enter_context(polite(connector, readers.told))
        for path in _READERS[connector]:
            owner, attribute = path.split()
            found = pkgutil.resolve_name(owner)
            stack.enter_context(
                mock.patch.object(
                    found, attribute, readers.after(attribute, getattr(found, attribute))
                )
            )
        stack.enter_context(mock.patch("jackfield_postgresql.session.pq", _Pq(readers)))
        yield readers, port


@contextmanager
def _staged(name: str) -> Iterator[Stage]:
    with _served(name.partition(" ")[0]) as (readers, port), flooding.runtime() as jackfield:
        yield Stage(jackfield, readers, name, port)


def _check(
    result: Result, place: tuple[str, str], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Check that an answer that cannot be read is told as such, with what was sent, and without a
    stranger's text.
    """
    error, is_changed = (
        result.error,
        place[1] in _CHANGED.get(name.partition(" ")[0], (CHANGE, COMMIT)),
    )
    assert error is not None, place
    assert (result.status, error.sent) == (
        ("in_doubt", Sent.UNKNOWN) if is_changed else ("failed", Sent.NOTHING)
    ), (place, error)
    assert error.code == ("in_doubt" if is_changed else "unavailable"), (place, error)
    assert _UNREAD in error.message, (place, error.message)
    own = [
        record.getMessage() + str(record.exc_text)
        for record in caplog.records
        if record.name.startswith("jackfield")
    ]
    assert _SAID not in json.dumps(result.to_json()) + "".join(own), (place, own)
    assert result.meta.attempts == 1, place


def test_each_session_is_called() -> None:
    """A connector with a session of its own is called by the tests below."""
    assert {name.partition(" ")[0] for name in _CALLS} == {*flooding.CALLS}


@pytest.mark.parametrize("raised", _RAISED)
@pytest.mark.parametrize("name", _CALLS)
def test_an_answer_that_no_parser_takes(
    name: str, raised: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was sent before the change, and nobody knows afterwards. It is tried once, and the
    next call has another session.

    A mail is none before its last dot: it is sent over another connection, once the login is over.
    """
    connector = name.partition(" ")[0]
    with _staged(name) as stage:
        places = stage.places()
        for user, place in enumerate(places, 1):
            result = stage.broken(place, _RAISED[raised], user)
            if connector == "aws-ses" and place[1] in (GREETING, FIRST):
                assert (result.status, result.meta.attempts) == ("succeeded", 2), place
            else:
                _check(result, place, name, caplog)
            stage.call(user).unwrap()
    assert {step for _, step in places} >= {
        GREETING,
        SIGN_IN,
        FIRST,
        CHANGE,
        _CALLS[name][0],
    } - _NO_STEP.get(connector, set())


@pytest.mark.parametrize("raised", _RAISED)
@pytest.mark.parametrize("name", _CALLS)
def test_an_answer_over_a_kept_session_that_no_parser_takes(
    name: str, raised: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The change is made over another session, or not at all; only once it was sent, nobody
    knows.
    """
    with _staged(name) as stage:
        stage.call().unwrap()
        for user, place in enumerate(stage.places(), 1):
            stage.call(user).unwrap()
            result = stage.broken(place, _RAISED[raised], user)
            if result.status != "succeeded" or place[1] in (CHANGE, COMMIT):
                _check(result, place, name, caplog)
            stage.call(user).unwrap()


_MOST_PLACES = 20


@pytest.mark.parametrize("raised", _RAISED)
@pytest.mark.parametrize("connector", flooding.CALLS)
def test_a_connection_is_tested_by_answers_that_no_parser_takes(
    connector: str, raised: str
) -> None:
    """The test fails with that reason, and never with an error of the connector's, as it does where
    a database answers without a row. What answers a farewell fails nothing.
    """
    with _served(connector) as (readers, port):
        kind, values = (
            f"{connector}/{flooding.CALLS[connector][2]}",
            flooding.values_for(connector, port),
        )
        found = {
            f"c{user}": {"type": kind, "values": {**values, "username": f"ada{user}"}}
            for user in range(_MOST_PLACES)
        }
        with flooding.runtime([{"connections": found}]) as jackfield:
            sound = jackfield.connections.test("c0")
            assert (
                sound["status"] == "ok" or _UNREAD in sound["lastTest"]["steps"][-1]["message"]
            ), sound
            for user, place in enumerate([*dict.fromkeys(readers.met)], 1):
                readers.step = GREETING
                readers.fail(place, _RAISED[raised])
                told = jackfield.connections.test(f"c{user}")
                assert readers.at is None, place
                assert _SAID not in json.dumps(told), place
                if told["status"] != "ok":
                    assert _UNREAD in told["lastTest"]["steps"][-1]["message"], (place, told)
                else:
                    assert (connector, place[1]) == ("aws-ses", FIRST)


_LOOKS = 4


@pytest.mark.parametrize("name", [name for name in _CALLS if not name.startswith("aws-ses")])
def test_a_change_that_was_sent_is_waited_for(name: str) -> None:
    """Whoever leaves once the server has the change gets its outcome: the wait for it does not end,
    which would leave it in doubt.
    """
    connector, _, action = name.partition(" ")
    left, looked, remaining = threading.Event(), threading.Semaphore(0), Deadline.remaining

    def counted(deadline: Deadline) -> float:
        if left.is_set():
            looked.release()
        return remaining(deadline)

    def told(step: str) -> None:
        if step == _CALLS[name][0] and not left.is_set():
            left.set()
            # an answer at once would end each wait, also one that ends when the caller leaves
            for _ in range(_LOOKS):
                looked.acquire(timeout=60)

    with (
        polite(connector, told) as port,
        flooding.runtime() as jackfield,
        mock.patch.object(Deadline, "remaining", counted),
    ):
        given = {
            "type": flooding.CALLS[connector][2],
            "values": flooding.values_for(connector, port),
        }
        asked = {
            "connector": connector,
            "action": action,
            "inputs": _CALLS[name][1],
            "timeoutSeconds": 60,
            "connection": given,
        }
        result = jackfield.invoke(asked, cancelled=left)
    assert (result.status, left.is_set()) == ("succeeded", True), result.error
