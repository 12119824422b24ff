"""Which cores the processes of a server, and those that they start, may use."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from http_stand import process
from jackfield.kernel.local import CORES, OnAllCores

pytestmark = pytest.mark.skipif(len(CORES) < 2, reason="one core is all that there is")


@pytest.mark.campaign  # all servers of tests have this setting
def test_a_single_process_keeps_to_no_core_if_it_must_not(tmp_path: Path) -> None:
    """``JACKFIELD_PIN=0`` leaves a server all cores."""
    with process(tmp_path, JACKFIELD_PIN="0") as server:
        assert server.client.invoke("say", text="x").status == 200
        threads = Path(f"/proc/{server.process.pid}/task").iterdir()
        assert set().union(*(os.sched_getaffinity(int(thread.name)) for thread in threads)) == set(
            CORES
        )


def test_what_a_process_starts_gets_all_cores_back() -> None:
    """A thread that keeps to one core starts a process that does not, and keeps to its own
    afterwards.
    """
    found: list[object] = []

    def work() -> None:
        os.sched_setaffinity(0, {min(CORES)})
        with OnAllCores():
            program = "import os; print(sorted(os.sched_getaffinity(0)))"
            done = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, check=True
            )
        found.extend((done.stdout.strip(), os.sched_getaffinity(0)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [repr(sorted(CORES)), {min(CORES)}]
