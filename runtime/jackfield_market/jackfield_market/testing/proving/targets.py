"""Code under test: a command, or a function of a module."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import importlib
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.failures import Raised, attempt_foreign
from jackfield_market.testing.loopback_provider import is_handler
from jackfield_market.testing.proving.verdicts import Told, Word

FOLDER = "JACKFIELD_PROVE_FOLDER"
"""Environment variable with a folder that is new for each situation, for state that runs leave
behind.
"""
_HOME, _DATABASE = "JACKFIELD_HOME", "JACKFIELD_DATABASE_URL"
"""Environment variables that put a boundary's journal into that folder, so that no situation
replays another's outcome.
"""
_SHOWN = 300
_GRACE = 5.0
_LOOK = 0.01
"""Seconds between two checks whether a function in another process has reported its outcome."""
_SAYING = ("status", "ok", "success", "outcome", "result", "status_code")
"""Members of a returned value that state the outcome."""
_UNKNOWN = re.compile(
    r"\b(unknown|unclear|unconfirmed|(in "
    r")?doubt\w*|uncertain|ambiguous|indeterminate|maybe|pending|timed? ?out)\b"
)
_NOT_SENT = re.compile(r"^(was )?(not sent|unsent|nothing sent)\b")
_FAILED = re.compile(
    r"\b(fail\w*|error\w*|refus\w*|reject\w*|false|gave up|giv\w+ up|could "
    r"not|cannot|unable|abort\w*|denied|unavailable)\b"
)
_NODE_ERROR = re.compile(r"\w*Error\b( \[\w+\])?:")
_NONE = re.compile(r"\b(0|no|without( any)?) (errors?|failures?|failed)\b")


@dataclass(frozen=True)
class Place:
    """Environment of one run: the provider's address, a folder of its own, and environment
    variables.
    """

    url: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


class Running(Protocol):
    """Protocol of a started run."""

    def wait(self, seconds: float) -> Told:
        """Wait for the end of the run, and return its reported outcome; end the run after
        ``seconds``.
        """

    def lingers(self) -> bool:
        """Return whether threads or processes of the run are still running."""

    def kill(self) -> None:
        """Kill the run's process, and the processes that it has left behind."""


class Case(Protocol):
    """Code under test, run once for each situation of each of its writes."""

    @property
    def name(self) -> str:
        """Return the name of the case."""

    @property
    def can_be_killed(self) -> bool:
        """Return whether the code can run in a process of its own."""

    def start(self, place: Place, *, killable: bool = False) -> Running:
        """Start a run."""


class Process:
    """Process in a process group of its own."""

    def __init__(self, words: Sequence[str], place: Place, *, talks: bool = False) -> None:
        self._killed = False
        own = {FOLDER: str(place.folder), _HOME: str(place.folder / "jackfield")}
        environment = {
            **{name: value for name, value in os.environ.items() if name != _DATABASE},
            **place.environment,
            **own,
        }
        file, self._output = tempfile.mkstemp(dir=place.folder, prefix=".output-")
        try:
            with os.fdopen(file, "wb") as written:
                self.popen = subprocess.Popen(
                    words,
                    stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if talks else written,
                    stderr=written,
                    env=environment,
                    start_new_session=True,
                )
        except OSError as error:
            raise InvalidInvocation(
                f"'{words[0][:200]}' cannot be run: {error.strerror}",
                hint="Give a command after --.",
            ) from None

    def wait(self, seconds: float) -> Told:
        """Wait for the end of the process, and return its outcome: success for exit code 0. Kill it
        after ``seconds``.
        """
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return Told("nothing", f"it has not ended after {seconds:.0f} seconds")
        if self._killed:
            return Told("nothing", "it was killed")
        return Told(
            "success" if code == 0 else "failure",
            "" if code == 0 else f"exit code {code}: {self.output()}",
        )

    def lingers(self) -> bool:
        """Return whether the process group has other processes."""
        self.popen.poll()  # else its end would be that of a zombie, to which a signal can be sent
        try:
            os.killpg(self.popen.pid, 0)
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Kill the process group, and wait for the end of the process."""
        self._killed = True
        with contextlib.suppress(OSError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(_GRACE)
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def output(self) -> str:
        """Return the last line of the process's output; for Node.js, which ends with its version,
        the line with the error.
        """
        lines = Path(self._output).read_bytes().decode("utf-8", "replace").strip().splitlines() or [
            ""
        ]
        if lines[-1].startswith("Node.js v"):
            lines = [line for line in lines if _NODE_ERROR.match(line)] or lines
        return lines[-1][:_SHOWN]


def strays(folder: Path) -> Iterator[int]:
    """Yield the IDs of processes that have inherited the folder of a run in their environment,
    whatever group or session they are in. Only Linux tells.
    """
    mark = f"{FOLDER}={folder}\0".encode()
    for place in Path("/proc").glob("[0-9]*"):
        if int(place.name) != os.getpid():
            with contextlib.suppress(OSError):  # it has ended, or is another account's
                if mark in (place / "environ").read_bytes():
                    yield int(place.name)


class FunctionProcess(Process):
    """Process that calls a function. It ends together with threads that the function has left
    behind.
    """

    def __init__(self, target: str, place: Place) -> None:
        self._told = place.folder.parent / f"told-{uuid.uuid4().hex}"
        words = [
            sys.executable,
            "-c",
            f"from {__name__} import child; child()",
            target,
            place.url,
            str(self._told),
        ]
        super().__init__(
            words,
            Place(
                place.url,
                place.folder,
                {**place.environment, "PYTHONPATH": os.pathsep.join(sys.path)},
            ),
        )

    def wait(self, seconds: float) -> Told:
        """Wait until the function has reported its outcome, or the process has ended; return the
        outcome.
        """
        until = time.monotonic() + seconds
        while not self._told.exists() and self.popen.poll() is None and time.monotonic() < until:
            time.sleep(_LOOK)
        if self._killed or not self._told.exists():
            return super().wait(max(0.0, until - time.monotonic()))
        return Told(*json.loads(self._told.read_text()))


@dataclass
class CommandCase:
    """Command under test. ``variables`` maps environment variables to paths; each variable gets the
    provider's address with its path.
    """

    words: Sequence[str]
    variables: Mapping[str, str]
    name: str = ""
    can_be_killed = True

    def start(self, place: Place, *, killable: bool = False) -> Running:
        """Start a run."""
        del killable
        return Process(self.words, self.placed(place))

    def placed(self, place: Place) -> Place:
        """Return a place with the command's environment variables."""
        named = {name: place.url + path for name, path in self.variables.items()}
        return Place(place.url, place.folder, {**place.environment, **named})


