"""A process is ready only if it can serve a call: whatever its environment lacks is a kind for all,
and a text for the operator.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from unittest import mock

import psycopg
import pytest
from tests.jackfield_store.database.pgbouncer import MISSING, pooled

from database_proxy import DatabaseProxy
from http_stand import Client, clean, mint, process, say, standing
from jackfield.callers import Rules
from jackfield_service.shell.commands.worker_probes import WorkerProbes
from jackfield_service.shell.process import readiness
from jackfield_service.shell.process.master import Master
from jackfield_store.database import open_database
from jackfield_store.management import conditions
from jackfield_store.management.conditions import SAID
from postgres import Server
from waiting import until

OTHER = base64.b64encode(b"x" * 32).decode()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an examination take as long as a busy machine needs."""
    monkeypatch.setattr(readiness, "_PATIENCE", 60.0)
    monkeypatch.setattr(conditions, "_LOCK_WAIT", 60.0)


def _run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _as(url: str, role: str) -> str:
    return url.replace("postgres@", f"{role}@")


def _newer(server: Server, _folder: Path, _stack: ExitStack) -> str:
    url = server.create(server.template())
    _run(url, "INSERT INTO schema_migrations VALUES (9999, 'later', 0, 'x')")
    return url


def _without_table(server: Server, _folder: Path, _stack: ExitStack) -> str:
    url = server.create(server.template())
    _run(url, "DROP TABLE files CASCADE")
    return url


def _without_rights(server: Server, *grants: str) -> str:
    url = server.create(server.template())
    role = f"jf{url.rpartition('/')[2][:12]}"
    _run(url, f"CREATE ROLE {role} LOGIN", *(grant.format(role=role) for grant in grants))
    return _as(url, role)


def _encoded(server: Server, encoding: str) -> str:
    name = f"enc_{os.urandom(4).hex()}"
    _run(
        server.url(),
        f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' "
        "LC_CTYPE 'C'",
    )
    return server.url(name)


def _by_statement(server: Server, folder: Path, stack: ExitStack) -> str:
    return stack.enter_context(pooled(folder, server.create(server.template()), "statement"))


