"""The process that forks children of isolated connectors, run as a script in a Python without
site-packages, as a child is.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import socket
import sys
import traceback
from typing import NoReturn

_NEEDED = (
    "jackfield_isolation.child",
    "jackfield_isolation.answers",
    "jackfield_isolation.child_sockets",
    "jackfield.connector",
    "jackfield.connector.jobs",
    "jackfield.connector.manifests",
    "pydantic.dataclasses",
)
"""What each child imports, whatever its connector is: no test is to find more in a child than in
one that was started.
"""


def _import(own: str, isolation: str, *paths: str) -> None:
    """Import it as ``boot.py`` does, and forget where the host's packages are."""
    importing = runpy.run_path(f"{isolation}/boot.py")["_import"]
    sys.path += paths
    importing(own)
    importing(isolation)
    for name in _NEEDED:
        importlib.import_module(name)
    del sys.path[-len(paths) :]
    sys.path_importer_cache.clear()


def _serve(end: socket.socket) -> NoReturn:
    """Fork for whoever asks, until that process is gone."""
    gc.collect()
    gc.freeze()
    while True:
        said, descriptors, _, _ = socket.recv_fds(end, 1 << 16, 2)
        if not said:
            os._exit(0)
        between = os.fork()
        if not between:
            if not os.fork():
                _live(end, json.loads(said), *descriptors)
            os._exit(0)
        os.waitpid(between, 0)
        end.sendall(b"done")
        for number in descriptors:
            os.close(number)


def _live(end: socket.socket, environment: dict[str, str], channel: int, output: int) -> NoReturn:
    """Be the child: with what a Python of its own would have, run its program."""
    try:
        from jackfield_isolation.child import run

        os.setsid()
        os.environ.clear()
        os.environ.update(environment)
        for number in (1, 2):
            os.dup2(output, number)
        end.sendall(str(os.getpid()).encode())
        os.closerange(3, channel)
        os.closerange(channel + 1, 256)
        run(channel)
    except BaseException:  # noqa: BLE001 (shown, as a Python of its own would)
        traceback.print_exc()
    finally:
        os._exit(1)


if __name__ == "__main__":
    _own, _isolation, _number, *_paths = sys.argv[1:]
    _import(_own, _isolation, *_paths)
    _serve(socket.socket(fileno=int(_number)))