@dataclass
class FunctionCase:
    """Function under test, which gets the provider's address. It is called in this process, or by a
    child process that can be killed.

    With ``is_apart``, always by a child process, since the function keeps state in its process, as
    a boundary does.
    """

    target: str
    is_apart: bool = False
    can_be_killed = True

    @property
    def name(self) -> str:
        """Return the name of the function."""
        return self.target

    def start(self, place: Place, *, killable: bool = False) -> Running:
        """Start a run."""
        if killable or self.is_apart:
            return FunctionProcess(self.target, place)
        os.environ[FOLDER] = str(place.folder)
        function = function_at(self.target, anew=True)
        return Called(lambda: told_by(function(place.url)))


class Called:
    """Function that runs in a thread of this process."""

    def __init__(self, step: Callable[[], Told]) -> None:
        self._told: Told | None = None
        self._before = {*threading.enumerate()}
        self._thread = threading.Thread(target=self._run, args=(step,), daemon=True)
        self._thread.start()

    def _run(self, step: Callable[[], Told]) -> None:
        found = attempt_foreign(step)
        if isinstance(found, Raised):
            name = type(found.error).__name__
            found = Told(
                "not sent" if name.lower().startswith(("notsent", "unsent")) else "failure",
                f"{name}: {found.error}"[:_SHOWN],
            )
        self._told = found

    def wait(self, seconds: float) -> Told:
        """Wait for the end of the run, and return its outcome."""
        self._thread.join(seconds)
        return self._told or Told("nothing", f"it has not ended after {seconds:.0f} seconds")

    def lingers(self) -> bool:
        """Return whether threads that the function has started are still running."""
        return any(
            not (thread in self._before or thread is self._thread or is_handler(thread))
            for thread in threading.enumerate()
        )

    def kill(self) -> None:
        """Do nothing: a thread cannot be killed."""


def told_by(value: Any) -> Told:
    """Return the outcome that a function's value reports: success, unless its words, a member
    ``ok``, or an HTTP status say otherwise.
    """
    found = asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value
    first = found[0] if isinstance(found, tuple) and found else found
    members = (
        first
        if isinstance(first, dict)
        else {"status": first}
        if isinstance(first, str | bool | int | enum.Enum)
        else _members(first)
    )
    words: list[Word] = [_word(members[name]) for name in _SAYING if members.get(name) is not None]
    if members.get("error"):
        words.append("failure")
    word: Word = next((one for one in words if one != "success"), "success")
    return Told(word, "" if word == "success" else str(found)[:_SHOWN])


def _members(found: Any) -> dict[str, Any]:
    return {
        name: value
        for name in _SAYING
        if isinstance(value := getattr(found, name, None), str | bool | int | enum.Enum)
    }


def _word(value: Any) -> Word:
    if isinstance(value, int) and not isinstance(value, bool):
        return "failure" if value >= 400 else "success"
    named = value.name if isinstance(value, enum.Enum) else value
    text = (
        _NONE.sub("", re.sub(r"[_-]", " ", str(named).strip().lower()))
        if isinstance(named, str | bool)
        else ""
    )
    return (
        "not sent"
        if _NOT_SENT.search(text)
        else "unknown"
        if _UNKNOWN.search(text)
        else "failure"
        if _FAILED.search(text)
        else "success"
    )


async def _awaited(value: Any) -> Any:
    return await value


def function_at(target: str, *, anew: bool = False) -> Callable[..., Any]:
    """Return the function ``module:function``, also from the current folder. ``anew`` imports the
    module again, without its state.

    :raises InvalidInvocation: if the function cannot be imported.
    """
    module, _, name = target.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    if anew and not hasattr(sys.modules.get(module), "__path__"):
        sys.modules.pop(module, None)
    found: Any = attempt_foreign(lambda: getattr(importlib.import_module(module), name))
    if isinstance(found, Raised):
        hint = (
            "Write module:function, as in 'orders:place' for place() of orders.py in this folder."
        )
        raise InvalidInvocation(
            f"'{target[:200]}' cannot be imported: {type(found.error).__name__}: {found.error}"[
                :_SHOWN
            ],
            hint=hint,
        )
    if not callable(found):
        raise InvalidInvocation(
            f"'{target[:200]}' is no function", hint="It is called with the provider's address."
        )
    function: Callable[..., Any] = found
    return function


def child() -> None:
    """Call a function in this child process, and write its reported outcome into a file."""
    target, url, path = sys.argv[1:4]
    told = Called(lambda: told_by(function_at(target)(url))).wait(threading.TIMEOUT_MAX)
    written = Path(f"{path}.part")
    written.write_text(json.dumps([told.word, told.text]))
    written.rename(path)
