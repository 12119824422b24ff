"""Processes that call while data keys move from a file to AWS KMS, to Transit and to another key of
KMS, and rotations are killed.

A call seals a text, writes it in a commit as the journal does, and opens an earlier one. Every
write transaction of every process is timed from the lock to the end of the commit.
"""

from __future__ import annotations

import base64
import json
import os
import random
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from jackfield.kernel.clock import SystemClock
from jackfield.kernel.failures import Raised, attempt
from jackfield_store.database import Database, open_database
from jackfield_store.database.transaction import DatabaseSession, Mode
from jackfield_store.resources.storage import Storage

WORKSPACES = 40
_CALLS = "CREATE TABLE calls (w TEXT, text TEXT, sealed BYTEA)"
_INSERT = "INSERT INTO calls (w, text, sealed) VALUES (:w, :text, :sealed)"
_EXPIRE = 500
"""Calls after which a process forgets its unwrapped keys."""


class Campaign:
    """One campaign on the database ``url``; ``uris`` are the wrappers after the file, in the order
    in which the keys move to them.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        environment: Mapping[str, str],
        uris: Sequence[str],
        rate: float = 500.0,
    ) -> None:
        self.folder, self.uris, self.rate = folder, uris, rate
        self.environment = {
            **environment,
            "JACKFIELD_DATABASE_URL": url,
            "JACKFIELD_HOME": str(folder / "home"),
        }
        self.kills = self.rotations = 0
        self.reached = 0.0
        """Calls per second, all processes together."""
        self._choice = random.Random(7)
        self._ended = threading.Event()

    def run(self, seconds: float, processes: int = 2) -> list[dict[str, Any]]:
        """Move the keys, each time for a third of ``seconds``; return what the processes report."""
        workers = [self._start(number, processes) for number in range(processes)]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        begun = time.monotonic()
        for place in range(len(self.uris)):
            until = time.monotonic() + seconds / len(self.uris)
            while time.monotonic() < until:
                self._rotate(place, self._choice.uniform(0.3, 2.5))
            self._rotate(place, None)
            workers[0].kill()
            workers[0].communicate()
            workers[0] = self._start(processes + place, processes)
        self.reached = self._calls() / (time.monotonic() - begun)
        reports = []
        for worker in workers:
            out, _ = worker.communicate("\n", timeout=120)
            reports.append(json.loads(out.splitlines()[-1]))
        return reports

    def held(self, what: str) -> list[float]:
        """Return how long the write transactions of all rotations, or of all calls, took, the
        longest last.
        """
        paths = sorted(self.folder.glob(f"held-{what}-*"))
        return sorted(
            found
            for path in paths
            for (found,) in struct.iter_unpack(
                "<d", path.read_bytes()[: path.stat().st_size // 8 * 8]
            )
        )

    def _calls(self) -> int:
        return sum(int(path.read_bytes() or b"0") for path in self.folder.glob("calls-*"))

    def unreadable(self) -> tuple[int, int]:
        """Open what was sealed with the last wrapper alone; return how much there was, and how much
        of it cannot be opened.
        """
        count = wrong = 0
        environment = self._with(self.uris[-1:])
        with (
            mock.patch.dict(os.environ, environment),
            Storage(None, environment, SystemClock()) as storage,
        ):
            for path in self.folder.glob("sealed-*"):
                for line in path.read_text(encoding="ascii").splitlines():
                    workspace, text, sealed = (
                        line.split(" ") if line.count(" ") == 2 else ("", "", "")
                    )
                    if sealed.endswith("."):  # whole: a process may have been killed as it wrote
                        count += 1
                        wrong += (
                            storage.vault.open(workspace, (text,), base64.b64decode(sealed[:-1]))
                            != text.encode()
                        )
        return count, wrong

    def _start(self, number: int, processes: int) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            __file__,
            "--work",
            str(number),
            str(self.folder),
            str(self.rate / processes),
        ]
        return subprocess.Popen(
            command,
            env=self._with(["file:", *self.uris]),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def _rotate(self, place: int, patience: float | None) -> None:
        """Rotate to one wrapper; kill the process after ``patience`` seconds."""
        others = [uri for uri in ("file:", *self.uris) if uri != self.uris[place]]
        command = [sys.executable, __file__, "--rotate", str(self.folder)]
        self.rotations += 1
        rotation = subprocess.Popen(
            command, env=self._with([self.uris[place], *others]), stderr=subprocess.PIPE, text=True
        )
        try:
            _, said = rotation.communicate(timeout=patience if patience is not None else 120)
            assert rotation.returncode == 0, said
        except subprocess.TimeoutExpired:
            rotation.kill()
            rotation.communicate()
            self.kills += 1
            assert patience is not None, "a rotation did not end"

    def _with(self, uris: Sequence[str]) -> dict[str, str]:
        return {
            **self.environment,
            "JACKFIELD_KEY_WRAPPERS": ",".join(uris),
            "PYTHONPATH": str(Path(__file__).parent),
        }


def prepare(url: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Make the database, and the data keys with a file."""
    with open_database(url, migrate=True) as database, database.write() as transaction:
        transaction.change(
            "CREATE TABLE calls (w TEXT, text TEXT, sealed BLOB)"
            if database.dialect.name == "sqlite"
            else _CALLS
        )
    with Storage(
        None,
        {**environment, "JACKFIELD_DATABASE_URL": url, "JACKFIELD_HOME": str(folder / "home")},
        SystemClock(),
    ) as storage:
        for number in range(WORKSPACES):
            storage.vault.seal(f"w{number}", ("first",), b"first")


