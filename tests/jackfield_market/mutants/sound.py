"""The connector from which the mutants are made: every rule of the conformance suite holds for
it.
"""

import http.client
import json
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import urlsplit

from jackfield.connector import (
    ConnectionType,
    Connector,
    Field,
    Forbidden,
    Guard,
    Hook,
    HookRequest,
    Inputs,
    JackfieldError,
    JobFailed,
    Malformed,
    OpenContext,
    Option,
    Output,
    Pagination,
    Polled,
    Progress,
    Provider,
    RateLimited,
    Received,
    Rejected,
    Sent,
    Signature,
    Since,
    Step,
    TriggerEvent,
    Unauthenticated,
    Unavailable,
    bounded_answer,
    current_call,
)

KINDS: dict[int, type[JackfieldError]] = {401: Unauthenticated, 403: Forbidden, 429: RateLimited}


class Refused(Exception):
    """The provider answered with a status that is no success."""

    def __init__(self, status: int, retry_after: str | None) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after = retry_after


class Connection(http.client.HTTPConnection):
    """Connects through the guard."""

    def __init__(self, url: str, guard: Guard) -> None:
        parts = urlsplit(url)
        super().__init__(parts.hostname or "", parts.port)
        self._guard = guard

    def connect(self) -> None:
        """Connect, and say so where nothing could be sent."""
        call = current_call()
        try:
            self.sock = self._guard.connect(
                self.host, self.port, call.remaining() if call else 30, "/url"
            )
        except ConnectionRefusedError:
            raise Unavailable("the server cannot be reached", sent=Sent.NOTHING) from None


class Client:
    """Calls one parcel server."""

    def __init__(self, url: str, api_key: str, guard: Guard) -> None:
        self.url = url
        self._api_key = api_key
        self._guard = guard

    def __repr__(self) -> str:
        return "Client()"

    def call(
        self, method: str, path: str, body: object = None, step: str = "", **headers: str
    ) -> Any:
        """Send one request and read the answer."""
        headers = {
            "Authorization": f"Bearer {self._api_key}",
            "Content-Type": "application/json",
            **headers,
        }
        connection = Connection(self.url, self._guard)
        call = current_call()
        if call is not None:
            call.begin(step, safe=method == "GET")
        try:
            connection.request(method, path, json.dumps(body), headers)
            connection.sock.settimeout(call.remaining() if call else 30)
            with connection.getresponse() as answer:
                content = b"".join(bounded_answer(iter(lambda: answer.read1(65536), b"")))
                if answer.length:
                    raise http.client.IncompleteRead(content, answer.length)
        finally:
            connection.close()
        if answer.status >= 300:
            raise Refused(answer.status, answer.headers["Retry-After"])
        if answer.status == 204:
            content = b"null"
        found = json.loads(content)
        if call is not None:
            call.answered(found)
        return found


def explain(error: Exception, client: object, inputs: object) -> JackfieldError | None:
    """Map an exception to an error with a code."""
    if isinstance(error, Refused):
        said = Provider(http_status=error.status)
        if error.status >= 500:
            return Unavailable("the server failed", sent=Sent.UNKNOWN, provider=said)
        wait = float(error.retry_after) if error.retry_after else None
        return KINDS.get(error.status, Rejected)(
            "the server refused", sent=Sent.REFUSED, provider=said, retry_after=wait
        )
    if isinstance(error, OSError | http.client.HTTPException):
        return Unavailable("the connection broke", sent=Sent.UNKNOWN)
    return None


