"""Reader of Mailgun's request ``POST /v3/<domain>/messages``: form fields, as JSON, URL-encoded or
multipart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from jackfield.connector import pointer
from jackfield_formats.convert.mail import Mail, RefusedError, mapping, text
from jackfield_formats.convert.trial import Trial

_INPUTS = {
    "to": "to",
    "cc": "cc",
    "bcc": "bcc",
    "from": "sender",
    "subject": "subject",
    "text": "text",
    "html": "html",
}
_ONE = frozenset({"from", "subject", "text", "html"})
_TEMPLATE = ("template", "t:version", "t:text", "t:variables")
_TRACKED = (
    "is left out: SES tracks opens and clicks by the configuration set ('configurationSetName')"
)
_DROPPED = {
    "amp-html": "is left out: a message has a text and HTML only",
    "o:dkim": "is left out: SES signs for each identity that has DKIM",
    "o:deliverytime-optimize-period": "is left out: SES does not choose a time",
    "o:time-zone-localize": "is left out: SES does not choose a time",
    "o:tracking": _TRACKED,
    "o:tracking-clicks": _TRACKED,
    "o:tracking-opens": _TRACKED,
    "o:tracking-pixel-location-top": _TRACKED,
    "o:require-tls": (
        "is left out: in SES the configuration set requires TLS of receiving servers "
        "('configurationSetName')"
    ),
    "o:skip-verification": "is left out: SES decides about certificates of receiving servers",
    "o:sending-ip": "is left out: in SES a configuration set chooses the pool of dedicated IP addresses",
    "o:sending-ip-pool": "is left out: in SES a configuration set chooses the pool of dedicated IP addresses",
    "o:archive-to": "is left out: SES archives by rules of its Mail Manager",
    "o:suppress-headers": "is left out: SES decides about its own headers",
}
_KNOWN = frozenset(
    {
        *_INPUTS,
        *_TEMPLATE,
        *_DROPPED,
        "attachment",
        "inline",
        "recipient-variables",
        "o:tag",
        "o:testmode",
        "o:deliverytime",
    }
)
_PERSON = re.compile(r'(?:"(?:[^"\\]|\\.)*"|<[^<>]*>|\([^()]*\)|\\[^,;\r\n]|[^,;\r\n])+')
"""Regular expression of a recipient in a list: separators in quotes, angle brackets and comments do
not count.
"""
_YES = frozenset({"yes", "true", "True", "htmlonly"})


def mails(document: object, now: datetime, trial: Trial) -> Iterator[Mail | RefusedError]:
    """Yield the message; with ``recipient-variables`` one for each recipient in To.

    :raises RefusedError: if the document cannot be read.
    """
    fields = mapping(document, "")
    variables = _variables(fields.get("recipient-variables"))
    if variables is None:
        yield _mail(fields, now, trial, None, {})
        return
    people = [
        found
        for item in _texts(fields, "to")
        for found in map(str.strip, _PERSON.findall(item))
        if found
    ]
    if not people:
        raise RefusedError("/to", "is missing: it names the recipients")
    refusal = next(filter(None, (trial.refusal("to", [person]) for person in people)), None)
    if refusal is not None:
        raise RefusedError("/to", refusal)
    for person in people:
        address = person.rpartition("<")[2].rstrip("> ")
        own = {"recipient": address} | _words(variables.get(address) or variables.get(person))
        yield _mail(fields, now, trial, person, own)


def _mail(
    fields: Mapping[str, Any],
    now: datetime,
    trial: Trial,
    recipient: str | None,
    words: Mapping[str, str],
) -> Mail:
    mail = Mail("", now, trial)
    for field, name in _INPUTS.items():
        given = [_filled(item, words) for item in _texts(fields, field)]
        if field in _ONE and len(given) > 1:
            raise RefusedError(pointer(field), "occurs more than once")
        mail.put(name, given[0] if len(given) == 1 else given, pointer(field))
    if recipient is not None:
        mail.inputs["to"] = recipient
        mail.differ(
            "/recipient-variables",
            "makes a message for each recipient of 'to'; 'cc' and 'bcc' get a copy of each",
        )
    if fields.get("template") and "text" not in mail.inputs and "html" not in mail.inputs:
        raise RefusedError(
            "/template",
            "names a template that Mailgun keeps: create it in SES, or give its rendered content",
        )
    mail.differ_each(
        fields,
        dict.fromkeys(
            _TEMPLATE,
            "is left out: Mailgun keeps the template; the message has the content beside it",
        ),
        "",
    )
    _options(mail, fields)
    mail.headers(
        (pointer(name), name[2:], _filled(item, words))
        for name in fields
        if name.startswith("h:")
        for item in _texts(fields, name)
    )
    for name in fields:
        for item in _texts(fields, name) if name.startswith("v:") else ():
            mail.label(pointer(name), name[2:], _filled(item, words))
    for name in ("attachment", "inline"):
        for path, file in _files(fields.get(name), f"/{name}"):
            own = text(file.get("filename"), f"{path}/filename")
            data = text(file.get("content", file.get("data")), f"{path}/content")
            mail.attach(
                path,
                own,
                data,
                file.get("contentType"),
                content_id=own if name == "inline" else None,
            )
    mail.differ_each(fields, _DROPPED, "")
    unknown = [name for name in fields if name not in _KNOWN and not name.startswith(("h:", "v:"))]
    mail.differ_each(fields, dict.fromkeys(unknown, "is left out: it is not a known field"), "")
    return mail


def _options(mail: Mail, fields: Mapping[str, Any]) -> None:
    for tag in _texts(fields, "o:tag"):
        mail.tag("/o:tag", "tag", tag)
    if any(item in _YES for item in _texts(fields, "o:testmode")):
        mail.dry_run("/o:testmode")
    for moment in _texts(fields, "o:deliverytime"):
        try:
            at = parsedate_to_datetime(moment)
        except (ValueError, TypeError):
            raise RefusedError(
                "/o:deliverytime",
                "is no date of RFC 2822, such as 'Fri, 14 Oct 2011 23:10:10 -0000'",
            ) from None
        mail.schedule("/o:deliverytime", at if at.tzinfo else at.replace(tzinfo=UTC))


def _texts(fields: Mapping[str, Any], name: str) -> list[str]:
    given = fields.get(name)
    if isinstance(given, bool):
        given = "yes" if given else "no"
    items = given if isinstance(given, list) else [] if given is None else [given]
    return [text(item, pointer(name)) for item in items if item != ""]


def _files(given: object, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    items = given if isinstance(given, list) else [] if given is None else [given]
    for index, item in enumerate(items):
        place = f"{path}/{index}" if isinstance(given, list) else path
        if isinstance(item, str):
            raise RefusedError(
                place,
                'is no file: give {"filename", "content" (base64)}, or the multipart body itself',
            )
        yield place, mapping(item, place)


def _variables(given: object) -> Mapping[str, Any] | None:
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if isinstance(given, str) and given:
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise RefusedError("/recipient-variables", "is not JSON") from None
    return None if given in (None, "", {}) else mapping(given, "/recipient-variables")


def _words(given: object) -> dict[str, str]:
    own = mapping(given, "/recipient-variables")
    return {
        f"recipient.{name}": value if isinstance(value, str) else json.dumps(value)
        for name, value in own.items()
    }


def _filled(given: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        given = given.replace(f"%{name}%", value)
    return given
