"""Log records and exceptions hold no secret."""

from __future__ import annotations

import inspect
import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from drawing import drawn
from jackfield import Jackfield, redaction
from jackfield.redaction.logs import LogRedaction, reason, safe_exception_text, trace
from jackfield.redaction.redactor import Redactor, current_redactor, keep_in_force, put_in_force
from plugboard import make_echo, plugged

SECRET = "hunter2-\"x'y\\z"
REDACTOR = Redactor([SECRET])


@dataclass(eq=False)
class Open:
    """Something open that holds secrets."""

    redactor: Redactor


@contextmanager
def redacting(redactor: Redactor) -> Iterator[Redactor]:
    """Secrets that are in force within the block."""
    held = Open(redactor)
    put_in_force(held)
    yield held.redactor
    del held


class Unreadable:
    """Its texts cannot be made."""

    class Trouble(Exception):
        """An exception that nobody expects."""

    def __str__(self) -> str:
        raise self.Trouble(SECRET)

    __repr__ = __str__


class Keeping(logging.Handler):
    """Keeps the records that it gets."""

    def __init__(self, seen: list[logging.LogRecord]) -> None:
        super().__init__()
        self.seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record."""
        self.seen.append(record)


class Stream:
    """A logger with one redacted handler, and all that came through it."""

    def __init__(self, name: str) -> None:
        self.out = io.StringIO()
        self.handler = logging.StreamHandler(self.out)
        self.handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self.handler.addFilter(LogRedaction())
        self.logger = logging.getLogger(name)
        self.logger.setLevel(logging.DEBUG)
        self.logger.propagate = False
        self.logger.addHandler(self.handler)

    @property
    def text(self) -> str:
        """What was written."""
        return self.out.getvalue()


@pytest.fixture
def stream() -> Iterator[Stream]:
    """A stream of its own for each test."""
    opened = Stream("redaction.test")
    yield opened
    opened.logger.removeHandler(opened.handler)


def chained() -> BaseException:
    """An exception whose cause, context and note hold the secret too."""
    error, cause = ValueError(f"outer {SECRET}"), KeyError(SECRET)
    cause.__context__ = RuntimeError(f"context {SECRET}")
    cause.add_note(f"note {SECRET}")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (f"plain {SECRET}", ()),
        ("one %s", (SECRET,)),
        ("repr %r", (SECRET,)),
        ("named %(a)s", ({"a": SECRET},)),
        ("nested %s", ({"a": [SECRET]},)),
        ("too many %s", (SECRET, SECRET)),
        ("wrong kind %d", (SECRET,)),
        ("missing %(b)s", ({"a": SECRET},)),
        (f"broken {SECRET} %", ("x",)),
        (ValueError(SECRET), ()),
        ([SECRET], ()),
        ("octets %s", (SECRET.encode("utf-16"),)),
    ],
)
def test_messages_are_cleaned(stream: Stream, message: Any, arguments: tuple[Any, ...]) -> None:
    """A record's message is masked whatever its kind, and broken format strings are logged instead
    of raised.
    """
    with redacting(REDACTOR):
        stream.logger.info(message, *arguments)
    assert "hunter2" not in stream.text
    assert "***" in stream.text
    assert stream.text.startswith("INFO ")


def test_unreadable_arguments_do_not_break_logging(stream: Stream) -> None:
    """Objects whose texts raise are logged as not readable."""
    with redacting(REDACTOR):
        stream.logger.info("object %s", Unreadable())
        stream.logger.info(Unreadable())
    assert stream.text.splitlines() == [
        "INFO object %s (with arguments that do not fit: <not readable>)",
        "INFO <not readable> (with arguments that do not fit: ())",
    ]


def test_tracebacks_are_cleaned(stream: Stream) -> None:
    """Traceback, cause, note and stack are masked, and no later handler gets the exception
    itself.
    """
    seen: list[logging.LogRecord] = []
    late = Keeping(seen)
    stream.logger.addHandler(late)
    with redacting(REDACTOR):
        stream.logger.error("failed", exc_info=chained(), stack_info=True)
    stream.logger.removeHandler(late)
    assert "hunter2" not in stream.text
    for kept in (
        "KeyError: ",
        "ValueError: outer ***",
        "note ***",
        "context ***",
        "direct cause",
        "Stack (most recent call last)",
    ):
        assert kept in stream.text
    assert seen[0].exc_info is None
    assert "hunter2" not in str(vars(seen[0]))


@drawn(
    secret=st.text(alphabet="ab%\\\"'\n\t |*+/=& ;$({é中x0n", min_size=4, max_size=14).filter(
        lambda text: len(text.strip()) >= 4 and bool(text.strip().strip("*"))
    ),
    grouped=st.booleans(),
    few=80,
    many=300,
)
def test_any_secret_in_a_chain_is_cleaned(secret: str, grouped: bool) -> None:
    """Awkward secrets are masked in every exception of a chain or group, its notes too, and in the
    record's arguments.
    """
    cause: Exception = KeyError(secret, [secret])
    cause.add_note(f"note {secret}")
    if grouped:
        cause = ExceptionGroup(f"group {secret}", [cause, ValueError(secret)])
    error = ValueError(f"outer {secret}")
    error.__cause__ = cause
    with redacting(Redactor([secret])) as redactor:
        made = record(
            msg="%s and %r", args=(secret, {secret: [secret]}), exc_info=(ValueError, error, None)
        )
        assert LogRedaction().filter(made)
        formatted = logging.Formatter().format(made)
    assert not redactor.holds(formatted)
    assert formatted.count("***") >= 6
    for line in max(secret.split("\n"), key=len), repr(secret)[1:-1], json.dumps(secret)[1:-1]:
        assert (
            len(line) < 4
            or set(line) <= set("* |")
            or line not in formatted.replace("(most recent call last)", "")
        )


def test_exceptions_without_text_are_logged(stream: Stream) -> None:
    """An exception whose str raises is logged by its type."""
    with suppress(Exception), redacting(REDACTOR):
        stream.logger.error(
            "failed", exc_info=type("Mute", (Exception,), {"__str__": Unreadable.__str__})()
        )
    assert "Mute" in stream.text
    assert "hunter2" not in stream.text


def record(**attributes: Any) -> logging.LogRecord:
    """A record made by hand."""
    return logging.makeLogRecord({"msg": "m", "args": (), "levelno": logging.INFO, **attributes})


def cleaned(made: logging.LogRecord) -> logging.LogRecord:
    """The record after the filter."""
    with redacting(REDACTOR):
        assert LogRedaction().filter(made)
    return made


def test_hand_made_records_are_cleaned() -> None:
    """Traces already formatted, bare exceptions and exc_info of a wrong kind are read without
    harm.
    """
    assert (
        cleaned(record(exc_text=f"earlier: {SECRET}", exc_info=(None, None, None))).exc_text
        == "earlier: ***"
    )
    assert "ValueError: outer ***" in str(cleaned(record(exc_info=chained())).exc_text)
    assert cleaned(record(exc_info=17)).exc_text == "<not readable>"
    assert cleaned(record(stack_info=f"File {SECRET}")).stack_info == "File ***"


def test_extra_is_cleaned() -> None:
    """What came through extra is masked, and kept as it is where it holds no secret."""
    plain = object()
    made = cleaned(
        record(
            token=SECRET,
            body={"a": [SECRET], "n": 1},
            error=ValueError(SECRET),
            octets=(SECRET.encode(),),
            broken=Unreadable(),
            plain=plain,
            count=3,
            message=SECRET,
        )
    )
    found = vars(made)
    assert (found["token"], found["body"], found["error"]) == ("***", {"a": ["***"], "n": 1}, "***")
    assert "hunter2" not in found["octets"]
    assert (found["plain"], found["count"], found["message"]) == (plain, 3, "***")


def test_messages_of_our_own_stay() -> None:
    """A message that this package composes holds no secret, and is not touched; the exception
    beside one may hold any.
    """
    made = record(msg="a %s", args=("b",), pathname=redaction.__file__)
    assert vars(cleaned(made))["args"] == ("b",)
    assert cleaned(record(exc_info=chained(), pathname=redaction.__file__)).exc_info is None


def test_secrets_are_in_force_while_their_holder_lives() -> None:
    """All that is open adds up; what is closed takes only its own secrets away, and new ones of a
    holder count at once.
    """
    held, other = Open(REDACTOR), Open(Redactor(["inner-key"]))
    put_in_force(held)
    put_in_force(other)
    assert current_redactor().clean(f"inner-key {SECRET}") == "*** ***"
    assert current_redactor() is current_redactor()
    other.redactor = Redactor(["other-key"])
    assert current_redactor().clean("inner-key other-key") == "inner-key ***"
    del other
    assert current_redactor().clean(f"other-key {SECRET}") == "other-key ***"


def test_the_secrets_used_last_are_in_force() -> None:
    """Of more than 100 holders those that were used last count, so that a record of a library costs
    a millisecond or two.
    """
    held = [Open(Redactor([f"key-{number:03}-hidden"])) for number in range(101)]
    for one in held:
        put_in_force(one)
    assert (
        current_redactor().clean("key-000-hidden key-001-hidden key-100-hidden")
        == "key-000-hidden *** ***"
    )
    keep_in_force(held[0])
    assert (
        current_redactor().clean("key-000-hidden key-001-hidden key-100-hidden")
        == "*** key-001-hidden ***"
    )
    keep_in_force(held[0])
    assert len(current_redactor()) == 100


def test_a_call_puts_the_secrets_of_its_connection_in_force(tmp_path: Path) -> None:
    """A connection that is used again counts as used last, also where its call is planned and
    nothing is opened anew.
    """
    values = {
        f"c{number:03}": {"type": "echo/token", "values": {"token": f"tok-{number:03}-hidden"}}
        for number in range(101)
    }
    about = {"connector": "echo", "action": "say", "inputs": {"text": "Hi"}}
    environment = {**os.environ, "JACKFIELD_DATABASE_URL": "none"}
    with (
        plugged(*make_echo(tmp_path)),
        Jackfield(connections=[values], environment=environment) as jackfield,
    ):
        for name in (*values, "c000"):
            assert jackfield.invoke({**about, "connection": name}).status == "succeeded"
        assert (
            current_redactor().clean("tok-000-hidden tok-001-hidden tok-100-hidden")
            == "*** tok-001-hidden ***"
        )


def test_secrets_are_in_force_in_every_thread(stream: Stream) -> None:
    """A thread that a connector has started is no other place than its call."""
    with redacting(REDACTOR):
        thread = threading.Thread(target=lambda: stream.logger.warning("late %s", SECRET))
        thread.start()
        thread.join()
    assert stream.text == "WARNING late ***\n"


def test_exception_text_is_type_and_message() -> None:
    """The text for logs has the type and the masked message, and nothing of cause, context or
    notes.
    """
    assert safe_exception_text(chained(), REDACTOR) == "ValueError: outer ***"
    assert safe_exception_text(KeyError(SECRET), REDACTOR) == "KeyError: '***'"
    assert safe_exception_text(ValueError(), REDACTOR) == "ValueError"
    assert "***" in safe_exception_text(KeyError(SECRET, SECRET), REDACTOR)


def test_exception_text_survives_a_broken_str() -> None:
    """An exception whose str raises still has a text."""
    mute = type("Mute", (Exception,), {"__str__": Unreadable.__str__})()
    assert safe_exception_text(mute, REDACTOR) == "Mute: <no readable message>"


def _library(value: str) -> object:
    return json.loads(value)


def test_what_is_said_about_a_connector_is_redacted() -> None:
    """A message about a connector may quote what its code has raised: it is redacted, although this
    package logs it.
    """
    made = logging.LogRecord(
        "jackfield.connector",
        logging.ERROR,
        redaction.__file__,
        1,
        "it fails on import: %s",
        (SECRET,),
        None,
    )
    with redacting(REDACTOR):
        assert LogRedaction().filter(made)
    assert made.getMessage() == "it fails on import: ***"


def test_the_place_is_the_authors_own_line() -> None:
    """The line that a log names is the innermost of the connector's code, with its folder, not one
    within a library.
    """
    try:
        _library("no JSON, s3cret-4711")
    except ValueError as error:
        found, frames = (
            reason(error, Redactor(["s3cret-4711"]), {}),
            trace(error, Redactor(["s3cret-4711"])),
        )
    line = inspect.getsourcelines(_library)[1] + 1
    assert found.endswith(f"(at redaction/test_redaction_logs.py:{line})")
    assert f'test_redaction_logs.py", line {line}, in _library' in frames
    assert "json" in frames
    assert "s3cret" not in found + frames


def test_a_line_that_is_no_python_is_a_place() -> None:
    """A fault of syntax has no frame of its own: the file and line that could not be read are the
    place.
    """
    try:
        compile("a = 1\ndef b(:\n", "/srv/jackfield_acme/__init__.py", "exec")
    except SyntaxError as error:
        found = reason(error, None, {})
    assert found.endswith(f"(at {Path('jackfield_acme', '__init__.py')}:2)")
