"""A process that changes what decides calls, on demand, and children of it that are killed while
they do.

``python changing.py URL`` reads a change from each line of its input and answers it with a line. A
change with ``dies`` is made by a child that is killed ``uncommitted``, just before its commit, or
``committed``, just after it; then the line says that it is dead.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import JackfieldError
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.connections.connection_rows import Draft, LastOutcome
from jackfield_store.management.visible_connections import table_of
from jackfield_store.resources.storage import Storage

_CHANGES = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM) (?:connections|tokens|workspaces)\b")
OPEN: dict[str, Any] = {
    "type": "object",
    "properties": {"token": {"type": "string"}, "greeting": {"type": "string"}},
}


def drafted(greeting: str) -> Draft:
    """A connection of the echo that says ``greeting``."""
    return Draft(
        "echo/token", {"token": "known", "greeting": greeting}, OPEN, outcome=LastOutcome()
    )


def change(storage: Storage, about: Mapping[str, Any]) -> str:
    """Make a change of a connection, a token, the rules or the settings of the workspace
    ``default``; what it gives is a text.
    """
    kind, name = about["kind"], about.get("name", "")
    table = table_of(storage.connections((), "default"))
    assert table is not None
    workspaces, tokens = (
        Workspaces(storage.database, storage.vault, SystemClock()),
        Tokens(storage.database, storage.vault, "default", SystemClock()),
    )
    if kind == "add":
        table.add(name, drafted(about["greeting"]))
    elif kind == "replace":
        shown = table.show(name)
        assert shown is not None
        table.replace(name, drafted(about["greeting"]), shown.version)
    elif kind == "rename":
        table.rename(name, about["to"])
    elif kind == "remove":
        table.remove(name)
    elif kind == "create":
        return tokens.create("invoke").text
    elif kind == "revoke":
        tokens.revoke(name)
    else:
        workspaces.set("default", about["settings"])
    return ""


class Changer:
    """The process, as its parent uses it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def change(self, kind: str, *, dies: str | None = None, **about: Any) -> Any:
        """Make a change, and return once it is answered, or whoever made it is dead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"kind": kind, "dies": dies, **about}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["dead"] is (dies is not None), answer
        return answer["text"]


@contextmanager
def changing(url: str, environment: Mapping[str, str]) -> Iterator[Changer]:
    """Run the process."""
    command = [sys.executable, str(Path(__file__)), url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environment)
    ) as process:
        yield Changer(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


def die_at_commit(instant: str) -> None:
    """Have this process killed by its next COMMIT of a change: ``uncommitted``, or ``committed``
    and not answered.
    """
    changed = threading.local()

    def execute(send: Callable[..., Any], sql: str | bytes, *arguments: Any, **options: Any) -> Any:
        text = sql if isinstance(sql, str) else sql.decode()
        ends = text == "COMMIT" and getattr(changed, "tables", False)
        if ends and instant == "uncommitted":
            os.kill(os.getpid(), signal.SIGKILL)
        found = send(sql, *arguments, **options)
        if ends:
            os.kill(os.getpid(), signal.SIGKILL)
        changed.tables = getattr(changed, "tables", False) or _CHANGES.match(text) is not None
        return found

    class Dying(sqlite3.Connection):
        def execute(self, *arguments: Any) -> Any:
            return execute(super().execute, *arguments)

    connect, ask = sqlite3.connect, psycopg.Connection.execute
    sqlite3.connect = partial(connect, factory=Dying)  # type: ignore[assignment]
    psycopg.Connection.execute = lambda self, *given, **more: execute(  # type: ignore[method-assign]
        partial(ask, self), *given, **more
    )


def _die(url: str, about: Mapping[str, Any]) -> None:
    die_at_commit(about["dies"])
    with Storage(url, os.environ, SystemClock()) as storage:
        change(storage, about)


def _main(url: str) -> None:
    for line in sys.stdin:
        about = json.loads(line)
        text = ""
        if about["dies"] is None:
            with Storage(url, os.environ, SystemClock()) as storage:
                text = change(storage, about)
        else:
            child = os.fork()
            if not child:
                with suppress(JackfieldError):
                    _die(url, about)
                os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, about
        sys.stdout.write(json.dumps({"text": text, "dead": about["dies"] is not None}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main(sys.argv[1])