_READ = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
_ALL = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
WRONG: dict[str, tuple[str, Callable[[Server, Path, ExitStack], str]]] = {
    "tables of a newer version": ("schema", _newer),
    "no tables": ("schema", lambda server, _folder, _stack: server.create()),
    "a table is missing": ("schema", _without_table),
    "no rights": ("privilege", lambda server, _folder, _stack: _without_rights(server)),
    "rights to read": ("privilege", lambda server, _folder, _stack: _without_rights(server, _READ)),
    "rights but for one table": (
        "privilege",
        lambda server, _folder, _stack: _without_rights(
            server, _ALL, "REVOKE INSERT ON invocations FROM {role}"
        ),
    ),
    "SQL_ASCII": ("encoding", lambda server, _folder, _stack: _encoded(server, "SQL_ASCII")),
    "LATIN1": ("encoding", lambda server, _folder, _stack: _encoded(server, "LATIN1")),
    "a pooler by statement": ("pooler", _by_statement),
}
"""Databases that cannot serve a call: the kind, and how each is made."""


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_database_is_not_ready(
    tmp_path: Path, postgres_server: Server, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A server tells strangers the kind, and its log the text; a worker's probe says the same."""
    kind, make = WRONG[case]
    if kind == "pooler" and MISSING is not None:
        pytest.skip(MISSING)
    with ExitStack() as stack:
        url = make(postgres_server, tmp_path, stack)
        stand = stack.enter_context(standing(tmp_path, JACKFIELD_DATABASE_URL=url))
        found = Client(stand.port).get("/readyz")
        assert (found.status, found.json["kind"], found.json["detail"]) == (503, kind, SAID[kind])
        assert f"not ready ({kind})" in caplog.text
        status, _, body = WorkerProbes(Master((), 0, 0.0), stand.host.runtimes, mock.Mock()).answer(
            "/readyz"
        )
        assert (status, json.loads(body)["kind"]) == (503, kind)


def test_an_account_with_all_rights_is_ready(tmp_path: Path, postgres_server: Server) -> None:
    """An account that owns nothing, but may read and change all tables, serves calls."""
    with standing(tmp_path, JACKFIELD_DATABASE_URL=_without_rights(postgres_server, _ALL)) as stand:
        assert Client(stand.port).get("/readyz").json == {"status": "ok"}
        assert (
            stand.client().post("/v1/invocations", say("say", text="x")).json["status"]
            == "succeeded"
        )


@pytest.mark.campaign
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_database_is_told_in_time(
    tmp_path: Path, postgres_server: Server, case: str
) -> None:
    """Each answer comes within three seconds, the first one and later ones; with the kind, where
    the machine is not busy.
    """
    kind, make = WRONG[case]
    if kind == "pooler" and MISSING is not None:
        pytest.skip(MISSING)
    with ExitStack() as stack:
        url = make(postgres_server, tmp_path, stack)
        stand = stack.enter_context(standing(tmp_path, JACKFIELD_DATABASE_URL=url))
        for _ in range(3):
            began = time.monotonic()
            found = Client(stand.port).get("/readyz")
            assert time.monotonic() - began < 3.0
            assert (found.status, found.json["kind"]) == (503, kind)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("key", [OTHER, "abc", None])
def test_a_wrong_key_is_not_ready(tmp_path: Path, key: str | None) -> None:
    """The key of another installation, no key, and a key file that is gone."""
    token = mint(tmp_path / "home")
    if key is None:
        (tmp_path / "home" / "master.key").unlink()
    with standing(tmp_path, JACKFIELD_MASTER_KEY=key or "") as stand:
        for client in (Client(stand.port), Client(stand.port, token)):
            found = client.get("/readyz").json
            assert (found["status"], found["kind"], found["detail"]) == (503, "key", SAID["key"])


def test_a_full_disk_is_not_ready(tmp_path: Path) -> None:
    """A disk without room for the next commits."""
    with (
        standing(tmp_path) as stand,
        mock.patch.object(
            os, "statvfs", return_value=mock.Mock(f_bavail=1, f_frsize=4096, f_flag=0)
        ),
    ):
        assert Client(stand.port).get("/readyz").json["kind"] == "disk"


def test_only_the_operator_reads_the_text(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all well and with a silent database, which cannot say whose a token is: a token that was
    the operator's when it last could gets the text. Tokens of tenants, of other scopes, with rules,
    unknown ones and those that were revoked before never do.
    """
    monkeypatch.setattr(readiness, "_FRESH", 0.0)
    url = postgres_server.create(postgres_server.template())
    with (
        DatabaseProxy(postgres_server.port) as proxy,
        standing(tmp_path, JACKFIELD_DATABASE_URL=proxy.url(url)) as stand,
    ):
        operator = stand.client()
        stand.workspaces.create("acme")
        revoked = operator.post("/v1/tokens", {"name": "old", "scope": "manage"}).json
        others = {
            "nobody": Client(stand.port),
            "reads": stand.client("read"),
            "calls": stand.client("invoke"),
            "tenant": stand.client(workspace="acme"),
            "with rules": stand.client(rules=Rules(allow=("echo/*",))),
            "revoked": Client(stand.port, revoked["token"]),
            "unknown": Client(stand.port, f"{operator.token}"[:-6] + "000000"),
        }
        monkeypatch.setattr(
            stand.host.runtimes,
            "warnings",
            lambda: ["'acme' of the package acme-parts cannot be loaded"],
        )
        assert others["revoked"].get("/readyz").json["warnings"] == [
            "'acme' of the package acme-parts cannot be loaded"
        ]
        assert operator.call("DELETE", f"/v1/tokens/{revoked['id']}").status == 204
        assert operator.get("/readyz").json["warnings"] == [
            "'acme' of the package acme-parts cannot be loaded"
        ]
        general = {"status": "ok", "warnings": [SAID["packages"]], "kinds": ["packages"]}
        assert {
            name: client.get("/readyz").json for name, client in others.items()
        } == dict.fromkeys(others, general)
        assert operator.get("/readyz").json["kinds"] == ["packages"]
        proxy.hold()
        found = operator.get("/readyz").json
        assert (found["status"], found["kind"]) == (503, "silent")
        assert found["detail"] != SAID["silent"]
        told = {name: client.get("/readyz").json for name, client in others.items()}
        assert {name: (one["kind"], one["detail"]) for name, one in told.items()} == dict.fromkeys(
            others, ("silent", SAID["silent"])
        )
        proxy.deliver()
        assert until(lambda: operator.get("/readyz").status == 200, 60)


def test_a_worker_tells_the_operator_the_text(tmp_path: Path) -> None:
    """The probe of a worker has the same answers: the text for the operator's token, kinds for the
    others.
    """
    with (
        standing(tmp_path) as stand,
        open_database(f"sqlite:///{tmp_path}/home/jackfield.db") as database,
    ):
        operator, reader = stand.client(), stand.client("read")
        figures = WorkerProbes(Master((), 0, 0.0), stand.host.runtimes, mock.Mock())
        with database.write() as transaction:
            transaction.change("INSERT INTO schema_migrations VALUES (9999, 'later', 0, 'x')")
        texts = [
            json.loads(figures.answer("/readyz", f"Bearer {client.token}")[2])["detail"]
            for client in (operator, reader)
        ]
        assert ("belongs to a newer jackfield" in texts[0], texts[1]) == (True, SAID["schema"])


def test_a_broker_is_a_warning_of_a_server_and_a_fault_of_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server without its broker takes calls and what is to be queued; a worker without it runs
    nothing.
    """
    with standing(tmp_path) as stand:
        gone = "the broker is unavailable (ConnectionRefusedError)"
        monkeypatch.setattr(
            "jackfield_service.shell.commands.worker_probes.broker_warning",
            lambda _environment: gone,
        )
        monkeypatch.setattr(stand.host.readiness, "_broker", lambda: gone)
        monkeypatch.setattr(readiness, "_FRESH", 0.0)
        found = stand.client().get("/readyz")
        assert (found.status, found.json["warnings"], found.json["kinds"]) == (
            200,
            [gone],
            ["broker"],
        )
        assert Client(stand.port).get("/readyz").json["warnings"] == [SAID["broker"]]
        figures = WorkerProbes(Master((), 0, 0.0), stand.host.runtimes, mock.Mock())
        status, _, body = figures.answer("/readyz")
        assert (status, json.loads(body)["kind"]) == (503, "broker")


@pytest.mark.usefixtures("patient")
def test_a_workspace_that_is_not_served_is_a_warning(tmp_path: Path) -> None:
    """The key service of one workspace refuses, which a process has noted: all others are served,
    so the process is ready, and names nobody to strangers.
    """
    with standing(tmp_path) as stand:
        stand.workspaces.create("acme")
        row = {"now": stand.host.clock.time(), "reason": "the key service of acme refuses"}
        with stand.host.storage.database.write() as transaction:
            transaction.change(
                "INSERT INTO blocked_workspaces VALUES ('acme', 'unavailable', :reason, :now, "
                ":now)",
                row,
            )
        for client, said in (
            (Client(stand.port), SAID["workspaces"]),
            (stand.client(), "1 workspace is blocked"),
        ):
            found = client.get("/readyz")
            assert (found.status, found.json["kinds"]) == (200, ["workspaces"])
            assert said in found.json["warnings"][0]
            assert "acme" not in str(found.json)
        assert (
            stand.client().post("/v1/invocations", say("say", text="x")).json["status"]
            == "succeeded"
        )


def test_a_rolling_update_keeps_the_good_replica(tmp_path: Path) -> None:
    """A new replica with another key never becomes ready and ends by itself; the old one serves all
    calls. One with the right key takes its place.
    """
    with process(tmp_path) as old:
        assert old.client.invoke("say", text="before").status == 200
        database = f"sqlite:///{tmp_path}/home/jackfield.db"
        environment = clean(
            tmp_path / "other", JACKFIELD_DATABASE_URL=database, JACKFIELD_MASTER_KEY=OTHER
        )
        log = tmp_path / "new"
        with log.open("w") as said:
            command = [sys.executable, "-m", "jackfield", "serve", "--port", "0"]
            wrong = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        statuses: list[int] = []
        try:
            pause = threading.Event()
            while wrong.poll() is None:
                port = (
                    log.read_text("utf-8")
                    .partition("listens on http://127.0.0.1:")[2]
                    .partition("\n")[0]
                    .strip()
                )
                if port.isdigit():
                    with suppress(OSError):
                        statuses.append(
                            replace(Client(int(port)), timeout=60.0).get("/readyz").status
                        )
                assert old.client.invoke("say", text="meanwhile").status == 200
                pause.wait(0.05)
        finally:
            wrong.kill()
            wrong.wait()
        assert wrong.returncode == 1
        assert set(statuses) <= {503}
        assert old.client.invoke("say", text="after").status == 200
        with process(tmp_path / "right", JACKFIELD_HOME=str(tmp_path / "home")) as new:
            assert new.client.get("/readyz").status == 200
            old.process.terminate()
            assert old.process.wait(60) == 0
            assert Client(new.port, old.token).invoke("say", text="on the new one").status == 200


def test_the_page_names_each_kind() -> None:
    """The page 'Readiness' has all kinds that a probe may answer, and no other."""
    page = (Path(__file__).parents[4] / "docs/reference/readiness.md").read_text("utf-8")
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert {name.strip(" `") for cell in cells for name in cell.split(",")} == {*SAID}
