"""SES, API version 1 (query protocol)."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

from .access import Caller, authorise
from .errors import AwsError, invalid
from .identities import by_kind, in_region, page, page_size
from .mailbox import split_mailboxes
from .options import STATUSES
from .query import element, listed, member_list, result_xml
from .records import Content
from .sending import accept, draft, envelope, raw_headers, sender_arn
from .wire import Answer

if TYPE_CHECKING:
    from .call import Call
    from .state import State


def answer(state: State, call: Call, caller: Caller) -> Answer:
    """Answer a call of version 1; AwsError."""
    operation = _OPERATIONS.get(call.operation)
    if operation is None:
        raise AwsError("InvalidAction", f"Could not find operation {call.operation} for version 2010-12-01", 400)
    inner = operation(state, call, caller)
    body = result_xml("ses", call.operation, inner, call.request_id)
    return Answer(200, body, "text/xml", (("x-amzn-RequestId", call.request_id),))


def _list(state: State, call: Call, caller: Caller) -> str:
    authorise(state.settings, caller, ("ses:ListIdentities",), "*")
    kind = call.parameters.get("IdentityType", "")
    fits = by_kind(kind, "Domain", "EmailAddress")
    size = page_size(call.parameters.get("MaxItems"), state.settings.page_size)
    shown = filter(fits, in_region(state.settings.identities, call.region))
    found = page(shown, f"v1/{kind}", call.parameters.get("NextToken"), size)
    names = member_list("Identities", (identity.name for identity in found.identities))
    return names + (element("NextToken", found.token) if found.token else "")


def _quota(state: State, call: Call, caller: Caller) -> str:
    authorise(state.settings, caller, ("ses:GetSendQuota",), "*")
    quota = state.settings.quota
    return (
        element("Max24HourSend", quota.max24_hour_send)
        + element("MaxSendRate", quota.max_send_rate)
        + element("SentLast24Hours", state.sent_today())
    )


def _verification(state: State, call: Call, caller: Caller) -> str:
    authorise(state.settings, caller, ("ses:GetIdentityVerificationAttributes",), "*")
    asked = listed(call.parameters, "Identities")
    if len(asked) > 100:
        raise invalid("At most 100 identities in one call.")
    known = {identity.name: STATUSES[identity.status] for identity in in_region(state.settings.identities, call.region)}
    entries = "".join(
        f"<entry>{element('key', name)}<value>{element('VerificationStatus', known[name])}</value></entry>"
        for name in asked
        if name in known
    )
    return f"<VerificationAttributes>{entries}</VerificationAttributes>"


def _send(state: State, call: Call, caller: Caller) -> str:
    form = call.parameters
    source = form.get("Source", "")
    arn = form.get("SourceArn")
    authorise(state.settings, caller, ("ses:SendEmail",), arn or sender_arn(state.settings, call.region, source))
    texts = {name: call.content.get(f"Message.{path}.Data") for name, path in _TEXTS.items()}
    charsets = {name: call.content[key] for name, path in _TEXTS.items() if (key := f"Message.{path}.Charset") in call.content}
    size = sum(len(text.encode("utf-8", "replace")) for text in texts.values() if text) + 1024
    kept = state.settings.message_bytes
    simple = Content(texts["subject"] or "", texts["text"] if kept else None, texts["html"] if kept else None, charsets=charsets)
    lists = [listed(form, f"Destination.{name}Addresses") for name in ("To", "Cc", "Bcc")]
    fields = {**envelope(lists, {}), **_common(call), "identity_arn": arn}
    message = draft(state, call, caller, source=source, kind="simple", size=size, simple=simple, **fields)
    return element("MessageId", accept(state, message, (source,)))


_TEXTS = {"subject": "Subject", "text": "Body.Text", "html": "Body.Html"}


def _send_raw(state: State, call: Call, caller: Caller) -> str:
    form = call.parameters
    try:
        data = binascii.a2b_base64(call.content.get("RawMessage.Data", ""))
    except (binascii.Error, ValueError):
        raise AwsError("SerializationException", "RawMessage.Data is not valid base64", 400) from None
    headers = raw_headers(state.settings, data)
    source = form.get("Source") or headers.get("from", "")
    arn = form.get("SourceArn") or form.get("FromArn")
    authorise(state.settings, caller, ("ses:SendRawEmail",), arn or sender_arn(state.settings, call.region, source))
    given = envelope([listed(form, "Destinations"), (), ()], headers)
    raw = data if state.settings.message_bytes else b""
    fields = {**given, **_common(call), "identity_arn": arn}
    message = draft(state, call, caller, source=source, kind="raw", size=len(data), raw=raw, **fields)
    senders = tuple(dict.fromkeys(filter(None, (source, headers.get("from", "")))))
    return element("MessageId", accept(state, message, senders))


def _common(call: Call) -> dict[str, Any]:
    form = call.parameters
    tags: dict[str, str] = {}
    while (name := form.get(f"Tags.member.{len(tags) + 1}.Name")) is not None:
        tags[name] = form.get(f"Tags.member.{len(tags) + 1}.Value", "")
    replies = listed(form, "ReplyToAddresses")
    return {
        "reply_to": tuple(mailbox for text in replies for mailbox in split_mailboxes(text)),
        "configuration_set": form.get("ConfigurationSetName"),
        "tags": tags,
        "feedback_address": form.get("ReturnPath"),
    }


_OPERATIONS = {
    "ListIdentities": _list,
    "GetSendQuota": _quota,
    "GetIdentityVerificationAttributes": _verification,
    "SendEmail": _send,
    "SendRawEmail": _send_raw,
}
