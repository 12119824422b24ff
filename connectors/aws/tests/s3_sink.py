"""A server that speaks S3's multipart protocol and keeps no content: it hashes what comes and
discards it, and makes up what it sends.

An object ``made/SIZE`` exists from the beginning; its bytes follow from their place. ``answers``
script what comes next in place of the server's own answer: a status with an error code, or ``CUT``,
which carries the request out and then closes the connection.
"""

from __future__ import annotations

import hashlib
import random
import re
import threading
import time
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

PIECE = 256 * 1024
DONE = (0, "done")
"""Script: the server's own answer."""
CUT = (0, "cut")
"""Script: carry the request out, and close the connection instead of answering."""
_PERIOD = 8191
"""Prime, so that parts differ from one another."""
_NOISE = random.Random("jackfield").randbytes(PIECE + _PERIOD)


def made(start: int, size: int) -> bytes:
    """Bytes of an object that is made up, from a place on. Each follows from its own place, however
    the object is cut.
    """
    pieces, left = [], size
    while left > 0:
        number, inside = divmod(start, PIECE)
        offset = number % _PERIOD + inside
        piece = _NOISE[offset : offset + min(left, PIECE - inside)]
        pieces.append(piece)
        start, left = start + len(piece), left - len(piece)
    return b"".join(pieces)


@dataclass
class Kept:
    """All that is kept of a part or an object."""

    size: int
    md5: str
    crc32: str
    kind: str = ""
    version: str = ""
    modified: float = field(default_factory=time.time)
    widths: tuple[int, ...] = ()


@dataclass
class Open:
    """An upload that has begun."""

    key: str
    kind: str
    sums: bool
    parts: dict[int, Kept] = field(default_factory=dict)


