"""The connector: its connection type, its actions and its option sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from jackfield.connector import (
    Account,
    ConnectionType,
    Connector,
    Field,
    OpenContext,
    Option,
    Pagination,
    Step,
)
from jackfield_echo.client import EchoClient, explain
from jackfield_echo.inputs import Heard, Keep, Kept, Page, PageQuery, Say, Wrong

__all__ = ["Token", "connector"]


class Token(ConnectionType):
    """A token that the echo knows you by; every token will do but ``bad``."""

    key = "token"
    title = "Token"
    auth = "apiKey"
    setup = "Make one up."
    reports_begin = True

    token: str = Field(title="Token", secret=True, schema={"minLength": 1})
    greeting: str | None = Field(
        None, title="Greeting", description="What is said where nothing else is."
    )

    def open(self, context: OpenContext) -> EchoClient:
        """A client; it counts tries per connection."""
        return EchoClient(self.token, context.cached("tries", Counter[str]))

    def test(self, context: OpenContext) -> Iterator[Step | Account]:
        """Whether the token is known."""
        self.open(context)
        known = self.token != "bad"
        message = "The echo knows the token." if known else "The echo does not know the token."
        yield Step(
            "token",
            "Present the token",
            passed=known,
            message=message,
            hint=None if known else "Make up another one.",
        )
        if known:
            yield Account("echo-1", "The echo in the hall")


connector = Connector(
    "echo",
    title="Echo",
    version="1.0.0",
    description="Says back what it is told, and fails as it is told.",
    connections=[Token],
    explain=explain,
    categories=["tests"],
)


@connector.action("say", effect="read", title="Say")
def say(inputs: Say, client: EchoClient) -> Heard:
    """Say something and hear it back."""
    client.send(inputs.fault, inputs.gate)
    return _heard(inputs, client)


@connector.action(
    "post", effect="write", title="Post a Note", permissions={"echo": ["notes:write"]}
)
def post(inputs: Say, client: EchoClient) -> Heard:
    """Post a note on the wall, where it stays: never twice."""
    client.send(inputs.fault, inputs.gate)
    return _heard(inputs, client)


@connector.action("put", effect="idempotent", title="Put")
def put(inputs: Keep, client: EchoClient) -> Kept:
    """Keep a value under a key; doing it twice is doing it once."""
    client.send(inputs.fault, inputs.gate)
    return Kept(key=inputs.key, value=inputs.value)


@connector.action("sayLater", effect="read", title="Say Later")
async def say_later(inputs: Say, client: EchoClient) -> Heard:
    """Say something in an event loop."""
    import asyncio  # here: the other actions show that a synchronous call does without

    await asyncio.sleep(0)
    client.send(inputs.fault, None)
    return _heard(inputs, client)


@connector.action(
    "list",
    effect="read",
    title="List",
    pagination=Pagination(
        "nextToken", "NextToken", "Items", all_input="fetchAll", size_input="pageSize", max_size=100
    ),
)
def list_items(inputs: PageQuery, client: EchoClient) -> Page:
    """List items page by page."""
    client.send(inputs.fault, None)
    start = int(inputs.next_token or 0)
    end = min(start + inputs.page_size, inputs.total)
    token = str(start if inputs.loop else end) if end < inputs.total else None
    return Page(items=tuple(f"item {number}" for number in range(start, end)), next_token=token)


@connector.action("wrong", effect="read", title="Wrong")
def wrong(_inputs: Keep, _client: EchoClient) -> Wrong:
    """Give back what its schema forbids."""
    return Wrong(text=5)


@connector.options("voices")
def voices() -> list[Option]:
    """The voices that the echo has."""
    return [Option("alto", "Alto"), Option("bass", "Bass")]


@connector.options("rooms")
def rooms(client: EchoClient) -> list[Option]:
    """The rooms that the one who asks may go into."""
    client.send(None, None)
    return [Option("hall", "Hall"), Option("attic", "Attic")]


def _heard(inputs: Say, client: EchoClient) -> Heard:
    text = " ".join([inputs.text] * inputs.times)
    text = text.upper() if inputs.loud else text
    rest = inputs.model_dump(
        by_alias=True, exclude_unset=True, exclude={"text", "fault", "gate"}, mode="json"
    )
    return Heard(
        text=f"{text} {client.token}" if inputs.reveal else text,
        inputs=rest,
        tries=sum(client.tries.values()),
    )
