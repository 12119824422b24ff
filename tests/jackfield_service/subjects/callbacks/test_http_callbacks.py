"""``/v1/callbacks`` and ``/v1/deliveries``: a platform manages where its events go, with its own
token.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import standardwebhooks

from http_stand import SETTINGS, Client, Stand, standing
from jackfield.kernel.dataclass import replace
from receiver import Receiver, receiving

SAY = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "hello"}}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server whose operator allows callbacks on loopback."""
    with standing(
        tmp_path_factory.mktemp("http"), replace(SETTINGS, allowed_hosts=("127.0.0.1",))
    ) as found:
        yield found


@pytest.fixture(scope="module")
def client(stand: Stand) -> Client:
    """May do everything, and has a connection ``hall``."""
    found = stand.client()
    assert (
        found.post(
            "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}}
        ).status
        == 201
    )
    return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver."""
    with receiving() as made:
        yield made


def judge(document: Any, message: str) -> Any:
    """Return the validator of a message's payload in an AsyncAPI document."""
    schema = {
        **document["components"]["messages"][message]["payload"],
        "components": document["components"],
    }
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def made(client: Client, url: str, **more: Any) -> Any:
    """Make a callback; the answer."""
    answer = client.post("/v1/callbacks", {"url": url, **more})
    assert answer.status == 201, answer.json
    return answer.json


def test_the_end_of_a_queued_call_arrives(client: Client, receiver: Receiver) -> None:
    """From the call to the receiver: nobody asks for anything, the server delivers, and the
    delivery can be looked up.
    """
    callback = made(client, receiver.url, types=["invocation.finished"], include=["output"])
    identifier = client.post("/v1/invocations", SAY, Prefer="respond-async").json["invocationId"]
    (got,) = receiver.wait(1)
    judge(client.get("/asyncapi.json").json, "invocationFinished").validate(got.json)
    payload = standardwebhooks.Webhook(callback["secret"]).verify(got.body, dict(got.headers))
    assert (payload["data"]["subject"], payload["data"]["payload"]["status"]) == (
        identifier,
        "succeeded",
    )
    assert (
        payload["data"]["payload"]["output"]
        == client.get(f"/v1/invocations/{identifier}").json["output"]
    )
    while not (
        items := client.get(f"/v1/deliveries?callback={callback['id']}&status=delivered").json[
            "items"
        ]
    ):
        pass
    shown = client.get(f"/v1/deliveries/{items[0]['id']}").json
    assert (shown["eventId"], shown["status"], shown["attempts"], shown["url"]) == (
        got.id,
        "delivered",
        1,
        receiver.url,
    )
    assert shown["request"]["body"] == got.json
    assert {name: got.headers[name] for name in ("webhook-id", "webhook-timestamp")} == shown[
        "request"
    ]["headers"]
    assert client.post(f"/v1/deliveries/{shown['id']}:resend").status == 202
    assert {one.id for one in receiver.wait(2)} == {got.id}


def test_a_callback_is_managed(client: Client, receiver: Receiver) -> None:
    """It is changed, paused, tested and rotated."""
    callback = made(client, receiver.url, types=["quota.low"])
    path = f"/v1/callbacks/{callback['id']}"
    assert callback["secret"].startswith("whsec_")
    changed = client.call("PATCH", path, {"types": ["quota.*"], "status": "paused"}).json
    assert (changed["types"], changed["status"], changed["reason"]) == (
        ["quota.*"],
        "paused",
        "a person has paused it",
    )
    tested = client.post(f"{path}:test").json
    assert (tested["delivered"], tested["status"], receiver.got[-1].json["type"]) == (
        True,
        204,
        "callback.test",
    )
    rotated = client.post(f"{path}:rotate", {"overlapSeconds": 60}).json
    assert rotated["secret"] != callback["secret"]
    client.post(f"{path}:test")
    for secret in (callback["secret"], rotated["secret"]):
        standardwebhooks.Webhook(secret).verify(
            receiver.got[-1].body, dict(receiver.got[-1].headers)
        )
    assert client.post(f"{path}:recover", {"since": "1d"}).json == {"recovered": 0}


def test_what_is_refused(client: Client) -> None:
    """Addresses inside the network, unknown members and types, with the member at fault."""
    for body, path in (
        ({"url": "https://169.254.169.254/latest"}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": "http://93.184.215.14/"}, "/url"),
        ({"url": "https://93.184.215.14/", "types": ["quota.lwo"]}, "/types/0"),
    ):
        refused = client.post("/v1/callbacks", body)
        assert (refused.status, [fault["path"] for fault in refused.json["details"]]) == (
            422,
            [path],
        )
    refused = client.post("/v1/callbacks", {"url": "https://93.184.215.14/", "secret": "x"})
    assert refused.status == 400
    assert [fault["path"] for fault in refused.json["details"]] == ["/secret"]


def test_loopback_needs_the_operators_word(tmp_path: Path, receiver: Receiver) -> None:
    """A server on loopback does not let a token reach what listens there."""
    with standing(tmp_path) as stand:
        for url in (receiver.url, "http://localhost:9/", "https://[::1]/"):
            assert stand.client().post("/v1/callbacks", {"url": url}).status == 422
