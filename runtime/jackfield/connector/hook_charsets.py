"""Charset of a webhook's body: its byte order mark, else what its media type names, else UTF-8."""

from __future__ import annotations

import codecs
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Mapping

_MARKS = (
    (BOM_UTF8, "utf-8-sig"), (BOM_UTF32_LE, "utf-32"), (BOM_UTF32_BE, "utf-32"), (BOM_UTF16_LE, "utf-16"), (BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_CHARSET = re.compile(r"charset=\s*[\"']?([A-Za-z0-9_:-]{1,40})", re.IGNORECASE)
_TEXTUAL = re.compile(
    r"utf-(8|16|32)(-[bl]e)?|iso8859-[0-9]{1,2}|cp(125[0-8]|866|874|932|949)|koi8-[ru]|shift_jis|euc_(jp|kr)|gbk|gb2312|gb18030|big5(hkscs)?"
)
"""Codecs of plain charsets. Others of Python's take quadratic time, or do something else than decode text."""


def codec_of(body: bytes, headers: Mapping[str, str]) -> str:
    """Return the name of the codec that decodes a body; the names of ``headers`` are in lower case."""
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return codec
    label = _CHARSET.search(headers.get("content-type", ""))
    try:
        found = codecs.lookup(label[1]).name if label else "utf-8"
    except LookupError:
        return "utf-8"
    return "cp1252" if found == "iso8859-1" else found if _TEXTUAL.fullmatch(found) else "utf-8"
