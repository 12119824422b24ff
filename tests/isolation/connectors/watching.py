"""A connector with a trigger of each kind; what its provider has is made up."""

import hashlib
import hmac

from jackfield.connector import (
    ConnectionType,
    Connector,
    Field,
    Gone,
    Hook,
    HookRequest,
    Inputs,
    Item,
    Listed,
    Malformed,
    OpenContext,
    Output,
    Polled,
    Received,
    Registered,
    Since,
    TriggerEvent,
    check_signature,
)  # fmt: skip


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


class Thing(Output):
    """A thing."""

    id: str
    owner: str


def verify(request: HookRequest, hook: Hook) -> None:
    """Check the signature."""
    expected = hmac.new(hook.secret.encode(), request.body, hashlib.sha256).hexdigest()
    check_signature(expected, request.headers.get("signature"))


posted = connector.webhook("posted", verify=verify, inputs=Watch, event=Thing, types=("posted", "withdrawn"))


@posted.receive
def receive(request: HookRequest, hook: Hook) -> Received:
    """Things that are posted."""
    found = request.json()
    if "id" not in found:
        raise Malformed
    return Received([TriggerEvent(Thing(id=found["id"], owner=hook.remote["owner"]), found["id"], found.get("type"))], "thanks")


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
        [TriggerEvent(Thing(id=f"t-{number}", owner=client), f"t-{number}", at=since.at)], {"number": number + 1}, number % 2 == 1
    )


@connector.diff_poll("shelf", item=Thing, inputs=Watch)
def shelf(inputs: Watch, client: str, after: int | None) -> Listed:
    """Things on a shelf."""
    begin = after or 0
    return Listed([Item(f"s-{begin}", {"owner": client})], begin + 1 if begin < inputs.first else None)
