"""A real MariaDB for tests: a private one on loopback, with TLS, started by the first test of a
process and stopped after the last.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pymysql
import pytest

from authority import Authority
from ports import free_port

_PROGRAM, _INSTALL = Path("/usr/sbin/mariadbd"), Path("/usr/bin/mariadb-install-db")
_WITHIN = 120.0
_FAST = (
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=16M",
    "--performance-schema=off",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--innodb-use-native-aio=0",
    "--aria-pagecache-buffer-size=1M",
    "--key-buffer-size=1M",
)


def missing() -> str | None:
    """Why there can be no server here; ``None`` where there can."""
    return (
        None
        if _PROGRAM.exists() and _INSTALL.exists()
        else "MariaDB is not installed (Debian's package mariadb-server)"
    )


class MariaDb:
    """A server in a folder of its own. Its certificate is for ``localhost``, by the authority whose
    certificate is in ``bundle``.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="jackfield-mariadb-"))
        authority = Authority(self.folder)
        self.bundle = authority.bundle
        self._pem = self.folder / "server.pem"
        self._pem.write_bytes(authority.pem("localhost"))
        self._account = ["--user=root"] if os.geteuid() == 0 else []
        data = f"--datadir={self.folder / 'data'}"
        made = [
            _INSTALL,
            "--no-defaults",
            data,
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *self._account,
            *_FAST,
        ]
        self._log = (self.folder / "log").open("wb")
        subprocess.run(
            [str(part) for part in made],
            check=True,
            stdout=self._log,
            stderr=self._log,
            timeout=_WITHIN,
        )
        self.port = free_port()
        command = [
            str(_PROGRAM),
            "--no-defaults",
            data,
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--ssl-cert={self._pem}",
        ]
        command += [
            f"--ssl-key={self._pem}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
        ]
        self._process = subprocess.Popen(
            [*command, *self._account, *_FAST],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._wait()

    def run(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run statements as the administrator, by another client; return the rows of the last
        one.
        """
        with (
            pymysql.connect(
                host="127.0.0.1",
                port=self.port,
                user="root",
                database=database,
                autocommit=True,
                ssl_disabled=True,
            ) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def create(self) -> str:
        """Make an empty database, and return its name."""
        name = f"t{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return name

    def close(self) -> None:
        """Stop the server and delete the folder."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_WITHIN)
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self) -> None:
        until = time.monotonic() + _WITHIN
        while True:
            with suppress(pymysql.err.OperationalError):
                self.run("SELECT 1")
                return
            said = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
            assert self._process.poll() is None, said
            assert time.monotonic() < until, said
            threading.Event().wait(0.05)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """The server of this process; skips where MariaDB is not installed."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    server = MariaDb()
    yield server
    server.close()
