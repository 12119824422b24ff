"""A host's program that calls while another of its threads is in the middle of importing a module.

``python importing.py MODULE PART INVOCATION CONNECTION DATABASE`` makes a call, has a thread import
MODULE and wait within it where PART is imported, makes the first call of another runtime, and
prints the statuses of both calls as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
from collections.abc import Sequence
from typing import Any

from jackfield import Jackfield

_MODULE, _PART, _CALL, _CONNECTION, _DATABASE = sys.argv[1:]
_INSIDE, _DONE = threading.Event(), threading.Event()


class _Waits:
    """Finds nothing, and lets the import of one module wait. Nobody can load another one meanwhile:
    the first call has loaded all.
    """

    @staticmethod
    def find_spec(name: str, _path: Sequence[str] | None = None, _target: Any = None) -> None:
        if name == _PART and threading.current_thread() is not threading.main_thread():
            _INSIDE.set()
            _DONE.wait(60)


def _runtime() -> Jackfield:
    return Jackfield(
        connections=[{"connections": {"m": json.loads(_CONNECTION)}}], database_url=_DATABASE
    )


with _runtime() as runtime, _runtime() as late:
    call = {**json.loads(_CALL), "connection": "m"}
    first = runtime.invoke(call).status
    if _DATABASE != "none":
        importlib.import_module(_MODULE.partition(".")[0])
    for name in {_MODULE, _PART} & sys.modules.keys():
        package = sys.modules.get(name.rpartition(".")[0])
        if package is not None:
            vars(package).pop(name.rpartition(".")[2], None)
        del sys.modules[name]
    sys.meta_path.insert(0, _Waits)
    other = threading.Thread(target=importlib.import_module, args=[_MODULE])
    other.start()
    assert _INSIDE.wait(60)
    second = late.invoke(call).status
    _DONE.set()
    other.join()
json.dump([first, second], sys.stdout)
