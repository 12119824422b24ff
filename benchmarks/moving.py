"""A whole database moved from SQLite to PostgreSQL and back with ``jackfield db move``, killed
twice on each way: ``make campaign moves``.

The rows are those that jackfield writes, with every seal: ``ROWS`` invocations (500,000), a third
with keys, grants that a provider has issued, tokens, an audit log, stored files and a queue. After
each way every row is compared, and the database is used: keys replay, files are read, grants are
renewed at the provider, queued invocations run, the audit log is verified, and ``db check`` finds
nothing.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.trees import ROOT
from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.invocation.entry import Draft
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InDoubt, Sent, Unavailable
from jackfield_market.testing.loopback_provider import Provider
from jackfield_store.access.audit import Audit
from jackfield_store.access.tokens import Tokens
from jackfield_store.access.workspaces import Workspaces
from jackfield_store.database import Database
from jackfield_store.database.moving import moved_tables
from jackfield_store.files import FileLimits, Files
from jackfield_store.journal import Journal, Queue
from jackfield_store.keys import Vault
from jackfield_store.resources.storage import Storage
from jackfield_store.runtime import Jackfield
from oauth2_people import Authority, approve, expire, people
from postgres import running_server

_ROWS = int(os.environ.get("ROWS", "500000"))
_WORKSPACES = ("default", *(f"w{number:02}" for number in range(1, 20)))
_FILES, _LARGE_FILES, _LARGE = 3_000, 12, 5 * 1024 * 1024
_AUDITED, _QUEUED, _GRANTED, _TOKENS = 20_000, 5_000, 100, 200
_PER_COMMIT = 2_000
_CLOCK = SystemClock()
_DAY = 86_400.0

Contents = Mapping[tuple[str, str], str]
"""SHA-256 of the content of each file, by workspace and ID."""


@dataclass(frozen=True)
class Stand:
    """Databases in the order in which they are moved, the folder of files of each, and the data
    folder with the master key.
    """

    home: Path
    urls: tuple[str, str, str]

    def files(self, url: str) -> Path:
        """Return the folder of a database's files."""
        return self.home / f"files-{self.urls.index(url)}"

    def environment(self, url: str) -> dict[str, str]:
        """Return the environment of a process that uses a database."""
        about = {
            "JACKFIELD_HOME": str(self.home),
            "JACKFIELD_DATABASE_URL": url,
            "JACKFIELD_FILES_URL": f"file://{self.files(url)}",
        }
        return {**os.environ, **about, "JACKFIELD_DURABILITY": "process"}


def main() -> int:
    """Fill, move there and back, compare and use; print what came of it."""
    with (
        tempfile.TemporaryDirectory() as name,
        running_server() as server,
        Provider(Authority()) as provider,
    ):
        home = Path(name)
        stand = Stand(
            home, (f"sqlite:///{home}/first.db", server.create(), f"sqlite:///{home}/back.db")
        )
        begun = time.monotonic()
        contents, replayed = _filled(stand, provider)
        print(
            f"filled with {_ROWS:,} invocations in {(time.monotonic() - begun) / 60:.1f} min",
            flush=True,
        )
        before = _rows(stand.urls[0])
        _hold("db check of the first database", *_checked(stand, stand.urls[0]))
        for source, target in zip(stand.urls, stand.urls[1:], strict=False):
            _move(stand, source, target)
            differing = sorted(
                name for name, found in _rows(target).items() if found != before[name]
            )
            _hold(
                f"{sum(count for count, _ in before.values()):,} rows in {len(before)} tables "
                "are equal",
                not differing,
                differing,
            )
            _hold("db check", *_checked(stand, target))
        for url in stand.urls[1:]:
            _use(stand, url, contents, replayed)
    print("all held")
    return 0


def _hold(what: str, held: bool, more: object = "") -> None:
    print(f"{'ok' if held else 'FAILED'}: {what}{'' if held else f': {more}'}", flush=True)
    if not held:
        raise SystemExit(1)


def _filled(stand: Stand, provider: Provider) -> tuple[Contents, Mapping[str, str]]:
    """Make the first database; return its files, and the IDs of invocations by their keys."""
    url = stand.urls[0]
    environment = stand.environment(url)
    with Storage(url, environment, _CLOCK) as storage:
        made = Workspaces(storage.database, storage.vault, _CLOCK)
        for name in _WORKSPACES[1:]:
            made.create(name, {"rules": {"allow": ["aws-ses/*", "people/*"]}})
        for number in range(_TOKENS):
            Tokens(
                storage.database, storage.vault, _WORKSPACES[number % len(_WORKSPACES)], _CLOCK
            ).create("invoke", f"shop {number}")
        _journal(storage.database, storage.vault)
        _audit(storage)
        contents = _stored(Files(storage, FileLimits(), _CLOCK))
    with people(stand.home, url) as jackfield:
        keys = _called(jackfield, provider)
        queued = [_call(number % _GRANTED) for number in range(_QUEUED)]
        for start in range(0, _QUEUED, 1000):
            jackfield.enqueue_many(queued[start : start + 1000])
    return contents, keys


