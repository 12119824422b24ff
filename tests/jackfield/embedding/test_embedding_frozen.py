"""A process that is frozen between its writes, as an environment of AWS Lambda: pools of HTTP/2, of
botocore and of our own wire make new connections, whichever clock has gone on, for what is on the
way has forgotten the old ones without a word.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from doc_pages import ROOT
from http_rig import talk_http2
from jackfield import Jackfield
from raw_server import make_certificate, read_request, server_context
from waiting import until

_COUNT = 50 if os.environ.get("CAMPAIGN") else 3
_HOUR = 3600.0
_CLOCKS = ((_HOUR, _HOUR), (_HOUR, 0.0), (0.0, _HOUR))
"""By how much the clock of the day and the monotonic one go on in a freeze; freezes take turns."""
_MAIL = {
    "to": ["a@rcpt.test"],
    "sender": "o@sender.test",
    "subject": "Late",
    "text": "hi",
    "awsRegion": "eu-west-1",
}
_FUNCTION = '''
import json, os
from pathlib import Path
from jackfield import Jackfield
from jackfield.connector import Connector, Inputs, Output
from jackfield_http import BearerToken, HttpClient
from inmemory import installed

class Fast(BearerToken):
    """An account, over HTTP/2."""
    key = "fast"
    title = "Fast"
    http2 = True

class Order(Inputs):
    """What to order."""
    what: str

class Ordered(Output):
    """What was ordered."""
    what: str

fast = Connector("fast", title="Fast", version="1.0.0", connections=[Fast])

@fast.action("order", effect="write")
def order(asked: Order, api: HttpClient) -> Ordered:
    """Order something."""
    api.post("/orders", json={"what": asked.what})
    return Ordered(what=asked.what)

place = installed(Path(os.environ["TMPDIR"]) / "packages", fast)
catalog = place.__enter__()
jackfield = Jackfield(catalog=catalog if os.environ["WAY"] == "fast" else None, connections=[json.loads(os.environ["CONNECTIONS"])])

def handler(event, context):
    return jackfield.invoke({**json.loads(os.environ["CALL"]), "timeoutSeconds": 60}).to_json()
'''


@dataclass
class _Provider:
    """A server that keeps connections. What was connected before a freeze is forgotten: requests on
    it are never answered.
    """

    port: int = 0
    frozen: int = 0
    writes: int = 0
    forgotten: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def took(self, born: int, *, is_write: bool = True) -> None:
        """Take a request, if its connection was made since the last freeze."""
        if born != self.frozen:
            self.forgotten += 1
            self.over.wait(120)
            raise OSError("forgotten")
        self.writes += is_write

    def talk(self, connection: socket.socket) -> None:
        """Answer requests of HTTP/1.1 on a connection."""
        born = self.frozen
        while request := read_request(connection):
            self.took(born, is_write=request.startswith(b"POST"))
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                b'19\r\n\r\n{"MessageId": "m1"}'
            )

    def talk_http2(self, connection: ssl.SSLSocket) -> None:
        """Answer those of HTTP/2."""
        born = self.frozen

        def answer(_fields: dict[str, str]) -> tuple[int, bytes]:
            self.took(born)
            return 200, b"{}"

        talk_http2(connection, answer)


@contextmanager
def _serving(pem: Path | None) -> Iterator[_Provider]:
    """A provider on loopback; over TLS with a certificate, and then of HTTP/2."""
    provider = _Provider()
    context = None
    if pem is not None:
        context = server_context(pem)
        context.set_alpn_protocols(["h2"])

    def talk(connection: socket.socket) -> None:
        try:
            with connection:
                if context is None:
                    provider.talk(connection)
                else:
                    with context.wrap_socket(connection, server_side=True) as wrapped:
                        provider.talk_http2(wrapped)
        except OSError:  # the client has left
            return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        provider.port = listener.getsockname()[1]
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            provider.over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)


def _given(way: str, port: int, pem: Path) -> dict[str, str]:
    """The variables of a process that calls in one way."""
    if way == "HTTP/2":
        text = pem.read_text()
        authority = text[text.index("-----BEGIN CERTIFICATE") :]
        values = {"server": f"https://localhost:{port}", "token": "t", "caCertificate": authority}
        call = {
            "connector": "fast",
            "action": "order",
            "connection": "c",
            "inputs": {"what": "milk"},
        }
        connection = {"type": "fast/fast", "values": values}
    elif way == "HTTP/1.1":
        call = {
            "connector": "http",
            "action": "request",
            "connection": "c",
            "inputs": {"url": "/orders", "method": "POST"},
        }
        connection = {
            "type": "http/bearer",
            "values": {"server": f"http://127.0.0.1:{port}", "token": "t"},
        }
    else:
        call = {"connector": "aws-ses", "action": "sendEmail", "connection": "c", "inputs": _MAIL}
        keys = {
            "accessKeyId": "AKIAABCDEFGHIJKLWXYZ",
            "secretAccessKey": "x" * 40,
            "region": "eu-west-1",
        }
        connection = {
            "type": "aws/apiKeySecret",
            "values": {**keys, "endpoint": f"http://127.0.0.1:{port}"},
        }
    return {
        "CALL": json.dumps(call),
        "CONNECTIONS": json.dumps({"connections": {"c": connection}}),
        "WAY": str(call["connector"]),
        "JACKFIELD_AWS_DIRECT": str(int(way != "botocore")),
    }


class _Environment:
    """A process that handles one event after the other."""

    def __init__(self, folder: Path, given: dict[str, str]) -> None:
        tmp = folder / "tmp"
        (folder / "code").mkdir()
        (folder / "code" / "lambda_function.py").write_text(_FUNCTION)
        tmp.mkdir()
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("JACKFIELD_")
        }
        environment = {
            **kept,
            "JACKFIELD_HOME": str(tmp / "home"),
            "TMPDIR": str(tmp),
            "PYTHONPATH": str(ROOT / "tests" / "support"),
            **given,
        }
        command = [
            sys.executable,
            "-B",
            str(Path(__file__).with_name("lambda_runtime.py")),
            str(folder / "code"),
        ]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.ahead = [0.0, 0.0]

    def invoke(self) -> dict[str, Any]:
        """Handle an event, with the clocks of the process ahead."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(
            json.dumps({"event": {}, "ahead": {"wall": self.ahead[0], "monotonic": self.ahead[1]}})
            + "\n"
        )
        self.process.stdin.flush()
        result: dict[str, Any] = json.loads(self.process.stdout.readline())["result"]
        return result

    def freeze(self, provider: _Provider, by: tuple[float, float]) -> None:
        """Stop the process; its connections are forgotten, and its clocks move on."""
        os.kill(self.process.pid, signal.SIGSTOP)
        until(
            lambda: (
                Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
                == "T"
            )
        )
        provider.frozen += 1
        self.ahead = [before + more for before, more in zip(self.ahead, by, strict=True)]
        os.kill(self.process.pid, signal.SIGCONT)


