"""Processes that seal and open while data keys move from a file to AWS KMS, to Transit and to another key of KMS, and rotations are killed.

Run it longer by hand: ``python tests/support/key_campaign.py sqlite:////tmp/keys.db 60``.
"""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from jackfield.clock import SystemClock
from jackfield.database import Vault, open_database
from jackfield.failures import Raised, attempt
from jackfield.resources.storage import Storage

WORKSPACES = 40
_ROTATE = """
import os
from jackfield.clock import SystemClock
from jackfield.resources.storage import Storage
with Storage(None, os.environ, SystemClock()) as storage:
    storage.vault.rotate(data_keys=True)
"""


class Campaign:
    """One campaign on the database ``url``; ``uris`` are the wrappers after the file, in the order in which the keys move to them."""

    def __init__(self, url: str, folder: Path, environment: Mapping[str, str], uris: Sequence[str]) -> None:
        self.folder, self.uris = folder, uris
        self.environment = {**environment, "JACKFIELD_DATABASE_URL": url, "JACKFIELD_HOME": str(folder / "home")}
        self.waits: list[float] = []
        self.kills = 0
        self._choice = random.Random(7)
        self._ended = threading.Event()

    def run(self, seconds: float, processes: int = 2) -> list[dict[str, Any]]:
        """Move the keys, each time for a third of ``seconds``; return what the processes report."""
        workers = [self._start(number) for number in range(processes)]
        with self._probe():
            for place in range(len(self.uris)):
                until = time.monotonic() + seconds / len(self.uris)
                while time.monotonic() < until:
                    self._rotate(place, self._choice.uniform(0.3, 1.2))
                self._rotate(place, None)
                workers[0].kill()
                workers[0].communicate()
                workers[0] = self._start(processes + place)
        reports = []
        for worker in workers:
            out, _ = worker.communicate("\n", timeout=120)
            reports.append(json.loads(out))
        return reports

    def unreadable(self) -> tuple[int, int]:
        """Open what was sealed with the last wrapper alone; return how much there was, and how much of it cannot be opened."""
        count = wrong = 0
        environment = self._with(self.uris[-1:])
        with mock.patch.dict(os.environ, environment), Storage(None, environment, SystemClock()) as storage:
            for path in self.folder.glob("sealed-*"):
                for line in path.read_text(encoding="ascii").splitlines():
                    workspace, text, sealed = line.split(" ") if line.count(" ") == 2 else ("", "", "")
                    if sealed.endswith("."):  # whole: a process may have been killed as it wrote
                        count += 1
                        wrong += storage.vault.open(workspace, (text,), base64.b64decode(sealed[:-1])) != text.encode()
        return count, wrong

    def _start(self, number: int) -> subprocess.Popen[str]:
        command = [sys.executable, __file__, "--work", str(number), str(self.folder)]
        return subprocess.Popen(command, env=self._with(["file:", *self.uris]), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _rotate(self, place: int, patience: float | None) -> None:
        """Rotate to one wrapper; kill the process after ``patience`` seconds."""
        others = [uri for uri in ("file:", *self.uris) if uri != self.uris[place]]
        command = [sys.executable, "-c", _ROTATE]
        rotation = subprocess.Popen(command, env=self._with([self.uris[place], *others]), stderr=subprocess.PIPE, text=True)
        try:
            _, said = rotation.communicate(timeout=patience if patience is not None else 120)
            assert rotation.returncode == 0, said
        except subprocess.TimeoutExpired:
            rotation.kill()
            rotation.communicate()
            self.kills += 1
            assert patience is not None, "a rotation did not end"

    def _with(self, uris: Sequence[str]) -> dict[str, str]:
        return {**self.environment, "JACKFIELD_KEY_WRAPPERS": ",".join(uris), "PYTHONPATH": str(Path(__file__).parent)}

    @contextmanager
    def _probe(self) -> Iterator[None]:
        """Note how long a small write takes, fifty times a second."""
        thread = threading.Thread(target=self._write)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _write(self) -> None:
        with open_database(self.environment["JACKFIELD_DATABASE_URL"], syncs=False) as database:
            while not self._ended.wait(0.02):
                begun = time.perf_counter()
                with database.write() as transaction:
                    transaction.change("UPDATE schema_migrations SET applied_at = applied_at WHERE version = 1")
                self.waits.append(time.perf_counter() - begun)


def prepare(url: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Make the database, and the data keys with a file."""
    open_database(url, migrate=True).close()
    with Storage(None, {**environment, "JACKFIELD_DATABASE_URL": url, "JACKFIELD_HOME": str(folder / "home")}, SystemClock()) as storage:
        for number in range(WORKSPACES):
            storage.vault.seal(f"w{number}", ("first",), b"first")


def _turn(vault: Vault, workspace: str, text: str, kept: list[tuple[str, str, bytes]], choice: random.Random) -> bytes:
    """Seal a text, and open an earlier one."""
    sealed = vault.seal(workspace, (text,), text.encode())
    kept[:] = [*kept[-50:], (workspace, text, sealed)]
    earlier = choice.choice(kept)
    assert vault.open(earlier[0], (earlier[1],), earlier[2]) == earlier[1].encode()
    return sealed


def _wait(ended: threading.Event) -> None:
    sys.stdin.readline()
    ended.set()


def _work(number: int, folder: Path) -> None:
    """Seal and open until standard input ends; forget all keys now and then, as if a day had passed."""
    ended, turns = threading.Event(), 0
    kept: list[tuple[str, str, bytes]] = []
    faults: list[str] = []
    threading.Thread(target=_wait, args=(ended,), daemon=True).start()
    choice = random.Random(number)
    with Storage(None, os.environ, SystemClock()) as storage, (folder / f"sealed-{number}").open("a", encoding="ascii") as file:
        while not ended.is_set():
            workspace, text, turns = f"w{choice.randrange(WORKSPACES)}", f"{number}-{turns}", turns + 1
            outcome = attempt(_turn, storage.vault, workspace, text, kept, choice)
            if isinstance(outcome, Raised):
                faults.append(f"{type(outcome.error).__name__}: {outcome.error}"[:300])
                continue
            sealed = outcome
            if turns % 20 == 0:
                file.write(f"{workspace} {text} {base64.b64encode(sealed).decode()}.\n")
                file.flush()
            if turns % 500 == 0:
                storage.vault._keys._unwrapped.clear()
                storage.vault._keys.clear()
            ended.wait(0.002)
    sys.stdout.write(json.dumps({"turns": turns, "faults": faults[:5]}))


if __name__ == "__main__" and sys.argv[1] == "--work":
    _work(int(sys.argv[2]), Path(sys.argv[3]))
