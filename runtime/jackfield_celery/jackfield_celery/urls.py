"""The broker's URL, checked before anything connects: for a wrong URL the drivers end with a
traceback, and quote parts of the password.
"""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, urlsplit

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.secrecy import without_password

_SCHEMES = ("amqp", "amqps", "redis", "rediss")
_OF_TLS = frozenset(
    {
        "ssl_ca_certs",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_keyfile",
    }
)
"""Parameters that a ``rediss://`` URL may have."""
_FORMS = (
    "Use 'amqp://user:password@host:5672/vhost', 'amqps://…', 'redis://…' or 'rediss://…'; "
    "unset it to use the database."
)
_NONE = "which is not the URL of a broker"
_ENCODED = (
    "Percent-encode special characters of the password: '/' is %2F, '#' is %23, '?' is %3F, "
    "'@' is %40, ';' is %3B."
)


def check(url: str) -> None:
    """Check that a URL, or each of several separated by ``;``, names a broker, in a form that its
    driver reads correctly.

    :raises InvalidInvocation: if a URL is not valid. The message contains no password.
    """
    for one in url.split(";"):
        _check_one(url, one)


def _check_one(url: str, one: str) -> None:
    parts = _split(one)
    if (
        parts is None
        or "://" not in one
        or any("@" in part for part in (parts.path, parts.query, parts.fragment))
    ):
        reason, hint = (
            ("which cannot be split into its parts", _ENCODED) if "@" in url else (_NONE, _FORMS)
        )
        raise _refusal(url, reason, hint)
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.fragment or " " in parts.netloc:
        raise _refusal(url, _NONE, _FORMS)
    if not one.startswith(f"{parts.scheme}://"):
        raise _refusal(url, "whose scheme is not in lower case", _FORMS)
    _check_database(url, parts)
    _check_parameters(url, parts)


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL; None if its host or its port is not valid."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if port == 0 else parts


def _check_database(url: str, parts: SplitResult) -> None:
    number = parts.path.removeprefix("/")
    if parts.scheme.startswith("redis") and number and not (number.isascii() and number.isdigit()):
        raise _refusal(
            url,
            "whose path is not the number of a database of Redis",
            "Write it as redis://host:6379/0.",
        )


def _check_parameters(url: str, parts: SplitResult) -> None:
    taken = _OF_TLS if parts.scheme == "rediss" else frozenset[str]()
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if name not in taken:
            hint = (
                "Remove it. The database of Redis is the path, as in redis://host:6379/0; "
                "TLS is amqps:// or rediss://."
            )
            raise _refusal(url, f"whose parameter '{name[:80]}' jackfield does not take", hint)


def _refusal(url: str, reason: str, hint: str) -> InvalidInvocation:
    return InvalidInvocation(
        f"JACKFIELD_QUEUE_URL is '{without_password(url)[:200]}', {reason}", hint=hint
    )