class ParcelKey(ConnectionType):
    """A parcel server and a key for it."""

    key: ClassVar[str] = "parcelKey"
    title: ClassVar[str] = "Parcel Key"
    auth: ClassVar[str] = "apiKey"
    setup: ClassVar[str] = "Ask the post office for a key."
    reports_begin: ClassVar[bool] = True

    url: str = Field(title="Server", destination=True, schema={"format": "uri"})
    api_key: str = Field(title="API Key", secret=True, schema={"minLength": 1})
    passphrase: str | None = Field(None, title="Passphrase", secret=True)

    def open(self, context: OpenContext) -> Client:
        """Open a client; nothing is sent."""
        return Client(self.url, self.api_key, context.guard)

    def test(self, context: OpenContext) -> Iterator[Step]:
        """Look at the account."""
        self.open(context).call("GET", "/account")
        yield Step("key", "The server knows the key", passed=True, message="It answered.")


connector = Connector(
    "parcel",
    title="Parcel",
    version="1.0.0",
    description="Sends parcels.",
    connections=[ParcelKey],
    explain=explain,
    icon="data:image/svg+xml;utf8,<svg/>",
    categories=["post"],
    documentation_url="https://parcel.example.com",
    license="MIT",
)


@connector.options("sizes")
def sizes() -> list[Option]:
    """The sizes of parcels."""
    return [Option("s", "Small"), Option("l", "Large")]


class Parcel(Inputs):
    """A parcel."""

    name: str = Field(title="Name", description="To whom it goes.", recipient=True)
    size: str = Field("s", title="Size", description="How large it is.", options="sizes")


class Kept(Output):
    """The parcel as the server has it."""

    parcel_id: str = Field(alias="id", title="Parcel ID", description="Its number.")


class Weighing(Output):
    """A weighing, as the server knows it."""

    weighing_id: str


class Weighed(Output):
    """How heavy a parcel is."""

    grams: int = Field(title="Grams", description="Its weight.")


class Search(Inputs):
    """Which parcels to list."""

    next_token: str | None = Field(None, title="Next Token", description="Where to go on.")
    fetch_all: bool = Field(False, title="Fetch All", description="True for every page.")


class Parcels(Output):
    """A page of parcels."""

    parcels: tuple[str, ...] = Field(title="Parcels", description="Their numbers.")
    next_token: str | None = Field(None, title="Next Token", description="Where to go on.")


def example(action: str, output: object = None, **inputs: str) -> Any:
    """An example of an action."""
    invocation = {"connector": "parcel", "action": action, "inputs": inputs}
    result = {
        "status": "succeeded",
        "output": output or {"id": "p1"},
        "meta": {"invocationId": "i", "attempts": 1, "durationMs": 1, "replayed": False},
    }
    return {"title": "One parcel", "invocation": invocation, "result": result}


UNKNOWN = "The post office does not say who has sent a parcel."


@connector.action(
    "sendParcel", effect="write", no_evidence=UNKNOWN, examples=[example("sendParcel", name="ada")]
)
def send_parcel(parcel: Parcel, client: Client) -> Kept:
    """Make a parcel and have it fetched."""
    made = client.call(
        "POST", "/parcels", {"name": parcel.name, "size": parcel.size}, "make the parcel"
    )
    client.call("POST", f"/parcels/{made['id']}/fetch", {}, "have it fetched")
    return Kept(parcel_id=made["id"])


@connector.action(
    "payParcel",
    effect="idempotent",
    idempotent_by="key",
    no_evidence=UNKNOWN,
    key_kept=86400,
    examples=[example("payParcel", name="ada")],
)
def pay_parcel(parcel: Parcel, client: Client) -> Kept:
    """Pay for a parcel once."""
    call = current_call()
    paid = client.call(
        "POST",
        "/payments",
        {"name": parcel.name},
        **{"Idempotency-Key": call.idempotency_key if call else ""},
    )
    return Kept(parcel_id=paid["id"])


@connector.action("findParcel", effect="read", examples=[example("findParcel", name="ada")])
def find_parcel(parcel: Parcel, client: Client) -> Kept:
    """Find a parcel."""
    found = client.call("GET", f"/parcels?name={parcel.name}")
    return Kept(parcel_id=found["id"])


