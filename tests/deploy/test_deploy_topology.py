"""The compose file's services, started for real, without containers: migration, token, API,
workers, PostgreSQL, RabbitMQ.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from amqp.exceptions import AccessRefused
from kombu import Connection
from tests.deploy import topology

from http_stand import Client
from plugboard import make_echo
from postgres import Server
from rabbitmq import missing

pytest_plugins = ["postgres"]

COUNT = 10
Started = tuple[topology.Topology, dict[str, Client]]


@pytest.fixture(
    scope="module",
    params=[1, pytest.param(2, marks=pytest.mark.campaign)],
    ids=["one worker", "two workers"],
)
def started(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: Server,
) -> Iterator[Started]:
    """All processes, ready. The compose file asks for two workers."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    plugs = tuple(map(str, make_echo(tmp_path_factory.mktemp("plugs"))))
    with topology.running(
        tmp_path_factory.mktemp("compose"), postgres_server, plugs, request.param
    ) as found:
        yield found


def test_queued_invocations_go_all_the_way(started: Started) -> None:
    """What the API accepts, a worker runs, through the broker: each invocation ends with its
    output.
    """
    api = started[1]["api"]
    made = api.post(
        "/v1/connections?test=false",
        {"name": "hall", "type": "echo/token", "values": {"token": "s3cret-token"}},
    )
    assert made.status == 201
    ids = []
    for number in range(COUNT):
        body = {
            "connector": "echo",
            "action": "say",
            "connection": "hall",
            "inputs": {"text": f"Hi {number}"},
        }
        answer = api.post("/v1/invocations", body, Prefer="respond-async")
        assert answer.status == 202
        ids.append(answer.json["invocationId"])
    for identifier in ids:
        topology.wait_until(
            lambda at=f"/v1/invocations/{identifier}": api.get(at).json["status"] == "succeeded"  # type: ignore[misc]
        )


def test_prometheus_may_read_the_metrics(started: Started) -> None:
    """The token that the compose file creates is one line, opens the metrics of each process, and
    nothing that changes anything.
    """
    found, clients = started
    token = (found.home("metrics-token") / "token").read_text(encoding="ascii").strip()
    assert token.count("\n") == 0
    for client in clients.values():
        mine = Client(client.port, token)
        assert b"jackfield_invocations_running" in mine.get("/metrics").body
    assert Client(clients["api"].port, token).post("/v1/invocations", {}).status == 403
    found.run("metrics-token")
    assert (found.home("metrics-token") / "token").read_text(encoding="ascii").strip() == token


def test_the_brokers_default_user_is_gone(started: Started) -> None:
    """The user of the secret replaces `guest`, who cannot sign in."""
    port = started[0].broker.port
    with (
        pytest.raises(AccessRefused),
        Connection(f"amqp://guest:guest@127.0.0.1:{port}/jackfield") as connection,
    ):
        connection.connect()


def test_the_root_file_system_is_not_written_to(started: Started) -> None:
    """The processes ran all of this with a read-only root, where a test may have one; they wrote to
    their own folders only.
    """
    found, _ = started
    if not topology.confinable():
        return
    for process in found.processes.values():
        lines = Path(f"/proc/{process.pid}/mountinfo").read_text(encoding="utf-8").splitlines()
        roots = [line.split()[5].split(",") for line in lines if line.split()[4] == "/"]
        assert roots
        assert all("ro" in options for options in roots)
    assert {name for name in found.processes if "Read-only" in found.log(name)} == set()


def test_no_secret_is_in_a_log(started: Started) -> None:
    """Neither the passwords of the URLs nor the master key appear in what the processes print."""
    found, _ = started
    secrets = [
        (found.secrets / name).read_text(encoding="ascii").strip()
        for name in ("rabbitmq_password", "master_key")
    ]
    for name in found.processes:
        assert not any(secret in found.log(name) for secret in secrets)


def test_everything_stops_in_order(started: Started) -> None:
    """SIGTERM, as `docker compose stop` sends it, ends each process with 0."""
    assert set(started[0].stop().values()) == {0}
