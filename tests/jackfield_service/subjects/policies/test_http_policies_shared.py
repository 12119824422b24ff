"""Servers and workers of one database, of which not all have its policy: the others begin nothing,
and say so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from http_stand import Client, clean, process, say
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield_store.management.shared_settings import SharedSettings
from jackfield_store.resources.storage import Storage
from plugboard import ECHO
from policy_stub import Policy, policy_service
from waiting import until

HALL = {"name": "hall", "type": "echo/token", "values": {"token": "t"}}
LACKS = (
    "this process has no policy, so it begins no call: set JACKFIELD_POLICY_URL and "
    "JACKFIELD_POLICY_SECRET"
)


@pytest.fixture(name="policy")
def _policy() -> Iterator[Policy]:
    with policy_service() as found:
        yield found


@contextmanager
def _running(command: list[str], environment: dict[str, str], log: BinaryIO) -> Iterator[None]:
    """Run a worker until left, whatever happens."""
    with subprocess.Popen(command, env=environment, stderr=log) as worker:
        try:
            yield
        finally:
            worker.terminate()


def test_a_worker_without_the_policy_claims_nothing(tmp_path: Path, policy: Policy) -> None:
    """It says so at its start, and leaves what is queued to one that has the policy."""
    home = tmp_path / "home"
    url, secret = (
        policy.environment[name] for name in ("JACKFIELD_POLICY_URL", "JACKFIELD_POLICY_SECRET")
    )
    with process(
        tmp_path, "--queue-workers", "0", JACKFIELD_POLICY_URL=url, JACKFIELD_POLICY_SECRET=secret
    ) as server:
        assert server.client.post("/v1/connections?test=false", HALL).status == 201
        place = server.client.post(
            "/v1/invocations", say("post", "hall", text="x"), Prefer="respond-async"
        ).headers["location"]
        environment = clean(home, PYTHONPATH=os.pathsep.join((str(tmp_path / "plugs"), str(ECHO))))
        command = [sys.executable, "-m", "jackfield", "worker"]
        with (tmp_path / "worker").open("wb") as log, _running(command, environment, log):
            until(lambda: LACKS in (tmp_path / "worker").read_text(encoding="utf-8"), 60)
            assert server.client.get(place).json["status"] == "queued"
        with (
            (tmp_path / "worker").open("wb") as log,
            _running(command, {**environment, **policy.environment}, log),
        ):
            until(lambda: server.client.get(place).json["status"] == "succeeded", 60)


def test_a_server_without_the_policy_says_so_until_it_is_taken_back(
    tmp_path: Path, policy: Policy
) -> None:
    """In ``/readyz``, with the values that differ; calls are refused with 503. ``settings unset
    policy`` gives the policy up.
    """
    environment = clean(tmp_path / "home")
    with Storage(None, environment, SystemClock()) as storage:
        settings = SharedSettings(storage, SystemClock(), Actor("cli", "ada"))
        settings.set("policy", policy.environment["JACKFIELD_POLICY_URL"])
        with process(tmp_path) as server:
            assert server.client.post("/v1/connections?test=false", HALL).status == 201
            refused = server.client.post("/v1/invocations", say("say", "hall", text="x"))
            assert (refused.status, refused.json["error"]["code"]) == (503, "unavailable"), (
                refused.body
            )
            ready = until(lambda: server.client.get("/readyz").json.get("warnings"), 30)
            assert LACKS in ready[0]
            assert "the setting policy differs" in ready[0]
            assert Client(server.port).get("/readyz").json["warnings"] == [
                "processes of this database have different settings"
            ]
            settings.unset("policy")
            until(lambda: server.client.get("/readyz").json == {"status": "ok"}, 30)
            assert (
                "this process has none"
                not in server.client.post(
                    "/v1/invocations", say("say", "hall", text="x")
                ).body.decode()
            )
