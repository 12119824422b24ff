"""Requests to callbacks are verified by the libraries that receivers use: svix and standardwebhooks, in Python and in Node."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import standardwebhooks
import svix

from jackfield.events.event import Event
from jackfield.events.message import request_of
from jackfield.events.signing import new_secret

NODE = Path(__file__).resolve().parents[2] / ".venv" / "node"
_VERIFY = """
const [library, secret, headers, body] = process.argv.slice(1);
const { Webhook } = require(library);
try { new Webhook(secret).verify(body, JSON.parse(headers)); console.log("taken"); } catch (error) { console.log("refused"); }
"""
Verify = Callable[[str, dict[str, str], str], bool]


def in_python(library: type) -> Verify:
    """Verify with a class ``Webhook``."""

    def verify(secret: str, headers: dict[str, str], body: str) -> bool:
        try:
            library(secret).verify(body, headers)
        except (svix.WebhookVerificationError, standardwebhooks.WebhookVerificationError):
            return False
        return True

    return verify


def in_node(library: str) -> Verify:
    """Verify with a package of npm."""

    def verify(secret: str, headers: dict[str, str], body: str) -> bool:
        command = ["node", "-e", _VERIFY, library, secret, json.dumps(headers), body]
        done = subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip() == "taken"

    return verify


@pytest.mark.parametrize("library", ["svix", "standardwebhooks", "svix in Node", "standardwebhooks in Node"])
def test_libraries_of_receivers_verify_requests(library: str) -> None:
    """They accept the request as it is, with an old and a new secret, and refuse another secret and a changed body."""
    name, _, place = library.partition(" in ")
    if place and (shutil.which("node") is None or not (NODE / "node_modules" / name).exists()):
        pytest.skip(f"{name} is not installed in .venv/node ('make clients' does it, where there is npm)")
    verify = in_node(name) if place else in_python(svix.Webhook if name == "svix" else standardwebhooks.Webhook)
    new, old, now = new_secret("hmac"), new_secret("hmac"), time.time()
    event = Event("01a20507-ced2-70bc-947d-a089b1f02cbb", 7, "invocation.finished", "s", now, {"labels": {"who": "Zoë 🦊"}})
    fields, sent = request_of(event, [{"secret": new}, {"secret": old}], now)
    headers, body = {key.decode(): value.decode() for key, value in fields}, sent.decode()
    assert [verify(secret, headers, body) for secret in (new, old, new_secret("hmac"))] == [True, True, False]
    assert not verify(new, headers, body.replace("Zoë", "Zoe"))
