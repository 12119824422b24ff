"""Protocol-buffers wire format, as far as Dapr's binding messages need it (protobuf.dev, "Encoding")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LAST_SHIFT = 63
_SIZES = {_FIXED64: 8, _FIXED32: 4}


class WireError(ValueError):
    """Octets that are not a valid message."""


def members(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each length-delimited field in order; fields of other types are skipped.

    :raises WireError: if the octets are not a valid message.
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if not number:
            raise WireError("a field has the number 0")
        if kind == _VARINT:
            _, at = _varint(data, at)
            continue
        size = _SIZES.get(kind)
        if size is None:
            if kind != _BYTES:
                raise WireError(f"a field has the unknown kind {kind}")
            size, at = _varint(data, at)
        if at + size > len(data):
            raise WireError("it ends too early")
        if kind == _BYTES:
            yield number, data[at : at + size]
        at += size


def text(data: bytes) -> str:
    """Decode the content of a string field.

    :raises WireError: if it is not UTF-8.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise WireError("a string is not UTF-8") from None


def field(number: int, data: bytes | str) -> bytes:
    """Encode a length-delimited field; omit an empty one, as in proto3."""
    content = data.encode() if isinstance(data, str) else data
    return _encoded(number << 3 | _BYTES) + _encoded(len(content)) + content if content else b""


def integer(number: int, value: int) -> bytes:
    """Encode a non-negative integer field; omit 0, as in proto3."""
    return _encoded(number << 3 | _VARINT) + _encoded(value) if value else b""


def texts(number: int, items: Mapping[str, str]) -> bytes:
    """Encode a ``map<string, string>`` field."""
    found = bytearray()
    for key, value in items.items():
        entry = field(1, key) + field(2, value)
        found += _encoded(number << 3 | _BYTES) + _encoded(len(entry)) + entry
    return bytes(found)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise WireError("it ends too early")
        octet = data[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > _LAST_SHIFT:
            raise WireError("a number is too long")


def _encoded(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
