"""Budgets of a workspace's queue, as each process of a pool asks for them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from database_proxy import DatabaseProxy
from jackfield.kernel.errors import Unavailable
from jackfield_store.database.postgres import PostgresDialect
from jackfield_store.runtime.runtime_pool import RuntimePool
from postgres import Server


def test_no_pool_waits_for_the_database_of_another(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one pool opens a database that is silent, those of other databases in the process
    answer; each asks its database as it is now, also after it was closed and opened again.
    """
    url = postgres_server.create(postgres_server.template())
    began, connected = threading.Event(), PostgresDialect._connected

    def connecting(dialect: PostgresDialect) -> object:
        began.set()
        return connected(dialect)

    with DatabaseProxy(postgres_server.port) as proxy, ThreadPoolExecutor(1) as threads:
        proxy.hold()
        environment = {"JACKFIELD_HOME": str(tmp_path), "JACKFIELD_DATABASE_WAIT": "20"}
        silent, near = (
            RuntimePool(environment, url=one)
            for one in (proxy.url(url), f"sqlite:///{tmp_path / 'near.db'}")
        )
        monkeypatch.setattr(PostgresDialect, "_connected", connecting)
        waiting = threads.submit(silent.limits, "default")
        assert began.wait(60)
        assert near.limits("default") is None
        assert not waiting.done()
        proxy.deliver()
        assert waiting.exception(60) is None or isinstance(waiting.exception(), Unavailable)
        near.storage.close()
        assert near.limits("default") is None
        silent.close()
        near.close()
