"""A fork among threads that call: the child finds no lock that nobody will release."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = Path(__file__).with_name("forking_host.py")
_MODULES = {
    "forking_shared": "import threading\nbegan, go = threading.Event(), threading.Event()\n",
    "forking_imported": (
        "import forking_shared as s\ns.began.set()\ns.go.wait()\nfor _ in range(2_000_000): "
        "pass\nvalue = 7\n"
    ),
    "forking_forks": "import os\nchild = getattr(os, 'fork')()\nif not child: os._exit(0)\nos.wait()\n",
}


@pytest.mark.parametrize(
    ("way", "said"), [("beside", "7"), ("endless", "7 True"), ("own", "forked")]
)
def test_a_fork_waits_for_what_other_threads_import(way: str, said: str, tmp_path: Path) -> None:
    """First calls import modules. Python's lock of one that another thread imports would stay
    locked in the child, so a fork waits for its end: not for good, and not for what its own thread
    imports.
    """
    for name, source in _MODULES.items():
        (tmp_path / f"{name}.py").write_text(source)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, str(_PROGRAM), way],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (0, f"{said}\n"), done.stderr
