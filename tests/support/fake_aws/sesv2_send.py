"""SendEmail of SES, API version 2: Simple and Raw."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

from .access import Caller, authorise
from .errors import AwsError, invalid
from .records import Attachment, Content
from .sending import accept, draft, envelope, raw_headers, sender_arn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .call import Call
    from .options import Settings
    from .state import State

_PEEK = 65_536


def send(state: State, call: Call, caller: Caller) -> dict[str, Any]:
    """Check a message and accept it; AwsError."""
    content = call.content.get("Content")
    if not isinstance(content, dict) or len(content.keys() & {"Simple", "Raw"}) != 1:
        raise invalid("Content must hold Simple or Raw")
    source = str(call.parameters.get("FromEmailAddress") or "")
    if "Raw" in content:
        return {"MessageId": _send_raw(state, call, caller, source, content["Raw"])}
    simple, size = _simple(content["Simple"], state.settings)
    _authorise(state, call, caller, ("ses:SendEmail",), source)
    message = draft(state, call, caller, source=source, kind="simple", size=size, simple=simple, **_common(call, {}))
    return {"MessageId": accept(state, message, (source,))}


def _send_raw(state: State, call: Call, caller: Caller, source: str, given: Mapping[str, Any]) -> str:
    data, size = _blob(given.get("Data"), state.settings.message_bytes)
    headers = raw_headers(state.settings, data)
    senders = tuple(dict.fromkeys(filter(None, (source, headers.get("from", "")))))
    source = source or headers.get("from", "")
    either = () if state.settings.strict_raw else ("ses:SendEmail",)
    _authorise(state, call, caller, ("ses:SendRawEmail", *either), source)
    raw = data if state.settings.message_bytes else b""
    message = draft(state, call, caller, source=source, kind="raw", size=size, raw=raw, **_common(call, headers))
    return accept(state, message, senders)


def _authorise(state: State, call: Call, caller: Caller, actions: tuple[str, ...], source: str) -> None:
    given = call.parameters.get("FromEmailAddressIdentityArn")
    authorise(state.settings, caller, actions, given or sender_arn(state.settings, call.region, source))


def _common(call: Call, headers: Mapping[str, str]) -> dict[str, Any]:
    given = call.parameters
    destination = given.get("Destination") or {}
    lists = [destination.get(name) or () for name in ("ToAddresses", "CcAddresses", "BccAddresses")]
    return {
        **envelope(lists, headers),
        "reply_to": tuple(given.get("ReplyToAddresses") or ()),
        "configuration_set": given.get("ConfigurationSetName"),
        "tags": {tag.get("Name", ""): tag.get("Value", "") for tag in given.get("EmailTags") or ()},
        "feedback_address": given.get("FeedbackForwardingEmailAddress"),
        "identity_arn": given.get("FromEmailAddressIdentityArn"),
    }


def _simple(given: Mapping[str, Any], settings: Settings) -> tuple[Content, int]:
    body = given.get("Body") or {}
    parts = {"subject": given.get("Subject") or {}, "text": body.get("Text") or {}, "html": body.get("Html") or {}}
    headers = tuple((item.get("Name", ""), item.get("Value", "")) for item in given.get("Headers") or ())
    if len(headers) > 15:
        raise invalid("A message takes at most 15 headers.")
    attachments = tuple(_attachment(item, settings.message_bytes) for item in given.get("Attachments") or ())
    size = sum(len(part.get("Data", "").encode("utf-8", "replace")) for part in parts.values()) + 1024
    # Base64 in lines of 76 characters and CRLF, and a part's own headers.
    size += sum(-(-attachment.size // 57) * 78 + 300 for attachment in attachments)
    kept = settings.message_bytes
    content = Content(
        subject=parts["subject"].get("Data", ""),
        text=parts["text"].get("Data") if kept else None,
        html=parts["html"].get("Data") if kept else None,
        headers=headers,
        attachments=attachments,
        charsets={name: part["Charset"] for name, part in parts.items() if "Charset" in part},
    )
    return content, size


def _attachment(item: Mapping[str, Any], keep: bool) -> Attachment:
    name = item.get("FileName", "")
    if not 0 < len(name) <= 255:
        raise invalid("An attachment's FileName has 1 to 255 characters.")
    data, size = _blob(item.get("RawContent"), keep)
    return Attachment(
        name=name,
        content_type=item.get("ContentType", ""),
        size=size,
        data=data if keep else b"",
        disposition=item.get("ContentDisposition", "ATTACHMENT"),
        content_id=item.get("ContentId"),
    )


def _blob(text: object, keep: bool) -> tuple[bytes, int]:
    """Return decoded bytes and their number; of a large blob that is not kept, the first bytes only."""
    if not isinstance(text, str):
        raise AwsError("SerializationException", "A blob must be a base64 string", 400)
    shown = text if keep or len(text) <= _PEEK else text[:_PEEK]
    try:
        data = binascii.a2b_base64(shown, strict_mode=True) if shown else b""
    except (binascii.Error, ValueError):
        raise AwsError("SerializationException", "A blob is not valid base64", 400) from None
    return data, len(data) if shown is text else len(text) * 3 // 4 - text.count("=", -2)
