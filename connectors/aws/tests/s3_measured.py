"""A large file to S3 and another one from there, through a server in a process of its own that is
killed in the middle of each.

The other side is a sink in this process, which hashes and discards. The disk holds one stored file
at a time, and its encrypted parts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from big_files import download, peak, pieces, upload
from http_stand import Process, process
from jackfield_aws.s3.parts import Digest
from jackfield_aws.s3.transfers import RANGE
from moto_rig import EVERYTHING, offer
from s3_sink import DONE, Sink, made, s3_sink

MEBI = 1024 * 1024
_LONGEST = 1800.0
"""Seconds for which a transfer may take."""


@dataclass
class Found:
    """Memory of the server in bytes (VmRSS idle after its start, and idle after a small file; VmHWM
    of each transfer), and seconds.
    """

    idle: int = 0
    warm: int = 0
    peaks: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    """Parts or ranges that were sent, again ones included, and how many a file has."""
    disk: int = 0
    """Most bytes below the server's folder."""


class _Run:
    """Servers one after the other over one folder, and one sink."""

    def __init__(self, folder: Path, sink: Sink, width: int, found: Found) -> None:
        self.folder, self.sink, self.width, self.found = folder, sink, width, found
        values = {
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "secretAccessKey": "sink-secret-4711",
            "endpoint": sink.url,
            "region": "us-east-1",
        }
        file = folder / "connections.json"
        file.write_text(
            json.dumps({"connections": {"sink": {"type": "aws/apiKeySecret", "values": values}}})
        )
        self._environment = {
            **offer(folder / "home", {"default": EVERYTHING}),
            "JACKFIELD_CONNECTIONS": str(file),
        }
        self._environment.pop("JACKFIELD_HOME")

    @contextmanager
    def server(self) -> Iterator[Process]:
        """Start a server over what the one before has left."""
        shutil.rmtree(self.folder / "plugs", ignore_errors=True)  # which each one makes
        with process(self.folder, **dict[str, Any](self._environment)) as server:
            yield server

    def begin(self, server: Process, action: str, **inputs: Any) -> str:
        """Queue a call; return its ID."""
        body = {
            "connector": "aws.s3",
            "action": action,
            "connection": "sink",
            "timeoutSeconds": 900,
            "inputs": {"Bucket": "b", **inputs},
        }
        answer = server.client.post("/v1/invocations", body, Prefer="respond-async").json
        return str(answer["invocationId"])

    def ended(self, server: Process, identifier: str) -> Any:
        """Wait for the end of a call; return its Result."""
        until = time.monotonic() + _LONGEST
        while (entry := server.client.get(f"/v1/invocations/{identifier}").json)["status"] in (
            "queued",
            "running",
        ):
            assert time.monotonic() < until, entry
            self._note_disk()
            time.sleep(0.2)
        return entry

    def killed(self, server: Process, reached: Callable[[], bool]) -> None:
        """Kill the server once something is reached."""
        until = time.monotonic() + _LONGEST
        while not reached():
            assert time.monotonic() < until
            time.sleep(0.02)
        server.process.kill()
        server.process.wait(30)

    def _note_disk(self) -> None:
        total = 0
        for path in self.folder.rglob("*"):
            with contextlib.suppress(OSError):
                total += path.stat().st_blocks * 512 if path.is_file() else 0
        self.found.disk = max(self.found.disk, total)


def measure(folder: Path, size: int, found: Found, width: int = 8 * MEBI) -> None:
    """Move a file of ``size`` bytes up and another one down; check entity tag, checksum and
    content, and that nothing is left over. ``found`` has what was measured before a failure, too.
    """
    with s3_sink() as sink:
        run = _Run(folder, sink, width, found)
        _up(run, size)
        _down(run, size)
        _aborted(run)


