"""Heads of HTTP/1.1 messages (RFC 9112), read strictly, so that two readers of the same bytes never
see different messages in them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Sent
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.faults import Kind, WireFault, garbled

Fields = list[tuple[bytes, bytes]]
"""Header fields as sent: names in their own case, values without surrounding spaces."""

MAX_HEAD = 65_536
"""Maximum size of a response's head, in bytes."""
MAX_PARSED = 8_192
"""Maximum characters of a header field's value that is parsed. Servers accept as much for a whole
line; GitHub's longest ``Link`` of a search has 2,500.
"""
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = rb"[^\x00-\x08\x0a-\x1f\x7f]*"
VALUE_READ = rb"[^\x00\n\x0b\f\r]*"
"""Regular expression of a field's value in a response, by h11's rule. RFC 9110 §5.5 lets a
recipient accept control characters that end no line. Refusing a write's response for such a
character would leave the write in doubt.
"""
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: " + VALUE_READ + rb")?\r?\n")
_BLOCK = re.compile(rb"(?:" + _TOKEN + rb":" + VALUE_READ + rb"\r?\n)*\r?\n")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_END = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_SHOWN, _TLS_RECORDS = 40, (b"\x15\x03", b"\x16\x03")
"""Number of bytes quoted from a response without a valid head, and the first bytes of an alert and
a handshake of TLS (RFC 8446 §5.1).
"""
_REQUEST = re.compile(
    rb"[A-Z-]{1,32} [\x21-\x7e]+ HTTP/1\.1\r\n(?:" + _TOKEN + rb":" + _VALUE + rb"\r\n)*\r\n"
)


@dataclass(frozen=True, slots=True)
class Target:
    """Server of a request. An IPv6 ``host`` has no brackets."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> bytes:
        """Host and port, as in a CONNECT request."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}".encode("ascii", "replace")


@dataclass(frozen=True, slots=True, repr=False)
class Proxy(SecretHolder):
    """HTTP proxy, and its login. It is also a route that uses the proxy for every server.
    ``guarded``: a connection's value names the proxy, so the connection's guard must permit its
    address; an operator's proxy may be anywhere. ``resolves``: it may get names without an address
    on this machine.
    """

    at: Target
    login: tuple[str, str] | None = None
    guarded: bool = False
    resolves: bool = False

    def __call__(self, _target: Target) -> Proxy:
        """Return the proxy itself, for every server."""
        return self

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return self.at.authority.decode("ascii")

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the header field that signs in to the proxy."""
        if self.login is None:
            return []
        return [
            (
                b"Proxy-Authorization",
                b"Basic " + b64encode(f"{self.login[0]}:{self.login[1]}".encode()),
            )
        ]


Route = Callable[[Target], Proxy | None]
"""Function that returns the proxy for a server; None if the connection is direct."""


def head_end(buffer: bytes | bytearray, seen: int) -> int:
    """Return the length of the head at the beginning of ``buffer``, or 0 if its end has not
    arrived. ``seen`` bytes were searched before.

    :raises WireFault: if the head is too long.
    """
    found = _END.search(buffer, max(0, seen - 3))
    end = 0 if found is None else found.end()
    if max(end, 0 if end else len(buffer)) > MAX_HEAD:
        raise garbled(f"the head of the response is longer than {MAX_HEAD:,} bytes")
    return end


def read_head(head: bytes) -> tuple[int, int, Fields]:
    """Return the minor version of HTTP/1, the status and the fields of a response's head.

    :raises WireFault: if the bytes are not such a head.
    """
    first = _STATUS.match(head)
    if first is None:
        raise no_head(head)
    return int(first[1]), int(first[2]), read_fields(head[first.end() :])


def no_head(found: bytes | bytearray) -> WireFault:
    """Return the fault for bytes that are not the head of a response; it quotes the greeting of
    another protocol.
    """
    line = found.split(b"\n", 1)[0][:_SHOWN].decode("latin-1").strip()
    return garbled(
        "its first line is no status line of HTTP/1, but "
        f"{'a record of TLS' if found[:2] in _TLS_RECORDS else repr(line)}"
    )


def read_fields(block: bytes) -> Fields:
    """Return the fields of a head without its first line, or of a chunked body's end. A folded line
    continues its field (RFC 9112 §5.2).

    :raises WireFault: if a line is not a field.
    """
    if b"\n " in block or b"\n\t" in block:
        block = _FOLD.sub(b" ", block)
    if _BLOCK.fullmatch(block) is None:
        raise garbled("a line of its head is no header field")
    return [
        (name, value.strip(b" \t\r"))
        for name, _, value in [line.partition(b":") for line in block.split(b"\n")[:-2]]
    ]


def write_head(method: str, target: bytes, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the head of a request.

    :raises WireFault: if a part of the head contains a line end or another forbidden character.
    """
    lines = [b"%b %b HTTP/1.1\r\n" % (method.encode("latin-1", "replace"), target)]
    lines += [b"%b: %b\r\n" % field for field in fields]
    lines.append(b"\r\n")
    head = b"".join(lines)
    if _REQUEST.fullmatch(head) is None or head.count(b"\n") != len(lines):
        raise WireFault(
            Kind.UNSENDABLE,
            Sent.NOTHING,
            "a part of the request's head contains characters that HTTP does not allow",
        )
    return head


def framing_of(fields: Fields) -> tuple[list[bytes], list[bytes]]:
    """Return the lengths and the codings by which a head frames its body.

    :raises WireFault: if there are several lengths, or a coding other than chunked.
    """
    lengths, codings = values_of(fields, b"content-length"), values_of(fields, b"transfer-encoding")
    if codings and codings != [b"chunked"]:
        raise garbled("its body is encoded for the transfer in another way than chunked")
    if lengths and (len(set(lengths)) > 1 or _LENGTH.fullmatch(lengths[0]) is None):
        raise garbled("its Content-Length is not one number")
    return lengths, codings


def parsable_field(value: str | None) -> str | None:
    """Return a header field's value if it is short enough to be parsed; else None."""
    return value if value is None or len(value) <= MAX_PARSED else None


def field_of(fields: Fields, name: bytes) -> str | None:
    """Return the value of a field by its name in lower case, for a parser; repeated fields are
    joined by commas. None without the field, or if its value is too long.
    """
    found = [value.strip(b" \t") for key, value in fields if key.lower() == name]
    return parsable_field(b", ".join(found).decode("latin-1")) if found else None


def values_of(fields: Fields, name: bytes) -> list[bytes]:
    """Return the values of all fields called ``name`` (in lower case), split at commas, without
    spaces, in lower case.
    """
    found = [value for key, value in fields if len(key) == len(name) and key.lower() == name]
    return [part.strip(b" \t").lower() for value in found for part in value.split(b",")]