@connector.action(
    "listParcels",
    effect="read",
    pagination=Pagination("nextToken", "nextToken", "parcels", all_input="fetchAll"),
    examples=[example("listParcels", {"parcels": ["p1", "p2"]})],
)
def list_parcels(search: Search, client: Client) -> Parcels:
    """List parcels, a page at a time."""
    page = client.call("GET", f"/parcels?after={search.next_token or ''}")
    return Parcels(parcels=page["parcels"], next_token=page.get("next"))


@connector.action(
    "weighParcel",
    kind="job",
    effect="write",
    no_evidence=UNKNOWN,
    examples=[example("weighParcel", {"grams": 7}, name="ada")],
)
class WeighParcel:
    """Have a parcel weighed."""

    def start(self, parcel: Parcel, client: Client) -> Weighing:
        """Ask for it."""
        return Weighing(weighing_id=client.call("POST", "/weighings", {"name": parcel.name})["id"])

    def poll(self, weighing: Weighing, client: Client) -> Progress | Weighed:
        """Look at the scales."""
        seen = client.call("GET", f"/weighings/{weighing.weighing_id}")
        if seen["state"] == "failed":
            raise JobFailed("the scales are broken")
        if seen["state"] == "done":
            return Weighed(grams=seen["grams"])
        return Progress(seen["percent"] / 100)

    def cancel(self, weighing: Weighing, client: Client) -> None:
        """Take it off the scales."""
        client.call("DELETE", f"/weighings/{weighing.weighing_id}")


class Delivery(Output):
    """A parcel that has arrived somewhere."""

    parcel_id: str = Field(alias="id", title="Parcel ID", description="Its number.")


class Watch(Inputs):
    """Which parcels to watch."""

    depot: str = Field("all", title="Depot", description="Where they arrive.")


SCHEME = Signature("parcel-signature", "{time}.{body}", time="parcel-time")
REQUEST = {"headers": {"parcel-kind": "delivered"}, "body": {"id": "p1", "depot": "north"}}
ARRIVAL = {"title": "A parcel", "request": REQUEST, "events": [{"id": "p1"}]}
delivered = connector.webhook(
    "delivered", verify=SCHEME, inputs=Watch, event=Delivery, examples=[ARRIVAL]
)


@delivered.receive
def receive(request: HookRequest, hook: Hook) -> Received:
    """A parcel was delivered."""
    found = request.json()
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        raise Malformed
    return Received([TriggerEvent(Delivery(parcel_id=found["id"]), found["id"])])


@delivered.enable
def enable(hook: Hook, client: Client) -> dict[str, Any]:
    """Register the URL, unless it is registered."""
    there = [one for one in client.call("GET", "/hooks") if one["url"] == hook.url]
    return {
        "id": (
            there[0]
            if there
            else client.call("POST", "/hooks", {"url": hook.url, "secret": hook.secret})
        )["id"]
    }


@delivered.disable
def disable(hook: Hook, client: Client) -> None:
    """Remove the registration."""
    for one in client.call("GET", "/hooks"):
        if one["url"] == hook.url:
            client.call("DELETE", f"/hooks/{one['id']}")


SOURCE = {
    "item": {"id": "p1", "at": 1893456000},
    "id": "/id",
    "at": "/at",
    "items": "/parcels",
    "since": "since",
}


@connector.poll(
    "arrivals",
    inputs=Watch,
    event=Delivery,
    examples=[{"title": "A parcel", "source": SOURCE, "events": [{"id": "p1"}]}],
)
def arrivals(watch: Watch, client: Client, since: Since) -> Polled:
    """Parcels that have arrived at the depot."""
    after = since.mark.get("at", since.at)
    found = client.call("GET", f"/parcels?since={after}")["parcels"]
    last = max((one["at"] for one in found), default=after)
    return Polled(
        [TriggerEvent(Delivery(parcel_id=one["id"]), one["id"], at=one["at"]) for one in found],
        {"at": last},
        more=last > after,
    )
