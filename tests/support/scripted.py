"""A connector whose other side plays a script: what each try meets is told by the test, and what
each try saw is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clocks import FakeClock
from inmemory import installed
from jackfield import Result
from jackfield.connector import (
    ConnectionType,
    Connector,
    Field,
    Inputs,
    JackfieldError,
    Minted,
    OpenContext,
    Output,
    Pagination,
    RateLimit,
    current_call,
)
from jackfield.manifest.manifest import Effect
from jackfield_store.runtime import Jackfield

PATIENCE = 60.0
"""Seconds after which a test gives up on a gate; none waits that long unless it fails."""


class Ask(Inputs):
    """A question."""

    text: str = Field("hi", from_connection="greeting")
    number: int = 1
    sender: str | None = Field(None, from_connection="sender")


class Answer(Output):
    """An answer."""

    text: str = Field(alias="Text")


class Nothing(Output):
    """An answer without members."""


class PageAsk(Inputs):
    """Which page."""

    next_token: str | None = None
    fetch_all: bool = False
    page_size: int | None = None


class Page(Output):
    """A page of items."""

    items: tuple[str, ...] | None = Field(None, alias="Items")
    next_token: str | None = Field(None, alias="NextToken")


ASK: Mapping[str, Any] = {"connector": "scripted", "action": "ask", "connection": "front"}
"""An invocation of what ``scripted`` declares."""


def invocation(**members: Any) -> dict[str, Any]:
    """That invocation with other members."""
    return {**ASK, **members}


class Gate:
    """Where a script waits until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> None:
        """Say that somebody is here, and wait."""
        self.reached.set()
        assert self.open.wait(PATIENCE)


@dataclass(frozen=True)
class Reply:
    """A turn that depends on the inputs."""

    function: Callable[[Any], Any]


class Script:
    """Turn by turn what a try meets: an exception is raised, a callable is called, an answer is
    given. The last turn goes on for ever.

    ``begins`` says whether the client tells that bytes leave before the turn comes.
    """

    def __init__(self, *turns: Any, begins: bool = True) -> None:
        self._turns = turns or ("hi",)
        self._lock = threading.Lock()
        self.begins = begins
        self.tries = 0
        self.clients: list[Client] = []
        self.inputs: list[Any] = []

    def play(self, inputs: Any, client: Client | None) -> Any:
        """One try."""
        with self._lock:
            turn = self._turns[min(self.tries, len(self._turns) - 1)]
            self.tries += 1
            self.inputs.append(inputs)
            if client is not None:
                self.clients.append(client)
        call = current_call()
        if call is not None and self.begins:
            call.begin()
            call.request_id = f"request-{self.tries}"
        if isinstance(turn, Reply):
            turn = turn.function(inputs)
        while callable(turn):
            turn = turn()
        if isinstance(turn, BaseException):
            raise turn
        return turn if isinstance(turn, Output) or not isinstance(turn, str) else Answer(text=turn)


@dataclass(frozen=True)
class Client:
    """An open connection. ``explain`` and ``renew`` are what a client of an author may have."""

    key: Key
    context: OpenContext
    lease: Minted

    def renew(self) -> None:
        """Forget the lease."""
        self.context.drop("credentials", self.lease)


class Key(ConnectionType):
    """A key to the other side."""

    key = "key"
    title = "Key"
    auth = "apiKey"
    family = "stage"
    reports_begin = True

    token: str = Field(secret=True, schema={"minLength": 1})
    greeting: str | None = None
    sender: str | None = None
    more: Mapping[str, Any] | None = None
    tokens: tuple[str, ...] | None = Field(None, secret=True)

    def open(self, context: OpenContext) -> Client:
        """A client with a leased credential."""
        return Client(self, context, context.lease("credentials", lambda: Minted(self.token)))


class Silent(Key):
    """A key whose clients do not say when bytes leave."""

    key = "silent"
    title = "Silent Key"
    reports_begin = False


def scripted(
    script: Script,
    *,
    key: str = "scripted",
    effect: Effect = "write",
    is_async: bool = False,
    pages: Pagination | None = None,
    rate_limit: RateLimit | None = None,
    kinds: tuple[type[ConnectionType], ...] = (Key, Silent),
    explain: Callable[..., JackfieldError | None] | None = None,
    gives_nothing: bool = False,
    **more: Any,
) -> Connector:
    """A connector whose one action, ``ask``, plays the script; with ``pages`` it fetches a page;
    without ``kinds``, no connection.
    """
    connector = Connector(
        key, title="Scripted", version="1.0.0", connections=kinds, explain=explain
    )
    takes, gives = (
        (PageAsk, Page) if pages is not None else (Ask, Nothing if gives_nothing else Answer)
    )

    def ask(inputs: Inputs, client: Client) -> Output:
        """Ask the other side."""
        found: Output = script.play(inputs, client)
        return found

    async def ask_later(inputs: Inputs, client: Client) -> Output:
        """Ask the other side."""
        found = script.play(inputs, client)
        return await found if hasattr(found, "__await__") else found  # type: ignore[no-any-return]  # whatever the script gives

    def ask_alone(inputs: Inputs) -> Output:
        """Ask nobody."""
        found: Output = script.play(inputs, None)
        return found

    function: Any = (ask_later if is_async else ask) if kinds else ask_alone
    function.__annotations__ |= {"inputs": takes, "return": gives}
    connector.action("ask", effect=effect, pagination=pages, rate_limit=rate_limit, **more)(
        function
    )
    return connector


@dataclass(frozen=True)
class Panel:
    """A runtime with a scripted connector plugged in."""

    jackfield: Jackfield
    clock: FakeClock

    def ask(self, **members: Any) -> Result:
        """Run the scripted action."""
        return self.jackfield.invoke(invocation(**members))


@contextmanager
def runtime(
    folder: Path,
    *connectors: Connector,
    connections: Mapping[str, Any] | None = None,
    manifests: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> Iterator[Panel]:
    """A runtime without a database that has ``connectors``, the connections given (else ``front``),
    and a clock that does not wait.
    """
    clock = options.pop("clock", None) or FakeClock()
    given = [
        {"front": {"type": "stage/key", "values": {"token": "s3cret-token"}}}
        if connections is None
        else connections
    ]
    with (
        installed(folder, *connectors, manifests=manifests) as catalog,
        Jackfield(
            connections=options.pop("sources", given),
            database_url=options.pop("database_url", "none"),
            catalog=catalog,
            clock=clock,
            **options,
        ) as jackfield,
    ):
        yield Panel(jackfield, clock)
