"""What all processes on a database share: one stored setting, which running processes have within
seconds, and who differs from it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fake_aws import FakeAws
from http_stand import Client, Process, clean, process, standing
from jackfield import Jackfield
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield_store.management.shared_settings import SharedSettings
from jackfield_store.resources.storage import Storage
from waiting import until

KEYS = {
    "accessKeyId": "AKIAABCDEFGHIJKLWXYZ",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
}
MAIL = {
    "awsRegion": "eu-west-1",
    "to": "ada@example.com",
    "sender": "noreply@example.com",
    "subject": "s",
    "text": "t",
}
CALL = {"connector": "aws-ses", "action": "sendEmail", "connection": "own", "inputs": MAIL}
ADA = Actor("cli", "ada")


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    """A provider on this machine, which is inside the operator's network."""
    with FakeAws() as found:
        yield found


@contextmanager
def _stored(environment: dict[str, str]) -> Iterator[SharedSettings]:
    with Storage(None, environment, SystemClock()) as storage:
        yield SharedSettings(storage, SystemClock(), ADA)


def _home(folder: Path, **more: str) -> dict[str, str]:
    return clean(folder / "home", **more)


def _has_ended(client: Client, place: str) -> bool:
    return client.get(place).json["status"] not in ("queued", "running")


def _queued(server: Process, folder: Path, **variables: str) -> Any:
    """Queue a call, let a worker of its own run it, and return what became of it."""
    place = server.client.post("/v1/invocations", CALL, Prefer="respond-async").headers["location"]
    command = [sys.executable, "-m", "jackfield", "worker"]
    with subprocess.Popen(
        command, env=_home(folder, **variables), stderr=subprocess.DEVNULL
    ) as worker:
        until(partial(_has_ended, server.client, place), 60)
        worker.send_signal(signal.SIGTERM)
    return server.client.get(place).json


def _add(client: Client, aws: FakeAws) -> None:
    values = {**KEYS, "endpoint": aws.url}
    assert (
        client.post(
            "/v1/connections?test=false",
            {"name": "own", "type": "aws-ses/apiKeySecret", "values": values},
        ).status
        == 201
    )


def test_a_stored_setting_is_for_servers_workers_and_the_library_while_they_run(
    tmp_path: Path, aws: FakeAws
) -> None:
    """What the operator allows is reached by a running server, a worker and a program; what he
    takes back is not, seconds later.
    """
    with process(tmp_path, "--queue-workers", "0", "--behind-proxy") as server:
        _add(server.client, aws)
        assert (
            server.client.post("/v1/invocations", CALL).json["error"]["code"]
            == "invalid_connection"
        )
        with _stored(_home(tmp_path)) as settings:
            settings.set("allowHosts", "10.0.0.0/8, 127.0.0.1")
            until(
                lambda: server.client.post("/v1/invocations", CALL).json["status"] == "succeeded",
                30,
            )
            assert _queued(server, tmp_path)["status"] == "succeeded"
            with Jackfield(
                database_url=f"sqlite:///{tmp_path}/home/jackfield.db", environment=_home(tmp_path)
            ) as program:
                assert program.invoke(CALL).status == "succeeded"
            settings.unset("allowHosts")
        until(lambda: server.client.post("/v1/invocations", CALL).json["status"] == "failed", 30)
        assert _queued(server, tmp_path)["error"]["code"] == "invalid_connection"


def test_a_process_that_differs_says_so(tmp_path: Path, aws: FakeAws) -> None:
    """A variable wins in its process, which tells both values and who has which: once at its start,
    in ``/readyz``, and to the operator.
    """
    with _stored(_home(tmp_path)) as settings:
        settings.set("allowHosts", "10.0.0.0/8")
    with process(tmp_path, "--queue-workers", "0", JACKFIELD_ALLOW_HOSTS="127.0.0.1") as server:
        _add(server.client, aws)
        assert server.client.post("/v1/invocations", CALL).json["status"] == "succeeded"
        text = (
            "the setting allowHosts differs between processes of this database: '10.0.0.0/8' "
            "as stored; "
        )
        here = "'127.0.0.1' in this process (JACKFIELD_ALLOW_HOSTS or an option)"
        ready = server.client.get("/readyz")
        assert (ready.status, ready.json["warnings"], ready.json["kinds"]) == (
            200,
            [text + here],
            ["settings"],
        )
        stranger = Client(server.port).get("/readyz").json
        assert stranger["warnings"] == ["processes of this database have different settings"]
        said = until(lambda: [line for line in _log(tmp_path) if "allowHosts" in line])
        assert len(said) == 1
        assert f"{text}{here}; store one value with 'jackfield settings set'" in said[0]
        with _stored(_home(tmp_path)) as settings:
            assert (
                f"'127.0.0.1' in process {server.process.pid} on "
                in settings.find("allowHosts")["differs"]
            )
            settings.set("allowHosts", "127.0.0.1")
            assert "differs" not in settings.find("allowHosts")
        until(lambda: server.client.get("/readyz").json == {"status": "ok"}, 30)


def _log(folder: Path) -> list[str]:
    return (folder / "log").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("own", ["", "https://own.example.com"])
def test_the_public_url_is_shared(tmp_path: Path, own: str) -> None:
    """A server that nobody named makes links of the stored address; its own, if it has one,
    wins.
    """
    with _stored(_home(tmp_path)) as settings:
        settings.set("publicUrl", "https://jackfield.example.com/")
    with process(
        tmp_path, "--host", "0.0.0.0", "--behind-proxy", JACKFIELD_PUBLIC_URL=own
    ) as server:
        assert until(partial(_linked, server.client, own or "https://jackfield.example.com/"), 60)
    assert "without --public-url" not in (tmp_path / "stderr").read_text(encoding="utf-8")


def _linked(client: Client, wanted: str) -> bool:
    """Make a subscription to webhooks, and return whether its address is below ``wanted``."""
    name = f"hook-{time.monotonic_ns()}"
    return str(
        client.post(
            "/v1/subscriptions", {"name": name, "trigger": "http/webhook", "inputs": {}}
        ).json.get("url", "")
    ).startswith(wanted)


def test_a_server_in_a_thread_reads_the_database_it_is_given(tmp_path: Path) -> None:
    """Callbacks reach what the setting allows, without loopback of a developer's machine."""
    with standing(tmp_path) as stand, _stored(_home(tmp_path)) as settings:
        body = {"url": "http://127.0.0.1:9/", "types": ["quota.low"]}
        assert stand.client().post("/v1/callbacks", body).status == 422
        settings.set("allowHosts", "127.0.0.1")
        until(lambda: stand.client().post("/v1/callbacks", body).status == 201, 30)
