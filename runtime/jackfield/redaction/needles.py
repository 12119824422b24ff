"""Search texts ("needles") for one secret.

These are its spellings, and its traces in Base64, cut to the stable middle. At each of the three
offsets within a longer run, some characters depend on the secret alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from jackfield.kernel.hidden import trimmed
from jackfield.kernel.secrecy import SecretHolder


def octets(text: str) -> bytes:
    """Encode the text in UTF-8, including lone surrogates."""
    return text.encode("utf-8", "surrogatepass")


def normal_forms(text: str) -> tuple[str, ...]:
    """Return the text unchanged and in both Unicode normal forms (UAX #15), without duplicates."""
    if text.isascii():
        return (text,)
    from unicodedata import normalize

    return tuple(dict.fromkeys((text, normalize("NFC", text), normalize("NFD", text))))


def line_forms(text: str) -> tuple[str, ...]:
    """Return the text unchanged, with both kinds of line ends, and without indentation."""
    if "\n" not in text:
        return (text,)
    plain = text.replace("\r\n", "\n")
    flush = re.sub(r"\n[ \t|]+", "\n", plain)
    return tuple(
        dict.fromkeys(
            (text, plain, plain.replace("\n", "\r\n"), flush, flush.replace("\n", "\r\n"))
        )
    )


def escaped(text: str) -> tuple[str, ...]:
    """Return the text in the forms of common encoders, without duplicates; empty if they all leave
    it unchanged.
    """
    if text.isascii() and text.isalnum():
        return ()
    raw = octets(text)
    pointed = text.replace("~", "~0").replace("/", "~1")  # JSON Pointer, RFC 6901 §3
    written = (
        *in_json(text),
        *_in_python(text),
        *_in_urls(raw),
        *_in_html(text),
        *_quoted_printable(raw),
        pointed,
    )
    return tuple(form for form in dict.fromkeys(written) if form != text)


def in_json(text: str) -> tuple[str, ...]:
    """Return the text's forms inside a JSON string, in ASCII and in Unicode."""
    if text.isascii() and text.isalnum():
        return ()
    import json

    return json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]


def _in_python(text: str) -> Iterator[str]:
    # repr chooses the kind of quote, and so what to escape, by the text around the secret.
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
    for special in (rb"[^!-<>-~]", rb"[^ -<>-~]"):
        yield re.sub(special, lambda octet: b"=%02X" % ord(octet[0]), raw).decode()


def as_characters(text: str) -> Iterator[str]:
    """Yield the octets of UTF-8 and UTF-16 as one character each, which is the result of decoding
    escapes.
    """
    if not text.isascii():
        yield octets(text).decode("latin-1")
    for encoding in ("utf-16-le", "utf-16-be"):
        # For Latin text, only the outer zero octets differ between the byte orders.
        read = text.encode(encoding, "surrogatepass").decode("latin-1").strip("\0")
        if len(read) > len(text):
            yield read


def hexadecimal(text: str) -> tuple[str, str]:
    """Return the octets of UTF-8 as lower-case and upper-case hexadecimal digits."""
    digits = octets(text).hex()
    return digits, digits.upper()


SHORT = 4
"""Number of characters below which a secret is masked only as a whole token; otherwise it would
destroy every text.
"""

_FOLDED = 8
"""Minimum length for finding an ASCII secret in any case: hosts and regions get lower-cased in
transit (RFC 9110 §4.2.3).
"""

LONG = 4096
"""Number of characters above which the needles of a secret (such as a message text) are not cached,
since they would fill memory.
"""

BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
"""Characters of Base64 in both alphabets (RFC 4648 §4 and §5)."""


class Needle(SecretHolder):
    """One text to search for. It is not a dataclass, because its ``repr`` would reveal the secret.

    ``before`` and ``after`` mean that the Base64 character on that side holds some bits of the
    secret. ``token`` means that letters or digits on either side make it part of another word.
    ``folded`` means that it is searched for in lower-cased text, ``encoded`` that it is Base64.
    """

    __slots__ = ("after", "before", "encoded", "folded", "text", "token")

    def __init__(
        self,
        text: str,
        *,
        before: bool = False,
        after: bool = False,
        token: bool = False,
        folded: bool = False,
        encoded: bool = False,
    ) -> None:
        self.encoded = encoded
        self.folded = folded
        self.text = text
        self.before = before
        self.after = after
        self.token = token

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the needle's spans in ``text``; overlapping spans are merged."""
        start = text.find(self.text)
        while start >= 0:
            end = start + len(self.text)
            if not self.token:
                end = self._last_end(text, end)
                left = self.before and start > 0 and text[start - 1] in BASE64
                right = self.after and end < len(text) and text[end] in BASE64
                yield start - left, end + right
                start = text.find(self.text, end)
                continue
            if not (text[end : end + 1].isalnum() or text[max(start - 1, 0) : start].isalnum()):
                yield start, end
            start = text.find(self.text, start + 1)

    def _last_end(self, text: str, end: int) -> int:
        """Return the end of the last of a series of overlapping spans, the first of which ends at
        ``end``.
        """
        # From the right, because a text of one repeated character matches at every step.
        size = len(self.text)
        last = text.rfind(self.text, end - size + 1, end + size - 1)
        while last >= 0:
            end = last + size
            last = text.rfind(self.text, last + 1, end + size - 1)
        return end


