"""One text as different systems spell it: normal forms, line ends, escapes, octets, hexadecimal.

The common escapes are spelt out although the searched text is unescaped too (``views``): where a stray backslash, percent or equals
sign stands right before a secret, the reader of escapes begins at the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["as_characters", "escaped", "hexadecimal", "in_json", "line_forms", "normal_forms", "octets"]


def octets(text: str) -> bytes:
    """The text in UTF-8; lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")


def normal_forms(text: str) -> tuple[str, ...]:
    """The text as it is and in both Unicode normal forms (UAX #15)."""
    if text.isascii():
        return (text,)
    from unicodedata import normalize

    return tuple(dict.fromkeys((text, normalize("NFC", text), normalize("NFD", text))))


def line_forms(text: str) -> tuple[str, ...]:
    """The text as it is, with both kinds of line end, and with its lines not indented."""
    if "\n" not in text:
        return (text,)
    plain = text.replace("\r\n", "\n")
    flush = re.sub(r"\n[ \t|]+", "\n", plain)
    return tuple(dict.fromkeys((text, plain, plain.replace("\n", "\r\n"), flush, flush.replace("\n", "\r\n"))))


def escaped(text: str) -> tuple[str, ...]:
    """The text as the common encoders write it, each spelling once; none of a text that they all leave as it is."""
    if text.isascii() and text.isalnum():
        return ()
    raw = octets(text)
    pointed = text.replace("~", "~0").replace("/", "~1")  # JSON Pointer, RFC 6901 §3
    written = (*in_json(text), *_in_python(text), *_in_urls(raw), *_in_html(text), *_quoted_printable(raw), pointed)
    return tuple(form for form in dict.fromkeys(written) if form != text)


def in_json(text: str) -> tuple[str, ...]:
    """The text within a JSON string, in ASCII and in Unicode."""
    if text.isascii() and text.isalnum():
        return ()
    import json

    return json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]


def _in_python(text: str) -> Iterator[str]:
    # The kind of quote that repr chooses, and so escapes, depends on the text around the secret.
    yield repr('"' + text)[2:-1]
    if '"' not in text:
        yield repr("'" + text)[2:-1]


def _in_urls(raw: bytes) -> Iterator[str]:
    from urllib.parse import quote_from_bytes

    for safe in ("/", ""):
        quoted = quote_from_bytes(raw, safe)
        first, *rest = quoted.split("%")
        small = "%".join((first, *(part[:2].lower() + part[2:] for part in rest)))
        yield from (quoted, small, quoted.replace("%20", "+"), small.replace("%20", "+"))


def _in_html(text: str) -> Iterator[str]:
    if not set("&<>\"'").isdisjoint(text):
        from html import escape

        yield from (escape(text), escape(text, quote=False))


def _quoted_printable(raw: bytes) -> Iterator[str]:
    """RFC 2045 §6.7 without line breaks, spaces escaped and not."""
    for special in (rb"[^!-<>-~]", rb"[^ -<>-~]"):
        yield re.sub(special, lambda octet: b"=%02X" % ord(octet[0]), raw).decode()


def as_characters(text: str) -> Iterator[str]:
    """The octets of UTF-8 and UTF-16 read one by one, as undone escapes leave them."""
    if not text.isascii():
        yield octets(text).decode("latin-1")
    for encoding in ("utf-16-le", "utf-16-be"):
        # The outer zero octets are all that tells the byte orders of Latin text apart.
        read = text.encode(encoding, "surrogatepass").decode("latin-1").strip("\0")
        if len(read) > len(text):
            yield read


def hexadecimal(text: str) -> tuple[str, str]:
    """The octets of UTF-8 in small and capital digits."""
    digits = octets(text).hex()
    return digits, digits.upper()
