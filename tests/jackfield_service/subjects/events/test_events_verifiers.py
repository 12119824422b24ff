"""Requests to callbacks are verified by the libraries that receivers use: svix and
standardwebhooks, in Python and in Node.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import standardwebhooks
import svix

from jackfield.call.events import Event
from jackfield.wire.signing import new_secret
from jackfield_service.subjects.callbacks.message import request_of

NODE = Path(__file__).resolve().parents[4] / ".venv" / "node"
_VERIFY = """
const [library, requests] = process.argv.slice(1);
const { Webhook } = require(library);
function taken([secret, headers, body]) {
  try { new Webhook(secret).verify(body, headers); return true; } catch (error) { return false; }
}
console.log(JSON.stringify(JSON.parse(requests).map(taken)));
"""
Requests = list[tuple[str, dict[str, str], str]]
"""Secrets, header fields and bodies."""


def in_python(library: type, requests: Requests) -> list[bool]:
    """Verify with a class ``Webhook``: whether each request is taken."""

    def taken(secret: str, headers: dict[str, str], body: str) -> bool:
        try:
            library(secret).verify(body, headers)
        except (svix.WebhookVerificationError, standardwebhooks.WebhookVerificationError):
            return False
        return True

    return [taken(*request) for request in requests]


def in_node(library: str, requests: Requests) -> list[bool]:
    """Verify with a package of npm."""
    command = ["node", "-e", _VERIFY, library, json.dumps(requests)]
    done = subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=60, check=True)
    found: list[bool] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "library", ["svix", "standardwebhooks", "svix in Node", "standardwebhooks in Node"]
)
def test_libraries_of_receivers_verify_requests(library: str) -> None:
    """They accept the request as it is, with an old and a new secret, and refuse another secret and
    a changed body.
    """
    name, _, place = library.partition(" in ")
    if place and (shutil.which("node") is None or not (NODE / "node_modules" / name).exists()):
        pytest.skip(
            f"{name} is not installed in .venv/node ('make clients' does it, where there is npm)"
        )
    new, old, now = new_secret("hmac"), new_secret("hmac"), time.time()
    event = Event(
        "01a20507-ced2-70bc-947d-a089b1f02cbb",
        7,
        "invocation.finished",
        "s",
        now,
        {"labels": {"who": "Zoë 🦊"}},
    )
    fields, sent = request_of(event, [{"secret": new}, {"secret": old}], now)
    headers, body = {key.decode(): value.decode() for key, value in fields}, sent.decode()
    requests = [
        *((secret, headers, body) for secret in (new, old, new_secret("hmac"))),
        (new, headers, body.replace("Zoë", "Zoe")),
    ]
    verified = (
        in_node(name, requests)
        if place
        else in_python(svix.Webhook if name == "svix" else standardwebhooks.Webhook, requests)
    )
    assert verified == [True, True, False, False]
