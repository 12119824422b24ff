"""Queued invocations of a token that has lost the right meanwhile: nothing is begun for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gates import Gatekeeper
from http_stand import SETTINGS, Client, Stand, say, standing
from jackfield.callers import Rules
from jackfield_service.shell.identity.identity import Identities
from sealed_rows import set_token


def settled(client: Client, identifier: str) -> Any:
    """The journal's entry, once it has ended."""
    pause = threading.Event()
    for _ in range(1000):
        entry = client.get(f"/v1/invocations/{identifier}").json
        if entry["status"] not in ("queued", "running"):
            return entry
        pause.wait(0.02)
    raise AssertionError(entry)


def revoke(stand: Stand, token: str) -> None:
    """End the token."""
    stand.tokens().revoke(token)


def expire(stand: Stand, token: str) -> None:
    """Have the token's time be over."""
    set_token(stand.host.storage, token, "expires_at = 1")


def narrow(stand: Stand, token: str) -> None:
    """Leave the token its scope, and take the right to run anything away."""
    set_token(stand.host.storage, token, "scope = 'read'")


def block(stand: Stand, _token: str) -> None:
    """Block the action in the whole workspace."""
    stand.workspaces.set("default", {"rules": {"block": ["echo/post"]}})


@pytest.mark.parametrize("is_named", [True, False], ids=["named", "chosen"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (revoke, "was revoked at"),
        (expire, "expired at"),
        (narrow, "scope 'read'"),
        (block, "rules of the workspace forbid"),
    ],
)
def test_s10_a_queued_call_does_not_outlive_its_token(
    tmp_path: Path, change: Callable[[Stand, str], None], words: str, is_named: bool
) -> None:
    """Revoked, expired or short of the right before it began: it ends as ``not_allowed``, and
    nothing was sent, whether it names its connection or the only one that fits is chosen.
    """
    with standing(tmp_path, replace(SETTINGS, queue_workers=1)) as stand, Gatekeeper() as gate:
        other, client = stand.client(), stand.client("invoke", rules=Rules(allow=("echo/*",)))
        assert (
            other.post(
                "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t"}}
            ).status
            == 201
        )
        first = _queued(
            other.post(
                "/v1/invocations",
                say("say", "hall", text="x", gate={"port": gate.port}),
                Prefer="respond-async",
            )
        )
        gate.wait()
        call = say("post", "hall", text="too late")
        if not is_named:
            del call["connection"]
        late = _queued(client.post("/v1/invocations", call, Prefer="respond-async"))
        identity = Identities(stand.host.storage, stand.host.clock, None).find(client.token or "")
        assert identity is not None
        change(stand, identity.id)
        stand.host.runtime("default").access.workspaces.find("default")
        gate.open()
        entry = settled(other, late)
        assert (entry["status"], entry["error"]["code"], entry["meta"]["attempts"]) == (
            "failed",
            "not_allowed",
            0,
        )
        assert words in entry["error"]["message"]
        assert settled(other, first)["status"] == "succeeded"


def _queued(answer: Any) -> str:
    assert answer.status == 202, answer.body
    return str(answer.json["invocationId"])
