"""Names of files, and media types by name, equal on every host."""

from __future__ import annotations

import mimetypes
import os
import re

from jackfield.kernel.hidden import without_hidden

OCTETS = "application/octet-stream"
_ENCODED = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "compress": "application/x-compress",
}
_OFFICE = {
    suffix: f"application/vnd.openxmlformats-officedocument.{kind}"
    for suffix, kind in (
        (".docx", "wordprocessingml.document"),
        (".xlsx", "spreadsheetml.sheet"),
        (".pptx", "presentationml.presentation"),
    )
}

_WORD = r"[A-Za-z0-9!#$&^_.+-]"
_TYPE = re.compile(
    rf'{_WORD}{{1,60}}/{_WORD}{{1,100}}(?:; ?{_WORD}{{1,60}}=(?:{_WORD}{{1,100}}|"[ '
    rf'!#-\[\]-~]{{0,100}}")){{0,4}}\Z'
)
"""Regular expression of a media type: type, subtype and a few parameters, by RFC 6838 and 9110
without escapes in quotes.
"""

_LONGEST = 200
"""Maximum bytes of a name: file systems accept 255, and browsers add " (1)" and an ending of their
own.
"""
_LONGEST_ENDING = 32
_JOINERS = "\u200c\u200d"
"""Hidden characters that emoji and some scripts need."""


def clean_name(name: str) -> str | None:
    """Return the last part of a path in a form that every host can save; None if nothing remains.

    Hidden characters are removed, such as characters that reorder displayed text ("fdp.exe" for
    "exe.pdf"). So are blanks and dots at the end, which Windows drops and of which ``..`` consists.
    A longer name is truncated before its ending.
    """
    last = without_hidden(re.split(r"[/\\]", name)[-1], _JOINERS).strip().rstrip(". ")
    if len(last.encode()) > _LONGEST:
        stem, dot, ending = last.rpartition(".")
        kept = f".{ending}" if dot and stem and len(ending.encode()) < _LONGEST_ENDING else ""
        last = (
            last.encode()[: _LONGEST - len(kept.encode())].decode(errors="ignore").rstrip(". ")
            + kept
        )
    return last or None


def media_type(given: str) -> str:
    """Return a media type from a caller, a connector or a provider; ``application/octet-stream``
    for a malformed one.
    """
    return given if _TYPE.match(given) else OCTETS


def media_type_of(name: str | None) -> str:
    """Return the media type of a file by its name's ending; ``application/octet-stream`` for an
    unknown ending.
    """
    if not name:
        return OCTETS
    suffix = os.path.splitext(name)[1].lower()
    # a separate table gives the same answer on every host; Python's module-level one reads the
    # host's files
    found, encoding = mimetypes.MimeTypes().guess_type(os.path.basename(name))
    if encoding:
        return _ENCODED.get(encoding, OCTETS)
    return _OFFICE.get(suffix) or found or OCTETS
