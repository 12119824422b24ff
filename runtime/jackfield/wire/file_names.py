"""Names of files in ``Content-Disposition`` (RFC 6266, RFC 8187), of requests, parts of forms and responses alike."""

from __future__ import annotations

import re
from contextlib import suppress
from email.message import Message
from email.utils import collapse_rfc2231_value

_LONGEST = 200
_LONGEST_HEADER = 4000
# controls, lone surrogates, and marks that reorder displayed text ("fdp.exe" for "exe.pdf")
_UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def file_name(disposition: str) -> str | None:
    """Return the file name of a ``Content-Disposition``, of ``filename*`` before ``filename``, as a browser would save it: without folders,
    control and bidirectional characters, at most 200 characters. None if there is none."""
    message = Message()
    message["Content-Disposition"] = disposition[:_LONGEST_HEADER]
    named = [value for name, value in message.get_params([], "Content-Disposition") if name.lower() == "filename"]
    given = named[-1] if named else ""  # the extended form comes last
    text = collapse_rfc2231_value(given)
    if isinstance(given, str):
        with suppress(UnicodeError):
            text = given.encode("latin-1").decode()  # heads are read as Latin-1; most programs send UTF-8
    return _UNWANTED.sub("", re.split(r"[/\\]", text)[-1]).strip()[:_LONGEST] or None
