"""Program that forks children of isolated connectors: it has imported what each of them imports, and waits. ``ready_children`` starts it.

Its arguments are jackfield's folder, the descriptor of a socket, and folders of packages.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
import traceback
from importlib import import_module


def serve(end: socket.socket) -> None:
    """Fork a child for each message, in a process between that ends, and answer with the child's number."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(end, 65536, 2)
        if not message:
            return
        reading, writing = os.pipe()
        between = os.fork()
        if not between:
            child = os.fork()
            if not child:
                end.close()
                os.close(reading)
                os.close(writing)
                become(json.loads(message), *descriptors)
            os.write(writing, str(child).encode())
            os._exit(0)
        os.waitpid(between, 0)
        for descriptor in (writing, *descriptors):
            os.close(descriptor)
        end.sendall(os.read(reading, 20))
        os.close(reading)


def become(environment: dict[str, str], descriptor: int, output: int) -> None:
    """Run the program of a child, which does not return."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    try:
        import_module("jackfield.isolation.child").run(descriptor)
    finally:
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    package, number, *folders = sys.argv[1:]
    boot = runpy.run_path(os.path.join(package, "isolation", "boot.py"))
    boot["_import_jackfield"](package)
    sys.path[:0] = folders
    import_module("jackfield.isolation.child")
    import_module("jackfield.isolation.answers")
    del sys.path[: len(folders)]
    serve(socket.socket(fileno=int(number)))