def _up(run: _Run, size: int) -> None:
    sink, found, parts = run.sink, run.found, -(-size // run.width)
    with run.server() as server:
        found.idle = server.rss()
        small = upload(server, 2 * run.width)
        assert (
            run.ended(server, run.begin(server, "uploadFile", Key="small", Body={"file": small}))[
                "status"
            ]
            == "succeeded"
        )
        time.sleep(1)
        found.warm = server.rss()
        with _timed(found, "to the server"):
            file = upload(server, size)
        before, started = len(sink.sent), time.perf_counter()
        _forget_peak(server)
        identifier = run.begin(
            server, "uploadFile", Key="large", Body={"file": file}, partSize=run.width
        )
        _held(run, lambda: len(sink.sent) - before >= parts // 2)
        found.peaks["up, until it was killed"] = peak(server.process.pid)
        run.killed(server, lambda: True)
    with run.server() as server:
        _forget_peak(server)
        result = run.ended(server, identifier)
        found.peaks["up, taken up again"] = peak(server.process.pid)
        found.seconds["up, with a kill"] = time.perf_counter() - started
        _check(run, result, size)
        found.sent["up"] = len(sink.sent) - before
        assert found.sent["up"] <= parts + 3
        assert server.client.call("DELETE", f"/v1/files/{file}").status == 204


def _held(run: _Run, reached: Callable[[], bool]) -> None:
    until = time.monotonic() + _LONGEST
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.02)
        run._note_disk()


def _check(run: _Run, result: Any, size: int) -> None:
    sink, digest = run.sink, Digest(run.width, md5=True)
    for piece in pieces(size):
        digest.update(piece)
    assert result["status"] == "succeeded", result
    output, kept = result["output"], sink.objects["large"]
    assert output["ETag"] == f'"{kept.md5}"'
    assert output["ChecksumCRC32"] == kept.crc32
    assert digest.check({"ChecksumCRC32": kept.crc32, "ChecksumType": "COMPOSITE"}) is True
    assert Digest.check(digest, {"ETag": output["ETag"]}) is True
    assert [key for key, _ in sink.versions] == ["small", "large"]
    assert sink.uploads == {}
    assert b64decode(kept.crc32.partition("-")[0])


def _down(run: _Run, size: int) -> None:
    sink, found = run.sink, run.found
    key, ranges = sink.made_object(size), -(-size // RANGE)
    with run.server() as server:
        before, started = sink.count("get"), time.perf_counter()
        identifier = run.begin(server, "downloadFile", Key=key)
        _held(run, lambda: sink.count("get") - before >= ranges // 2)
        found.peaks["down, until it was killed"] = peak(server.process.pid)
        run.killed(server, lambda: True)
    with run.server() as server:
        result = run.ended(server, identifier)
        found.peaks["down, taken up again"] = peak(server.process.pid)
        found.seconds["down, with a kill"] = time.perf_counter() - started
        found.sent["down"] = sink.count("get") - before
        assert result["status"] == "succeeded", result
        digest = hashlib.sha256()
        for start in range(0, size, 8 * MEBI):
            digest.update(made(start, min(8 * MEBI, size - start)))
        assert download(server, result["output"]["Body"]["file"]) == digest.hexdigest()
        assert (
            server.client.call("DELETE", f"/v1/files/{result['output']['Body']['file']}").status
            == 204
        )


def _aborted(run: _Run) -> None:
    sink = run.sink
    with run.server() as server:
        file = upload(server, 4 * run.width)
        sink.answers["part"] = [DONE, DONE, (403, "AccessDenied")]
        result = run.ended(
            server,
            run.begin(server, "uploadFile", Key="refused", Body={"file": file}, partSize=run.width),
        )
        assert (result["status"], result["error"]["provider"]["code"]) == ("failed", "AccessDenied")
        assert sink.uploads == {}
        assert "refused" not in sink.objects


def _forget_peak(server: Process) -> None:
    """Let VmHWM begin anew."""
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")


@contextmanager
def _timed(found: Found, name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    found.seconds[name] = time.perf_counter() - started
