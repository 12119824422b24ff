"""A connector with all that a connector can declare: limits, plans, previews, policies, tests,
choices, pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from jackfield.connector import (
    Account,
    Budget,
    Conflict,
    ConnectionType,
    Connector,
    Detail,
    FailedEntry,
    Field,
    Inputs,
    Limits,
    OpenContext,
    Option,
    Output,
    Pagination,
    Provider,
    RateLimited,
    Sent,
    Step,
    Unavailable,
    Warmup,
    current_call,
)


class Client:
    """A client that knows its context."""

    def __init__(self, context: OpenContext, name: str) -> None:
        self.context = context
        self.name = name


class Named(ConnectionType):
    """A name."""

    key: ClassVar[str] = "named"
    title: ClassVar[str] = "Named"
    reports_begin: ClassVar[bool] = True
    permission_system: ClassVar[str | None] = "rich"

    name: str = Field(title="Name")
    sender: str | None = Field(None, title="Sender")

    def open(self, context: OpenContext) -> Client:
        """Open a client."""
        return Client(context, self.name)

    def test(self, context: OpenContext) -> Iterator[Step | Account]:
        """Yield a step and an account."""
        yield Step(
            "open",
            "Open it",
            passed=True,
            message=f"{context.workspace}/{context.connection}",
            mandatory=False,
            hint="None.",
        )
        yield Account("a-1", self.name)

    def needed_permissions(self, permissions: Any) -> Any:
        """Leave one out."""
        return [name for name in permissions if name != "not:needed"]

    def policies(
        self,
        permissions: Sequence[str],
        principal: str | None = None,
        *,
        testing: Sequence[str] = (),
    ) -> Mapping[str, Any]:
        """Return a document."""
        return {
            "policy": {
                "allow": list(permissions),
                "to": principal,
                "for": self.name,
                "testing": list(testing),
            }
        }


connector = Connector("rich", title="Rich", version="1.0.0", connections=[Named])
budget = Budget(
    "calls",
    scope=lambda inputs, client: f"{client.name} {inputs.text}",
    limits=lambda client: Limits(per_second=50, per_day=1000, used=3),
    warmup=lambda client: Warmup(client.name, (2.0,)) if client.name == "beginner" else None,
)


class Said(Inputs):
    """A text."""

    text: str = Field(title="Text")
    preview: bool = Field(False, title="Preview")


class Heard(Output):
    """A text, in the provider's own name."""

    text: str | None = Field(None, alias="TheText")


class Draft(Output):
    """What would be sent."""

    would_send: str


def draft(said: Said) -> Draft:
    """Return what would be sent."""
    return Draft(would_send=said.text.upper())


@connector.action(
    "say",
    effect="write",
    budget=budget,
    cost=lambda said: float(len(said.text)),
    preview=draft,
    permissions={"rich": ["a:say", "not:needed"]},
)
def say(said: Said, client: Client) -> Heard:
    """Say it."""
    call = current_call()
    assert call is not None
    call.begin("say")
    return Heard(
        text=f"{said.text} {client.context.connection} {sorted(client.context.permissions['rich'])}"
    )


@connector.action(
    "forget", effect="idempotent", repeat_ok=["not_found"], permissions={"rich": ["a:forget"]}
)
def forget(_said: Said, client: Client) -> Heard:
    """Forget it, which is not confirmed at first."""
    from jackfield.connector import NotFound

    call = current_call()
    assert call is not None
    call.begin("forget")
    tries: list[int] = client.context.cached("tries", list)
    tries.append(1)
    if len(tries) == 1:
        raise Unavailable("no answer", sent=Sent.UNKNOWN)
    raise NotFound("it is gone", sent=Sent.REFUSED)


@connector.action("refuse", effect="write")
def refuse(_said: Said, client: Client) -> Heard:
    """Be refused, in more than a code."""
    call = current_call()
    assert call is not None
    call.begin("refuse")
    said = Provider(
        "Held",
        "it is held",
        409,
        "r-1",
        {"Item": {"name": client.name}, "Reasons": [{"Code": "Held"}, None]},
    )
    raise Conflict("it is held", sent=Sent.REFUSED, provider=said)


class Events(Output):
    """All events."""

    events: list[dict[str, int]]


@connector.action("count", effect="read")
def count(_said: Said, _client: Client) -> Events:
    """Hand three events on."""
    call = current_call()
    assert call is not None
    call.begin("count")
    for number in range(3):
        call.hand_on({"number": number})
    return Events(events=[{"number": number} for number in range(3)])


@connector.action("warn", effect="write")
def warn(said: Said, client: Client) -> Heard:
    """Succeed, with something to know, part of which is no pointer."""
    call = current_call()
    assert call is not None
    call.begin("warn")
    call.warn(f"{client.name} was told", "/text")
    for number in range(30):
        call.warn(f"warning {number}" + "x" * 2000, "nowhere")
    return Heard(text=said.text)


@connector.action("halve", effect="write")
def halve(said: Said, client: Client) -> Heard:
    """Carry out a half."""
    call = current_call()
    assert call is not None
    call.begin("halve")
    entries = [
        FailedEntry(f"/text/{number}", f"{client.name}: no", input=f"/text/{number}")
        for number in range(3)
    ]
    call.failed_in_part(entries, path="/text")
    call.failed_in_part([Detail("/more", "x" * 90)] * 1500, "most failed")
    return Heard(text=said.text)


@connector.action("throttle", effect="write", pace_by=["text"])
def throttle(said: Said, _client: Client) -> Heard:
    """Be throttled for one text."""
    call = current_call()
    assert call is not None
    call.begin("throttle")
    if said.text == "slow":
        raise RateLimited("slow down", sent=Sent.REFUSED, retry_after=40)
    return Heard(text=said.text)


@connector.action("byKey", effect="idempotent", idempotent_by="key")
def by_key(said: Said, _client: Client) -> Heard:
    """Say it under the invocation's key."""
    call = current_call()
    assert call is not None
    call.begin("byKey")
    return Heard(text=f"{said.text} {call.idempotency_key}")


class Query(Inputs):
    """Which page."""

    next_token: str | None = Field(None, title="Next Token")
    fetch_all: bool = Field(False, title="Fetch All")


class Page(Output):
    """A page."""

    items: tuple[str, ...] = Field(alias="Items")
    next_token: str | None = Field(None, alias="NextToken")


@connector.action(
    "list",
    effect="read",
    pagination=Pagination("nextToken", "NextToken", "Items", all_input="fetchAll"),
)
def list_items(query: Query, _client: Client) -> Page:
    """List items."""
    call = current_call()
    assert call is not None
    call.begin("list", safe=True)
    start = int(query.next_token or 0)
    if start == 9:
        call.unfinished(f"the list may go on {call.follows}")
    return Page(items=(f"item {start}",), next_token=str(start + 1) if start < 3 else None)


@connector.options("rooms", depends_on=["floor"])
def rooms(client: Client, inputs: Mapping[str, Any]) -> list[Option]:
    """The rooms of somebody, on a floor."""
    return [Option("hall", f"Hall of {client.name}{inputs.get('floor', '')}")]


@connector.test(permissions={"rich": ["a:test"]})
def more(client: Client, context: OpenContext) -> Iterator[Step]:
    """Yield another step."""
    yield Step(
        "more",
        "More",
        passed=True,
        message=f"{client.name} in {context.workspace}",
        principal="someone",
    )


@connector.policy_documents
def documents(known: Mapping[str, Any], kind: ConnectionType) -> Mapping[str, Any]:
    """Add a document."""
    return {"more": {"known": sorted(known), "kind": kind.key}}