def _journal(database: Database, vault: Vault) -> None:
    chance = random.Random(1)
    journals = {name: Journal(database, vault, name, _CLOCK) for name in _WORKSPACES}
    for start in range(0, _ROWS, _PER_COMMIT):
        journal = journals[chance.choice(_WORKSPACES)]
        drafts = [
            _draft(chance, start + number) for number in range(min(_PER_COMMIT, _ROWS - start))
        ]
        with database.write() as transaction:
            for draft in drafts:
                draft.fingerprint = (
                    journal.fingerprint({"inputs": draft.id}) if draft.idempotency_key else None
                )
                journal.starting(draft)(transaction)
                journal.finishing(
                    draft,
                    _result(chance, draft),
                    [{"startedAt": draft.created_at, "step": draft.action}],
                )(transaction)


def _draft(chance: random.Random, number: int) -> Draft:
    at = _CLOCK.time() - _DAY * chance.random()
    labels = {"team": chance.choice(("red", "blue")), "order": f"o-{number}"}
    return Draft(
        new_invocation_id(),
        "aws-ses",
        "1.0.0",
        chance.choice(("sendEmail", "listIdentities")),
        "write",
        f"ses-{number % 12}",
        "shop",
        at,
        at + 60,
        idempotency_key=f"order-{number}" if number % 3 == 0 else None,
        context={"correlationId": f"c-{number}", "labels": labels} if number % 10 == 0 else None,
    )


def _result(chance: random.Random, draft: Draft) -> Result:
    meta = Meta(
        draft.id,
        connector=draft.connector,
        connector_version="1.0.0",
        action=draft.action,
        attempts=1,
        request_id=f"{chance.getrandbits(128):032x}",
    )
    found = chance.random()
    if found < 0.002:
        return Result(
            "in_doubt",
            meta,
            error=InDoubt("the connection was closed", hint="Ask the provider.", sent=Sent.UNKNOWN),
        )
    return (
        Result("failed", meta, error=Unavailable("no answer"))
        if found < 0.05
        else Result("succeeded", meta, output={"MessageId": "0" * 60})
    )


def _audit(storage: Storage) -> None:
    for start in range(0, _AUDITED, _PER_COMMIT):
        with storage.database.write() as transaction:
            for number in range(start, start + _PER_COMMIT):
                name = _WORKSPACES[number % len(_WORKSPACES)]
                Audit(storage.database, lambda: storage.vault, name, _CLOCK).append(
                    transaction, "connection.tested", f"connection:ses-{number}", {"at": number}
                )


def _stored(files: Files) -> Contents:
    chance, found = random.Random(2), {}
    for number in range(_FILES + _LARGE_FILES):
        content = chance.randbytes(_LARGE + number if number >= _FILES else number)
        file = files.store(
            _WORKSPACES[number % len(_WORKSPACES)],
            [content],
            "application/pdf",
            name=f"{number}.pdf",
        )
        found[file.workspace, file.id] = sha256(content).hexdigest()
    return found


def _called(jackfield: Jackfield, provider: Provider) -> Mapping[str, str]:
    """Have connections approved at the provider, and call each with a key."""
    server = {
        "server": provider.url,
        "authorizationUrl": f"{provider.url}/auth",
        "tokenUrl": f"{provider.url}/token",
        "clientId": "web",
    }
    keys = {}
    for number in range(_GRANTED):
        jackfield.connections.add(
            f"ada-{number}", "people/oauth2AuthorizationCode", server, test=False
        )
        approve(jackfield, f"ada-{number}")
        result = jackfield.invoke({**_call(number), "idempotencyKey": f"person-{number}"})
        result.unwrap()
        keys[f"person-{number}"] = result.meta.invocation_id
    return keys


def _call(number: int) -> dict[str, Any]:
    return {"connector": "people", "action": "whoAmI", "connection": f"ada-{number}", "inputs": {}}


