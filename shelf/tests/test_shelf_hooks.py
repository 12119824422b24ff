"""Each trigger of the shelf at a running server: the fake of its provider signs, repeats, forges,
and checks the URL.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from http_stand import Client, Stand, standing
from jackfield_http.bindings.connector import bound
from jackfield_market.testing.fake_hooks import FakeHooks, HookCall, hook_faults
from jackfield_openapi.shelf.services import read_shelf
from jackfield_service.shell.process.settings import ServerSettings
from plugboard import plugged
from shelved import SHELF, manifest_of, shelve
from waiting import until

_TRIGGERS = [
    (service.key, name)
    for service in read_shelf(SHELF)
    for name, about in service.about.get("triggers", {}).items()
    if "signature" in about and "register" not in about["http"]
]


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("hooks")
    settings = ServerSettings(
        port=0, guesses=0.0, stop_within=5.0, public_url="https://hooks.example"
    )
    folders = [
        shelve(folder / key, manifest_of(key)) for key in dict.fromkeys(key for key, _ in _TRIGGERS)
    ]
    with plugged(*folders), standing(folder, settings) as stand:
        yield stand


@pytest.mark.parametrize(("key", "name"), _TRIGGERS)
def test_signed_requests_become_events_once(key: str, name: str, stand: Stand) -> None:
    """What the provider signs is an event, once; what is forged, doubled, old or early gets 401;
    handshakes are answered; the log has no secret.
    """
    manifest, client = manifest_of(key), stand.client()
    row = next(one for one in manifest["triggers"] if one["key"] == name)
    trigger: Any = bound(manifest).triggers[name]
    sender = FakeHooks(trigger, row)
    subject = f"{key}-{name.lower()}"
    made = client.post(
        "/v1/subscriptions", {"name": subject, "trigger": f"{key}/{name}", "inputs": sender.inputs}
    )
    assert made.status == 201, made.body
    url = made.json["url"]

    def send(call: HookCall) -> tuple[int, str]:
        path = urlsplit(url).path + (f"?{call.query}" if call.query else "")
        headers = {title.replace("-", "_"): text for title, text in call.headers.items()}
        reply = Client(stand.port).call(
            call.method, path, call.body if call.method == "POST" else None, **headers
        )
        return reply.status, reply.body.decode()

    assert list(hook_faults(sender, url, made.json.get("secret") or "", time.time(), send)) == []
    events = [
        one for one in client.get("/v1/events?limit=200").json["items"] if one["subject"] == subject
    ]
    told = next(one["events"] for one in row["examples"] if "request" in one)
    assert len(events) == len(told)
    for event, wanted in zip(events, told, strict=True):
        payload = event["data"]["payload"]
        assert payload.keys() == wanted.keys()
    until(lambda: client.get(f"/v1/subscriptions/{subject}").json["status"] == "active")
