"""Secrets to draw, the encoders that may write one, and the texts that it is planted in: for
whatever has to mask them.
"""

from __future__ import annotations

import html
import json
import quopri
import string
import unicodedata
from collections.abc import Callable
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import quoteattr

from hypothesis import strategies as st

AWKWARD = st.text(
    alphabet="ab%\\\"'\n\t*+/=& ;<>.$^()[]{}|?-_~:,#0nux4é中\U0001f600\u0301",
    min_size=1,
    max_size=12,
)
BASE64ISH = st.text(alphabet=string.ascii_letters + string.digits + "+/=", min_size=4, max_size=44)
ANY_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
SECRET = st.one_of(AWKWARD, BASE64ISH, ANY_TEXT).filter(lambda text: bool(text.strip().strip("*")))
LONG_SECRET = SECRET.filter(lambda text: len(unicodedata.normalize("NFC", text.strip())) >= 4)
AROUND = st.text(alphabet="ab \n\"'\\%=&{}é*", max_size=6)


def octets(secret: str) -> bytes:
    """The secret in UTF-8."""
    return secret.encode()


def printable(secret: str) -> str:
    """The secret in quoted-printable."""
    return quopri.encodestring(octets(secret), quotetabs=True).decode().replace("=\n", "")


ENCODERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "quote": quote,
    "quote, all": lambda secret: quote(secret, safe=""),
    "quote, small hex": lambda secret: (
        quote(secret, safe="").replace("%2F", "%2f").replace("%C3", "%c3")
    ),
    "quote_plus": quote_plus,
    "json": lambda secret: json.dumps(secret)[1:-1],
    "json, unicode": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "repr": lambda secret: repr(secret)[1:-1],
    "html": html.escape,
    "xml": lambda secret: quoteattr(secret)[1:-1],
    "hex": lambda secret: octets(secret).hex(),
    "HEX": lambda secret: octets(secret).hex().upper(),
    "quoted-printable": printable,
    "utf-8 octets": lambda secret: repr(octets(secret))[2:-1],
    "utf-16 octets": lambda secret: repr(secret.encode("utf-16-le"))[2:-1],
    "utf-16 octets, big endian": lambda secret: repr(secret.encode("utf-16-be"))[2:-1],
    "NFC": lambda secret: unicodedata.normalize("NFC", secret),
    "NFD": lambda secret: unicodedata.normalize("NFD", secret),
    "json in json": lambda secret: json.dumps(json.dumps(secret))[3:-3],
    "quote in json": lambda secret: json.dumps(quote(secret))[1:-1],
    "json in html": lambda secret: html.escape(json.dumps(secret)[1:-1]),
}
# Texts in which whatever is planted keeps its meaning: an escape is not joined to what stands
# around it.
FRAMES = ('{"k": "%s"}', "k=%s;", "<p>%s</p>", "('%s', 1)", "%s", "\n%s\n")
TEXTUAL = (
    "plain",
    "quote",
    "quote, all",
    "quote_plus",
    "json",
    "json, unicode",
    "repr",
    "html",
    "hex",
    "HEX",
    "NFC",
    "NFD",
)