class Form(SecretHolder):
    """One secret with its needles, which are built for the first text that is long enough; ``make``
    builds them.

    ``size`` is the minimum number of characters in which the secret can appear.
    """

    __slots__ = ("_make", "_needles", "_texts", "lined", "secret", "size", "spaced")

    def __init__(self, secret: str, make: Callable[[str], Iterable[Needle]] | None = None) -> None:
        bare = secret.strip()
        self.secret = secret
        self._make = make or _needles
        self.spaced = " " in bare
        self.lined = "\n" in bare
        # Indentation may be lost, and canonical composition (Unicode, UAX #15) shortens a text to a
        # quarter at most.
        least = len(bare) - (sum(map(bare.count, " \t|\r")) if self.lined else 0)
        self.size = least if bare.isascii() else max(least // 4, 1)
        self._needles: tuple[Needle, ...] | None = None
        self._texts: tuple[list[str], list[str]] | None = None

    @property
    def needles(self) -> Iterable[Needle]:
        """All texts in which the secret may appear."""
        if len(self.secret) > LONG:
            return self._make(self.secret)
        if self._needles is None:
            # UTF-16 can turn other characters into asterisks: masking those would never end.
            self._needles = tuple(
                needle for needle in self._make(self.secret) if needle.text.strip("*")
            )
        return self._needles

    @property
    def texts(self) -> tuple[list[str], list[str]]:
        """Texts of the needles: those that are searched for unchanged, and those that are searched
        for in lower-cased text.
        """
        if self._texts is None:
            needles = tuple(self.needles)
            texts = (
                [one.text for one in needles if not one.folded],
                [one.text for one in needles if one.folded],
            )
            if len(self.secret) > LONG:
                return texts
            self._texts = texts
        return self._texts


def _needles(secret: str) -> Iterator[Needle]:
    # Keys are trimmed before use (docs/reference/connectors/aws-ses.md), so a provider's response
    # contains the trimmed secret.
    for part in dict.fromkeys((secret, secret.strip(), trimmed(secret))):
        forms = normal_forms(part)
        short = min(map(len, forms)) < SHORT
        for text in (text for form in forms for text in line_forms(form)):
            yield from _tokens(text) if short or len(text) < SHORT else _anywhere(text)


def _anywhere(text: str) -> Iterator[Needle]:
    if len(text) > LONG:
        yield from _of_long(text)
        return
    forms = dict.fromkeys((text, *escaped(text), *as_characters(text), *hexadecimal(text)))
    if _is_folded(text):
        yield from (Needle(form, folded=True) for form in dict.fromkeys(map(str.lower, forms)))
    else:
        yield from map(Needle, forms)
    raws = dict.fromkeys(map(octets, (text, *in_json(text))))
    if not text.isascii() and max(text) <= "\xff":
        raws[text.encode("latin-1")] = None
    runs = {needle.text: needle for raw in raws for needle in _base64(raw)}
    yield from runs.values()


def _of_long(text: str) -> Iterator[Needle]:
    yield Needle(text.lower(), folded=True) if _is_folded(text) else Needle(text)
    for forms in (as_characters, hexadecimal):
        yield from (Needle(form) for form in forms(text))
    yield from _base64(octets(text))


def _is_folded(text: str) -> bool:
    """Return whether the text is searched for in any case: long enough, and in ASCII, whose letters
    keep their index in lower case.
    """
    return len(text) >= _FOLDED and text.isascii() and text.lower() != text.upper()


def _tokens(text: str) -> Iterator[Needle]:
    run = _encoded(octets(text))
    encoded = (*hexadecimal(text), run, run.rstrip("="), _url_safe(run), _url_safe(run.rstrip("=")))
    long_enough = [form for form in encoded if len(form) >= SHORT]
    for form in dict.fromkeys((text, *escaped(text), *as_characters(text), *long_enough)):
        yield Needle(form, token=True)


def spellings(secret: str) -> Iterator[Needle]:
    """Return the needles of a secret that are not Base64."""
    return (needle for needle in _needles(secret) if not needle.encoded)


def encodings(secret: str) -> Iterator[Needle]:
    """Return the needles of a secret that are Base64."""
    return (needle for needle in _needles(secret) if needle.encoded)


def words(secret: str) -> Iterator[Needle]:
    """Yield the needles of a secret as a whole token, in the spellings of texts: not in hexadecimal
    or Base64.
    """
    for part in dict.fromkeys((secret, secret.strip(), trimmed(secret))):
        for text in (text for form in normal_forms(part) for text in line_forms(form)):
            yield from (Needle(form, token=True) for form in dict.fromkeys((text, *escaped(text))))


def _url_safe(run: str) -> str:
    return run.replace("+", "-").replace("/", "_")


def _encoded(raw: bytes) -> str:
    from base64 import b64encode

    return b64encode(raw).decode()


def _base64(raw: bytes) -> Iterator[Needle]:
    """Yield the stable middle of ``raw`` at each offset, in both alphabets (RFC 4648 §4 and §5)."""
    for offset in range(3):
        bits = 8 * (offset + len(raw))
        run = _encoded(bytes(offset) + raw)[-(-8 * offset // 6) : bits // 6]
        for form in dict.fromkeys((run, _url_safe(run))):
            yield Needle(form, before=offset > 0, after=bits % 6 > 0, encoded=True)
