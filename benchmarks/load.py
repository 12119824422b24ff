"""A child: send a request again and again over several connections, and print how fast it was
answered, as one line of JSON.

The argument is the request as JSON: port, pid (of the server), path, token, headers, body, status,
keyed, connections, seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import uvloop

_PATIENCE = 600
"""Pauses of 50 ms in which there may be as many answers as connections, before the load is over."""
_TICKS = os.sysconf("SC_CLK_TCK")
_SCHEDULED = 2
"""The kind of clock that Linux encodes beside the ID of a process: its CPU time in nanoseconds."""


class Caller(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last one is whole."""

    def __init__(self, wanted: dict[str, Any], times: list[float], faults: list[bytes]) -> None:
        body = wanted["body"].encode()
        headers = {
            "Host": f"127.0.0.1:{wanted['port']}",
            "Authorization": f"Bearer {wanted['token']}",
            "Content-Type": "application/json",
            **wanted["headers"],
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._head = (
            f"POST {wanted['path']} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n".encode()
        )
        self._body = b"\r\n" + body
        self._status = f"HTTP/1.1 {wanted['status']}".encode()
        self._keyed = wanted["keyed"]
        self._times = times
        self._faults = faults
        self._buffer = b""
        self.sent = 0.0
        self.done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport: Any = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Read until the answer is whole."""
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or not _is_whole(head.lower(), body):
            return
        self._times.append(time.perf_counter() - self.sent)
        if not head.startswith(self._status):
            self._faults.append(self._buffer[:300])
        self._buffer = b""
        if self.done:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        """Count it if it was not us who closed."""
        if not self.done:
            self._faults.append(b"the server has closed the connection")

    def _send(self) -> None:
        key = b"Idempotency-Key: %s\r\n" % uuid.uuid4().hex.encode() if self._keyed else b""
        self.sent = time.perf_counter()
        self._transport.write(self._head + key + self._body)


def _is_whole(head: bytes, body: bytes) -> bool:
    at = head.find(b"content-length: ")
    if at < 0:
        return body.endswith(b"0\r\n\r\n")
    end = head.find(b"\r", at)
    return len(body) >= int(head[at + 16 : end if end > 0 else None])


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process, all threads and children included; those of children
    that have ended in whole ticks.
    """
    own = time.clock_gettime(~pid << 3 | _SCHEDULED)
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return (
        own + sum(map(int, fields[13:15])) / _TICKS + sum(cpu_of(int(child)) for child in children)
    )


def _leave_core(pid: int) -> None:
    """Leave the cores of the server if this process was kept to them, too."""
    taken = os.sched_getaffinity(pid)
    others = set(range(os.cpu_count() or 1)) - taken
    if others and os.sched_getaffinity(0) <= taken:
        with contextlib.suppress(OSError):  # a container may have no other core
            os.sched_setaffinity(0, others)


async def _main(wanted: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []
    faults: list[bytes] = []
    callers = [
        (
            await loop.create_connection(
                lambda: Caller(wanted, times, faults), "127.0.0.1", wanted["port"]
            )
        )[1]
        for _ in range(wanted["connections"])
    ]
    await asyncio.sleep(min(1.0, wanted["seconds"] / 4))  # warm
    times.clear()
    cpu, started = cpu_of(wanted["pid"]), time.perf_counter()
    await asyncio.sleep(wanted["seconds"])
    for _ in range(_PATIENCE):
        if len(times) < wanted["connections"]:  # a busy machine
            await asyncio.sleep(0.05)
    now, used, count = time.perf_counter(), cpu_of(wanted["pid"]) - cpu, len(times)
    assert count, "no request was answered"
    for caller in callers:
        caller.done = True
    ordered = sorted(times[:count])
    # one that still waits counts, too
    longest = max(ordered[-1], *(now - caller.sent for caller in callers))
    print(
        json.dumps(
            {
                "rate": count / (now - started),
                "count": count,
                "cpu": used / count,
                "p50": ordered[count // 2],
                "p99": ordered[int(count * 0.99)],
                "unfair": longest / (sum(ordered) / count),
                "fault": faults[0].decode(errors="replace") if faults else None,
            }
        )
    )


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    _leave_core(request["pid"])
    uvloop.install()
    asyncio.run(_main(request))
