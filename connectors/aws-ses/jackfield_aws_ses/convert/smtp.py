"""SMTP settings: environment variables, a URL, or the options of Nodemailer's transport, as values of the connection type ``smtp``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from jackfield.connector import pointer
from jackfield_aws_ses.convert.mail import Note, RefusedError, mapping
from jackfield_aws_ses.smtp.hosts import region_of

_NAMES = {
    "url": ("smtp_url", "mailer_dsn", "mailer_url", "mail_url", "email_url", "url"),
    "service": ("service",),
    "hostname": ("smtp_host", "smtp_hostname", "smtp_server", "smtp_address", "mail_host", "mail_server", "email_host", "host", "hostname"),
    "port": ("smtp_port", "mail_port", "email_port", "port"),
    "username": (
        "smtp_user", "smtp_username", "smtp_user_name", "smtp_login", "mail_username", "mail_user", "email_host_user", "email_user", "user",
        "username",
    ),
    "password": (
        "smtp_pass", "smtp_password", "mail_password", "mail_pass", "email_host_password", "email_password", "pass", "password",
    ),
    "sender": (
        "smtp_from", "smtp_sender", "smtp_from_email", "smtp_from_address", "mail_from_address", "mail_from", "mail_default_sender",
        "default_from_email", "email_from", "from", "sender",
    ),
    "tls": ("smtp_ssl", "smtp_use_ssl", "mail_use_ssl", "email_use_ssl", "secure", "smtp_secure"),
    "starttls": ("smtp_tls", "smtp_use_tls", "smtp_starttls", "mail_use_tls", "email_use_tls", "requiretls"),
    "encryption": ("mail_encryption", "smtp_encryption"),
    "tlsServerName": ("servername", "smtp_tls_server_name"),
    "unverified": ("rejectunauthorized",),
    "in_clear": ("ignoretls",),
    "method": ("type",),
}  # fmt: skip
"""What a setting means, and its names in lower case; of several in a document the first counts."""
_MEANINGS = {name: meaning for meaning, names in _NAMES.items() for name in names}
_INSIDE = ("transport", "smtp", "auth", "tls", "defaults", "options")
"""Members that contain further settings."""
_HARMLESS = frozenset({"pool", "maxconnections", "maxmessages", "debug", "logger", "name", "mail_mailer", "mail_driver", "email_backend"})
_TRUE, _FALSE = frozenset({"true", "yes", "1", "on", "ssl", "tls"}), frozenset({"false", "no", "0", "off", "", "null", "none"})
_TLS_PORTS = frozenset({465, 2465})
_PORTS = {True: 465, False: 587}
_MAX_PORT = 65535


def connection_values(document: object) -> tuple[dict[str, Any], list[Note]]:
    """Return a connection's values, and every difference.

    :raises RefusedError: if there is no host, or the settings cannot be met.
    """
    notes: list[Note] = []
    found = _found(document if isinstance(document, Mapping) else {"url": document}, notes)
    if "hostname" not in found:
        raise RefusedError("", "names no SMTP server: give SMTP_HOST, a member 'host', or an smtp:// URL")
    path, method = found.pop("method", ("", "login"))
    if str(method).lower() not in {"login", "plain"}:
        raise RefusedError(path, "is a way to sign in that SMTP servers of SES do not have: give a user and a password")
    values: dict[str, Any] = {"hostname": str(found["hostname"][1]).strip(), **_port_and_security(found, notes)}
    values |= {name: str(found[name][1]) for name in ("username", "password", "tlsServerName", "sender") if name in found}
    notes.extend(_told(found, values))
    return values, notes


def _found(document: Mapping[str, Any], notes: list[Note]) -> dict[str, tuple[str, Any]]:
    """Return path and value of each meaning; settings beside a URL or a service come first."""
    found: dict[str, tuple[str, Any]] = {}
    for path, meaning, value in _settings(document, ""):
        if meaning is not None:
            found.setdefault(meaning, (path, value))
        elif path:
            notes.append(Note(path, "is left out: it is not a known setting"))
    for name, read in (("url", _url_settings), ("service", _service_settings)):
        for path, meaning, value in read(*found.pop(name)) if name in found else ():
            found.setdefault(meaning, (path, value))
    return found


def _settings(given: Mapping[str, Any], path: str) -> Iterator[tuple[str, str | None, Any]]:
    """Yield path, meaning and value of each setting; a meaning of None is an unknown one."""
    for name, value in given.items():
        place, key = f"{path}{pointer(name)}", name.lower()
        if key in _INSIDE and isinstance(value, Mapping):
            yield from _settings(value, place)
        elif key in _INSIDE and isinstance(value, str) and "://" in value:
            yield place, "url", value
        elif value is None or value == "" or key in _HARMLESS:
            continue
        elif key in _MEANINGS and isinstance(value, Mapping | list):
            raise RefusedError(place, "must be a text, a number or a boolean")
        else:
            yield place, _MEANINGS.get(key), value


def _url_settings(path: str, url: object) -> Iterator[tuple[str, str, Any]]:
    """Yield the settings of ``smtp://user:password@host:port``; ``smtps`` begins with TLS."""
    try:
        parts = urlsplit(str(url).strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise RefusedError(path, "is no URL") from None
    if parts.scheme.lower() not in {"smtp", "smtps", "smtp+tls", "smtp+ssl", "submission", "submissions"} or not host:
        raise RefusedError(path, "is no URL of the form smtp://user:password@host:port")
    yield path, "hostname", host
    if port:
        yield path, "port", port
    if parts.scheme.lower() in {"smtps", "smtp+ssl", "submissions"} or parse_qs(parts.query).get("secure") == ["true"]:
        yield path, "tls", True
    for meaning, word in (("username", parts.username), ("password", parts.password)):
        if word:
            yield path, meaning, unquote(word)


def _service_settings(path: str, service: object) -> Iterator[tuple[str, str, Any]]:
    """Yield the settings of Nodemailer's services for SES: ``SES`` and ``SES-<region>``."""
    name, _, region = str(service).lower().partition("-")
    if name != "ses":
        raise RefusedError(path, "is another provider: give the 'host' of an SMTP endpoint of Amazon SES")
    yield path, "hostname", f"email-smtp.{region or 'us-east-1'}.amazonaws.com"
    yield path, "tls", True


def _port_and_security(found: Mapping[str, tuple[str, Any]], notes: list[Note]) -> dict[str, Any]:
    encryption = str(found["encryption"][1]).lower() if "encryption" in found else None
    is_tls = _flag(found, "tls") or encryption in {"ssl", "smtps"}
    starts = _flag(found, "starttls") or encryption in {"tls", "starttls"}
    path, given = found.get("port", ("", None))
    if given is None:
        port = _PORTS[is_tls]
    elif isinstance(given, bool) or not str(given).strip().isdecimal() or not 0 < int(str(given)) <= _MAX_PORT:
        raise RefusedError(path, "is no port")
    else:
        port = int(str(given))
    implied = port in _TLS_PORTS
    if not (is_tls or starts or implied):
        notes.append(Note(path, "STARTTLS is required: nothing is ever sent in the clear"))
    chosen = is_tls or (implied and not starts)
    return {"port": port} if chosen == implied else {"port": port, "security": "tls" if chosen else "starttls"}


def _told(found: Mapping[str, tuple[str, Any]], values: Mapping[str, Any]) -> Iterator[Note]:
    if _flag(found, "unverified") is False and "unverified" in found:
        yield Note(
            found["unverified"][0], "is left out: the server's certificate is always verified; 'tlsServerName' may name another host"
        )
    if _flag(found, "in_clear"):
        yield Note(found["in_clear"][0], "is left out: STARTTLS is required, nothing is ever sent in the clear")
    if region_of(values["hostname"]) is None:
        text = "is no SMTP endpoint of Amazon SES: to move, give email-smtp.<region>.amazonaws.com and SES's own SMTP credentials"
        yield Note(found["hostname"][0], text)


def _flag(found: Mapping[str, tuple[str, Any]], meaning: str) -> bool:
    path, value = found.get(meaning, ("", False))
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        raise RefusedError(path, "must be true or false")
    return word in _TRUE


def settings_of(text: str) -> Mapping[str, Any]:
    """Return the variables about mail in lines such as ``SMTP_HOST=…``; ``export``, quotes and comments are understood.

    Other variables, such as ``PORT`` or other secrets of an application, are ignored.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        name, value = name.strip(), value.strip()
        if not equals or name.startswith("#") or not any(word in name.lower() for word in ("mail", "smtp")):
            continue
        quote = value[:1]
        end = value.find(quote, 1) if quote in {'"', "'"} else -1
        found[name] = value[1:end] if end > 0 else value.partition(" #")[0].rstrip()
    return mapping(found, "")
