"""Reader of SendGrid's request ``POST /v3/mail/send``: one message for each personalization."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from jackfield.connector import pointer
from jackfield_formats.convert.mail import (
    Mail,
    RefusedError,
    each,
    mailbox,
    mapping,
    optional_text,
    text,
)
from jackfield_formats.convert.trial import Trial

_DROPPED = {
    "asm": (
        "is left out: SES keeps its own suppression list; for unsubscribing give 'listUnsubscribe'"
    ),
    "batch_id": "is left out: a queued invocation is cancelled by its id",
    "ip_pool_name": (
        "is left out: in SES a configuration set chooses the pool of dedicated IP addresses "
        "('configurationSetName')"
    ),
    "tracking_settings": (
        "is left out: SES tracks opens and clicks by the configuration set ('configurationSetName')"
    ),
}
_TRACKING = {
    "subscription_tracking": (
        "is left out: SES adds no link to unsubscribe; add your own to the content, and give "
        "--list-unsubscribe"
    ),
    "ganalytics": "is left out: SES does not change links; add the parameters yourself",
}
_MAIL_SETTINGS = {
    "bypass_list_management": "is left out: SES never sends to suppressed addresses; take them off its list instead",
    "bypass_spam_management": "is left out: SES never sends to suppressed addresses; take them off its list instead",
    "bypass_bounce_management": "is left out: SES never sends to suppressed addresses; take them off its list instead",
    "bypass_unsubscribe_management": "is left out: SES keeps no unsubscribe groups",
    "footer": "is left out: add the footer to the text and the HTML",
    "bcc": "is left out: give 'bcc'",
    "spam_check": "is left out: SES has no such check",
}
_TOP = frozenset(
    {
        "personalizations",
        "from",
        "reply_to",
        "reply_to_list",
        "subject",
        "content",
        "attachments",
        "template_id",
        "sections",
        "headers",
        "categories",
        "custom_args",
        "send_at",
        "mail_settings",
        *_DROPPED,
    }
)
_PERSONAL = frozenset(
    {
        "to",
        "cc",
        "bcc",
        "from",
        "subject",
        "headers",
        "substitutions",
        "dynamic_template_data",
        "custom_args",
        "send_at",
    }
)
_BODIES = {"text/plain": "text", "text/html": "html"}


def mails(document: object, now: datetime, trial: Trial) -> Iterator[Mail | RefusedError]:
    """Yield a message for each personalization.

    :raises RefusedError: if the whole document cannot be read.
    """
    body = mapping(document, "")
    people = each(body.get("personalizations"), "/personalizations")
    if not people:
        raise RefusedError("/personalizations", "is missing: it names the recipients")
    for path, personal in people:
        try:
            yield _mail(body, mapping(personal, path), path, now, trial)
        except RefusedError as error:
            yield error


def _mail(
    body: Mapping[str, Any], personal: Mapping[str, Any], path: str, now: datetime, trial: Trial
) -> Mail:
    mail = Mail(path, now, trial)
    mail.declare(_declared(body))
    words = _Substitutions(
        mapping(personal.get("substitutions"), f"{path}/substitutions"),
        mapping(body.get("sections"), "/sections"),
    )
    for name in ("to", "cc", "bcc"):
        mail.put(
            name,
            [_address(item, place) for place, item in each(personal.get(name), f"{path}/{name}")],
            f"{path}/{name}",
        )
    sender, at = (
        (personal.get("from"), f"{path}/from")
        if personal.get("from")
        else (body.get("from"), "/from")
    )
    mail.put("sender", _address(sender, at), at)
    replies = [
        *each(body.get("reply_to_list"), "/reply_to_list"),
        *([("/reply_to", body["reply_to"])] if body.get("reply_to") else []),
    ]
    mail.put(
        "replyTo",
        [words.applied(_address(item, place)) for place, item in replies],
        replies[0][0] if replies else None,
    )
    own = optional_text(personal.get("subject"), f"{path}/subject")
    subject = own or optional_text(body.get("subject"), "/subject")
    mail.put("subject", words.applied(subject), f"{path}/subject" if own else "/subject")
    _content(mail, body, words)
    _fields(mail, body, personal, path, words)
    _times(mail, body, personal, path)
    for place, item in each(body.get("attachments"), "/attachments"):
        file = mapping(item, place)
        inline = file.get("disposition") == "inline"
        shown = optional_text(file.get("content_id"), f"{place}/content_id") if inline else None
        name, data = (
            text(file.get("filename"), f"{place}/filename"),
            text(file.get("content"), f"{place}/content"),
        )
        mail.attach(
            place,
            name,
            data,
            optional_text(file.get("type"), f"{place}/type"),
            content_id=shown,
            inline=inline,
        )
    mail.differ_each(body, _DROPPED, "")
    _tracking(mail, body)
    if personal.get("dynamic_template_data"):
        mail.differ(
            f"{path}/dynamic_template_data", "is left out: it fills a template that SendGrid keeps"
        )
    _unknown(mail, body, _TOP, "")
    _unknown(mail, personal, _PERSONAL, path)
    return mail


def _tracking(mail: Mail, body: Mapping[str, Any]) -> None:
    settings = mapping(body.get("tracking_settings"), "/tracking_settings")
    for name, reason in _TRACKING.items():
        if mapping(settings.get(name), f"/tracking_settings/{name}").get("enable"):
            mail.differ(f"/tracking_settings/{name}", reason)


def _declared(body: Mapping[str, Any]) -> dict[str, bool]:
    """Return the substitution tags of all personalizations, and the tag of the link to
    unsubscribe.
    """
    found = dict.fromkeys(mapping(body.get("sections"), "/sections"), False)
    for path, item in each(body.get("personalizations"), "/personalizations"):
        found |= dict.fromkeys(
            mapping(mapping(item, path).get("substitutions"), f"{path}/substitutions"), False
        )
    tracking = mapping(
        mapping(body.get("tracking_settings"), "/tracking_settings").get("subscription_tracking"),
        "/tracking_settings",
    )
    tag = tracking.get("substitution_tag")
    return {**found, tag: True} if isinstance(tag, str) and tag else found


class _Substitutions:
    """Replacement of a personalization's tags in texts; a value may be the tag of a section, whose
    text has tags again.
    """

    def __init__(self, words: Mapping[str, Any], sections: Mapping[str, Any]) -> None:
        self._passes = (words, sections, words)

    def applied(self, given: str | None) -> str | None:
        for words in self._passes if given else ():
            for tag, value in words.items():
                given = given.replace(tag, str(value)) if given and tag else given
        return given


def _content(mail: Mail, body: Mapping[str, Any], words: _Substitutions) -> None:
    for place, item in each(body.get("content"), "/content"):
        part = mapping(item, place)
        given = text(part.get("type"), f"{place}/type")
        kind = given.partition(";")[0].strip().lower()
        value = text(part.get("value"), f"{place}/value")
        if kind in _BODIES:
            mail.put(_BODIES[kind], words.applied(value), f"{place}/value")
        elif kind == "text/calendar":
            mail.invite(place, value, given)
        else:
            mail.differ(
                place,
                f"is left out: a message has no part of the type {kind[:60]}; attach it as a file",
            )
    if not body.get("template_id"):
        return
    if "text" not in mail.inputs and "html" not in mail.inputs:
        raise RefusedError(
            "/template_id",
            "names a template that SendGrid keeps: create it in SES, or give its rendered content",
        )
    mail.differ(
        "/template_id",
        "is left out: SendGrid keeps the template; the message has the content beside it",
    )


def _fields(
    mail: Mail,
    body: Mapping[str, Any],
    personal: Mapping[str, Any],
    path: str,
    words: _Substitutions,
) -> None:
    given = {**_members(body, "headers", ""), **_members(personal, "headers", path)}
    mail.headers((place, name, text(value, place)) for name, (place, value) in given.items())
    categories = body.get("categories")
    for place, item in (
        [("/categories", categories)]
        if isinstance(categories, str)
        else each(categories, "/categories")
    ):
        mail.tag(place, "category", text(item, place))
    for name, (place, value) in {
        **_members(body, "custom_args", ""),
        **_members(personal, "custom_args", path),
    }.items():
        mail.label(place, name, words.applied(value) if isinstance(value, str) else value)


def _members(owner: Mapping[str, Any], name: str, path: str) -> dict[str, tuple[str, Any]]:
    found = mapping(owner.get(name), f"{path}/{name}")
    return {key: (f"{path}/{name}{pointer(key)}", value) for key, value in found.items()}


def _times(mail: Mail, body: Mapping[str, Any], personal: Mapping[str, Any], path: str) -> None:
    at, place = (
        (personal["send_at"], f"{path}/send_at")
        if personal.get("send_at")
        else (body.get("send_at"), "/send_at")
    )
    if at:
        if not isinstance(at, int) or isinstance(at, bool):
            raise RefusedError(place, "must be seconds since 1970")
        try:
            mail.schedule(place, datetime.fromtimestamp(at, UTC))
        except (ValueError, OverflowError, OSError):
            raise RefusedError(place, "is no time: it must be seconds since 1970") from None
    settings = mapping(body.get("mail_settings"), "/mail_settings")
    if mapping(settings.get("sandbox_mode"), "/mail_settings/sandbox_mode").get("enable") is True:
        mail.dry_run("/mail_settings/sandbox_mode")
    for name, reason in _MAIL_SETTINGS.items():
        if mapping(settings.get(name), f"/mail_settings/{name}").get("enable"):
            mail.differ(f"/mail_settings/{name}", reason)
    _unknown(mail, settings, frozenset({"sandbox_mode", *_MAIL_SETTINGS}), "/mail_settings")


def _address(given: object, path: str) -> str:
    if given is None:
        raise RefusedError(path, "is missing")
    found = mapping(given, path)
    return mailbox(
        text(found.get("email"), f"{path}/email"), optional_text(found.get("name"), f"{path}/name")
    )


def _unknown(mail: Mail, given: Mapping[str, Any], known: frozenset[str], path: str) -> None:
    mail.differ_each(
        given,
        {name: "is left out: it is not a known member" for name in given if name not in known},
        path,
    )
