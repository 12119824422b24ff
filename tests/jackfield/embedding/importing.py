"""A host's program that calls while another of its threads is in the middle of importing a module.

``python importing.py MODULE PART INVOCATION CONNECTION`` makes a call, has a thread import MODULE and wait within it where PART is
imported, calls over another connection of the same values, and prints the statuses of both calls as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
from collections.abc import Sequence
from typing import Any

from jackfield import Jackfield

_MODULE, _PART, _CALL, _CONNECTION = sys.argv[1:]
_INSIDE, _DONE = threading.Event(), threading.Event()


class _Waits:
    """Finds nothing, and lets the import of one module wait."""

    @staticmethod
    def find_spec(name: str, _path: Sequence[str] | None = None, _target: Any = None) -> None:
        if name == _PART and threading.current_thread() is not threading.main_thread():
            _INSIDE.set()
            _DONE.wait(60)


with Jackfield(connections=[{"connections": dict.fromkeys("mn", json.loads(_CONNECTION))}], database_url="none") as runtime:
    first = runtime.invoke({**json.loads(_CALL), "connection": "m"}).status
    for name in [name for name in sys.modules if name in {_MODULE, _PART}]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Waits)
    other = threading.Thread(target=importlib.import_module, args=[_MODULE])
    other.start()
    assert _INSIDE.wait(60)
    second = runtime.invoke({**json.loads(_CALL), "connection": "n"}).status
    _DONE.set()
    other.join()
json.dump([first, second], sys.stdout)
