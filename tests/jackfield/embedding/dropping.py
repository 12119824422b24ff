"""A host's program that makes, uses and drops one runtime after the other, as with one for each
request.

``python dropping.py URL DATABASE COUNT`` prints how many threads, descriptors and megabytes COUNT
of them leave behind, as JSON. A first few, not counted, load what is loaded once, and let the
allocator get what it keeps: 10 MB within some 150, and nothing in 1,200 more.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
import warnings
from pathlib import Path

from jackfield import Jackfield

_URL, _DATABASE, _COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
_FIRST, _WITHIN = max(24, _COUNT // 6), 60.0
_PAUSE = threading.Event()
_CALL = {
    "connector": "http",
    "action": "request",
    "connection": "m",
    "inputs": {"url": "/x", "method": "POST"},
    "timeoutSeconds": 60,
}


def _uses(number: int) -> None:
    """Use a runtime in one of six ways, and keep nothing of it."""
    connection = {
        "connections": {"m": {"type": "http/bearer", "values": {"server": _URL, "token": "t"}}}
    }
    dropped = Jackfield(connections=[connection], database_url=_DATABASE)
    if number % 6 == 0:
        asyncio.run(dropped.ainvoke(_CALL)).unwrap()
    elif number % 6 == 1:
        dropped.invoke(_CALL, on_time=True).unwrap()
    elif number % 6 == 2:
        dropped.stream(_CALL).result.unwrap()
    elif number % 6 == 3:
        dropped.invoke({**_CALL, "idempotencyKey": f"k{number}"}).unwrap()
    elif number % 6 == 4:
        dropped.cancel(str(dropped.enqueue(_CALL)))
    else:
        dropped.invoke(_CALL).unwrap()


def _counted() -> tuple[int, int]:
    gc.collect()
    return threading.active_count(), len(os.listdir("/proc/self/fd"))


def _settled() -> tuple[int, int]:
    """Threads and descriptors when those of the last runtimes have ended: as soon as they are one
    thread, or have been the same for 2 s.
    """
    deadline, found, since = time.monotonic() + _WITHIN, _counted(), time.monotonic()
    while found[0] > 1 and time.monotonic() < min(deadline, since + 2):
        _PAUSE.wait(0.05)
        if (now := _counted()) != found:
            found, since = now, time.monotonic()
    return _counted()


def _resident() -> float:
    return (
        int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        * os.sysconf("SC_PAGESIZE")
        / 1e6
    )


warnings.simplefilter("ignore", ResourceWarning)
for number in range(_FIRST):
    _uses(number)
_before, _memory = _settled(), _resident()
for number in range(_FIRST, _FIRST + _COUNT):
    _uses(number)
_after = _settled()
_left = {
    "threads": _after[0] - _before[0],
    "descriptors": _after[1] - _before[1],
    "megabytes": round(_resident() - _memory, 1),
}
json.dump(_left, sys.stdout)
