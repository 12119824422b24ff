"""Masks of HTTP messages: the displayed form of a URL, of header fields and of a body in a stored
exchange.

Two rules, each sufficient alone: a value is masked if its name denotes a secret, and wherever a
known secret occurs, in all the forms that a ``Redactor`` finds. A name decides for header fields,
query parameters, fields of forms, members of JSON and elements of XML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_plus

from jackfield.kernel.codings import decoded
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.secrecy import without_password
from jackfield.redaction.marks import MASK
from jackfield.redaction.redactor import Redactor

_STEMS = (
    "token",
    "secret",
    "passw",
    "apikey",
    "credential",
    "signature",
    "cookie",
    "authoriz",
    "bearer",
    "session",
    "jwt",
    "private",
    "accesskey",
    "authkey",
    "signingkey",
    "sharedkey",
    "masterkey",
    "encryptionkey",
    "assertion",
    "xsrf",
    "csrf",
    "verifier",
)
"""Parts of names that denote secrets, without separators between words."""
_WORDS = frozenset({"auth", "pwd", "pass", "otp", "sig", "sid", "hmac"})
"""Words of names that denote secrets."""
_OUTSIDE = _WORDS | {"key", "keys", "pin", "nonce"}
"""Words of names that denote secrets in headers, URLs and forms. In JSON and XML, a key is mostly
an object's key.
"""
_PLAIN = frozenset({"idempotencykey", "xidempotencykey", "sessionduration"})
"""Names that look like names of secrets, but whose values are parts of the request."""
_PLACES = frozenset({"location", "contentlocation", "referer", "link", "origin"})
"""Names of header fields with URLs."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_USER = re.compile(r"(?<=://)[^/\s\"'<>@]*@")
_PAIR = re.compile(r"(?<![^?&;\s\"'])([A-Za-z0-9_.\-\[\]%]{1,100})=([^&;\s\"'<>]*)")
_MEMBER = re.compile(r'("([^"\\]{1,100})"\s*:\s*)("(?:[^"\\]|\\.)*(?:"|$)|[^\s,{}\[\]"]+)')
_WITHIN = re.compile(
    r"""((?<!\\)(\\{1,8}"|')([\w.%\[\]-]{1,100})\2\s*:\s*)(?:\2[^\n]*?(?:\2|$)|[^\s,{}\[\]"'\\]+)"""
)
"""Regular expression of a JSON member within a string of JSON, or of a member of a Python
dictionary.
"""
_ELEMENT = re.compile(r"(<(?:[\w.-]+:)?([\w.-]{1,100})(?:\s[^<>]*)?>)([^<]*)")
_LINE = re.compile(r"(?m)^([ \t]*([A-Za-z][\w-]{0,99})[ \t]*:[ \t]*)(\S.*)$")
_LARGEST = 64 * 1024
_JSON = re.compile(r"[/+]json(?:$|;|\s)")
_BINARY, _PARTS = "binary", "several parts"


@dataclass(frozen=True, slots=True)
class Shown:
    """Displayed form of a body: its ``text``, or the reason why it is ``omitted``; ``is_cut`` if it
    is truncated.
    """

    text: str | None
    omitted: str = ""
    is_cut: bool = False


def is_secret_name(name: str, words: frozenset[str] = _OUTSIDE) -> bool:
    """Return whether a name denotes a secret: ``x-api-key``, ``clientSecret``, ``X-Amz-Signature``;
    or has one of the ``words``.
    """
    folded = re.sub(r"[^a-z0-9]", "", name.lower())
    if folded in _PLAIN:
        return False
    return any(stem in folded for stem in _STEMS) or not words.isdisjoint(
        word.lower() for word in _WORD.findall(name)
    )


def masked_url(url: str, redactor: Redactor) -> str:
    """Return a URL without user name and password, without signatures and other secrets in its
    query, and without known secrets.
    """
    return redactor.clean(_pairs(_USER.sub(f"{MASK}@", url)))


def masked_fields(
    fields: Iterable[tuple[bytes, bytes]], redactor: Redactor
) -> list[dict[str, str]]:
    """Return header fields, in order, with secrets masked."""
    return [
        _field(name.decode("latin-1"), value.decode("latin-1"), redactor) for name, value in fields
    ]


def _field(name: str, value: str, redactor: Redactor) -> dict[str, str]:
    folded = re.sub(r"[^a-z0-9]", "", name.lower())
    if is_secret_name(name):
        shown = MASK
    else:
        shown = redactor.clean(
            _pairs(_USER.sub(f"{MASK}@", value)) if folded in _PLACES else without_password(value)
        )
    return {"name": redactor.clean(name), "value": shown}


def masked_body(
    content: bytes, size: int, fields: Iterable[tuple[bytes, bytes]], redactor: Redactor
) -> Shown:
    """Return a body without secrets. ``content`` is its beginning, and the whole body if it has
    ``size`` bytes; ``fields`` are the header fields, which declare its coding.

    Content that cannot be searched is left out: binary data, unknown codings, and forms of several
    parts. The end of a truncated body is left out, too, since it may contain a part of a secret.
    """
    said = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in fields}
    is_cut = size > len(content)
    plain = decoded(content, said.get("content-encoding", ""), _LARGEST)
    kind = said.get("content-type", "").lower()
    if plain is None or len(plain) > _LARGEST:
        plain, is_cut = (None, is_cut) if plain is None else (plain[:_LARGEST], True)
    if kind.startswith("multipart/"):
        return Shown(None, _PARTS, is_cut)
    text = None if plain is None else _body_text(plain, kind, is_cut=is_cut)
    if text is None:
        return Shown(None, _BINARY, is_cut)
    shown = redactor.clean(_by_names(text, kind, is_cut=is_cut))
    if is_cut:
        shown = shown[: max(0, len(shown) - _MOST_WRITTEN * redactor.longest)]
    return Shown(shown, "", is_cut)