@contextmanager
def _timed(database: Database, path: Path) -> Iterator[None]:
    """Note how long each write transaction takes, from the lock to the end of its commit, so that a
    kill loses none that has ended.
    """
    with database.read() as transaction:
        kind: Any = type(transaction._session)
    dialect, begun = database.dialect, dict[int, float]()
    begin, commit = dialect.begin, kind.commit

    def timed_begin(mode: Mode, held: list[Any] | None = None) -> DatabaseSession:
        session = begin(mode, held)
        if mode is not Mode.READ:
            begun[id(session)] = time.perf_counter()
        return session

    def timed_commit(session: DatabaseSession) -> None:
        started = begun.pop(id(session), None)
        commit(session)
        if started is not None:
            os.write(file.fileno(), struct.pack("<d", time.perf_counter() - started))

    patches = (
        mock.patch.object(dialect, "begin", timed_begin),
        mock.patch.object(kind, "commit", timed_commit),
    )
    with path.open("ab", buffering=0) as file, patches[0], patches[1]:
        yield


def _call(
    storage: Storage,
    workspace: str,
    text: str,
    kept: list[tuple[str, str, bytes]],
    choice: random.Random,
) -> bytes:
    """Seal a text and write it, and open an earlier one."""
    vault = storage.vault
    sealed = vault.seal(workspace, (text,), text.encode())
    values = {"w": workspace, "text": text, "sealed": sealed}
    storage.database.record(lambda transaction: transaction.change(_INSERT, values))
    kept[:] = [*kept[-50:], (workspace, text, sealed)]
    earlier = choice.choice(kept)
    assert vault.open(earlier[0], (earlier[1],), earlier[2]) == earlier[1].encode()
    return sealed


def _wait(ended: threading.Event) -> None:
    sys.stdin.readline()
    ended.set()


def _work(number: int, folder: Path, rate: float) -> None:
    """Call at a rate until standard input ends; forget all keys now and then, as if a day had
    passed.
    """
    ended, calls = threading.Event(), 0
    kept: list[tuple[str, str, bytes]] = []
    faults: list[str] = []
    threading.Thread(target=_wait, args=(ended,), daemon=True).start()
    choice = random.Random(number)
    with (
        Storage(None, os.environ, SystemClock()) as storage,
        (folder / f"sealed-{number}").open("a", encoding="ascii") as file,
        (folder / f"calls-{number}").open("wb", buffering=0) as counted,
        _timed(storage.database, folder / f"held-calls-{number}"),
    ):
        storage.vault.verify()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        begun = time.monotonic()
        while not ended.is_set():
            workspace, text, calls = (
                f"w{choice.randrange(WORKSPACES)}",
                f"{number}-{calls}",
                calls + 1,
            )
            outcome = attempt(_call, storage, workspace, text, kept, choice)
            if isinstance(outcome, Raised):
                faults.append(f"{type(outcome.error).__name__}: {outcome.error}"[:300])
                continue
            os.pwrite(counted.fileno(), str(calls).encode(), 0)
            if calls % 20 == 0:
                file.write(f"{workspace} {text} {base64.b64encode(outcome).decode()}.\n")
                file.flush()
            if calls % _EXPIRE == 0:
                storage.vault._keys._unwrapped.clear()
                storage.vault._keys.clear()
            ended.wait(max(0.0, begun + calls / rate - time.monotonic()))
    sys.stdout.write(json.dumps({"calls": calls, "faults": faults[:5]}) + "\n")


def _rotate(folder: Path) -> None:
    """Rotate, and make new data keys."""
    with (
        Storage(None, os.environ, SystemClock()) as storage,
        _timed(storage.database, folder / f"held-rotations-{os.getpid()}"),
    ):
        storage.vault.rotate(data_keys=True)


if __name__ == "__main__" and sys.argv[1] == "--work":
    _work(int(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]))
if __name__ == "__main__" and sys.argv[1] == "--rotate":
    _rotate(Path(sys.argv[2]))
