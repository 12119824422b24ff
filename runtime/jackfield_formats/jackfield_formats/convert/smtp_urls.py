"""URLs of SMTP servers: ``smtp://user:password@host:port``, and the DSNs of Symfony."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote

from jackfield_formats.convert.mail import RefusedError
from jackfield_formats.convert.smtp_names import meaning_of

_PLAIN = frozenset({"smtp", "smtp+tls", "smtp+starttls", "submission"})
_TLS = frozenset({"smtps", "smtp+ssl", "submissions"})
_SYMFONY = frozenset({"ses+smtp", "ses+smtps"})
_SYMFONY_API = frozenset({"ses", "ses+api", "ses+https"})
_SYMFONY_REGION, _SYMFONY_PORT = "eu-west-1", "465"
"""Region and port of Symfony's Amazon mailer, if the DSN names none."""
_TAIL = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(?::(\d{1,5}))?(?:/[^?#]*)?(?:\?([^#]*))?(?:#.*)?",
    re.DOTALL,
)
_OPTIONS = re.compile(r"\?[A-Za-z_][\w.-]*=[^?#]*(?:#.*)?\Z", re.DOTALL)
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FORM = "is no URL of the form smtp://user:password@host:port"
_API = (
    "is the API of SES, not SMTP: make a connection of the type aws/apiKeySecret with its "
    "access key, secret and region"
)
_RAW = (
    "has characters before the host that a URL must percent-encode: all before the last '@' "
    "was read as user name and password"
)


def url_settings(path: str, url: object) -> Iterator[tuple[str, str, object]]:
    """Yield path, meaning and value of the settings of a URL; the meaning ``""`` is a note about
    the URL.

    :raises RefusedError: if the value is not a URL of an SMTP server.
    """
    scheme, separator, rest = str(url).strip().partition("://")
    scheme = scheme.lower()
    login, tail = _split(rest)
    if scheme in _SYMFONY_API:
        raise RefusedError(path, _API)
    if not separator or scheme not in _PLAIN | _TLS | _SYMFONY or tail is None:
        raise RefusedError(path, _FORM)
    if set(login) & set("/?#@"):
        yield path, "", _RAW
    options = dict(parse_qsl(tail[3] or "", keep_blank_values=True))
    yield from _server(path, scheme, tail, options)
    user, _, password = login.partition(":")
    for meaning, word in (("username", user), ("password", password)):
        if word:
            yield path, meaning, word if _BROKEN.search(word) else unquote(word)
    yield from _options(path, options)


def _split(rest: str) -> tuple[str, re.Match[str] | None]:
    """Split user name and password from host, port and options at the last ``@``: passwords of SES
    contain slashes, which many tools leave unescaped. An ``@`` in options (``?from=a@b.c``) does
    not count.
    """
    options = _OPTIONS.search(rest)
    before = rest[: options.start()] if options else rest
    at = before.rfind("@") if "@" in before else rest.rfind("@")
    return rest[: max(at, 0)], _TAIL.fullmatch(rest[at + 1 :])


def _server(
    path: str, scheme: str, tail: re.Match[str], options: dict[str, str]
) -> Iterator[tuple[str, str, object]]:
    host, port = tail[1].strip("[]"), tail[2]
    if scheme in _SYMFONY:
        port = port or options.get("port") or _SYMFONY_PORT
        host = (
            f"email-smtp.{options.get('region') or _SYMFONY_REGION}.amazonaws.com"
            if host.lower() == "default"
            else host
        )
    yield path, "hostname", host
    if port:
        yield path, "port", port
    if scheme in _TLS:
        yield path, "tls", True


def _options(path: str, options: dict[str, str]) -> Iterator[tuple[str, str, object]]:
    if options.get("session_token"):
        raise RefusedError(
            path, "has a session token: SMTP servers of SES take no temporary credentials"
        )
    for name, value in options.items():
        meaning = meaning_of(name)
        if name in ("region", "port", "session_token"):
            continue
        if meaning:
            yield path, meaning, value
        elif meaning is None:
            yield (
                path,
                "",
                f"has the option '{name[:40]}', which is left out: it is not a known one",
            )
