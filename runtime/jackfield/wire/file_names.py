"""Names of files in ``Content-Disposition`` (RFC 6266, RFC 8187), of requests, parts of forms and
responses alike.
"""

from __future__ import annotations

from contextlib import suppress
from email.message import Message
from email.utils import collapse_rfc2231_value

from jackfield.kernel.media_types import clean_name

_LONGEST_HEADER = 4000


def file_name(disposition: str) -> str | None:
    """Return the file name of a ``Content-Disposition``, of ``filename*`` before ``filename``, in a
    form that every host can save.

    It has no folders, no hidden characters, no blanks or dots at the end, and at most 200 bytes
    with its ending. Return None if the field has no usable name.
    """
    message = Message()
    message["Content-Disposition"] = disposition[:_LONGEST_HEADER]
    named = [
        value
        for name, value in message.get_params([], "Content-Disposition")
        if name.lower() == "filename"
    ]
    given = named[-1] if named else ""  # the extended form comes last
    text = collapse_rfc2231_value(given)
    if isinstance(given, str):
        with suppress(UnicodeError):
            # heads are read as Latin-1; most programs send UTF-8
            text = given.encode("latin-1").decode()
    return clean_name(text)
