"""Reader of Resend's requests ``POST /emails`` and ``POST /emails/batch``, with the names of its
API or of its Node.js library.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from jackfield.connector import pointer
from jackfield_formats.convert.mail import Mail, RefusedError, each, mapping, optional_text, text
from jackfield_formats.convert.trial import Trial

_TEXTS = {"from": "sender", "subject": "subject", "text": "text", "html": "html"}
_LISTS = {"to": "to", "cc": "cc", "bcc": "bcc", "reply_to": "replyTo"}
_LIBRARY = {"replyTo": "reply_to", "scheduledAt": "scheduled_at", "topicId": "topic_id"}
_FILES = {
    "contentType": "content_type",
    "contentId": "content_id",
    "inlineContentId": "content_id",
    "inline_content_id": "content_id",
}
_DROPPED = {
    "topic_id": (
        "is left out: in SES topics belong to contact lists; for unsubscribing give "
        "'listUnsubscribe'"
    ),
    "react": "is left out: render the component, and give the HTML",
    "template": "is left out: Resend keeps the template; the message has the content beside it",
}
_KNOWN = frozenset({*_TEXTS, *_LISTS, *_DROPPED, "headers", "tags", "attachments", "scheduled_at"})


def mails(document: object, now: datetime, trial: Trial) -> Iterator[Mail | RefusedError]:
    """Yield the message, or the messages of a batch.

    :raises RefusedError: if the document is neither a message nor a batch.
    """
    for path, item in each(document, "") if isinstance(document, list) else [("", document)]:
        try:
            yield _mail(mapping(item, path), path, now, trial)
        except RefusedError as error:
            yield error


def _mail(given: Mapping[str, Any], path: str, now: datetime, trial: Trial) -> Mail:
    if not given:
        raise RefusedError(
            path, "is empty: it must be an object with from, to, subject and text or html"
        )
    mail = Mail(path, now, trial)
    written = {_LIBRARY.get(name, name): name for name in given}
    members = {name: given[word] for name, word in written.items()}
    place = {name: f"{path}{pointer(word)}" for name, word in written.items()}
    for member, name in _TEXTS.items():
        mail.put(name, optional_text(members.get(member), f"{path}/{member}"), place.get(member))
    for member, name in _LISTS.items():
        mail.put(name, _addresses(members.get(member), place.get(member, "")), place.get(member))
    if members.get("template") and not mail.inputs.keys() & {"text", "html"}:
        raise RefusedError(
            place["template"],
            "names a template that Resend keeps: create it in SES, or give its rendered content",
        )
    _extras(mail, members, path)
    if members.get("scheduled_at"):
        mail.schedule(
            place["scheduled_at"], _moment(members["scheduled_at"], place["scheduled_at"])
        )
    unknown = dict.fromkeys(
        (name for name in members if name not in _KNOWN), "is left out: it is not a known member"
    )
    for name, reason in {**_DROPPED, **unknown}.items():
        if members.get(name):
            mail.differ(place[name], reason)
    return mail


def _extras(mail: Mail, members: Mapping[str, Any], path: str) -> None:
    fields = mapping(members.get("headers"), f"{path}/headers")
    mail.headers(
        (f"{path}/headers{pointer(name)}", name, text(value, f"{path}/headers{pointer(name)}"))
        for name, value in fields.items()
    )
    for place, item in each(members.get("tags"), f"{path}/tags"):
        tag = mapping(item, place)
        mail.tag(
            place, text(tag.get("name"), f"{place}/name"), text(tag.get("value"), f"{place}/value")
        )
    for place, item in each(members.get("attachments"), f"{path}/attachments"):
        _attach(mail, mapping(item, place), place)


def _addresses(given: object, path: str) -> str | list[str]:
    return (
        [text(item, spot) for spot, item in each(given, path)]
        if isinstance(given, list)
        else optional_text(given, path) or ""
    )


def _moment(given: object, path: str) -> datetime:
    try:
        found = datetime.fromisoformat(text(given, path))
    except ValueError:
        raise RefusedError(
            path,
            "is no date and time of ISO 8601, such as '2026-12-24T08:30:00Z': words cannot be "
            "converted",
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _attach(mail: Mail, given: Mapping[str, Any], path: str) -> None:
    file = {_FILES.get(name, name): value for name, value in given.items()}
    content = file.get("content")
    if content is None and file.get("path"):
        mail.differ(f"{path}/path", "is left out: no file is fetched; give its content")
        return
    if isinstance(content, Mapping) and content.get("type") == "Buffer":
        content = _octets(content.get("data"), f"{path}/content")
    kind, inline = (
        optional_text(file.get("content_type"), path),
        optional_text(file.get("content_id"), path),
    )
    mail.attach(
        path,
        text(file.get("filename"), f"{path}/filename"),
        text(content, f"{path}/content"),
        kind,
        content_id=inline,
    )


def _octets(given: object, path: str) -> str:
    try:
        return base64.b64encode(bytes(given if isinstance(given, list) else "")).decode("ascii")  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise RefusedError(path, "is no Buffer: its data must be an array of bytes") from None
