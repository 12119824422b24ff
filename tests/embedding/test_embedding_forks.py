"""A fork among threads that call: the child finds no lock that nobody will release."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_SHARED = "import threading\nbegan, go = threading.Event(), threading.Event()\n"
_IMPORTED = "import shared\nshared.began.set()\nshared.go.wait()\nfor _ in range(2_000_000): pass\nvalue = 7\n"
_PROGRAM = """
import importlib, os, signal, threading
import jackfield.fork, shared

os.register_at_fork(before=shared.go.set)  # registered last, so it comes first: the import ends while the fork begins
threading.Thread(target=importlib.import_module, args=("imported",)).start()
shared.began.wait()
child = os.fork()
if not child:
    signal.alarm(60)  # ends one that waits for good
    import imported
    os._exit(imported.value)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_fork_waits_for_what_other_threads_import(tmp_path: Path) -> None:
    """First calls import modules. Python's lock of one that is imported by a thread which the child has not would stay locked there."""
    (tmp_path / "shared.py").write_text(_SHARED)
    (tmp_path / "imported.py").write_text(_IMPORTED)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr


_ENDLESS = """
import importlib, os, threading, time
import jackfield.fork, shared

jackfield.fork._IMPORT = 0.01
thread = threading.Thread(target=importlib.import_module, args=("imported",))
thread.start()
shared.began.wait()
child = os.fork()
if not child:
    os._exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), thread.is_alive())
shared.go.set()
"""


def test_a_fork_does_not_wait_for_good(tmp_path: Path) -> None:
    """An import that does not end holds a fork up for a few seconds only, and that of the thread that forks not at all."""
    (tmp_path / "shared.py").write_text(_SHARED)
    (tmp_path / "imported.py").write_text(_IMPORTED)
    (tmp_path / "forks.py").write_text("import os, jackfield.fork\nchild = os.fork()\nif not child: os._exit(5)\nos.waitpid(child, 0)\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    own = "import jackfield.fork\njackfield.fork._IMPORT = 1e9\nimport forks\nprint('forked')"
    for program, said in ((_ENDLESS, "5 True\n"), (own, "forked\n")):
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert (done.returncode, done.stdout) == (0, said), done.stderr
