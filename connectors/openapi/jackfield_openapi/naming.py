"""Keys and titles of actions and inputs, and the lock that keeps the keys of actions over later
versions of a document.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_WIDE_WORD = re.compile(rf"{_WORD.pattern}|[^\x00-\x7f\s]+")
_LATIN = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "Æ": "AE",
        "œ": "oe",
        "Œ": "OE",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "Đ": "D",
    }
)
"""Latin letters that have no decomposition."""
_NOISE = re.compile(r"Using(?:GET|PUT|POST|DELETE|PATCH|HEAD|OPTIONS)(?:_\d+)?$")
_TAIL = re.compile(r"_\d+$")
_VERBS = frozenset(
    [
        "accept",
        "activate",
        "add",
        "apply",
        "approve",
        "archive",
        "assign",
        "attach",
        "authorize",
        "batch",
        "block",
        "bulk",
        "cancel",
        "change",
        "check",
        "clear",
        "clone",
        "close",
        "compute",
        "complete",
        "confirm",
        "connect",
        "convert",
        "copy",
        "count",
        "create",
        "deactivate",
        "delete",
        "deny",
        "deploy",
        "describe",
        "destroy",
        "detach",
        "disable",
        "disconnect",
        "download",
        "edit",
        "enable",
        "end",
        "ensure",
        "execute",
        "export",
        "fetch",
        "fill",
        "find",
        "finish",
        "generate",
        "get",
        "grant",
        "has",
        "import",
        "insert",
        "install",
        "invite",
        "invoke",
        "is",
        "issue",
        "join",
        "leave",
        "link",
        "list",
        "load",
        "lock",
        "log",
        "login",
        "logout",
        "look",
        "make",
        "mark",
        "merge",
        "migrate",
        "move",
        "notify",
        "open",
        "overwrite",
        "patch",
        "pause",
        "ping",
        "post",
        "preview",
        "process",
        "promote",
        "provision",
        "publish",
        "purge",
        "put",
        "query",
        "quote",
        "read",
        "rebuild",
        "recover",
        "redeem",
        "refresh",
        "refund",
        "register",
        "reject",
        "release",
        "reload",
        "remove",
        "rename",
        "renew",
        "reopen",
        "reorder",
        "replace",
        "reply",
        "report",
        "request",
        "resend",
        "reset",
        "resolve",
        "restart",
        "restore",
        "resume",
        "retrieve",
        "return",
        "revert",
        "review",
        "revoke",
        "rotate",
        "run",
        "save",
        "schedule",
        "search",
        "select",
        "send",
        "set",
        "share",
        "show",
        "sign",
        "simulate",
        "sort",
        "split",
        "start",
        "stop",
        "store",
        "submit",
        "subscribe",
        "suspend",
        "sync",
        "tag",
        "terminate",
        "test",
        "toggle",
        "track",
        "transfer",
        "translate",
        "trigger",
        "unarchive",
        "unassign",
        "unblock",
        "undelete",
        "uninstall",
        "unlink",
        "unlock",
        "unpublish",
        "unsubscribe",
        "unsuspend",
        "update",
        "upgrade",
        "upload",
        "upsert",
        "use",
        "validate",
        "verify",
        "view",
        "void",
        "watch",
        "write",
    ]
)
_LEADING = {"get": "get", "put": "put", "post": "create", "delete": "delete", "patch": "update"}
_DULL = frozenset({"api", "rest"})
_VERSION = re.compile(r"v\d+(?:[._]\d+)*(?:beta\d*|alpha\d*)?$")
_LONGEST_TITLE = 80
_SENTENCE = re.compile(r"(?<![.]\w)(?<!\b(?:etc|inc|ltd|org))(?<![.])[.]$", re.IGNORECASE)
"""Regular expression of a final full stop that ends a sentence, not an abbreviation such as "etc."
or "U.S.", nor an ellipsis.
"""


def words(text: str) -> list[str]:
    """Split a name of any style into ASCII words: Latin letters lose their accents, other letters
    separate words.
    """
    return _WORD.findall(text if text.isascii() else _folded(text))


def input_name(text: str) -> str:
    """Return the preferred key of an input: the name as camelCase, with letters of other scripts
    unchanged.

    It is empty if the name has no letters or digits.
    """
    return camel(words(text) if text.isascii() else _WIDE_WORD.findall(_folded(text)))


def _folded(text: str) -> str:
    """Return a name with Latin letters in ASCII, and a space for each character that is no letter,
    mark or number.
    """
    composed = unicodedata.normalize("NFC", text).translate(_LATIN)
    return "".join(letter if letter.isascii() else _plain(letter) for letter in composed)


def _plain(letter: str) -> str:
    first = unicodedata.normalize("NFD", letter)[0]
    if first.isascii() and first.isalpha():
        return first
    return letter if unicodedata.category(letter)[0] in "LMN" else " "


def camel(parts: list[str]) -> str:
    """Join words as camelCase, with an ``n`` before a leading number."""
    if not parts:
        return ""
    first, *rest = parts
    joined = first.lower() + "".join(
        part[:1].upper() + part[1:].lower() if part.isupper() else part[:1].upper() + part[1:]
        for part in rest
    )
    return joined if joined[0].isalpha() else f"n{joined}"


def action_key(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """Return the preferred key of an operation, from its id, else from its method and path."""
    given = operation.get("operationId")
    if isinstance(given, str) and words(given):
        parts = words(_TAIL.sub("", _NOISE.sub("", given)) or given)
        if (
            _is_generated(parts, method, path)
            and isinstance(operation.get("summary"), str)
            and 1 < len(words(operation["summary"])) <= 8
        ):
            parts = words(operation["summary"])
        called = _called(path)
        if len(parts) == 1 and called and called[0].lower() == parts[0].lower():
            parts = called
        if len(parts) == 1 and parts[0].lower() not in _VERBS and method in _LEADING:
            parts = [_LEADING[method], *parts]
        return camel(parts)
    return camel(_of_path(method, path))


def _is_generated(parts: list[str], method: str, path: str) -> bool:
    """Return whether an id only repeats method and path, as frameworks generate it."""
    low, of_path = [part.lower() for part in parts], [part.lower() for part in words(path)]
    return len(of_path) > 1 and low[-1] == method and low[-1 - len(of_path) : -1] == of_path


def _of_path(method: str, path: str) -> list[str]:
    segments = [part for part in path.partition("?")[0].replace("#", "/").split("/") if part]
    fixed = [
        word for part in segments if "{" not in part for word in words(part) if not _is_dull(part)
    ]
    last = words(segments[-1]) if segments and "{" in segments[-1] else []
    if called := _called(path):
        return called
    return [_LEADING.get(method, method), *(fixed or ["root"]), *(["By", *last] if last else [])]


def _called(path: str) -> list[str]:
    """Return the words of a path that names a call, such as ``/getMonitors``; empty for any other
    path.
    """
    own = (
        words(path.partition("?")[0].rstrip("/").rpartition("/")[2])
        if not path.rstrip("/").endswith("}")
        else []
    )
    return own if len(own) > 1 and own[0].lower() in _VERBS else []


def _is_dull(segment: str) -> bool:
    return segment.lower() in _DULL or _VERSION.match(segment.lower()) is not None


def as_title(text: str) -> str:
    """Return a text on one line without a sentence's final full stop."""
    line = " ".join(text.split())
    return line[:-1] if _SENTENCE.search(line) else line


