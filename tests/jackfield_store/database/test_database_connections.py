"""How many connections a process takes of a PostgreSQL server: as many as
``JACKFIELD_DATABASE_CONNECTIONS`` says.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jackfield.kernel.clock import SystemClock, within
from jackfield.kernel.errors import InvalidInvocation, Unavailable
from jackfield_store.resources.storage import Storage

_OPEN = "SELECT count(*) AS number FROM pg_stat_activity WHERE application_name = 'counted'"


@pytest.mark.parametrize(("said", "number"), [("2", 2), ("3", 3), ("", 4)])
def test_a_process_takes_no_more_connections_than_said(
    tmp_path: Path, postgres_url: str, said: str, number: int
) -> None:
    """As many transactions as said run at once, each over its own connection; the next one waits
    for one of them.
    """
    environment = {"JACKFIELD_HOME": str(tmp_path), "JACKFIELD_DATABASE_CONNECTIONS": said}
    met, done = threading.Barrier(number + 1, timeout=60), threading.Event()
    with (
        Storage(f"{postgres_url}?application_name=counted", environment, SystemClock()) as storage,
        ThreadPoolExecutor(number) as threads,
    ):

        def run() -> int:
            with storage.database.write() as transaction:
                transaction.find("SELECT 1 AS one")
                met.wait()
                row = transaction.find(_OPEN)
                assert row is not None
                done.wait(60)
                return int(row.number)

        running = [threads.submit(run) for _ in range(number)]
        met.wait()
        with (
            pytest.raises(Unavailable, match="all its connections are in use"),
            within(1.0),
            storage.database.read(),
        ):
            pass
        done.set()
        assert {one.result() for one in running} == {number}


@pytest.mark.parametrize("said", ["1", "0", "-3", "201", "ten", "3.5", "²", "1" * 300])
def test_what_is_no_number_of_connections_is_refused(tmp_path: Path, said: str) -> None:
    """One connection is too few, since a transaction may need another one beside it; text is none.
    The variable is named.
    """
    environment = {"JACKFIELD_HOME": str(tmp_path), "JACKFIELD_DATABASE_CONNECTIONS": said}
    with (
        Storage("postgresql://u@127.0.0.1:1/x", environment, SystemClock()) as storage,
        pytest.raises(InvalidInvocation, match="JACKFIELD_DATABASE_CONNECTIONS"),
    ):
        _ = storage.database
