"""Names and descriptions of members that hold credentials: a converter marks them as secret, and
the grade's rule searches for them.

A name decides by its last words: ``clientSecret`` holds a secret, ``secretId``, ``tokenType`` and
``nextPageToken`` do not. If the name is unclear, a description that begins with the noun of a
credential decides ("The user password. For login.").
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Literal


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
_NOUNS = _set(
    "accesstoken apikey apitoken authtoken clientsecret credential credentials cvc cvv jwt otp "
    "passcode passphrase passwd "
    "password passwort privatekey pwd refreshtoken secret secretkey sharedsecret token totp "
    "webhooksecret"
)
"""Last words of names that hold a credential."""
_KEYS = _set(
    "access admin api auth authentication encryption hmac master private secret session shared "
    "signing ssh storage webhook"
)
"""Words that make a following ``key`` a credential."""
_PAIRS = frozenset(
    {("client", "assertion"), ("code", "verifier"), ("connection", "string")}
    | {("recovery", "phrase"), ("seed", "phrase"), ("secret", "phrase"), ("pass", "phrase")}
    | {
        (kind, "code")
        for kind in ("backup", "mfa", "otp", "recovery", "totp", "device", "security")
    }
    | {("two", "factor", "code"), ("one", "time", "code")}
)
_PLURALS = frozenset(
    {
        ("backup", "codes"),
        ("recovery", "codes"),
        ("access", "tokens"),
        ("refresh", "tokens"),
        ("api", "keys"),
        ("passwords",),
    }
)
"""Last words of names of arrays of credentials."""
_FORMS = _set(
    "again base64 confirm confirmation der hash new old pem plain plaintext raw repeat salt "
    "string text value"
)
"""Last words of a credential's name that do not change its meaning, as in ``password_confirm``."""
_ABOUT_PAGES = _set(
    "cont continuation continue cursor delta next page paging pagination prev previous resume "
    "scroll skip start sync"
)
_NO_TOKEN = _ABOUT_PAGES | _set(
    "bos change eos idempotency mask max min pad separator special stop unk unknown"
)
"""Words that make a token a page token, an idempotency token, or a token of a text."""
_SHORTENED = _set("censored masked obfuscated redacted truncated")
"""Words of a name whose value is only a part of the credential."""
_PUBLIC = _set("public publishable")
_QUESTIONS = _set(
    "allow can enable has include includes is need needs require requires should use uses with"
)
"""Words of a name that asks whether there is a credential."""
_TEXT_UNIT = frozenset(
    {
        "bytes",
        "lemma",
        "logprob",
        "logprobs",
        "probability",
        "start_offset",
        "position",
        "top_logprobs",
    }
)
"""Members next to a token of a text, in the sense of tokenizers."""
_PASS = frozenset(
    {"admin", "auth", "basic", "db", "ftp", "imap", "login", "proxy", "sftp", "smtp", "user"}
)
_NO_SECRET = re.compile(
    r"\b(idempoten|paginat|next page|page of results|continuation|not (a )?secret|tokeni[sz]er)",
    re.IGNORECASE,
)
_SAYS = re.compile(
    r"(?:(?:the|a|an|this|your|user'?s?|account|new|old|current|actual|raw|full|plain|plaintext|unique|generated|secret|bot|login) "
    r")*"
    r"(?:password|passphrase|secret|api[ -]?key|access[ -]token|refresh[ -]token|bearer token|api "
    r"token|private key|client secret"
    r"|secret key|signing secret|webhook secret)(?: value| string)?"
    r"(?=$|[.,;:(\n]| ?(?:for|of|to|used|which|that|with|in|from|associated|set)\b)",
    re.IGNORECASE,
)
_NEUTRAL = _set("credential data hash key pass pin pw string text value code auth")
"""Last words of names for which the description decides."""
_FORMATS = frozenset(
    {
        "date",
        "date-time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "time",
        "uri",
        "uri-reference",
        "url",
        "binary",
    }
)
"""Formats whose values are not credentials."""


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case, without digits at their ends."""
    return [
        word.rstrip("0123456789") or word
        for word in (found.lower() for found in _WORDS.findall(name))
    ]


def names_secret(name: str, *, several: bool = False, siblings: Collection[str] = ()) -> bool:
    """Return whether a string, or an array of strings, of this name holds a credential.
    ``siblings`` are the other members of the object.
    """
    words = words_of(name)
    if several:
        return any(tuple(words[-len(one) :]) == one for one in _PLURALS)
    while len(words) > 1 and words[-1] in _FORMS and _ends(words[:-1]):
        words.pop()
    if not _ends(words) or _QUESTIONS.intersection(words) or _SHORTENED.intersection(words):
        return False
    if words[-1] == "token":
        is_repeat = words[-3:] == ["client", "request", "token"]
        return not (
            is_repeat
            or _NO_TOKEN.intersection(words)
            or (len(words) == 1 and _TEXT_UNIT.intersection(siblings))
        )
    return True


def _ends(words: list[str]) -> bool:
    if not words:
        return False
    if words[-1] == "pass":
        return len(words) == 1 or words[-2] in _PASS
    if words[-1] == "key":
        return words[-2:-1] != [] and words[-2] in _KEYS and not _PUBLIC.intersection(words)
    return words[-1] in _NOUNS or any(tuple(words[-len(pair) :]) == pair for pair in _PAIRS)


def basis(
    name: str, about: str, *, several: bool = False, siblings: Collection[str] = ()
) -> Literal["name", "description"] | None:
    """Return whether the name or the description implies that a string is a credential; None if
    neither does.
    """
    if _NO_SECRET.search(about):
        return None
    if names_secret(name, several=several, siblings=siblings):
        return "name"
    words = words_of(name)
    says = not several and words and words[-1] in _NEUTRAL and _SAYS.match(about.strip())
    return "description" if says else None


def may_hold(node: Mapping[str, Any]) -> bool:
    """Return whether a schema without references accepts free text: no enumeration, date or
    address, and no type but string.
    """
    if (
        "enum" in node
        or "const" in node
        or str(node.get("format")) in _FORMATS
        or str(node.get("example")).lower() in ("true", "false")
    ):
        return False
    given = node.get("type")
    types = (
        {*map(str, given)}
        if isinstance(given, list)
        else {given}
        if isinstance(given, str)
        else set()
    )
    if not types:
        return (
            not {"properties", "items", "additionalProperties", "minimum", "maximum"} & node.keys()
        )
    return types <= {"string", "null"} and "string" in types
