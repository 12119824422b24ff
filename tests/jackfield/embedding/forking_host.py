"""Programs of a host that forks while another of its threads imports a module, which the child
needs, too.

``python forking_host.py WAY`` prints what came of the child.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from typing import Any

from jackfield.kernel import fork

_SHARED: Any = importlib.import_module("forking_shared")  # the test writes it


def _say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def _forked() -> int:
    child = os.fork()
    if not child:
        signal.alarm(60)  # ends one that waits for good
        os._exit(importlib.import_module("forking_imported").value)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _left() -> int:
    child = os.fork()
    if not child:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _beside() -> None:
    """The import ends once the fork has begun: what is registered last comes first."""
    os.register_at_fork(before=_SHARED.go.set)
    threading.Thread(target=importlib.import_module, args=("forking_imported",)).start()
    _SHARED.began.wait()
    _say(_forked())


def _endless() -> None:
    """The import ends after the fork."""
    fork._LOOKS = 3
    thread = threading.Thread(target=importlib.import_module, args=("forking_imported",))
    thread.start()
    _SHARED.began.wait()
    child = os.fork()
    if not child:
        fork._LOOKS = 10**9  # its own forks do not wait for a thread that is not there
        os._exit(_left())
    _say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), thread.is_alive())
    _SHARED.go.set()


def _own() -> None:
    """The thread that forks imports a module."""
    fork._LOOKS = 10**9
    importlib.import_module("forking_forks")
    _say("forked")


if __name__ == "__main__":
    {"beside": _beside, "endless": _endless, "own": _own}[sys.argv[1]]()
