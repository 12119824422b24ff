"""The tools that show variables of frames to people: Sentry's SDK, rich's tracebacks with locals,
and pytest's ``--showlocals``.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from inspect import CO_COROUTINE
from types import FrameType
from typing import Any
from urllib.parse import quote

import pytest
import sentry_sdk
from _pytest._code.code import ExceptionInfoFormatter
from _pytest._io.saferepr import saferepr
from rich.console import Console
from rich.traceback import Traceback
from sentry_sdk.envelope import Envelope
from sentry_sdk.scrubber import EventScrubber
from sentry_sdk.transport import Transport


def spellings(secret: str) -> frozenset[str]:
    """Return the forms in which a secret may stand in a text: as it is, and as JSON, URLs, ``repr``
    and base64 write it.
    """
    raw = secret.encode()
    coded = (base64.b64encode(b"x" * shift + raw).decode()[2 * shift : -4] for shift in range(3))
    more = (
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        quote(secret),
        quote(secret, safe=""),
        raw.hex(),
    )
    return frozenset(
        text.rstrip("=") for text in (secret, secret.split('"', maxsplit=1)[0], *more, *coded)
    )


class _Taken(Transport):
    """Sentry's way out, which keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        """Keep an event."""
        self.events += [item.payload.json for item in envelope.items]


@cache
def _client() -> sentry_sdk.Client:
    """A client that hides nothing by itself: what a scrubber masks by the names of variables is no
    merit of ours.
    """
    return sentry_sdk.Client(
        dsn="http://key@127.0.0.1:9/1",
        transport=_Taken(),
        default_integrations=False,
        auto_enabling_integrations=False,
        event_scrubber=EventScrubber(denylist=[], pii_denylist=[]),
        max_value_length=1_000_000,
        in_app_include=["jackfield"],
    )


def sentry(error: BaseException) -> str:
    """Return the event that Sentry's SDK would send."""
    client = _client()
    taken = client.transport
    assert isinstance(taken, _Taken)
    taken.events.clear()
    with sentry_sdk.new_scope() as scope:
        scope.set_client(client)
        scope.capture_exception(error)
    assert len(taken.events) == 1
    return json.dumps(taken.events, ensure_ascii=False)


class _Uncoloured(Traceback):
    """rich's traceback without colours of source lines: to find them, it reads each module from its
    first line for each frame.
    """

    @classmethod
    def _guess_lexer(cls, filename: str, code: str) -> str:
        return "text"


def rich(error: BaseException) -> str:
    """Return what rich prints of an exception, with all variables."""
    shown = _Uncoloured.from_exception(
        type(error),
        error,
        error.__traceback__,
        width=5000,
        show_locals=True,
        locals_max_length=1000,
        locals_max_string=100_000,
        locals_hide_dunder=False,
        max_frames=0,
    )
    console = Console(file=io.StringIO(), width=5000)
    console.print(shown)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


_PARSED: dict[Any, ast.AST] = {}
"""Modules as pytest's formatter has parsed them to find the lines of statements: a formatter for
each error parses all again.
"""


def showlocals(error: BaseException) -> str:
    """Return what pytest prints of an exception with ``--showlocals``."""
    formatter = ExceptionInfoFormatter(
        style="long",
        showlocals=True,
        funcargs=True,
        abspath=True,
        chain=True,
        truncate_locals=False,
    )
    formatter.astcache = _PARSED
    return str(formatter.repr_excinfo(pytest.ExceptionInfo.from_exception(error)))


TOOLS: dict[str, Callable[[BaseException], str]] = {
    "sentry": sentry,
    "rich": rich,
    "pytest": showlocals,
}


def tools_that_show(error: BaseException, secrets: Iterable[str]) -> set[str]:
    """Return the tools whose output has one of the secrets. Each writes once: that takes most of a
    test's time.
    """
    wanted = tuple(secrets)
    return {name for name, show in TOOLS.items() if any(map(show(error).__contains__, wanted))}


def variables(error: BaseException) -> Iterator[tuple[str, str, str]]:
    """Yield file, function and each variable's text of all frames of an exception and of what it
    was made of, suppressed or not.
    """
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [found for found in (one.__cause__, one.__context__) if found is not None]
        yield "", type(one).__name__, str(one)
        trace = one.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            for name, value in trace.tb_frame.f_locals.items():
                yield code.co_filename, f"{code.co_name}.{name}", saferepr(value, maxsize=None)
            trace = trace.tb_next


_OURS = ("jackfield.", "jackfield_store.")
_LEFT_OUT = (
    "jackfield_store.database",
    "jackfield.kernel.frames",
    "jackfield_store.journal",
    "jackfield_store.resources",
    "jackfield.kernel.clock",
)
"""Modules without values, of which some undo what they have begun: there, an exception would leave
locks and transactions open.
"""


class Injected(Exception):
    """What somebody raises in the middle of a call."""


class _Injection:
    """Trace function that raises at the ``at``-th call of a function of ours, or the first after it
    from which an exception comes out. ``count`` is the number of calls.
    """

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def __call__(self, frame: FrameType, event: str, _given: object) -> None:
        """Count a call, and raise at the chosen one."""
        module, name = str(frame.f_globals.get("__name__", "")), frame.f_code.co_name
        if (
            event != "call"
            or not module.startswith(_OURS)
            or module.startswith(_LEFT_OUT)
            or name.startswith(("__", "<"))
        ):
            return
        self.count += 1
        if self.count >= self.at > 0 and not _is_dropped(frame):
            sys.settrace(None)
            raise Injected("in the middle")


def _is_dropped(frame: FrameType | None) -> bool:
    """Return whether nobody gets what is raised here: below ``__del__``, Python drops it; in a
    callback, but not in a task, the event loop does, and whoever waits for the callback waits on.
    """
    while frame is not None:
        above, code = frame.f_back, frame.f_code
        is_of_loop = (
            above is not None
            and above.f_code.co_name == "_run"
            and above.f_globals.get("__name__") == "asyncio.events"
        )
        if code.co_name == "__del__" or (is_of_loop and not code.co_flags & CO_COROUTINE):
            return True
        frame = above
    return False


def injected(call: Callable[[], object], at: int) -> tuple[int, BaseException | None]:
    """Call, with an exception at the ``at``-th call of a function of ours; return how many calls
    there were, and what came out.
    """
    before, injection, came = sys.gettrace(), _Injection(at), _Came()
    sys.settrace(injection)
    try:
        with came:
            call()
    finally:
        sys.settrace(before)
    return injection.count, came.error


class _Came:
    """Context manager that takes whatever comes out of its block."""

    error: BaseException | None = None

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.error = error
        return True