def _move(stand: Stand, source: str, target: str) -> None:
    """Move with two kills: while the journal is copied, and while files are."""
    begun = time.monotonic()
    folder = stand.files(target)

    def in_files(_said: str) -> bool:
        return sum(1 for _ in folder.rglob("file_*")) >= _FILES // 3

    peaks = [
        _run(stand, source, target, until)[0]
        for until in (lambda said: "jackfield: invocations: " in said, in_files)
    ]
    print(
        f"killed twice after {(time.monotonic() - begun) / 60:.1f} min: "
        f"{(stand.home / 'stderr').read_text().splitlines()[-1]}",
        flush=True,
    )
    peak, out = _run(stand, source, target, None)
    found = json.loads(out)
    way = f"{source.partition(':')[0]} → {target.partition(':')[0]}"
    print(
        f"{way}: {(time.monotonic() - begun) / 60:.1f} min, at most {max(*peaks, peak):.0f} MB, "
        f"{found['files']}",
        flush=True,
    )
    _hold(
        f"{way} has ended, resumed, with all files",
        found["ok"] and found["resumed"] and found["files"]["files"] == _FILES + _LARGE_FILES,
        found["problems"],
    )


def _run(
    stand: Stand, source: str, target: str, until: Callable[[str], bool] | None
) -> tuple[float, str]:
    """Run the command, and kill it once ``until`` is true of what it has said; return its peak
    memory in MB, and its output.
    """
    words = [
        sys.executable,
        "-m",
        "jackfield",
        "db",
        "move",
        source,
        target,
        "--files-to",
        f"file://{stand.files(target)}",
        "--json",
    ]
    said, out = stand.home / "stderr", stand.home / "stdout"
    with said.open("wb") as stderr, out.open("wb") as stdout:
        process = subprocess.Popen(
            words, env=stand.environment(source), cwd=ROOT, stdout=stdout, stderr=stderr
        )
    while until is not None and not until(said.read_text()):
        if process.poll() is not None:
            _hold(
                "the move was still under way when it was to be killed",
                held=False,
                more=out.read_text(),
            )
        time.sleep(0.02)
    if until is not None:
        process.kill()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    _hold(
        "the command has ended as it should",
        process.returncode == (0 if until is None else -signal.SIGKILL),
        out.read_text() + said.read_text(),
    )
    return used.ru_maxrss / 1024, out.read_text()


def _checked(stand: Stand, url: str) -> tuple[bool, str]:
    done = subprocess.run(
        [sys.executable, "-m", "jackfield", "db", "check", "--json"],
        env=stand.environment(url),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout + done.stderr


def _rows(url: str) -> dict[str, tuple[int, int]]:
    """Return, for each table, the number of its rows and the sum of their digests, read without
    jackfield.
    """
    found = {}
    for table in moved_tables():
        count = total = 0
        for row in _read(url, table):
            count, total = (
                count + 1,
                total + int.from_bytes(sha256(repr(row).encode()).digest()[:8]),
            )
        found[table] = (count, total)
    return found


def _read(url: str, table: str) -> Iterator[list[tuple[str, object]]]:
    connection: Any = (
        sqlite3.connect(url.removeprefix("sqlite:///"))
        if url.startswith("sqlite:")
        else psycopg.connect(url)
    )
    cursor = (
        connection.cursor() if url.startswith("sqlite:") else connection.cursor(name="all_rows")
    )
    cursor.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield sorted(
            zip(
                names,
                (bytes(value) if isinstance(value, memoryview) else value for value in row),
                strict=True,
            )
        )
    connection.close()


def _use(stand: Stand, url: str, contents: Contents, replayed: Mapping[str, str]) -> None:
    """Use a database as its users do."""
    with people(stand.home, url, stand.files(url).name + "-catalog") as jackfield:
        again = {
            key: jackfield.invoke({**_call(number), "idempotencyKey": key}).meta
            for number, key in enumerate(replayed)
        }
        _hold(
            "keys replay",
            all(
                meta.replayed and meta.invocation_id == replayed[key] for key, meta in again.items()
            ),
        )
        expire(jackfield)
        answers = [jackfield.invoke(_call(number)) for number in range(_GRANTED)]
        _hold(
            "grants are renewed at the provider",
            all(result.status == "succeeded" for result in answers),
            [result.error for result in answers],
        )
        queue = Queue(jackfield.storage.database)
        _hold("the queue is as long", sum(queue.depth().values()) == _QUEUED, queue.depth())
        ended = [jackfield.run(claimed).status for claimed in queue.claim(500)]
        _hold("queued invocations run", ended == ["succeeded"] * 500, ended)
    with Storage(url, stand.environment(url), _CLOCK) as storage:
        states = {
            name: Audit(storage.database, lambda: storage.vault, name, _CLOCK).verify()
            for name in _WORKSPACES
        }
        _hold(
            "the audit log is verified",
            all(state.fault is None for state in states.values()),
            states,
        )
        files = Files(storage, FileLimits(), _CLOCK)
        _hold(
            "files are read",
            all(_digest(files, *place) == expected for place, expected in contents.items()),
        )


def _digest(files: Files, workspace: str, identifier: str) -> str:
    with files.open_by_id(workspace, identifier) as stream:
        return sha256(stream.read()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
