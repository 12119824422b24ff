"""A server whose answer is a stream of AWS's events, each of which it sends only when it is told
to.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

KEYS = {
    "region": "eu-west-1",
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}


def event(kind: str, payload: Any, message: str = "event") -> bytes:
    """An event as AWS sends it."""
    name = ":exception-type" if message == "exception" else ":event-type"
    octets = isinstance(payload, bytes)
    headers = {
        ":message-type": message,
        ":content-type": "application/octet-stream" if octets else "application/json",
        name: kind,
    }
    head = b"".join(
        bytes([len(key)]) + key.encode() + b"\7" + struct.pack("!H", len(word)) + word.encode()
        for key, word in headers.items()
    )
    body = payload if octets else json.dumps(payload).encode()
    lead = struct.pack("!II", 16 + len(head) + len(body), len(head))
    found = lead + struct.pack("!I", zlib.crc32(lead)) + head + body
    return found + struct.pack("!I", zlib.crc32(found))


def text(part: str) -> bytes:
    """An event of ``ConverseStream``."""
    return event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": part}})


STOP = event("messageStop", {"stopReason": "end_turn"})


class EventServer:
    """Answers one request after the other with the same events. ``go`` lets one event out; ``sent``
    counts them.
    """

    def __init__(self, events: Sequence[bytes], framing: str) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.go = threading.Semaphore(0)
        self.sent = self.requests = 0
        self.left = threading.Event()
        """Set once a client has closed its connection."""
        self._events, self._framing = events, framing
        self._thread = threading.Thread(target=self._serve, name="event-server", daemon=True)
        self._thread.start()

    def let(self, count: int) -> None:
        """Let some events out."""
        self.go.release(count)

    def close(self) -> None:
        """Serve no more."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.let(10_000)
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        watching = threading.Thread(target=self._watch, args=(client,), daemon=True)
        try:
            with client:
                self._read(client)
                self.requests += 1
                watching.start()
                self._send(client)
                # closing it does not end it while another thread reads it
                client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.left.set()

    def _watch(self, client: socket.socket) -> None:
        """Set ``left`` when the client closes, though nothing is sent meanwhile."""
        try:
            while client.recv(4096):
                pass
        except OSError:
            pass
        self.left.set()

    @staticmethod
    def _read(client: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += client.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        sizes = [
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        ]
        while sizes and len(body) < sizes[0]:
            body += client.recv(65536)

    def _send(self, client: socket.socket) -> None:
        is_chunked = self._framing == "chunked"
        framing = {
            "chunked": "Transfer-Encoding: chunked",
            "length": f"Content-Length: {sum(map(len, self._events))}",
        }
        lines = (
            "HTTP/1.1 200 OK",
            "Content-Type: application/vnd.amazon.eventstream",
            framing.get(self._framing, "Connection: close"),
        )
        client.sendall("\r\n".join((*lines, "", "")).encode())
        for one in self._events:
            self.go.acquire()
            client.sendall(b"%x\r\n%b\r\n" % (len(one), one) if is_chunked else one)
            self.sent += 1
        if is_chunked:
            client.sendall(b"0\r\n\r\n")


@contextmanager
def event_server(events: Sequence[bytes], framing: str = "chunked") -> Iterator[EventServer]:
    """Serve events until left."""
    server = EventServer(events, framing)
    try:
        yield server
    finally:
        server.close()


def connections(url: str) -> dict[str, Any]:
    """The document of a connection ``m`` to the server."""
    return {"connections": {"m": {"type": "aws/apiKeySecret", "values": {**KEYS, "endpoint": url}}}}


CONVERSE = {
    "connector": "aws.bedrock-runtime",
    "action": "converseStream",
    "connection": "m",
    "inputs": {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "x"}]}]},
    "timeoutSeconds": 120,
}
SELECT = {
    "connector": "aws.s3",
    "action": "selectObjectContent",
    "connection": "m",
    "inputs": {
        "Bucket": "reports",
        "Key": "k",
        "Expression": "select 1",
        "ExpressionType": "SQL",
        "InputSerialization": {"JSON": {"Type": "LINES"}},
        "OutputSerialization": {"JSON": {}},
    },
    "timeoutSeconds": 120,
}
INVOKE = {
    "connector": "aws.lambda",
    "action": "invokeWithResponseStream",
    "connection": "m",
    "inputs": {"FunctionName": "f"},
    "timeoutSeconds": 120,
}
