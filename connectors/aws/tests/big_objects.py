"""A large file to S3 and back through a server in a process of its own, and the memory that this
takes.

The other side is a small server that keeps objects in files: moto keeps them in memory.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from big_files import download, peak, pieces, upload
from http_stand import Process, process
from moto_rig import EVERYTHING, offer

_PIECE = 1024 * 1024
_WARM = 16 * _PIECE
"""Bytes of the file that goes first: buffers and the allocator's heaps have their size then."""


class _Objects(BaseHTTPRequestHandler):
    """The two requests of S3 that store and return an object."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def do_PUT(self) -> None:
        """Keep a body."""
        left = int(self.headers["Content-Length"])
        with self._path().open("wb") as file:
            while left > 0 and (piece := self.rfile.read(min(left, _PIECE))):
                left -= len(piece)
                file.write(piece)
        self._path().with_suffix(".type").write_text(
            self.headers.get("Content-Type", ""), encoding="ascii"
        )
        self._head(0, ETag='"e"')

    def do_GET(self) -> None:
        """Return a body."""
        kind = self._path().with_suffix(".type").read_text(encoding="ascii")
        self._head(self._path().stat().st_size, **{"Content-Type": kind or "binary/octet-stream"})
        with self._path().open("rb") as file:
            shutil.copyfileobj(file, self.wfile, _PIECE)

    def _head(self, size: int, **headers: str) -> None:
        self.send_response(200)
        for name, value in {"Content-Length": str(size), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _path(self) -> Path:
        return self.folder / hashlib.sha256(self.path.partition("?")[0].encode()).hexdigest()

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def objects(folder: Path) -> Iterator[str]:
    """Serve objects from a folder; yield the address."""
    folder.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("_Here", (_Objects,), {"folder": folder}))
    thread = threading.Thread(target=server.serve_forever, name="objects", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


@dataclass(frozen=True)
class Measured:
    """Peak memory of the server in bytes, what it took before, and seconds of each step."""

    peak: int
    before: int
    seconds: Mapping[str, float]


def measure(folder: Path, size: int) -> Measured:
    """Upload a file, put it into S3, get it from there, and download it; it must be the same."""
    with objects(folder / "objects") as address:
        environment = {
            "AWS_ENDPOINT_URL": address,
            **offer(folder / "home", {"default": EVERYTHING}),
        }
        environment.pop("JACKFIELD_HOME")
        with process(folder, "--queue-workers", "0", **dict[str, Any](environment)) as server:
            small = _there_and_back(server, min(size // 4, _WARM), {})
            assert small["contentType"] == "application/zip"
            before, seconds = peak(server.process.pid), dict[str, float]()
            _there_and_back(server, size, seconds)
            return Measured(peak(server.process.pid), before, seconds)


def _there_and_back(server: Process, size: int, seconds: dict[str, float]) -> Any:
    digest = hashlib.sha256()
    for piece in pieces(size):
        digest.update(piece)
    with _timed(seconds, "upload"):
        file = upload(server, size)
    with _timed(seconds, "putObject"):
        _invoked(server, "putObject", Body={"file": file}, ContentType="application/zip")
    with _timed(seconds, "getObject"):
        found = _invoked(server, "getObject")["Body"]
    assert found["size"] == size
    with _timed(seconds, "download"):
        assert download(server, found["file"]) == digest.hexdigest()
    return found


def _invoked(server: Process, action: str, **inputs: Any) -> Any:
    keys = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "objects-4711"}
    given = {"awsRegion": "us-east-1", "Bucket": "big", "Key": "one", **inputs}
    connection = {"type": "apiKeySecret", "values": keys}
    client = type(server.client)(server.port, server.token, timeout=900.0)
    body = {
        "connector": "aws.s3",
        "action": action,
        "connection": connection,
        "inputs": given,
        "timeoutSeconds": 900,
    }
    answer = client.post("/v1/invocations", body).json
    assert answer["status"] == "succeeded", answer
    return answer["output"]


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started
