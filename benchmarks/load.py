"""A child: send one request again and again over so many connections, and say how fast it was answered. Arguments: port, connections, seconds,
path, token, body; prints one line of JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import uvloop


class Caller(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last one is whole."""

    def __init__(self, request: bytes, times: list[float], faults: list[bytes]) -> None:
        self._request = request
        self._times = times
        self._faults = faults
        self._buffer = b""
        self._sent = 0.0
        self.done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport: Any = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Read until the answer is whole."""
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lower = head.lower()
        at = lower.index(b"content-length: ") + 16
        end = lower.find(b"\r", at)
        if len(body) < int(lower[at : end if end > 0 else None]):
            return
        self._times.append(time.perf_counter() - self._sent)
        if not head.startswith(b"HTTP/1.1 200"):
            self._faults.append(self._buffer[:300])
        self._buffer = b""
        if self.done:
            self._transport.close()
        else:
            self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)


async def _main(port: int, connections: int, seconds: float, request: bytes) -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []
    faults: list[bytes] = []
    callers = [(await loop.create_connection(lambda: Caller(request, times, faults), "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.sleep(min(1.0, seconds / 4))  # warm
    times.clear()
    cpu, started = time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    count, wall = len(times), time.perf_counter() - started
    for caller in callers:
        caller.done = True
    ordered = sorted(times[:count])
    print(json.dumps({
        "rate": count / wall, "count": count, "p50": ordered[len(ordered) // 2], "p99": ordered[int(len(ordered) * 0.99)],
        "faults": len(faults), "fault": faults[0].decode(errors="replace") if faults else None, "cpu": (time.process_time() - cpu) / wall,
    }))  # fmt: skip


if __name__ == "__main__":
    port, connections, seconds, path, token, body = sys.argv[1:]
    text = body.encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    uvloop.install()
    asyncio.run(_main(int(port), int(connections), float(seconds), head.encode() + text))
