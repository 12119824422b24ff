"""SMTP settings: environment variables, a URL, or the options of Nodemailer's transport, as values
of the connection type ``smtp``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.connector import pointer
from jackfield_formats.convert.mail import Note, RefusedError, mailbox, mapping
from jackfield_formats.convert.smtp_names import meaning_of
from jackfield_formats.convert.smtp_urls import url_settings

_INSIDE = (
    "transport",
    "smtp",
    "auth",
    "tls",
    "defaults",
    "options",
    "smtpserver",
    "mail",
    "email",
    "mailer",
    "spring",
    "properties",
)
"""Members that contain further settings."""
_TRUE = frozenset(
    {
        "true",
        "yes",
        "1",
        "on",
        "ssl",
        "tls",
        "starttls",
        "mandatorystarttls",
        "opportunisticstarttls",
        "force_tls",
        "auto",
    }
)
_FALSE = frozenset({"false", "no", "0", "off", "", "null", "none", "nostarttls"})
_ELSEWHERE = re.compile(r"os\.|getenv\(|env\(|config\(|process\.env|\$\{|\{\{|ENV\[")
"""Regular expression of beginnings of values that are code or a reference: the real value is
elsewhere.
"""
_PORT_AT_END = re.compile(r"([^:\s]+):(\d{1,5})")
_OF_SES = re.compile(
    r"(?:vpce-[^.]+\.)?email-smtp(?:-fips)?\.[a-z]{2,}(?:-[a-z]+)+-\d+\.[a-z]", re.IGNORECASE
)
"""Regular expression of the beginning of an SMTP endpoint of Amazon SES, public or private."""
_TLS_PORTS = frozenset({465, 2465})
_PORTS = {True: 465, False: 587}
_MAX_PORT = 65535


def connection_values(document: object) -> tuple[dict[str, Any], list[Note]]:
    """Return a connection's values, and every difference.

    :raises RefusedError: if there is no host, or a setting cannot be converted.
    """
    notes: list[Note] = []
    found = _settings_in(
        _of_mail(document) if isinstance(document, Mapping) else {"url": document}, notes
    )
    if "hostname" not in found:
        raise RefusedError(
            "", "names no SMTP server: give SMTP_HOST, a member 'host', or an smtp:// URL"
        )
    path, method = found.pop("method", ("", "login"))
    if str(method).lower() not in {"login", "plain", "basic"}:
        raise RefusedError(
            path,
            "is a way to sign in that SMTP servers of SES do not have: give a user and a password",
        )
    _split_port(found)
    values: dict[str, Any] = {
        "hostname": str(found["hostname"][1]).strip(),
        **_port_and_security(found, notes),
    }
    if "otherSender" in found:
        found.setdefault("sender", found["otherSender"])
    values |= {
        name: str(found[name][1])
        for name in ("username", "password", "tlsServerName", "sender")
        if name in found
    }
    if "senderName" in found and "<" not in values.get("sender", "<"):
        values["sender"] = mailbox(values["sender"], str(found["senderName"][1]))
    notes.extend(_notes_on(found, values))
    return values, notes


def _of_mail(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the mail settings of a larger document: ``smtpServer`` of a realm of Keycloak."""
    server = document.get("smtpServer")
    return {"smtpServer": server} if isinstance(server, Mapping) else document


def _split_port(found: dict[str, tuple[str, Any]]) -> None:
    """Split ``host:port``, which some tools write in one setting."""
    path, host = found["hostname"]
    both = _PORT_AT_END.fullmatch(str(host).strip())
    if both is not None:
        found["hostname"] = path, both[1]
        found.setdefault("port", (path, both[2]))


def _settings_in(document: Mapping[str, Any], notes: list[Note]) -> dict[str, tuple[str, Any]]:
    """Return path and value by the meaning of a setting; single settings take precedence over a URL
    or a service.
    """
    found: dict[str, tuple[str, Any]] = {}
    for path, meaning, value in _settings(document, ""):
        if meaning is None:
            notes.append(Note(path, "is left out: it is not a known setting"))
        elif isinstance(value, str) and _ELSEWHERE.match(value):
            raise RefusedError(path, "stands for a value that is elsewhere: give the value itself")
        else:
            found.setdefault(meaning, (path, value))
    for name, read in (("url", url_settings), ("service", _service_settings)):
        for path, meaning, value in read(*found.pop(name)) if name in found else ():
            if meaning:
                found.setdefault(meaning, (path, value))
            else:
                notes.append(Note(path, str(value)))
    return found


