"""A connector with a trigger of each kind; what its provider has is made up."""

import hashlib
import hmac

from jackfield.connector import (
    ConnectionType,
    Connector,
    Detail,
    Field,
    Gone,
    Hook,
    HookRequest,
    Inputs,
    Item,
    Listed,
    Malformed,
    Needs,
    OpenContext,
    Outcome,
    Output,
    Polled,
    Received,
    Registered,
    Since,
    TriggerEvent,
    Unfinished,
    check_signature,
)


class Named(ConnectionType):
    """A name."""

    key = "named"
    title = "Name"
    auth = "none"
    name: str = Field(title="Name")

    def open(self, context: OpenContext) -> str:
        """The name itself."""
        return self.name


connector = Connector("watching", title="Watching", version="1.0.0", connections=[Named])


class Watch(Inputs):
    """What to watch."""

    first: int = Field(1, title="First")

    def rules(self) -> list[Detail]:
        """Refuse a number that a schema would allow."""
        return [Detail("/first", "is unlucky")] if self.first == 13 else []


class Thing(Output):
    """A thing."""

    id: str
    owner: str


def verify(request: HookRequest, hook: Hook) -> None:
    """Check the signature."""
    expected = hmac.new(hook.secret.encode(), request.body, hashlib.sha256).hexdigest()
    check_signature(expected, request.headers.get("signature"))


posted = connector.webhook(
    "posted", verify=verify, inputs=Watch, event=Thing, types=("posted", "withdrawn")
)


@posted.receive
def receive(request: HookRequest, hook: Hook) -> Received:
    """Things that are posted."""
    found = request.json()
    if "id" not in found:
        raise Malformed
    outcome = Outcome("bounced", 50, "ada@example.com", "no such mailbox", suppresses="bounce")
    thing = Thing(id=found["id"], owner=hook.remote["owner"])
    return Received(
        [TriggerEvent(thing, found["id"], found.get("type"), reference="m-1", outcome=outcome)],
        "thanks",
    )


@posted.enable
def enable(hook: Hook, client: str) -> Registered:
    """Register."""
    return Registered({"owner": client}, 100.0)


@posted.renew
def renew(hook: Hook, client: str) -> Registered:
    """There is none."""
    raise Gone


@posted.poll(every=60)
def things(inputs: Watch, client: str, since: Since) -> Polled:
    """One thing, and then another."""
    number = since.mark.get("number", inputs.first)
    return Polled(
        [TriggerEvent(Thing(id=f"t-{number}", owner=client), f"t-{number}", at=since.at)],
        {"number": number + 1},
        number % 2 == 1,
    )


def certified(request: HookRequest, hook: Hook) -> None:
    """Check a signature with the certificate that the request names."""
    name = request.headers["certificate"]
    if name not in hook.found:
        raise Needs(name)
    check_signature(
        hmac.new(hook.found[name], request.body, hashlib.sha256).hexdigest(),
        request.headers.get("signature"),
    )


shaken = connector.webhook("shaken", verify=certified, inputs=Watch, event=Thing)


@shaken.fetch
def certificate(name: str, client: str) -> bytes:
    """Octets that are no text."""
    return b"\x00\xff" + f"{name} of {client}".encode()


@shaken.receive
def shake(request: HookRequest, hook: Hook) -> Received:
    """A handshake, and what became of something that was sent."""
    about = Outcome("bounced", 3, "ada@example.com", "mailbox full", suppresses="complaint")
    return Received(
        [TriggerEvent({"id": "t-1", "owner": "ada"}, "t-1", reference="m-1", outcome=about)],
        remote={"token": "t"},
    )


@shaken.enable
def greet(hook: Hook, client: str) -> Registered | Unfinished:
    """Wait for the handshake."""
    return (
        Registered({**hook.remote, "done": client})
        if "token" in hook.remote
        else Unfinished({"asked": client}, 30.0)
    )


@connector.diff_poll("shelf", item=Thing, inputs=Watch)
def shelf(inputs: Watch, client: str, after: int | None) -> Listed:
    """Things on a shelf."""
    begin = after or 0
    if begin > inputs.first:
        raise Gone
    return Listed(
        [Item(f"s-{begin}", {"owner": client})], begin + 1 if begin < inputs.first else None
    )
