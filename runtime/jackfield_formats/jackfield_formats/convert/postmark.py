"""Reader of Postmark's requests ``POST /email`` and ``POST /email/batch``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from jackfield.connector import pointer
from jackfield_formats.convert.mail import Mail, RefusedError, each, mapping, optional_text, text
from jackfield_formats.convert.trial import Trial

_INPUTS = {
    "From": "sender",
    "To": "to",
    "Cc": "cc",
    "Bcc": "bcc",
    "ReplyTo": "replyTo",
    "Subject": "subject",
    "TextBody": "text",
    "HtmlBody": "html",
}
_TRACKED = (
    "is left out: SES tracks opens and clicks by the configuration set ('configurationSetName')"
)
_DROPPED = {
    "TrackOpens": _TRACKED,
    "TrackLinks": _TRACKED,
    "InlineCss": "is left out: SES does not change the HTML",
}
_TEMPLATE = ("TemplateId", "TemplateAlias", "TemplateModel")
_USUAL_STREAM = "outbound"
_KNOWN = frozenset(
    {*_INPUTS, *_DROPPED, *_TEMPLATE, "Tag", "Metadata", "Headers", "Attachments", "MessageStream"}
)


def mails(document: object, now: datetime, trial: Trial) -> Iterator[Mail | RefusedError]:
    """Yield the message, or the messages of a batch.

    :raises RefusedError: if the document is neither a message nor a batch.
    """
    listed = isinstance(document, Mapping) and "Messages" in document
    given = document["Messages"] if isinstance(document, Mapping) and listed else document
    for path, item in (
        each(given, "/Messages" if listed else "") if isinstance(given, list) else [("", given)]
    ):
        try:
            yield _mail(mapping(item, path), path, now, trial)
        except RefusedError as error:
            yield error


def _mail(given: Mapping[str, Any], path: str, now: datetime, trial: Trial) -> Mail:
    if not given:
        raise RefusedError(
            path, "is empty: it must be an object with From, To, Subject and TextBody or HtmlBody"
        )
    mail = Mail(path, now, trial)
    for member, name in _INPUTS.items():
        mail.put(name, optional_text(given.get(member), f"{path}/{member}"), f"{path}/{member}")
    template = next((name for name in _TEMPLATE if given.get(name)), None)
    if template is not None:
        if "text" not in mail.inputs and "html" not in mail.inputs:
            raise RefusedError(
                f"{path}/{template}",
                "names a template that Postmark keeps: create it in SES, or give its rendered "
                "content",
            )
        mail.differ(
            f"{path}/{template}",
            "is left out: Postmark keeps the template; the message has the content beside it",
        )
    tag = optional_text(given.get("Tag"), f"{path}/Tag")
    if tag is not None:
        mail.tag(f"{path}/Tag", "tag", tag)
    for name, value in mapping(given.get("Metadata"), f"{path}/Metadata").items():
        mail.label(f"{path}/Metadata{pointer(name)}", name, value)
    fields = [
        (place, mapping(item, place))
        for place, item in each(given.get("Headers"), f"{path}/Headers")
    ]
    mail.headers(
        (place, text(item.get("Name"), f"{place}/Name"), text(item.get("Value"), f"{place}/Value"))
        for place, item in fields
    )
    for place, item in each(given.get("Attachments"), f"{path}/Attachments"):
        file = mapping(item, place)
        name, data = (
            text(file.get("Name"), f"{place}/Name"),
            text(file.get("Content"), f"{place}/Content"),
        )
        inline = optional_text(file.get("ContentID"), f"{place}/ContentID")
        kind = optional_text(file.get("ContentType"), f"{place}/ContentType")
        mail.attach(
            place, name, data, kind, content_id=inline.removeprefix("cid:") if inline else None
        )
    _rest(mail, given, path)
    return mail


def _rest(mail: Mail, given: Mapping[str, Any], path: str) -> None:
    stream = optional_text(given.get("MessageStream"), f"{path}/MessageStream")
    if stream is not None and stream != _USUAL_STREAM:
        mail.differ(
            f"{path}/MessageStream",
            f"is left out: in SES a configuration set separates '{stream[:60]}' "
            "('configurationSetName')",
        )
    for name, reason in _DROPPED.items():
        if given.get(name) not in (None, False, "None", ""):
            mail.differ(f"{path}/{name}", reason)
    unknown = [name for name in given if name not in _KNOWN]
    mail.differ_each(given, dict.fromkeys(unknown, "is left out: it is not a known member"), path)
