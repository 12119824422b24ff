"""Records that Amazon SES publishes about a message (its developer guide, contents of event data),
as events: one for each recipient.

SES repeats records, mixes their order, and gives them no ID: the key of an event is made from its
identifying members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import ConfigDict

from jackfield.connector import Field, Malformed, Outcome, Output, TriggerEvent
from jackfield.kernel.dataclass import dataclass
from jackfield_aws_ses.compose import MARKER_TAG
from jackfield_aws_ses.events.values import addresses, moment, recipients, text, texts

TYPES = (
    "bounced",
    "complained",
    "delivered",
    "sent",
    "opened",
    "clicked",
    "rejected",
    "delayed",
    "renderingFailed",
    "subscription",
    "unknown",
)
_COMPLAINED, _BOUNCED, _REFUSED, _DELIVERED, _PUT_OFF, _DELAYED, _SENT = 60, 50, 40, 30, 20, 15, 10
"""Severities of outcomes: a complaint replaces an earlier delivery, a delivery no earlier
complaint.
"""
_KNOWN_TO_SES = ("Suppressed", "OnAccountSuppressionList")
"""Subtypes of bounces for which SES sent nothing, since the address was on a suppression list
already.
"""
_LONGEST = 500

_WORDS = {
    "General": "",
    "NoEmail": "no such mailbox",
    "Suppressed": "on SES's suppression list",
    "OnAccountSuppressionList": "on the account's suppression list",
    "UnsubscribedRecipient": "unsubscribed",
    "MailboxFull": "mailbox full",
    "MessageTooLarge": "message too large",
    "ContentRejected": "content refused",
    "AttachmentRejected": "attachment refused",
    "CustomTimeoutExceeded": "not delivered in time",
    "InternalFailure": "a failure of SES",
    "SpamDetected": "taken for spam",
    "RecipientServerError": "the recipient's server failed",
    "IPFailure": "the sending IP address is blocked",
    "TransientCommunicationFailure": "the recipient's server could not be reached",
    "BYOIPHostNameLookupUnavailable": "no name of the IP",
    "SendingDeferral": "put off by SES",
    "Undetermined": "",
}
"""Meanings of subtypes of bounces and delays."""


class MailEvent(Output):
    """Event of a message, for one recipient."""

    model_config = ConfigDict(extra="allow")

    message_id: str = Field(
        alias="messageId",
        description="ID that SES had assigned to the message: MessageId of the send.",
    )
    recipient: str | None = Field(
        None,
        description="Bare address of the recipient; missing if SES does not say whom it concerns.",
    )
    subject: str | None = Field(None, description="Subject of the message, if SES includes it.")
    sender: str | None = Field(None, description="Bare address of the sender.")
    configuration_set: str | None = Field(
        None, alias="configurationSet", description="Configuration set of the message."
    )
    tenant: str | None = Field(
        None, description="Tenant that the message was sent under, if SES says so."
    )
    tags: Mapping[str, tuple[str, ...]] | None = Field(
        None, description="Tags of the message, without those of SES and jackfield."
    )
    reason: str | None = Field(None, description="Why, in words: 'mailbox full'.")
    permanent: bool | None = Field(
        None, description="Of a bounce: true if SES will not try again, and nobody should."
    )
    diagnostic: str | None = Field(None, description="What the recipient's server said.")
    link: str | None = Field(None, description="Of a click: the link.")
    detail: Mapping[str, Any] | None = Field(
        None, description="The part of the record about this event, as SES has sent it."
    )


@dataclass(frozen=True, slots=True, repr=False)
class _Found:
    """One recipient's part of a record. ``apart`` distinguishes parts with the same type, message
    and recipient.
    """

    recipient: str | None
    apart: tuple[Any, ...] = ()
    status: str = ""
    severity: int = 0
    reason: str | None = None
    permanent: bool | None = None
    diagnostic: str | None = None
    link: str | None = None
    suppresses: Literal["bounce", "complaint"] | None = None


def read_record(record: Any) -> list[TriggerEvent]:
    """Return the events in a record of event publishing or of an identity's notifications. A type
    that is new in SES becomes ``unknown``.

    :raises Malformed: if it is no record of a message.
    """
    if not isinstance(record, Mapping) or not isinstance(record.get("mail"), Mapping):
        raise Malformed
    kind = record.get("eventType", record.get("notificationType"))
    mail = record["mail"]
    message_id = text(mail, "messageId")
    if not isinstance(kind, str) or message_id is None or kind == "Received":
        raise Malformed
    name, member, reads = _KINDS.get(kind, ("unknown", "", _of_all))
    about = record.get(member, {})
    about = about if isinstance(about, Mapping) else {}
    at = moment(about.get("timestamp")) or moment(mail.get("timestamp"))
    return [
        _event(name, message_id, mail, about or record, at, found) for found in reads(about, mail)
    ]


def _event(
    type: str,
    message_id: str,
    mail: Mapping[str, Any],
    about: Mapping[str, Any],
    at: float | None,
    found: _Found,
) -> TriggerEvent:
    common, tags = mail.get("commonHeaders"), mail.get("tags")
    tags = tags if isinstance(tags, Mapping) else {}
    source = addresses([mail.get("source")])
    data = MailEvent(
        message_id=message_id,
        recipient=found.recipient,
        sender=source[0] if source else None,
        reason=found.reason,
        permanent=found.permanent,
        diagnostic=found.diagnostic,
        link=found.link,
        detail=dict(about) or None,
        subject=text(common, "subject") if isinstance(common, Mapping) else None,
        configuration_set=next(iter(texts(tags.get("ses:configuration-set"))), None),
        tenant=next(iter(texts(tags.get("ses:tenant-name"))), None),
        tags={
            name: texts(values)
            for name, values in tags.items()
            if not name.startswith("ses:") and name != MARKER_TAG
        }
        or None,
    )
    key = "\n".join(
        str(part) for part in (message_id, (found.recipient or "").lower(), *found.apart)
    )
    outcome = None
    if found.status:
        outcome = Outcome(
            found.status,
            found.severity,
            found.recipient or "",
            found.reason or "",
            suppresses=found.suppresses,
        )
    marks = texts(tags.get(MARKER_TAG))
    own = {
        "marker": marks[0] if len(marks) == 1 else None,
        "account": text(mail, "sendingAccountId"),
    }
    return TriggerEvent(data, key, type, at, reference=message_id, outcome=outcome, **own)


def _bounces(about: Mapping[str, Any], mail: Mapping[str, Any]) -> Iterator[_Found]:
    permanent, subtype = about.get("bounceType") == "Permanent", text(about, "bounceSubType") or ""
    for one in recipients(about.get("bouncedRecipients"), _whom(mail)):
        yield _Found(
            text(one, "emailAddress"),
            (about.get("feedbackId"),),
            "bounced" if permanent else "bounced, may be delivered",
            _BOUNCED if permanent else _PUT_OFF,
            _words(subtype, text(one, "status")),
            permanent,
            text(one, "diagnosticCode"),
            suppresses="bounce" if permanent and subtype not in _KNOWN_TO_SES else None,
        )


def _complaints(about: Mapping[str, Any], mail: Mapping[str, Any]) -> Iterator[_Found]:
    kind = text(about, "complaintFeedbackType")
    listed = [
        one for one in recipients(about.get("complainedRecipients")) if text(one, "emailAddress")
    ]
    # providers redact addresses: SES then lists all recipients of the domain
    sure = len(listed) == 1 or len(_whom(mail)) == 1
    for one in listed or [{"emailAddress": _whom(mail)[0]} if sure else {}]:
        yield _Found(
            text(one, "emailAddress"),
            (about.get("feedbackId"),),
            "complained",
            _COMPLAINED,
            _words(text(about, "complaintSubType") or "", kind),
            suppresses="complaint" if sure and kind != "not-spam" else None,
        )


def _deliveries(about: Mapping[str, Any], mail: Mapping[str, Any]) -> Iterator[_Found]:
    for address in addresses(about.get("recipients")) or _whom(mail):
        yield _Found(
            address,
            (about.get("timestamp"),),
            "delivered",
            _DELIVERED,
            diagnostic=text(about, "smtpResponse"),
        )


def _delays(about: Mapping[str, Any], mail: Mapping[str, Any]) -> Iterator[_Found]:
    reason = _words(text(about, "delayType") or "", None)
    for one in recipients(about.get("delayedRecipients"), _whom(mail)):
        diagnostic = text(one, "diagnosticCode")
        yield _Found(
            text(one, "emailAddress"),
            (about.get("timestamp"),),
            "delayed",
            _DELAYED,
            reason,
            diagnostic=diagnostic,
        )


def _each(
    status: str, severity: int, reason: str
) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[_Found]]:
    """Return a reader of records about a whole message, with one event for each recipient."""

    def read(about: Mapping[str, Any], mail: Mapping[str, Any]) -> Iterator[_Found]:
        for address in _whom(mail) or (None,):
            yield _Found(address, (), status, severity, text(about, reason))

    return read


def _acts(about: Mapping[str, Any], mail: Mapping[str, Any]) -> Iterator[_Found]:
    """Yield the part of an open or click. SES does not name the recipient, so only a single
    recipient is known.
    """
    whom, link = _whom(mail), text(about, "link")
    yield _Found(
        whom[0] if len(whom) == 1 else None,
        (about.get("timestamp"), about.get("userAgent"), link),
        link=link,
    )


def _subscriptions(about: Mapping[str, Any], mail: Mapping[str, Any]) -> Iterator[_Found]:
    whom = _whom(mail)
    yield _Found(whom[0] if len(whom) == 1 else None, (about.get("timestamp"), about.get("source")))


def _of_all(about: Mapping[str, Any], mail: Mapping[str, Any]) -> Iterator[_Found]:
    yield _Found(None, (mail.get("timestamp"), str(about)[:_LONGEST]))


_KINDS: Mapping[
    str, tuple[str, str, Callable[[Mapping[str, Any], Mapping[str, Any]], Iterable[_Found]]]
] = {
    "Bounce": ("bounced", "bounce", _bounces),
    "Complaint": ("complained", "complaint", _complaints),
    "Delivery": ("delivered", "delivery", _deliveries),
    "Send": ("sent", "send", _each("sent", _SENT, "")),
    "Reject": ("rejected", "reject", _each("rejected", _REFUSED, "reason")),
    "Rendering Failure": (
        "renderingFailed",
        "failure",
        _each("not rendered", _REFUSED, "errorMessage"),
    ),
    "Open": ("opened", "open", _acts),
    "Click": ("clicked", "click", _acts),
    "DeliveryDelay": ("delayed", "deliveryDelay", _delays),
    "Subscription": ("subscription", "subscription", _subscriptions),
}
"""Readers of records by SES's event type: jackfield's event type, the record's member about the
event, and the reader.
"""


def _words(subtype: str, further: str | None) -> str | None:
    known = _WORDS.get(subtype, subtype)
    return known or further or None


def _whom(mail: Mapping[str, Any]) -> tuple[str, ...]:
    return addresses(mail.get("destination"))
