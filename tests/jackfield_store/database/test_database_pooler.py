"""PostgreSQL behind PgBouncer, which gives each transaction another session of the server: nothing
is kept there, and nothing is lost.
"""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.jackfield_store.database.pgbouncer import MISSING, pooled

from http_stand import say, standing
from jackfield_store.database import open_database
from postgres import Server
from waiting import until

pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

CALLERS = 12
SETTINGS = (
    "SELECT current_setting('synchronous_commit') AS sync, current_setting('statement_timeout') "
    "AS most,"
    " current_setting('idle_in_transaction_session_timeout') AS idle, (SELECT count(*) FROM "
    "pg_prepared_statements) AS prepared"
)


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_each_transaction_has_its_settings_and_leaves_nothing(
    tmp_path: Path, postgres_server: Server, mode: str
) -> None:
    """Of a server that does not wait for its disk by default, the settings are read within a
    transaction of each kind: it waits for the disk, and statements have a limit. Outside, in a
    session that others have next, they are the server's; no prepared statement stays.
    """
    url = postgres_server.create(postgres_server.template())
    name = url.rpartition("/")[2]
    with open_database(url, migrate=None) as direct, direct.write() as transaction:
        transaction.execute(f'ALTER DATABASE "{name}" SET synchronous_commit TO off')
    with pooled(tmp_path, url, mode) as behind, open_database(behind, migrate=None) as database:
        for _ in range(12):
            with database.write() as transaction:
                row = transaction.find(SETTINGS)
                assert row is not None
                assert (row.sync, row.most, row.idle, row.prepared) == ("on", "30s", "1min", 0)
            with database.read() as transaction:
                row = transaction.find(SETTINGS)
                assert row is not None
                assert (row.most, row.idle, row.prepared) == ("30s", "1min", 0)
            row = database.adjust(lambda transaction: transaction.find(SETTINGS))
            assert row is not None
            assert (row.sync, row.most) == ("off", "30s")
            row = database.look_up(SETTINGS, {})
            assert row is not None
            assert (row.sync, row.most, row.idle, row.prepared) == ("off", "0", "0", 0)


@pytest.mark.parametrize("more", ["pgbouncer=true", "pgbouncer=true&application_name=mine"])
def test_a_url_that_says_so_keeps_nothing_in_the_session(postgres_url: str, more: str) -> None:
    """With ``?pgbouncer=true`` each transaction has its settings and the session none, whatever
    process the server names.
    """
    with open_database(f"{postgres_url}?{more}", migrate=None) as database:
        for _ in range(12):
            row = database.look_up(SETTINGS, {})
            assert row is not None
            assert (row.most, row.idle, row.prepared) == ("0", "0", 0)
            with database.write() as transaction:
                row = transaction.find(SETTINGS)
                assert row is not None
                assert (row.sync, row.most, row.idle, row.prepared) == ("on", "30s", "1min", 0)


def test_a_direct_connection_keeps_its_settings(postgres_url: str) -> None:
    """Without a pooler the session has the settings: no transaction sets them again."""
    with open_database(postgres_url, migrate=None) as database:
        row = database.look_up(SETTINGS, {})
        assert row is not None
        assert (row.most, row.idle) == ("30s", "1min")


@pytest.mark.parametrize(
    ("mode", "calls"),
    [
        ("transaction", 240),
        *(
            pytest.param(mode, 2000, marks=pytest.mark.campaign)
            for mode in ("transaction", "session")
        ),
    ],
)
def test_all_calls_behind_a_pooler_end(
    tmp_path: Path, postgres_server: Server, mode: str, calls: int
) -> None:
    """Twelve callers, half of whose calls are queued, through a pooler with three sessions (in
    session mode, with one for each connection): no 500, no 401, and each call ends with success.
    """
    url = postgres_server.create(postgres_server.template())
    with (
        pooled(tmp_path, url, mode, 3 if mode == "transaction" else 20) as behind,
        standing(tmp_path, JACKFIELD_DATABASE_URL=behind) as stand,
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        client = stand.client()
        assert (
            client.post(
                "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t"}}
            ).status
            == 201
        )
        ways = [number % 2 == 0 for number in range(calls)]
        random.shuffle(ways)

        def call(*, queued: bool) -> tuple[int, str]:
            headers = {"Prefer": "respond-async"} if queued else {}
            answer = client.post("/v1/invocations", say("post", "hall", text="x"), **headers)
            return answer.status, answer.json["meta"][
                "invocationId"
            ] if answer.status == 200 else answer.json.get("invocationId", "")

        told = list(pool.map(lambda queued: call(queued=queued), ways))
        assert Counter(status for status, _ in told) == {200: calls // 2, 202: calls // 2}
        listed = Counter(
            pool.map(lambda _: client.get("/v1/invocations?limit=1").status, range(calls // 2))
        )
        assert listed == {200: calls // 2}

        def ended() -> bool:
            with stand.host.storage.database.read() as transaction:
                rows = transaction.execute(
                    "SELECT status, count(*) AS number FROM invocations GROUP BY status"
                )
                return {row.status: row.number for row in rows} == {"succeeded": calls}

        assert until(ended, 300)
        assert client.get("/readyz").json["status"] == "ok"