_MOST_WRITTEN = 24
"""Maximum characters that an encoder makes of one character: two escapes as in JSON."""


def _body_text(content: bytes, kind: str, *, is_cut: bool) -> str | None:
    """Return a body as text; None if it is not text."""
    found = re.search(r"charset=\"?([\w-]+)", kind)
    charset = found[1] if found is not None else "utf-8"
    try:
        text = content.decode(charset, "ignore" if is_cut else "strict")
    except (LookupError, ValueError):
        return None
    return (
        None
        if "\0" in text or any(sign in text[:1000] for sign in "\x01\x02\x03\x04\x05\x06\x07\x08")
        else text
    )


def _by_names(text: str, kind: str, *, is_cut: bool) -> str:
    """Mask values whose names denote secrets, whatever the declared type of the text: a server may
    label JSON as plain text.
    """
    if _JSON.search(kind) and not is_cut:
        try:
            read = json.loads(text)
            shown = masked_members(read)
        except (ValueError, RecursionError):
            read = shown = None
        if shown != read:
            return json.dumps(shown, ensure_ascii=False)
    text = _USER.sub(f"{MASK}@", text)
    text = _MEMBER.sub(
        lambda found: f'{found[1]}"{MASK}"' if is_secret_name(found[2], _WORDS) else found[0], text
    )
    text = _WITHIN.sub(
        lambda found: (
            f"{found[1]}{found[2]}{MASK}{found[2]}"
            if is_secret_name(found[3], _WORDS)
            else found[0]
        ),
        text,
    )
    text = _ELEMENT.sub(
        lambda found: (
            f"{found[1]}{MASK}"
            if found[3].strip() and is_secret_name(found[2], _WORDS)
            else found[0]
        ),
        text,
    )
    text = _LINE.sub(
        lambda found: f"{found[1]}{MASK}" if is_secret_name(found[2]) else found[0], text
    )
    return _pairs(text)


def masked_members(value: Any) -> Any:
    """Mask the members of a JSON value whose names denote secrets, and secret parameters in its
    strings.
    """
    if isinstance(value, Mapping):
        return {
            name: _whole(item) if is_secret_name(name, _WORDS) else masked_members(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [masked_members(item) for item in value]
    return _texts(value) if isinstance(value, str) else value


def _whole(value: Any) -> Any:
    """Mask all strings and numbers of a value, and keep its structure."""
    if isinstance(value, Mapping):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value if value is None or isinstance(value, bool) else MASK


def _texts(text: str) -> str:
    """Mask the secrets in a string of JSON, which may be a URL, or JSON itself."""
    if text[:1] in {"{", "["}:
        try:
            return json.dumps(masked_members(json.loads(text)), ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    return _pairs(_USER.sub(f"{MASK}@", text)) if "=" in text or "@" in text else text


def _pairs(text: str) -> str:
    return _PAIR.sub(
        lambda found: (
            f"{found[1]}={MASK}"
            if found[2] and is_secret_name(unquote_plus(found[1]))
            else found[0]
        ),
        text,
    )
