"""A connector that does what is asked of it, with a connection that reports its requests and one
that does not.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any, ClassVar

from jackfield.connector import (
    Account,
    Call,
    ConnectionType,
    Connector,
    Detail,
    Field,
    Inputs,
    JackfieldError,
    JobFailed,
    Minted,
    OpenContext,
    Option,
    Output,
    Progress,
    Rejected,
    Sent,
    Step,
    Unauthenticated,
    current_call,
)


class Client:
    """A client that remembers how it was opened."""

    def __init__(self, context: OpenContext, token: str) -> None:
        self.context = context
        self.token = token

    def renew(self) -> None:
        """Drop the session, which has expired."""
        self.context.drop("session", _session(self.context, ""))


def _session(context: OpenContext, token: str) -> Minted:
    def mint() -> Minted:
        session = f"session of {token} by {os.getpid()} at {time.monotonic_ns()}"
        return Minted({"session": session}, None, (f"session of {token}",))

    return context.lease("session", mint)


class Token(ConnectionType):
    """A token."""

    key: ClassVar[str] = "token"
    title: ClassVar[str] = "Token"
    auth: ClassVar[str] = "apiKey"
    reports_begin: ClassVar[bool] = True

    token: str = Field(title="Token", secret=True, schema={"minLength": 1})
    url: str | None = Field(None, title="Server", destination=True, schema={"format": "uri"})

    def open(self, context: OpenContext) -> Client:
        """Open a client with a session."""
        minted = _session(context, self.token)
        if self.token == "moody" and context.inputs.get("text") == "moody":
            raise LookupError("not in the mood")
        if self.token == "refused":
            raise Unauthenticated("the token is not known", sent=Sent.REFUSED)
        return Client(context, minted.value["session"])

    def test(self, context: OpenContext) -> Iterator[Step | Account]:
        """Open it."""
        self.open(context)
        yield Step("token", "The token is known", passed=True, message=f"It is {self.token}.")
        yield Account("a-1", "The account")


class Silent(Token):
    """A token whose client does not report its requests."""

    key: ClassVar[str] = "silent"
    title: ClassVar[str] = "Silent"
    reports_begin: ClassVar[bool] = False


def explain(error: Exception, _client: object, _inputs: object) -> JackfieldError | None:
    """Map a KeyError."""
    return (
        Rejected("the provider refuses it", sent=Sent.REFUSED)
        if isinstance(error, KeyError)
        else None
    )


connector = Connector(
    "plain", title="Plain", version="1.0.0", connections=[Token, Silent], explain=explain
)


class Said(Inputs):
    """What to do."""

    text: str = Field(title="Text")
    die: str | None = Field(None, title="Where to end the process")
    seconds: float = Field(0.0, title="Seconds to wait")
    fail: str | None = Field(None, title="How to fail")

    def rules(self) -> Iterator[Detail]:
        """Refuse one word."""
        if self.text == "forbidden":
            yield Detail("/text", "must not be that word")


class Heard(Output):
    """What came of it."""

    text: str
    process: int
    threads: int = 0


def _do(said: Said, client: Client | None) -> Heard:
    call = current_call()
    assert call is not None
    if said.die == "before":
        os._exit(7)
    call.begin("say")
    call.request_id = "request-1"
    if said.die == "first" and client is not None and f" by {os.getpid()} " in client.token:
        os._exit(7)
    if said.die == "after":
        os._exit(7)
    if said.seconds:
        time.sleep(said.seconds)
    expired: list[bool] = client.context.cached("expired", list) if client is not None else []
    if said.fail == "expired once" and not expired:
        expired.append(True)
        raise Unauthenticated("the session has expired", sent=Sent.REFUSED, stale_credentials=True)
    if said.fail == "mapped":
        raise KeyError(said.text)
    if said.fail == "unmapped":
        raise ValueError(f"no {said.text}")
    if said.fail == "partly":
        call.answered({"id": 5})
        call.begin("second")
        raise ValueError("after the first")
    call.answered({"id": 5})
    return Heard(
        text=f"{said.text} {client.token.partition(' by ')[0] if client else ''}",
        process=os.getpid(),
        threads=threading.active_count(),
    )


@connector.action("read", effect="read")
def read(said: Said, client: Client) -> Heard:
    """Say it back."""
    return _do(said, client)


@connector.action("write", effect="write")
def write(said: Said, client: Client) -> Heard:
    """Write it down."""
    return _do(said, client)


_KEPT: list[Call] = []
"""The call that went before, for an author who should not keep it."""


@connector.action("apart", effect="write")
def apart(said: Said, _client: Client) -> Heard:
    """Send in a thread, whose exception nobody sees; ``fail`` says what becomes of the request."""
    call = current_call()
    assert call is not None

    def send() -> None:
        request = call.begin_apart("part")
        if said.fail == "answered":
            request.answered("request-2")
        elif said.fail == "refused":
            request.refused()

    if said.fail == "late":
        _KEPT[0].begin("late")
    _KEPT[:] = [call]
    thread = threading.Thread(target=send)
    thread.start()
    thread.join()
    if said.die == "refuse":
        raise KeyError(said.text)
    return Heard(text=said.text, process=os.getpid())


@connector.action("later", effect="read")
async def later(said: Said, client: Client) -> Heard:
    """Say it back in an event loop."""
    import asyncio

    await asyncio.sleep(said.seconds)
    return _do(said.model_copy(update={"seconds": 0.0}), client)


@connector.action("minted", effect="read")
def minted(_said: Said, client: Client) -> Heard:
    """Tell when the session was issued."""
    return Heard(text=client.token.partition(" by ")[2], process=os.getpid())


@connector.action("noop", effect="read", needs_connection=False)
def noop(said: Said) -> Heard:
    """Say it back without a connection."""
    if said.die == "now":
        os._exit(7)
    return Heard(text=said.text, process=os.getpid())


@connector.action("print", effect="read", needs_connection=False)
def print_it(said: Said) -> Heard:
    """Print it."""
    os.write(1, said.text.encode() + b"\n")
    return Heard(text=said.text, process=os.getpid())


@connector.options("voices")
def voices() -> list[Option]:
    """The voices."""
    return [Option("alto", "Alto")]


class Pot(Output):
    """Handle of a job."""

    text: str


class Meal(Output):
    """What a job made."""

    text: str


@connector.action("cook", kind="job", effect="write")
class Cook:
    """Cook a text, for as long as it says."""

    def __init__(self) -> None:
        self.stopped: set[str] = set()

    def start(self, inputs: Said, client: Client) -> Pot | Meal:
        """Put it on, unless it is eaten raw."""
        current_call().begin("put")  # type: ignore[union-attr]
        return (
            Meal(text="raw")
            if inputs.text == "raw"
            else Pot(text=f"{inputs.text} of {client.token}")
        )

    def poll(self, pot: Pot, _client: Client) -> Progress | Meal:
        """Look into the pot."""
        current_call().begin("look", safe=True)  # type: ignore[union-attr]
        if pot.text.startswith("burnt") or pot.text in self.stopped:
            raise JobFailed("it is burnt")
        return (
            Progress(0.5, "it simmers", 0.1) if pot.text.startswith("long") else Meal(text="done")
        )

    async def cancel(self, pot: Pot, _client: Client) -> None:
        """Take it off."""
        current_call().begin("take")  # type: ignore[union-attr]
        self.stopped.add(pot.text)


class Anything(Inputs):
    """Any JSON."""

    value: Any


class Same(Output):
    """The same JSON."""

    value: Any


@connector.action("same", effect="read", needs_connection=False)
def same(given: Anything) -> Same:
    """Return what was given."""
    return Same(value=given.value)
