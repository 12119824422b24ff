"""Layout of a zip archive: its entries must be contiguous, so that every reader sees the same
files.

A zip archive can be read by its directory at the end, or as a stream of entries from the start.
Only one kind of reader sees an entry that the directory does not list, bytes between entries, or a
local header that differs from the directory (APPNOTE.TXT 4.3, 4.4).
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence

_LOCAL = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")
_DESCRIPTOR = struct.Struct("<3I")
_FIELD = struct.Struct("<2H")
_LISTED = 46
"""Size in bytes of an entry in the directory, without its name, extra fields and comment."""
_SIGNED_DESCRIPTOR = b"PK\x07\x08"
_HAS_DESCRIPTOR = 0x8
_ZIP64, _OTHER_NAME = 0x0001, 0x7075
"""IDs of the extra fields that override the header's sizes, and its name."""


def data_places(content: bytes, entries: Sequence[zipfile.ZipInfo]) -> dict[int, int]:
    """Return the offset of each entry's data by the offset of its local header.

    :raises zipfile.BadZipFile: if the archive has parts that its directory, which lists
        ``entries``, does not describe.
    """
    directory, size = _directory(content, len(entries))
    found, place = {}, 0
    for entry in sorted(entries, key=lambda one: one.header_offset):
        if entry.header_offset != place:
            between = (
                "overlaps the one before"
                if entry.header_offset < place
                else "follows bytes that its directory does not list"
            )
            raise zipfile.BadZipFile(f"the entry '{entry.filename[:200]}' {between}")
        found[place], end = _data(content, entry)
        if end > directory:
            raise _differs(entry)
        place = end
    listed = sum(
        _LISTED + len(entry.orig_filename.encode()) + len(entry.extra) + len(entry.comment)
        for entry in entries
    )
    if place != directory or listed != size:
        raise zipfile.BadZipFile(
            "it has bytes that belong to no entry, before its directory or in it"
        )
    return found


def unpacked(content: bytes, entry: zipfile.ZipInfo, place: int) -> bytes:
    """Return the unpacked content of an entry, whose data begins at ``place``.

    :raises zipfile.BadZipFile: if its data contradicts the directory, or ends early.
    :raises zlib.error: if the data cannot be unpacked.
    """
    data = content[place : place + entry.compress_size]
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        data = stream.decompress(data, entry.file_size + 1)
        if not stream.eof or stream.unused_data:
            raise zipfile.BadZipFile(
                f"the data of '{entry.filename}' is cut off, or more follows its end"
            )
    if len(data) != entry.file_size or zlib.crc32(data) != entry.CRC:
        raise zipfile.BadZipFile(
            f"the content of '{entry.filename}' has another size or checksum than stated"
        )
    return data


def _directory(content: bytes, count: int) -> tuple[int, int]:
    """Return the offset and the size of the directory, in bytes."""
    if len(content) < _END.size or content[-_END.size :][:4] != b"PK\x05\x06":
        raise zipfile.BadZipFile("a comment or other bytes follow its end")
    _, disk, first, here, total, size, offset, comment = _END.unpack(content[-_END.size :])
    if (disk, first, here, total, comment) != (0, 0, count, count, 0) or offset + size != len(
        content
    ) - _END.size:
        raise zipfile.BadZipFile("the record at its end does not describe it")
    return offset, size


def _data(content: bytes, entry: zipfile.ZipInfo) -> tuple[int, int]:
    """Return the offsets of an entry's data and of the next entry."""
    start = entry.header_offset
    head = content[start : start + _LOCAL.size]
    if len(head) < _LOCAL.size:
        raise _differs(entry)
    sign, _, flags, method, _, _, crc, packed, size, name_size, extra_size = _LOCAL.unpack(head)
    names = start + _LOCAL.size
    data = names + name_size + extra_size
    name, extra = content[names : names + name_size], content[names + name_size : data]
    if (sign, flags, method, name) != (
        b"PK\x03\x04",
        entry.flag_bits,
        entry.compress_type,
        entry.orig_filename.encode(),
    ):
        raise _differs(entry)
    if not {_ZIP64, _OTHER_NAME}.isdisjoint((*_fields(extra), *_fields(entry.extra))):
        raise zipfile.BadZipFile(f"'{entry.filename}' has fields that state another name or size")
    sizes, listed = (crc, packed, size), (entry.CRC, entry.compress_size, entry.file_size)
    end = data + entry.compress_size
    if not flags & _HAS_DESCRIPTOR:
        if sizes != listed:
            raise _differs(entry)
        return data, end
    end += len(_SIGNED_DESCRIPTOR) * content.startswith(_SIGNED_DESCRIPTOR, end)
    if content[end : end + _DESCRIPTOR.size] != _DESCRIPTOR.pack(*listed) or sizes not in {
        (0, 0, 0),
        listed,
    }:
        raise _differs(entry)
    return data, end + _DESCRIPTOR.size


def _differs(entry: zipfile.ZipInfo) -> zipfile.BadZipFile:
    return zipfile.BadZipFile(
        f"the local header of '{entry.filename[:200]}' differs from the directory"
    )


def _fields(extra: bytes) -> list[int]:
    """Return the numbers of the extra fields; ``_OTHER_NAME`` alone if they are malformed."""
    found = []
    while extra:
        if len(extra) < _FIELD.size:
            return [_OTHER_NAME]
        number, size = _FIELD.unpack_from(extra)
        found.append(number)
        extra = extra[_FIELD.size + size :]
    return found
