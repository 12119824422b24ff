"""A connector whose child says what a test wants, and that tells in which process its parts run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

from jackfield.connector import (
    ConnectionType,
    Connector,
    Detail,
    Field,
    Inputs,
    OpenContext,
    Option,
    Output,
    current_call,
)

FORGED: dict[str, Any] = {}

if sys.flags.no_site:  # in a child, not where the test describes it
    sys.stdout.write("imported\n")
    sys.stdout.flush()
    from jackfield_isolation.wire import Wire

    _send = Wire.send

    def _forge(self: Wire, frame: Any, *more: Any) -> None:
        _send(self, {**frame, **FORGED} if "description" in frame else frame, *more)

    Wire.send = _forge  # type: ignore[assignment,method-assign]


class Server(ConnectionType):
    """A server."""

    key: ClassVar[str] = "server"
    title: ClassVar[str] = "Server"
    reports_begin: ClassVar[bool] = True

    url: str = Field(title="Server", destination=True, schema={"format": "uri"})

    def open(self, context: OpenContext) -> OpenContext:
        """Open nothing."""
        return context


connector = Connector("lying", title="Lying", version="1.0.0", connections=[Server])


class Code(Inputs):
    """Code to run."""

    code: str = Field(title="Code")
    preview: bool = Field(False, title="Preview")

    def rules(self) -> Iterator[Detail]:
        """Tell the process."""
        if self.code == "refuse":
            yield Detail("/code", f"refused by {os.getpid()}")


class Found(Output):
    """What it left in ``out``."""

    out: str


def _run(code: str, context: OpenContext | None = None) -> Found:
    names: dict[str, Any] = {"call": current_call(), "context": context, "out": ""}
    exec(code, names)
    return Found(out=str(names["out"]))


def draft(_code: Code) -> Found:
    """Tell the process."""
    return Found(out=str(os.getpid()))


@connector.action("run", effect="write", needs_connection=False, preview=draft)
def run(code: Code) -> Found:
    """Run it."""
    return _run(code.code)


@connector.action("connected", effect="write")
def connected(code: Code, context: OpenContext) -> Found:
    """Run it with a connection."""
    return _run(code.code, context)


@connector.options("processes")
def processes() -> list[Option]:
    """The process."""
    return [Option(str(os.getpid()), "This one")]


@connector.options("mistaken")
def mistaken() -> list[Option]:
    """A choice that is none, by mistake."""
    nothing: Any = None
    return [Option("1", "One"), Option(nothing, "Two")]