@pytest.mark.parametrize("way", ["HTTP/1.1", "HTTP/2", "botocore"])
def test_a_write_after_a_freeze_goes_over_a_new_connection(way: str, tmp_path: Path) -> None:
    """However often: none is in doubt, none goes over a connection of before, and between two
    freezes connections are kept.
    """
    pem = make_certificate(tmp_path)
    with ExitStack() as stack:
        provider = stack.enter_context(_serving(pem if way == "HTTP/2" else None))
        function = _Environment(tmp_path, _given(way, provider.port, pem))
        stack.callback(function.process.communicate)
        stack.callback(function.process.kill)
        told = [function.invoke()]
        for number in range(_COUNT):
            function.freeze(provider, _CLOCKS[number % len(_CLOCKS)])
            told += [function.invoke(), function.invoke()]
    assert [one["status"] for one in told] == ["succeeded"] * (1 + 2 * _COUNT), [
        one for one in told if one["status"] != "succeeded"
    ][:1]
    assert (provider.writes, provider.forgotten) == (len(told), 0)
    with Jackfield(
        connections=[], environment={"JACKFIELD_HOME": str(tmp_path / "tmp" / "home")}
    ) as jackfield:
        entries = jackfield.journal_of().entries(limit=1000)[0]
    assert [entry.status for entry in entries] == ["succeeded"] * len(told)
