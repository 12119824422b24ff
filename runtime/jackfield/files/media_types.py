"""Media types by file name, the same on every host."""

from __future__ import annotations

import mimetypes
import os

OCTETS = "application/octet-stream"
_ENCODED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz", "compress": "application/x-compress"}
_OFFICE = {
    suffix: f"application/vnd.openxmlformats-officedocument.{kind}"
    for suffix, kind in (
        (".docx", "wordprocessingml.document"),
        (".xlsx", "spreadsheetml.sheet"),
        (".pptx", "presentationml.presentation"),
    )
}


def media_type_of(name: str | None) -> str:
    """Return the media type of a file by the end of its name; ``application/octet-stream`` if that says nothing."""
    if not name:
        return OCTETS
    suffix = os.path.splitext(name)[1].lower()
    # a separate table gives the same answer on every host; Python's module-level one reads the host's files
    found, encoding = mimetypes.MimeTypes().guess_type(os.path.basename(name))
    if encoding:
        return _ENCODED.get(encoding, OCTETS)
    return _OFFICE.get(suffix) or found or OCTETS
