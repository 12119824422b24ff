"""Limits of untrusted Python source text before it is parsed, since a parser uses a thousand times
the memory of the text.

With these limits, parsing one file uses less than 200 MiB and a few seconds. The encoding must be
UTF-8, so that Python imports the checked text.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Mapping

MAX_SOURCE = 256 * 1024
"""Maximum size of a ``.py`` file, in bytes."""
MAX_TOKENS = 100_000
"""Maximum number of tokens in a ``.py`` file: words, marks and lines."""
MAX_SOURCES = 16 * 1024 * 1024
"""Maximum total size of all ``.py`` files of a wheel, in bytes."""
_TOKEN = re.compile(r"\w+|[^\w\s]|\n")


def source_fault(files: Mapping[str, bytes]) -> tuple[str, str] | None:
    """Return the first ``.py`` file that cannot be parsed within the limits, and the reason; None
    if all can be parsed.
    """
    left = MAX_SOURCES
    for path, content in files.items():
        if path.endswith(".py"):
            left -= len(content)
            fault = (
                _fault(content)
                if left >= 0
                else f"goes beyond {MAX_SOURCES:,} bytes of source text together"
            )
            if fault is not None:
                return path, fault
    return None


def _fault(content: bytes) -> str | None:
    if len(content) > MAX_SOURCE:
        return f"has more than {MAX_SOURCE:,} bytes; split it, or move data into other files"
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode("utf-8")
    except (SyntaxError, UnicodeDecodeError):
        encoding, text = "", ""
    if encoding not in {"utf-8", "utf-8-sig"}:
        return "is not UTF-8, or declares another encoding"
    if sum(1 for _ in _TOKEN.finditer(text)) > MAX_TOKENS:
        return (
            f"has more than {MAX_TOKENS:,} words, marks and lines; split it, or move data "
            "into other files"
        )
    return None
