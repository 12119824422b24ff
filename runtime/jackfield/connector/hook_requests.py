"""Request of a webhook, for verifiers and readers. Its charset is given by its byte order mark,
else by its media type, else it is UTF-8.
"""

from __future__ import annotations

import codecs
import json
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from jackfield.invocation import decode
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.price import LARGE_NUMBER
from jackfield.kernel.secrecy import SecretHolder

_MARKS = (
    (BOM_UTF8, "utf-8-sig"),
    (BOM_UTF32_LE, "utf-32"),
    (BOM_UTF32_BE, "utf-32"),
    (BOM_UTF16_LE, "utf-16"),
    (BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(r"charset=\s*[\"']?([A-Za-z0-9_:-]{1,40})", re.IGNORECASE)
_TEXTUAL = re.compile(
    r"utf-(8|16|32)(-[bl]e)?|iso8859-[0-9]{1,2}|cp(125[0-8]|866|874|932|949)|koi8-[ru]|shift_jis|euc_(jp|kr)|gbk|gb2312|gb18030|big5(hkscs)?"
)
"""Codecs of plain charsets. Other codecs of Python take quadratic time, or do something else than
decode text.
"""


_MOST_FIELDS = 1000
"""Maximum number of members of a form."""


class Malformed(Exception):
    """Error for a signed request that the trigger cannot read. The sender gets 400."""


def codec_of(body: bytes, headers: Mapping[str, str]) -> str:
    """Return the name of the codec that decodes a body; the names of ``headers`` are in lower
    case.
    """
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return codec
    label = _CHARSET.search(headers.get("content-type", ""))
    try:
        found = codecs.lookup(label[1]).name if label else "utf-8"
    except LookupError:
        return "utf-8"
    return "cp1252" if found == "iso8859-1" else found if _TEXTUAL.fullmatch(found) else "utf-8"


def strict_json(text: str | bytes) -> Any:
    """Return a JSON value, parsed as strictly as an invocation: UTF-8 without a byte order mark, no
    duplicate members, limited depth, and no number that is infinite as a float.

    :raises Malformed: if the text is not such JSON.
    """
    try:
        octets = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        if octets.startswith(BOM_UTF8):
            raise Malformed
        found = decode(octets)
        if LARGE_NUMBER.search(octets):
            json.dumps(found, allow_nan=False)
    except (JackfieldError, ValueError):
        raise Malformed from None
    return found


@dataclass(frozen=True, slots=True, repr=False)
class HookRequest(SecretHolder):
    """Request of a provider. The names of ``headers`` are in lower case; ``at`` is the time of
    arrival in seconds since 1970. ``query_string`` is the query as it was sent, which some
    providers sign.
    """

    body: bytes
    headers: Mapping[str, str]
    at: float
    query: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    query_string: str = ""

    def json(self) -> Any:
        """Return the body, parsed as JSON in its declared charset, with or without a byte order
        mark. It is parsed as strictly as an invocation: no duplicate member, limited depth.

        :raises Malformed: if the body is not such JSON.
        """
        codec = codec_of(self.body, self.headers)
        if codec in {"utf-8", "utf-8-sig"}:
            return strict_json(self.body.removeprefix(BOM_UTF8))
        try:
            return strict_json(self.body.decode(codec).removeprefix("\ufeff"))
        except UnicodeDecodeError:
            raise Malformed from None

    def form(self) -> list[tuple[str, str]]:
        """Return the members of a form, sorted by name, without duplicate pairs, as Twilio signs
        them.

        :raises Malformed: if the body has too many members, or is not UTF-8.
        """
        try:
            text = self.body.decode()
            return sorted(
                set(
                    parse_qsl(
                        text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
                    )
                )
            )
        except ValueError:
            raise Malformed from None

    @property
    def text(self) -> str:
        """Body as text in its charset. Undecodable bytes become U+FFFD."""
        return self.body.decode(codec_of(self.body, self.headers), "replace").removeprefix("\ufeff")