class Sink:
    """State of the server, and what it was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.objects: dict[str, Kept] = {}
        self.uploads: dict[str, Open] = {}
        self.versions: list[tuple[str, str]] = []
        """Keys and entity tags of all objects that came into being."""
        self.requests: list[str] = []
        self.answers: dict[str, list[tuple[int, str]]] = {}
        """Scripted answers by the kind of request: ``create``, ``part``, ``complete``, ``abort``,
        ``list``, ``head``, ``get``.
        """
        self.gate = threading.Event()
        """Parts wait for it."""
        self.gate.set()
        self.most = 0
        """Most parts that were on their way at once."""
        self.sent: list[int] = []
        """Numbers of the parts that came, in order."""
        self.odd: list[int] = []
        """Bytes that the next ranges have more than was asked for."""
        self._lock = threading.Lock()
        self._coming = 0

    def asked(self, kind: str) -> tuple[int, str] | None:
        """Note a request; return its scripted answer, if it has one."""
        with self._lock:
            self.requests.append(kind)
            waiting = self.answers.get(kind)
            return waiting.pop(0) if waiting else None

    def further(self) -> int:
        """Return how many bytes the next range has more than was asked for."""
        with self._lock:
            return self.odd.pop() if self.odd else 0

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Count a part that is on its way."""
        with self._lock:
            self._coming += 1
            self.most = max(self.most, self._coming)
        try:
            yield
        finally:
            with self._lock:
                self._coming -= 1

    def count(self, kind: str) -> int:
        """Number of requests of a kind."""
        return self.requests.count(kind)

    def made_object(self, size: int) -> str:
        """Let an object exist, and return its key."""
        key = f"made/{size}"
        crc, md5 = 0, hashlib.md5(usedforsecurity=False)
        for start in range(0, size, 8 * 1024 * 1024):
            content = made(start, min(8 * 1024 * 1024, size - start))
            crc = zlib.crc32(content, crc)
            md5.update(content)
        self.objects[key] = Kept(
            size, md5.hexdigest(), b64encode(crc.to_bytes(4, "big")).decode(), "application/zip"
        )
        return key


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sink: Sink

    def do_POST(self) -> None:
        """Begin or complete an upload."""
        query, body = self._query(), self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "uploads" in query:
            self._served("create", self._create)
        else:
            self._served("complete", lambda: self._complete(query["uploadId"], body))

    def do_PUT(self) -> None:
        """Take a part, or an object, or the range of one."""
        query, sink = self._query(), self.sink
        with sink.coming():
            kept = self._copied() if "x-amz-copy-source" in self.headers else self._taken()
            sink.gate.wait(60)
        if "uploadId" not in query:
            self._served("put", lambda: self._put(kept))
        else:
            self._served(
                "part", lambda: self._part(query["uploadId"], int(query["partNumber"]), kept)
            )

    def do_GET(self) -> None:
        """List an upload's parts, or send an object's bytes."""
        query = self._query()
        if "uploadId" in query:
            self._served(
                "list",
                lambda: self._list(query["uploadId"], int(query.get("part-number-marker", 0))),
            )
        else:
            self._served("get", lambda: self._get(body=True))

    def do_HEAD(self) -> None:
        """Describe an object."""
        self._served("head", lambda: self._get(body=False))

    def do_DELETE(self) -> None:
        """Abort an upload."""
        query = self._query()
        self._served("abort", lambda: self._abort(query["uploadId"]))

    def _served(self, kind: str, serve: Any) -> None:
        scripted = self.sink.asked(kind)
        if scripted == CUT:
            self.wfile = _Nowhere()  # type: ignore[assignment]  # has what a handler uses
            serve()
            self.close_connection = True
            return
        if scripted not in (None, DONE):
            self._fail(*scripted)
            return
        serve()

    def _create(self) -> None:
        sink, key = self.sink, self._key()
        identifier = f"upload-{len(sink.requests)}"
        sums = self.headers.get("x-amz-checksum-algorithm") == "CRC32"
        sink.uploads[identifier] = Open(key, self.headers.get("Content-Type", ""), sums)
        self._xml(
            f"<InitiateMultipartUploadResult><UploadId>{identifier}</UploadId></InitiateMultipartUploadResult>"
        )

    def _taken(self) -> Kept:
        left, crc, md5, size = (
            int(self.headers["Content-Length"]),
            0,
            hashlib.md5(usedforsecurity=False),
            0,
        )
        while left > 0 and (piece := self.rfile.read(min(left, PIECE))):
            left, size = left - len(piece), size + len(piece)
            crc = zlib.crc32(piece, crc)
            md5.update(piece)
        return Kept(size, md5.hexdigest(), b64encode(crc.to_bytes(4, "big")).decode())

    def _copied(self) -> Kept:
        key = (
            unquote(self.headers["x-amz-copy-source"])
            .partition("?")[0]
            .lstrip("/")
            .partition("/")[2]
        )
        whole = self.sink.objects[key]
        first, last = map(
            int,
            self.headers.get("x-amz-copy-source-range", f"bytes=0-{whole.size - 1}")[6:].split("-"),
        )
        crc, md5 = 0, hashlib.md5(usedforsecurity=False)
        for start in range(first, last + 1, 8 * 1024 * 1024):
            content = made(start, min(8 * 1024 * 1024, last + 1 - start))
            crc = zlib.crc32(content, crc)
            md5.update(content)
        return Kept(last + 1 - first, md5.hexdigest(), b64encode(crc.to_bytes(4, "big")).decode())

    def _part(self, identifier: str, number: int, kept: Kept) -> None:
        upload = self.sink.uploads.get(identifier)
        said = self.headers.get("x-amz-checksum-crc32")
        if upload is None:
            self._fail(404, "NoSuchUpload")
        elif (said is not None and said != kept.crc32) or (
            "Content-MD5" in self.headers
            and b64decode(self.headers["Content-MD5"]).hex() != kept.md5
        ):
            self._fail(400, "BadDigest")
        else:
            upload.parts[number] = kept
            self.sink.sent.append(number)
            if "x-amz-copy-source" in self.headers:
                sums = f"<ChecksumCRC32>{kept.crc32}</ChecksumCRC32>" if upload.sums else ""
                self._xml(f'<CopyPartResult><ETag>"{kept.md5}"</ETag>{sums}</CopyPartResult>')
            else:
                self._head(
                    200,
                    0,
                    ETag=f'"{kept.md5}"',
                    **({"x-amz-checksum-crc32": kept.crc32} if upload.sums else {}),
                )

    def _put(self, kept: Kept) -> None:
        kept.kind = self.headers.get("Content-Type", "")
        self._exists(self._key(), kept)
        self._head(200, 0, ETag=f'"{kept.md5}"')

    def _exists(self, key: str, kept: Kept) -> None:
        self.sink.versions.append((key, kept.md5))
        kept.version = f"v{len(self.sink.versions)}"
        self.sink.objects[key] = kept

    def _complete(self, identifier: str, body: bytes) -> None:
        upload = self.sink.uploads.get(identifier)
        if upload is None:
            self._fail(404, "NoSuchUpload")
            return
        named = [
            {child.tag.rpartition("}")[2]: child.text or "" for child in part}
            for part in ET.fromstring(body)
        ]
        parts = [upload.parts.get(int(one["PartNumber"])) for one in named]
        tags = [one["ETag"].strip('"') for one in named]
        if any(part is None or part.md5 != tag for part, tag in zip(parts, tags, strict=True)):
            self._fail(400, "InvalidPart")
            return
        whole = [part for part in parts if part is not None]
        md5 = hashlib.md5(
            b"".join(bytes.fromhex(part.md5) for part in whole), usedforsecurity=False
        ).hexdigest()
        crc = zlib.crc32(b"".join(b64decode(part.crc32) for part in whole))
        summed = f"{b64encode(crc.to_bytes(4, 'big')).decode()}-{len(whole)}"
        kept = Kept(
            sum(part.size for part in whole),
            f"{md5}-{len(whole)}",
            summed,
            upload.kind,
            widths=tuple(p.size for p in whole),
        )
        del self.sink.uploads[identifier]
        self._exists(upload.key, kept)
        sums = f"<ChecksumCRC32>{summed}</ChecksumCRC32>" if upload.sums else ""
        self._xml(
            f'<CompleteMultipartUploadResult><ETag>"{kept.md5}"</ETag>{sums}</CompleteMultipartUploadResult>',
            kept.version,
        )

    def _list(self, identifier: str, after: int) -> None:
        upload = self.sink.uploads.get(identifier)
        if upload is None:
            self._fail(404, "NoSuchUpload")
            return
        later = [number for number in sorted(upload.parts) if number > after]
        parts, shown = [], later[:1000]
        for number in shown:
            part = upload.parts[number]
            sums = f"<ChecksumCRC32>{part.crc32}</ChecksumCRC32>" if upload.sums else ""
            parts.append(
                f'<Part><PartNumber>{number}</PartNumber><Size>{part.size}</Size><ETag>"{part.md5}"</ETag>{sums}</Part>'
            )
        more = f"<NextPartNumberMarker>{shown[-1]}</NextPartNumberMarker>" if shown else ""
        truncated = str(len(later) > len(shown)).lower()
        self._xml(
            f"<ListPartsResult><IsTruncated>{truncated}</IsTruncated>{more}{''.join(parts)}</ListPartsResult>"
        )

    def _get(self, *, body: bool) -> None:
        kept = self.sink.objects.get(self._key())
        if kept is None:
            self._fail(404, "NoSuchKey")
            return
        number = self._query().get("partNumber")
        asked = re.fullmatch(r"bytes=([0-9]+)-([0-9]+)", self.headers.get("Range", ""))
        first, last = (
            (int(asked[1]), min(int(asked[2]), kept.size - 1)) if asked else (0, kept.size - 1)
        )
        last += self.sink.further() if asked else 0
        size = kept.widths[int(number) - 1] if number and kept.widths else last + 1 - first
        about = {
            "ETag": f'"{kept.md5}"',
            "Last-Modified": formatdate(kept.modified, usegmt=True),
            "Content-Type": kept.kind or "binary/octet-stream",
        }
        if self.headers.get("x-amz-checksum-mode") and not asked:
            about["x-amz-checksum-crc32"] = kept.crc32
        self._head(
            206 if asked else 200,
            size,
            **about,
            **({"x-amz-version-id": kept.version} if kept.version else {}),
        )
        for start in range(first, last + 1 if body else first, PIECE):
            self.wfile.write(made(start, min(PIECE, last + 1 - start)))

    def _abort(self, identifier: str) -> None:
        if self.sink.uploads.pop(identifier, None) is None:
            self._fail(404, "NoSuchUpload")
        else:
            self._head(204, 0)

    def _fail(self, status: int, code: str) -> None:
        self._xml(
            f"<Error><Code>{code}</Code><Message>{code}, as the script says.</Message></Error>",
            status=status,
        )

    def _xml(self, text: str, version: str = "", *, status: int = 200) -> None:
        content = b"" if self.command == "HEAD" else text.encode()
        self._head(
            status,
            len(content),
            **{"Content-Type": "application/xml"},
            **({"x-amz-version-id": version} if version else {}),
        )
        self.wfile.write(content)

    def _head(self, status: int, size: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(size),
            "x-amz-request-id": "sink",
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()

    def _query(self) -> dict[str, str]:
        return {
            name: values[0]
            for name, values in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()
        }

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]

    def log_message(self, *_: Any) -> None:
        return


class _Nowhere:
    """Takes an answer that nobody gets."""

    closed = False

    def write(self, content: bytes) -> int:
        """Take bytes."""
        return len(content)

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@contextmanager
def s3_sink() -> Iterator[Sink]:
    """Serve a sink; its ``url`` is its address."""
    sink = Sink()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("_Here", (_Handler,), {"sink": sink}))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that are killed
    sink.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, name="s3-sink", daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        sink.gate.set()
        server.shutdown()
        thread.join(30)
        server.server_close()
