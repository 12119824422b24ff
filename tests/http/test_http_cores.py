"""Which cores the processes of a server, and those that they start, may use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from http_stand import Process, process
from jackfield.local import CORES, OnAllCores

pytestmark = pytest.mark.skipif(len(CORES) < 2, reason="one core is all that there is")


def cores_of(pid: int) -> set[int]:
    """The cores that the threads of a process may use, all together."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return set().union(*(os.sched_getaffinity(int(thread.name)) for thread in threads))


def ready(server: Process, count: int) -> list[int]:
    """The workers once there are so many, each of which serves."""
    pause = threading.Event()
    for _ in range(600):
        found = server.children()
        if len(found) == count and all(len(cores_of(pid)) == 1 for pid in found):
            return found
        pause.wait(0.05)
    raise AssertionError([(pid, cores_of(pid)) for pid in server.children()])


def test_each_process_keeps_to_a_core_of_its_own(tmp_path: Path) -> None:
    """All threads of a worker, also those that calls have started, are on one core, and no other worker is; one that replaces another
    takes the core that is free."""
    with process(tmp_path, "--workers", "2", JACKFIELD_PIN="1") as server:
        first, second = ready(server, 2)
        assert all(server.client.invoke("say", text="x").status == 200 for _ in range(8))
        assert len(cores_of(first) | cores_of(second)) == 2
        os.kill(first, signal.SIGKILL)
        pause = threading.Event()
        while first in server.children():
            pause.wait(0.05)
        third = next(pid for pid in ready(server, 2) if pid != second)
        assert cores_of(third) != cores_of(second)


@pytest.mark.parametrize(("pin", "expected"), [("0", len(CORES)), ("1", 1)])
def test_a_single_process_does_too_unless_it_must_not(tmp_path: Path, pin: str, expected: int) -> None:
    """``JACKFIELD_PIN=0`` leaves a server all cores."""
    with process(tmp_path, JACKFIELD_PIN=pin) as server:
        assert server.client.invoke("say", text="x").status == 200
        assert len(cores_of(server.process.pid)) == expected


def test_what_a_process_starts_gets_all_cores_back() -> None:
    """A thread that keeps to one core starts a process that does not, and keeps to its own afterwards."""
    found: list[object] = []

    def work() -> None:
        os.sched_setaffinity(0, {min(CORES)})
        with OnAllCores():
            program = "import os; print(sorted(os.sched_getaffinity(0)))"
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        found.extend((done.stdout.strip(), os.sched_getaffinity(0)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [repr(sorted(CORES)), {min(CORES)}]