def title_of(key: str, operation: Mapping[str, Any], ending: str = "") -> str:
    """Return a title of one line from the summary, else from the key, with an ending."""
    given = operation.get("summary")
    text = as_title(given) if isinstance(given, str) else ""
    if not text:
        text = " ".join(words(key)).capitalize()
    most = _LONGEST_TITLE - len(ending)
    return (text if len(text) <= most else f"{text[: most - 1].rstrip()}…") + ending


_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}")
_RESERVED = frozenset({"example", "test", "invalid", "local", "localhost", "internal"})
"""Top-level domains that no provider has (RFC 2606, RFC 6762)."""
_SECOND_LEVEL = frozenset({"co", "com", "org", "net", "gov", "ac"})
_SHARED = frozenset(
    {
        "example",
        "googleapis",
        "amazonaws",
        "azurewebsites",
        "azure",
        "windows",
        "github",
        "herokuapp",
        "rapidapi",
        "apispot",
    }
)
"""Domain names below which many providers have their servers."""


def _provider(url: str) -> str:
    """Return the name of the provider's domain, such as ``xero`` of api.xero.com; empty if the
    address has none.
    """
    host = url.partition("://")[2].partition("/")[0].partition(":")[0].lower()
    labels = host.split(".")
    if not _DOMAIN.fullmatch(host) or labels[-1] in _RESERVED:
        return ""
    own = labels[:-2] if labels[-2] in _SECOND_LEVEL and len(labels) > 2 else labels[:-1]
    name = own[-1]
    return "" if name in _SHARED else name.replace("-", "")


def connector_key(title: str, url: str = "") -> str:
    """Return a connector's key in kebab-case, made from a title without a final ``api``.

    The name of the provider's domain precedes a title that lacks it: ``Accounting`` at api.xero.com
    becomes ``xero-accounting``.
    """
    parts = [part.lower() for part in words(title)]
    while len(parts) > 1 and parts[-1] in ("api", "rest", "openapi", "specification"):
        parts.pop()
    if len(parts) > 1 and parts[0] == "the":
        parts = parts[1:]
    provider = _provider(url)
    if provider and parts and provider not in "".join(parts):
        parts = [provider, *parts]
    joined = "-".join(parts)[:50].rstrip("-") or "connector"
    return joined if joined[0].isalpha() else f"api-{joined}"


class Keys:
    """Keys of a document's actions. Keys in the lock stay; others are new and unique."""

    def __init__(self, locked: Mapping[str, str]) -> None:
        self._locked = dict(locked)
        self._taken = set(self._locked.values())
        self._used: set[str] = set()
        self.chosen: dict[str, str] = {}

    def choose(self, name: str, wanted: str, *, fixed: str | None = None) -> tuple[str, bool]:
        """Return the key of the operation ``name`` (``GET /items``), and whether a number was
        appended to make it unique.

        ``fixed`` is an overlay's key, which the lock does not override.
        """
        key = fixed or self._locked.get(name)
        if key is not None and key not in self._used:
            return self._keep(name, key), False
        key, number = wanted or "call", 1
        while key in self._taken:
            number += 1
            key = f"{wanted or 'call'}{number}"
        return self._keep(name, key), number > 1

    def _keep(self, name: str, key: str) -> str:
        self._taken.add(key)
        self._used.add(key)
        self.chosen[name] = key
        return key
