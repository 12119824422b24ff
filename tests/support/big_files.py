"""A large file through a server and a worker in processes of their own, and the memory that these
take.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courier import SOURCE
from http_stand import Process, clean, process
from plugboard import make_connector

_PIECE = 1024 * 1024
_WARM = 16 * _PIECE
"""Bytes of the file that goes first: buffers and the allocator's heaps have their size then."""


@dataclass(frozen=True)
class Measured:
    """Peak memory of the server and of the worker in bytes, what they took before, and seconds of
    each step.
    """

    server: int
    worker: int
    server_before: int
    worker_before: int
    seconds: Mapping[str, float]


def pieces(size: int) -> Iterator[bytes]:
    """Bytes that differ from piece to piece, made as they are needed."""
    noise = random.Random(4711).randbytes(_PIECE)
    for number in range(-(-size // _PIECE)):
        head = number.to_bytes(8, "big")
        yield (head + noise[8:])[: min(_PIECE, size - number * _PIECE)]


@contextmanager
def worker(folder: Path, **environment: str) -> Iterator[int]:
    """Run ``jackfield worker`` on the database of the server in the same folder; yield its process
    id.
    """
    path = os.pathsep.join([str(folder / "couriers"), str(folder / "plugs")])
    command = [sys.executable, "-m", "jackfield", "worker", "--concurrency", "2"]
    running = subprocess.Popen(
        command, env=clean(folder / "home", PYTHONPATH=path, **environment), stderr=subprocess.PIPE
    )
    assert running.stderr is not None
    try:
        assert b"runs up to" in running.stderr.readline()
        yield running.pid
    finally:
        running.terminate()
        running.wait(30)
        running.stderr.close()


def measure(folder: Path, size: int, **environment: str) -> Measured:
    """Upload a file, let the server and then the worker copy it as a stream, and download both
    copies.
    """
    make_connector(folder / "couriers", "courier", SOURCE)
    with (
        process(
            folder,
            "--queue-workers",
            "0",
            paths=(str(folder / "couriers"),),
            **dict[str, Any](environment),
        ) as server,
        worker(folder, **environment) as pid,
    ):
        small = upload(server, min(size // 4, _WARM))
        for queued in (False, True):
            download(server, _copied(server, small, queued=queued)["copies"][0]["file"])
        before = (peak(server.process.pid), peak(pid))
        seconds, digest = dict[str, float](), hashlib.sha256()
        for piece in pieces(size):
            digest.update(piece)
        started = time.perf_counter()
        file = upload(server, size)
        seconds["upload"] = time.perf_counter() - started
        for name, queued in (("action in the server", False), ("action in the worker", True)):
            started = time.perf_counter()
            copy = _copied(server, file, queued=queued)
            seconds[name] = time.perf_counter() - started
            assert copy["sha256"] == digest.hexdigest()
            started = time.perf_counter()
            assert download(server, copy["copies"][0]["file"]) == digest.hexdigest()
            seconds[f"download of its copy, {name}"] = time.perf_counter() - started
        return Measured(peak(server.process.pid), peak(pid), *before, seconds)


def peak(pid: int) -> int:
    """Bytes of memory that a process had at most."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return (
        int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024
    )


def _connected(server: Process) -> tuple[http.client.HTTPConnection, dict[str, str]]:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=900), {
        "Authorization": f"Bearer {server.token}"
    }


def upload(server: Process, size: int) -> str:
    """Upload a file and return its ID."""
    connection, headers = _connected(server)
    connection.request(
        "POST",
        "/v1/files",
        pieces(size),
        {**headers, "Content-Length": str(size), "Content-Type": "application/zip"},
    )
    answer = json.loads(connection.getresponse().read())
    connection.close()
    found: str = answer["file"]
    return found


def _copied(server: Process, file: str, *, queued: bool) -> Any:
    body = {
        "connector": "courier",
        "action": "carry",
        "inputs": {"document": {"file": file}},
        "timeoutSeconds": 900,
    }
    client = server.client
    client = type(client)(client.port, client.token, timeout=900.0)
    pause = threading.Event()
    if not queued:
        answer = client.post("/v1/invocations", body).json
    else:
        identifier = client.post("/v1/invocations", body, Prefer="respond-async").json[
            "invocationId"
        ]
        answer = client.get(f"/v1/invocations/{identifier}").json
        while answer["status"] in ("queued", "running"):
            pause.wait(0.05)
            answer = client.get(f"/v1/invocations/{identifier}").json
    assert answer["status"] == "succeeded", answer
    return answer["output"]


def download(server: Process, file: str) -> str:
    """Download a file and return its digest."""
    connection, headers = _connected(server)
    connection.request("GET", f"/v1/files/{file}", headers=headers)
    response, digest = connection.getresponse(), hashlib.sha256()
    while piece := response.read(_PIECE):
        digest.update(piece)
    connection.close()
    return digest.hexdigest()
