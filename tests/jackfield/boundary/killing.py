"""A program that is killed in the middle of calls which happen once, and what the next process
finds.

``python killing.py FOLDER ROUNDS`` kills a child at each of ten points, in each of three functions
and a block, ROUNDS times; 0: at each point in one.
Another child makes the same call afterwards. The database is the environment's. It prints, as JSON,
how many calls there were, and those that took effect twice, that were told of a success without an
effect, or that ended otherwise than by a look.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from jackfield import ABSENT, InvocationFailed, once
from jackfield.boundary import once as boundary
from jackfield_store.recording.rows import JournalRow

POINTS = ("key", "begin", "begun", "sending", "entered", "effect", "left", "value", "end", "ended")
KINDS = ("make", "amake", "lost", "block")


class Killed:
    """The point at which this process is killed; None: nowhere."""

    at: str | None = None


def reach(point: str) -> None:
    """Die here, if this is the point."""
    if Killed.at == point:
        os.kill(os.getpid(), signal.SIGKILL)


def _around(owner: Any, name: str, before: str | None, after: str | None) -> None:
    inner: Callable[..., Any] = getattr(owner, name)

    async def awaited(*given: Any, **named: Any) -> Any:
        if before:
            reach(before)
        found = await inner(*given, **named)
        if after:
            reach(after)
        return found

    setattr(owner, name, awaited)


_around(JournalRow, "begin", "begin", "begun")
_around(JournalRow, "end", "end", "ended")


def _before(owner: Any, name: str, point: str, *, after: bool = False) -> None:
    inner: Callable[..., Any] = getattr(owner, name)

    def called(*given: Any, **named: Any) -> Any:
        if not after:
            reach(point)
        found = inner(*given, **named)
        if after:
            reach(point)
        return found

    setattr(owner, name, called)


_around(boundary.OnceCall, "begin", None, "sending")
_before(boundary.once, "output", "value")


class Effects:
    """Effects on the disk, of which each is a line of a file."""

    path: Path

    @classmethod
    def make(cls, key: str) -> str:
        """Take effect."""
        reach("entered")
        with cls.path.open("a", encoding="ascii") as file:
            file.write(f"{key}\n")
        reach("effect")
        reach("left")
        return f"made {key}"

    @classmethod
    def count(cls, key: str) -> int:
        """Effects of a key."""
        return cls.path.read_text(encoding="ascii").split().count(key)

    @classmethod
    def look(cls, key: str) -> Any:
        """Look for the effect."""
        return f"made {key}" if cls.count(key) else ABSENT


def _key(key: str) -> str:
    reach("key")
    return key


@once("make", key=_key, look=Effects.look, absent_after=0.0)
def make(key: str) -> str:
    """Make something."""
    return Effects.make(key)


@once("amake", key=_key, look=Effects.look, absent_after=0.0)
async def amake(key: str) -> str:
    """Make something."""
    return Effects.make(key)


@once("lost", key=_key)
def lost(key: str) -> str:
    """Make something for which nobody can look."""
    return Effects.make(key)


def block(key: str) -> str:
    """Make something, after code that may run again."""
    with once("block", key=key, look=Effects.look, absent_after=0.0) as call:
        reach("key")
        call.sending()
        call.value = Effects.make(key)
    return str(call.value)


def _call(kind: str, key: str) -> str:
    return (
        asyncio.run(amake(key))
        if kind == "amake"
        else {"make": make, "lost": lost, "block": block}[kind](key)
    )


def _in_child(kind: str, key: str, at: str | None) -> tuple[int, str]:
    """Call in a child; return its exit code, negative for a signal, and what it says."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        Killed.at = at
        try:
            said = _call(kind, key)
        except InvocationFailed as error:
            said = error.result.status
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def _preloaded() -> None:
    """Import what a call and a look import, so that no child has to. A child says what that is: the
    parent may hold no database.
    """
    read, write = os.pipe()
    if not (child := os.fork()):
        for kind in KINDS:
            _in_child(kind, f"{kind}-first", "entered")
        for kind in KINDS:
            with suppress(InvocationFailed):
                _call(kind, f"{kind}-first")
        os.write(write, "\n".join(sys.modules).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        names = pipe.read().split("\n")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for name in names:
        with suppress(ImportError):
            importlib.import_module(name)


def main() -> None:
    """Kill, and count what is wrong."""
    Effects.path = Path(sys.argv[1], "effects")
    Effects.path.touch()
    _preloaded()
    calls, twice, false, other = 0, list[str](), list[str](), list[str]()
    rounds = int(sys.argv[2])
    for number in range(max(1, rounds)):
        for place, point in enumerate(POINTS):
            for kind in KINDS if rounds else [KINDS[place % len(KINDS)]]:
                key = f"{kind}-{point}-{number}"
                code, _ = _in_child(kind, key, point)
                assert code == -signal.SIGKILL, (key, code)
                code, said = _in_child(kind, key, None)
                calls, effects = calls + 1, Effects.count(key)
                was_begun, has_ended = point not in ("key", "begin"), point == "ended"
                expected = (
                    "in_doubt" if kind == "lost" and was_begun and not has_ended else f"made {key}"
                )
                twice += [key] if effects > 1 else []
                false += [f"{key}: {said}"] if said.startswith("made") and effects != 1 else []
                other += [f"{key}: {said!r} ({code})"] if said != expected else []
    sys.stdout.write(
        json.dumps({"calls": calls, "twice": twice, "false": false, "other": other}) + "\n"
    )


if __name__ == "__main__":
    main()