def _settings(given: Mapping[str, Any], path: str) -> Iterator[tuple[str, str | None, Any]]:
    """Yield path, meaning and value of each setting; the meaning None marks an unknown setting."""
    for name, value in given.items():
        place, key, meaning = f"{path}{pointer(name)}", name.lower(), meaning_of(name)
        if key in _INSIDE and isinstance(value, Mapping):
            yield from _settings(value, place)
        elif key in _INSIDE and isinstance(value, str) and "://" in value:
            yield place, "url", value
        elif value is None or value == "" or meaning == "":
            continue
        elif meaning is not None and isinstance(value, Mapping | list):
            raise RefusedError(place, "must be a text, a number or a boolean")
        else:
            yield place, meaning, value


def _service_settings(path: str, service: object) -> Iterator[tuple[str, str, Any]]:
    """Yield the settings of Nodemailer's services for SES: ``SES`` and ``SES-<region>``."""
    name, _, region = str(service).lower().partition("-")
    if name != "ses":
        raise RefusedError(
            path, "is another provider: give the 'host' of an SMTP endpoint of Amazon SES"
        )
    yield path, "hostname", f"email-smtp.{region or 'us-east-1'}.amazonaws.com"
    yield path, "tls", True


def _port_and_security(found: dict[str, tuple[str, Any]], notes: list[Note]) -> dict[str, Any]:
    # PHPMailer's word for STARTTLS
    if "tls" in found and str(found["tls"][1]).strip().lower() in {"tls", "starttls"}:
        found["encryption"] = found.pop("tls")
    encryption = str(found["encryption"][1]).lower() if "encryption" in found else None
    is_tls = _flag(found, "tls") or encryption in {"ssl", "smtps", "force_tls", "ssl/tls"}
    starts = _flag(found, "starttls") or encryption in {"tls", "starttls"}
    path, given = found.get("port", ("", None))
    if given is None:
        port = _PORTS[is_tls]
    elif (
        isinstance(given, bool)
        or not str(given).strip().isdecimal()
        or not 0 < int(str(given)) <= _MAX_PORT
    ):
        raise RefusedError(path, "is no port")
    else:
        port = int(str(given))
    implied = port in _TLS_PORTS
    if not (is_tls or starts or implied):
        notes.append(Note(path, "STARTTLS is required: nothing is ever sent in the clear"))
    chosen = is_tls or (implied and not starts)
    return (
        {"port": port}
        if chosen == implied
        else {"port": port, "security": "tls" if chosen else "starttls"}
    )


def _notes_on(found: Mapping[str, tuple[str, Any]], values: Mapping[str, Any]) -> Iterator[Note]:
    for name in [
        name
        for name, word in (("unverified", False), ("skipped", True))
        if name in found and _flag(found, name) is word
    ]:
        yield Note(
            found[name][0],
            "is left out: the server's certificate is always verified; 'tlsServerName' may name "
            "another host",
        )
    if _flag(found, "in_clear"):
        yield Note(
            found["in_clear"][0],
            "is left out: STARTTLS is required, nothing is ever sent in the clear",
        )
    if not _OF_SES.match(values["hostname"]):
        text = (
            "is no SMTP endpoint of Amazon SES: to move, give "
            "email-smtp.<region>.amazonaws.com and SES's own SMTP credentials"
        )
        yield Note(found["hostname"][0], text)


def _flag(found: Mapping[str, tuple[str, Any]], meaning: str) -> bool:
    path, value = found.get(meaning, ("", False))
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        raise RefusedError(path, "must be true or false")
    return word in _TRUE


def settings_of(text: str) -> Mapping[str, Any]:
    """Return the mail variables from lines such as ``SMTP_HOST=…`` or ``mail.host: …``; ``export``,
    quotes and comments are understood.

    Other variables, such as ``PORT`` or other secrets of an application, are ignored.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, value = _line(line)
        if not any(word in name.lower() for word in ("mail", "smtp")):
            continue
        # Grafana's quotes
        value = value[2:-2] if value.startswith('"""') and value.endswith('"""') else value
        quote = value[:1]
        end = value.find(quote, 1) if quote in {'"', "'"} else -1
        found[name] = value[1:end] if end > 0 else value.partition(" #")[0].rstrip()
    return mapping(found, "")


def _line(line: str) -> tuple[str, str]:
    """Return name and value of a line; both are empty if the line has no setting."""
    found = re.match(
        r"([^=:#\s][^=:]*+)(?:=|:\s)(.*)",
        line.strip().removeprefix("export ").removeprefix("- "),
    )
    return (found[1].rstrip().strip("\"'"), found[2].strip()) if found else ("", "")
