"""HTTP/1.1 on a plain socket: reading of requests and encoding of responses."""

from __future__ import annotations

import socket

from jackfield_aws_ses_simulator.aws.exchange import Answer, HttpRequest

MAX_HEAD = 65_536
MAX_BODY = 256 * 1024 * 1024

_REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
}


class BadRequestError(Exception):
    """Error for bytes that are not an HTTP/1.1 request."""


def head(answer: Answer) -> bytes:
    """Return a response's status line and headers, including the length of the body."""
    more = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
    return (
        f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Status')}\r\nContent-Type: "
        f"{answer.content_type}\r\n"
        f"{more}Content-Length: {len(answer.body)}\r\n\r\n"
    ).encode("latin-1", "replace")


def sent_whole(answer: Answer) -> bytes:
    """Return a response's bytes: head and body."""
    return head(answer) + answer.body


class Reader:
    """Reader of successive requests from one socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._rest = b""

    def read(self) -> HttpRequest | None:
        """Return the next request; None if the caller closed the connection between two requests.

        :raises BadRequestError: for bytes that are no request.
        :raises OSError: if the connection breaks.
        """
        head = self._head()
        if head is None:
            return None
        method, path, query, headers = _parse_head(head)
        if headers.get("expect", "").lower() == "100-continue":
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = (
            self._chunks()
            if "chunked" in headers.get("transfer-encoding", "")
            else self._body(headers)
        )
        return HttpRequest(method, path, query, headers, body)

    def _head(self) -> bytes | None:
        data = self._rest
        while True:
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                self._rest = data[end + 4 :]
                return data[:end]
            if len(data) > MAX_HEAD:
                raise BadRequestError("the head is too long")
            more = self._sock.recv(65_536)
            if not more:
                return None
            data = data + more if data else more

    def _body(self, headers: dict[str, str]) -> bytes | bytearray:
        try:
            length = int(headers.get("content-length", "0"))
        except ValueError:
            raise BadRequestError("Content-Length is no number") from None
        if not 0 <= length <= MAX_BODY:
            raise BadRequestError("Content-Length is out of bounds")
        return self._exactly(length)

    def _exactly(self, length: int) -> bytes | bytearray:
        rest = self._rest
        if len(rest) >= length:
            self._rest = rest[length:]
            return rest[:length]
        # One buffer of the final size: a body of 60 MB must not be copied as it grows.
        body = bytearray(length)
        body[: len(rest)] = rest
        self._rest = b""
        view, have = memoryview(body), len(rest)
        while have < length:
            count = self._sock.recv_into(view[have:])
            if not count:
                raise ConnectionError("the caller closed inside a body")
            have += count
        return body

    def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while True:
            try:
                size = int(self._line().split(b";")[0], 16)
            except ValueError:
                raise BadRequestError("a chunk without a size") from None
            if size == 0:
                while self._line():
                    pass
                return b"".join(parts)
            parts.append(bytes(self._exactly(size)))
            self._line()

    def _line(self) -> bytes:
        while (end := self._rest.find(b"\r\n")) < 0:
            more = self._sock.recv(65_536)
            if not more or len(self._rest) > MAX_HEAD:
                raise ConnectionError("the caller closed inside a body")
            self._rest += more
        line, self._rest = self._rest[:end], self._rest[end + 2 :]
        return line


def _parse_head(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    start = lines[0].split(" ")
    if len(start) != 3 or not start[2].startswith("HTTP/1."):
        raise BadRequestError("no HTTP/1.1 request line")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequestError("a header line without a colon")
        name = name.lower()
        value = value.strip()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    path, _, query = start[1].partition("?")
    return start[0], path, query, headers
