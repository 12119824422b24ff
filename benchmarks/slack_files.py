"""A large file to Slack, and to any HTTP service and back, through a server: ``python -m
benchmarks.slack_files [MIB]``.

The provider is a fake on loopback, which keeps digests only. The server's peak memory must stay
below 200 MB.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.trees import ROOT
from big_files import download, peak, pieces, upload
from http_stand import Process, clean, process

_MIB = 1024 * 1024
_MOST = 200e6


class _Provider(BaseHTTPRequestHandler):
    """Slack's three requests for an upload; any other upload is answered with its digest, any
    download with ``size`` bytes.
    """

    protocol_version = "HTTP/1.1"
    size = 0
    taken = ""

    def do_POST(self) -> None:
        """Take a body."""
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left > 0 and (piece := self.rfile.read(min(left, _MIB))):
            left -= len(piece)
            digest.update(piece)
        host = self.headers["Host"]
        if self.path == "/files.getUploadURLExternal":
            self._answer({"ok": True, "upload_url": f"http://{host}/storage", "file_id": "F1"})
        elif self.path == "/files.completeUploadExternal":
            self._answer({"ok": True, "files": [{"id": "F1", "title": "Backup"}]})
        else:
            type(self).taken = digest.hexdigest()
            self._answer({"sha256": digest.hexdigest()})

    def do_GET(self) -> None:
        """Return a large body."""
        self._head("application/zip", self.size)
        for piece in pieces(self.size):
            self.wfile.write(piece)

    def _answer(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self._head("application/json", len(body))
        self.wfile.write(body)

    def _head(self, kind: str, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def _provider(size: int) -> Iterator[tuple[str, type[_Provider]]]:
    kind = type("_Here", (_Provider,), {"size": size})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", kind
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


def _invoked(
    server: Process, connector: str, action: str, connection: dict[str, Any], inputs: dict[str, Any]
) -> Any:
    client = type(server.client)(server.port, server.token, timeout=900.0)
    about = {
        "connector": connector,
        "action": action,
        "connection": connection,
        "inputs": inputs,
        "timeoutSeconds": 900,
    }
    answer = client.post("/v1/invocations", about).json
    assert answer["status"] == "succeeded", answer
    return answer["output"]


def _by_command(folder: Path, url: str, size: int) -> float:
    """Upload a file with the command line; return the peak memory of the process in bytes."""
    with (folder / "backup.zip").open("wb") as file:
        for piece in pieces(size):
            file.write(piece)
    (folder / "c.json").write_text(
        json.dumps(
            {
                "connections": {
                    "bot": {
                        "type": "slack/botToken",
                        "values": {"token": "xoxb-4711", "server": url},
                    }
                }
            }
        )
    )
    given = (
        f"file=@{folder}/backup.zip",
        "filename=backup.zip",
        "channel=C1",
        "--connection",
        "bot",
        "--timeout",
        "900",
    )
    environment = clean(folder / "home", JACKFIELD_CONNECTIONS=str(folder / "c.json"))
    running = subprocess.Popen(
        [sys.executable, "-m", "jackfield", "invoke", "slack", "uploadFile", *given],
        cwd=ROOT,
        env=environment,
    )
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0
    return used.ru_maxrss * 1024.0


def main(size: int) -> int:
    """Print the server's peak memory and the seconds of each step; return 1 if it took too much."""
    expected = hashlib.sha256()
    for piece in pieces(size):
        expected.update(piece)
    with tempfile.TemporaryDirectory() as folder, _provider(size) as (url, provider):
        bot = {"type": "botToken", "values": {"token": "xoxb-4711", "server": url}}
        anybody = {"type": "anonymous", "values": {"allowedHosts": ["127.0.0.1"]}}
        with process(Path(folder), "--queue-workers", "0", "--allow-host", "127.0.0.1") as server:
            file = {"file": upload(server, size)}
            calls: dict[str, Callable[[], Any]] = {
                "slack uploadFile": lambda: _invoked(
                    server,
                    "slack",
                    "uploadFile",
                    bot,
                    {"file": file, "filename": "backup.zip", "channel": "C1"},
                ),
                "http request, upload": lambda: _invoked(
                    server,
                    "http",
                    "request",
                    anybody,
                    {"method": "POST", "url": f"{url}/up", "file": file},
                ),
                "http request, download": lambda: _invoked(
                    server, "http", "request", anybody, {"url": f"{url}/down", "response": "file"}
                ),
            }
            for what, call in calls.items():
                begun, provider.taken = time.perf_counter(), ""
                output = call()
                print(
                    f"{what}, {size // _MIB:,} MiB: {time.perf_counter() - begun:.1f} s, server "
                    f"{peak(server.process.pid) / 1e6:.0f} MB",
                    flush=True,
                )
                assert what.endswith("download") or provider.taken == expected.hexdigest(), what
            assert download(server, output["file"]["file"]) == expected.hexdigest()
            most = peak(server.process.pid)
        provider.taken = ""
        command = _by_command(Path(folder), url, size)
        assert provider.taken == expected.hexdigest()
    print(
        f"the server took {most / 1e6:.0f} MB at most, 'jackfield invoke slack uploadFile' "
        f"{command / 1e6:.0f} MB; {_MOST / 1e6:.0f} are allowed"
    )
    return int(max(most, command) > _MOST)


if __name__ == "__main__":
    sys.exit(main(_MIB * (int(sys.argv[1]) if len(sys.argv) > 1 else 2048)))
