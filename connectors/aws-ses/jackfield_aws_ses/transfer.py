"""Transfer encodings (RFC 2045 §6): octets and text as lines of 7-bit ASCII.

base64 is encoded, checked and folded in blocks, so that a large attachment is never copied as a
whole.
"""

import binascii
import re
import string
from collections.abc import Iterator

_LINE = 76  # RFC 2045 §6.8
_BLOCK_LINES = 1024
_BLOCK_TEXT = _LINE * _BLOCK_LINES
_BLOCK_DATA = _BLOCK_TEXT // 4 * 3
_STANDARD = (string.ascii_letters + string.digits + "+/").encode()
_ANY = _STANDARD + b"-_="
_BLANKS = string.whitespace.encode()
_FOREIGN = re.compile(r"[^A-Za-z0-9+/=_\x20\t\n\r\v\f-]")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")

_MAX_7BIT_LINE = 78  # recommended by RFC 5322 §2.1.1
_PRINTABLE = bytes(range(ord(" "), ord("~") + 1)) + b"\t\r\n"
_LITERAL = _PRINTABLE.replace(b"=", b"")


def base64_length(size: int) -> int:
    """Return the length of ``size`` octets as folded base64, including the CRLFs between its
    lines.
    """
    text = 4 * -(-size // 3)
    return text + 2 * max(0, -(-text // _LINE) - 1)


def fold_base64(content: bytes | str) -> Iterator[bytes]:
    """Yield octets, or text returned by `canonical_base64`, as base64 lines of 76 characters in
    large pieces.

    The pieces join to exactly `base64_length` octets; there is no CRLF at the end.
    """
    step = _BLOCK_TEXT if isinstance(content, str) else _BLOCK_DATA
    for start in range(0, len(content), step):
        piece = content[start : start + step]
        text = (
            piece.encode("ascii")
            if isinstance(piece, str)
            else binascii.b2a_base64(piece, newline=False)
        )
        folded = b"\r\n".join([text[at : at + _LINE] for at in range(0, len(text), _LINE)])
        yield b"\r\n" + folded if start else folded


def canonical_base64(text: str) -> str:
    """Return ``text`` as plain base64 (RFC 4648 §4): standard alphabet, padded, no blanks, unused
    bits zero.

    Blanks, missing padding and the URL-safe alphabet are accepted; clean text is returned
    unchanged, without a copy. Raises ValueError with a predicate (``is not base64: …``).
    """
    padding = _clean_padding(text)
    if padding is None:
        text = _cleaned(text)
        padding = len(text) - len(text.rstrip("="))
    if not padding:
        return text
    last = binascii.b2a_base64(binascii.a2b_base64(text[-4:]), newline=False).decode("ascii")
    return text if text.endswith(last) else text[:-4] + last


def encode_text(text: str) -> tuple[str, bytes]:
    """Return the transfer encoding for a text body and its lines: 7bit if possible, else the
    shorter one.

    Line ends become CRLF, however they were written. An equals sign before an underscore never
    occurs in the output, so a boundary with that pair cannot occur in a body. A lone surrogate
    raises `UnicodeEncodeError`.
    """
    data = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode()
    if _is_7bit(data):
        return "7bit", data
    size = base64_length(len(data))
    # Each of these octets takes three; soft line breaks are extra.
    if len(data) + 2 * len(data.translate(None, _LITERAL)) < size:
        quoted = binascii.b2a_qp(data, istext=True)
        if b"\r\n" not in data:
            # without a CRLF as a model, b2a_qp writes bare soft breaks
            quoted = quoted.replace(b"=\n", b"=\r\n")
        if len(quoted) <= size:
            return "quoted-printable", quoted
    return "base64", b"".join(fold_base64(data))


def _is_7bit(data: bytes) -> bool:
    if data.translate(None, _PRINTABLE) or b"=_" in data:
        return False
    return max(map(len, data.split(b"\r\n"))) <= _MAX_7BIT_LINE


def _clean_padding(text: str) -> int | None:
    """Return the number of pad characters of clean text; None for other text."""
    if len(text) % 4 or not text.isascii():
        return None
    padding = 2 if text.endswith("==") else 1 if text.endswith("=") else 0
    end = len(text) - padding
    for start in range(0, end, _BLOCK_TEXT):
        if text[start : min(start + _BLOCK_TEXT, end)].encode("ascii").translate(None, _STANDARD):
            return None
    return padding


def _cleaned(text: str) -> str:
    data = text.encode("ascii", "replace").translate(None, _BLANKS)
    if not text.isascii() or data.translate(None, _ANY):
        raise ValueError(_foreign_reason(text))
    if b"-" in data or b"_" in data:
        if b"+" in data or b"/" in data:
            raise ValueError("is not base64: it mixes the standard and the URL-safe alphabet")
        data = data.translate(_URL_SAFE)
    body = data.rstrip(b"=")
    if b"=" in body:
        raise ValueError("is not base64: it has a '=' before its end")
    missing = -len(body) % 4
    # One character beyond a group of four holds only six bits, not an octet.
    if missing > len("==") or len(data) - len(body) > missing:
        raise ValueError("is not base64: its length is wrong, so part of it may be missing")
    return body.decode("ascii") + "=" * missing


def _foreign_reason(text: str) -> str:
    match = next(_FOREIGN.finditer(text))
    return f"is not base64: it contains {match[0]!r} at position {match.start()}"
