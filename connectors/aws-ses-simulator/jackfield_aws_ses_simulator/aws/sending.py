"""Sending by Amazon SES, of version 1 (query protocol) and version 2 (REST-JSON): raw, simple and
from a template. SES's checks come in its order, before it accepts a message.

Limits from https://docs.aws.amazon.com/ses/latest/dg/quotas.html.
"""

from __future__ import annotations

import binascii
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jackfield_aws_ses_simulator.aws import model, refusals
from jackfield_aws_ses_simulator.aws.access import Caller
from jackfield_aws_ses_simulator.aws.account import NUMBER
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.mailboxes import address_of, split_mailboxes
from jackfield_aws_ses_simulator.aws.messages import Attachment, Content, SentMessage
from jackfield_aws_ses_simulator.aws.publishing import publish_events
from jackfield_aws_ses_simulator.aws.query import element, listed
from jackfield_aws_ses_simulator.aws.refusals import Refusal, invalid
from jackfield_aws_ses_simulator.aws.resources import TEMPLATE, configuration_set, find
from jackfield_aws_ses_simulator.aws.templates import Unrendered, rendered
from jackfield_aws_ses_simulator.aws.tenants import check_send

_DOMAIN = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f.:A-Za-z]+\]")
_LOCAL = re.compile(r"[!-~]+")


def check_mailboxes(text: str) -> int:
    """Check all mailboxes of a value; return their number.

    :raises Refusal: InvalidParameterValue (BadRequestException in version 2) for an address that
        SES does not accept.
    """
    mailboxes = split_mailboxes(text)
    for mailbox in mailboxes:
        _check_address(address_of(mailbox))
    return len(mailboxes)


def _check_address(address: str) -> None:
    local, _, domain = address.rpartition("@")
    if not local or not domain:
        raise invalid("Missing final '@domain'")
    if local.startswith('"') and local.endswith('"'):
        local = local.strip('"').replace(" ", "")
    if not _LOCAL.fullmatch(local):
        raise invalid("Local address contains control or whitespace")
    if ".." in domain:
        raise invalid("Domain contains dot-dot")
    if domain.startswith(".") or domain.endswith("."):
        raise invalid(f"Domain {'starts' if domain.startswith('.') else 'ends'} with dot")
    if not _DOMAIN.fullmatch(domain):
        raise invalid("Domain contains illegal character")


_RECIPIENTS = 50
_LARGEST = {"ses": 10_485_760, "sesv2": 41_943_040}
_HEADERS, _NAME_LENGTH, _LINE = 15, 255, 998
_ONCE = frozenset(
    {
        "from",
        "sender",
        "reply-to",
        "to",
        "cc",
        "bcc",
        "subject",
        "message-id",
        "date",
        "return-path",
    }
    | {"mime-version", "content-type", "content-transfer-encoding"}
)
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_END = re.compile(rb"\r?\n\r?\n")
_NOT_FOUND = 404


def send_email(ledger: Ledger, call: Call, caller: Caller) -> dict[str, Any]:
    """Check and accept a SendEmail of version 2; return the response's members.

    :raises Refusal: if SES would refuse the request.
    """
    content = call.content.get("Content")
    if not isinstance(content, dict) or len(content.keys() & {"Simple", "Raw", "Template"}) != 1:
        raise invalid("Content must hold one of Simple, Raw and Template")
    source, fields, lists = _request_parts(call.parameters, call.parameters.get("EmailTags"))
    if "Raw" in content:
        either = () if ledger.account.strict_raw else ("ses:SendEmail",)
        raw = _blob(content["Raw"].get("Data"))
        return {
            "MessageId": _send_raw(
                ledger, call, caller, raw, source, lists, ("ses:SendRawEmail", *either), fields
            )
        }
    if "Template" in content:
        model.check(call.operation, call.parameters)
        _authorise(call, caller, source, fields, "ses:SendEmail", "ses:SendTemplatedEmail")
        return {
            "MessageId": _send_template(
                ledger, call, caller, content["Template"], source, lists, fields
            )
        }
    _authorise(call, caller, source, fields, "ses:SendEmail")
    return {
        "MessageId": _send_simple(ledger, call, caller, content["Simple"], source, lists, fields)
    }


def _request_parts(
    given: Mapping[str, Any], tags: Iterable[Mapping[str, str]] | None
) -> tuple[str, dict[str, Any], list[Any]]:
    """Return a request's sender, the message fields that it sets, and its lists of recipients (to,
    cc, bcc).
    """
    fields: dict[str, Any] = {
        "reply_to": tuple(given.get("ReplyToAddresses") or ()),
        "configuration_set": given.get("ConfigurationSetName"),
        "tags": {tag.get("Name", ""): tag.get("Value", "") for tag in tags or ()},
        "feedback_address": given.get("FeedbackForwardingEmailAddress"),
        "identity_arn": given.get("FromEmailAddressIdentityArn"),
        "tenant": given.get("TenantName"),
    }
    destination = given.get("Destination") or {}
    lists = [destination.get(name) or () for name in ("ToAddresses", "CcAddresses", "BccAddresses")]
    return str(given.get("FromEmailAddress") or ""), fields, lists


def _send_simple(
    ledger: Ledger,
    call: Call,
    caller: Caller,
    given: Mapping[str, Any],
    source: str,
    lists: Sequence[Any],
    fields: Mapping[str, Any],
) -> str:
    simple = _simple(given)
    fields = {**fields, "simple": simple, "size": _encoded_size(simple), **_envelope(lists, {})}
    return _accept(ledger, _draft(ledger, call, caller, source, fields), (source,))


def _send_template(
    ledger: Ledger,
    call: Call,
    caller: Caller,
    given: Mapping[str, Any],
    source: str,
    lists: Sequence[Any],
    fields: Mapping[str, Any],
    *data: str | None,
) -> str:
    content = (
        given.get("TemplateContent")
        or find(TEMPLATE, ledger, call.region, given)["TemplateContent"]
    )
    try:
        texts = {
            name: {"Data": text}
            for name, text in rendered(content, given.get("TemplateData"), *data).items()
        }
    except Unrendered:
        return ledger.message_id()
    simple = {**given, "Subject": texts.pop("Subject", None), "Body": texts}
    return _send_simple(
        ledger,
        call,
        caller,
        simple,
        source,
        lists,
        {**fields, "template": given.get("TemplateName")},
    )


_STATUSES = {
    "AccountSendingPausedException": "ACCOUNT_SENDING_PAUSED",
    "BadRequestException": "INVALID_PARAMETER",
    "ConfigurationSetDoesNotExist": "CONFIGURATION_SET_NOT_FOUND",
    "ConfigurationSetSendingPausedException": "CONFIGURATION_SET_SENDING_PAUSED",
    "InvalidParameterValue": "INVALID_PARAMETER",
    "MessageRejected": "MESSAGE_REJECTED",
    "NotFoundException": "TEMPLATE_NOT_FOUND",
    "Throttling": "ACCOUNT_DAILY_QUOTA_EXCEEDED",
}
"""Status of a bulk request's entry, by the refusal's code."""


def send_bulk_email(ledger: Ledger, call: Call, caller: Caller) -> dict[str, Any]:
    """Send a template to each entry; return a result for each."""
    given = call.parameters
    model.check(call.operation, given)
    source, fields, _ = _request_parts(given, ())
    _authorise(
        call,
        caller,
        source,
        fields,
        "ses:SendBulkEmail",
        "ses:SendBulkTemplatedEmail",
        "ses:SendEmail",
    )
    if fields["tenant"]:
        template = given["DefaultContent"]["Template"].get("TemplateName")
        check_send(
            ledger,
            call.region,
            fields["tenant"],
            address_of(source),
            fields["configuration_set"],
            template,
        )
    return {
        "BulkEmailEntryResults": [
            _send_entry(ledger, call, caller, entry) for entry in given["BulkEmailEntries"]
        ]
    }


def _send_entry(
    ledger: Ledger, call: Call, caller: Caller, entry: Mapping[str, Any]
) -> dict[str, str]:
    template = call.parameters["DefaultContent"]["Template"]
    data = (
        entry.get("ReplacementEmailContent", {})
        .get("ReplacementTemplate", {})
        .get("ReplacementTemplateData")
    )
    tags = entry.get("ReplacementTags") or call.parameters.get("DefaultEmailTags")
    source, fields, lists = _request_parts({**call.parameters, **entry}, tags)
    try:
        return {
            "Status": "SUCCESS",
            "MessageId": _send_template(
                ledger, call, caller, template, source, lists, fields, data
            ),
        }
    except Refusal as refusal:
        return {"Status": _STATUSES.get(refusal.code, "FAILED"), "Error": refusal.message}


def send_raw_email(ledger: Ledger, call: Call, caller: Caller) -> str:
    """Check and accept a SendRawEmail of version 1; return the response's inner XML.

    :raises Refusal: if SES would refuse the request.
    """
    form = call.parameters
    lists = (listed(form, "Destinations"), (), ())
    fields = {
        "configuration_set": form.get("ConfigurationSetName"),
        "identity_arn": form.get("SourceArn"),
    }
    raw, source = _blob(call.content["Data"]), form.get("Source", "")
    return element(
        "MessageId",
        _send_raw(ledger, call, caller, raw, source, lists, ("ses:SendRawEmail",), fields),
    )


def _send_raw(
    ledger: Ledger,
    call: Call,
    caller: Caller,
    raw: bytes,
    source: str,
    lists: Sequence[Iterable[str]],
    actions: tuple[str, ...],
    fields: Mapping[str, Any],
) -> str:
    headers = _raw_headers(raw)
    senders = tuple(dict.fromkeys(filter(None, (source, headers["from"]))))
    source = source or headers["from"]
    fields = {**fields, "tenant": fields.get("tenant") or headers.get("x-ses-tenant")}
    _authorise(call, caller, source, fields, *actions)
    fields = {**fields, "raw": raw, "size": len(raw), **_envelope(lists, headers)}
    return _accept(ledger, _draft(ledger, call, caller, source, fields), senders)


def _authorise(
    call: Call, caller: Caller, source: str, fields: Mapping[str, Any], *actions: str
) -> None:
    """Check the permission to send, with the sender and the tenant as condition keys.

    :raises Refusal: AccessDenied.
    """
    context = {"ses:FromAddress": address_of(source), "ses:TenantName": fields["tenant"]}
    caller.authorise(fields["identity_arn"] or _identity(call, source), *actions, context=context)


def _identity(call: Call, source: str) -> str:
    """Return the ARN of a sender's identity."""
    return f"arn:aws:ses:{call.region}:{NUMBER}:identity/{address_of(source)}"


def _envelope(
    lists: Sequence[Iterable[str]], headers: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return ``to``, ``cc`` and ``bcc``: the given lists or, if all are empty, the lists in the raw
    message's headers.
    """
    names = ("to", "cc", "bcc")
    if any(lists):
        return dict(zip(names, map(tuple, lists), strict=True))
    return {
        name: tuple(split_mailboxes(headers[name])) if headers.get(name) else () for name in names
    }


def _draft(
    ledger: Ledger, call: Call, caller: Caller, source: str, fields: Mapping[str, Any]
) -> SentMessage:
    return SentMessage(
        message_id=ledger.message_id(),
        at=ledger.now(),
        service=call.service,
        region=call.region,
        access_key_id=call.access_key_id,
        session_name=caller.session.session_name if caller.session else None,
        source=source,
        **fields,
    )


def _simple(given: Mapping[str, Any]) -> Content:
    body = given.get("Body") or {}
    parts = {
        "subject": given.get("Subject") or {},
        "text": body.get("Text") or {},
        "html": body.get("Html") or {},
    }
    headers = tuple(
        (item.get("Name", ""), item.get("Value", "")) for item in given.get("Headers") or ()
    )
    if len(headers) > _HEADERS:
        raise invalid(f"A message takes at most {_HEADERS} headers.")
    return Content(
        subject=parts["subject"].get("Data", ""),
        text=parts["text"].get("Data"),
        html=parts["html"].get("Data"),
        headers=headers,
        attachments=tuple(_attachment(item) for item in given.get("Attachments") or ()),
        charsets={name: part["Charset"] for name, part in parts.items() if "Charset" in part},
    )


def _attachment(item: Mapping[str, Any]) -> Attachment:
    name = item.get("FileName", "")
    if not 0 < len(name) <= _NAME_LENGTH:
        raise invalid(f"An attachment's FileName has 1 to {_NAME_LENGTH} characters.")
    data, disposition = _blob(item.get("RawContent")), item.get("ContentDisposition", "ATTACHMENT")
    return Attachment(name, item.get("ContentType", ""), data, disposition, item.get("ContentId"))


def _encoded_size(content: Content) -> int:
    """Estimate the size of the message that SES builds: base64 in lines of 76 characters and CRLF,
    and the headers of each part.
    """
    texts = sum(
        len(text.encode("utf-8", "replace"))
        for text in (content.subject, content.text, content.html)
        if text
    )
    return (
        1024
        + texts
        + sum(-(-attachment.size // 57) * 78 + 300 for attachment in content.attachments)
    )


def _blob(text: object) -> bytes:
    try:
        return binascii.a2b_base64(text) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        raise refusals.misshapen("A blob is not valid base64") from None


def _raw_headers(raw: bytes) -> dict[str, str]:
    """Return the raw message's headers with lower-case names; refuse a missing or duplicate header,
    or an overlong line.
    """
    end = _END.search(raw)
    block = _FOLD.sub("", (raw[: end.start()] if end else raw).decode("utf-8", "replace"))
    pairs = [
        (name.strip().lower(), value.strip())
        for name, colon, value in (line.partition(":") for line in block.splitlines())
        if colon
    ]
    doubled = [
        name
        for name, count in Counter(name for name, _ in pairs).items()
        if count > 1 and name in _ONCE
    ]
    if doubled:
        raise invalid(f"Duplicate header '{doubled[0].title()}'.")
    headers = dict(pairs)
    if "from" not in headers:
        raise invalid("Missing required header 'From'.")
    if max(map(len, raw.split(b"\n"))) > _LINE + 1:
        raise invalid("Line length exceeds the limit of 1000 characters.")
    return headers


def _accept(ledger: Ledger, message: SentMessage, senders: tuple[str, ...]) -> str:
    """Check the message and record it; return its id. ``senders`` are all mailboxes that must be
    verified.
    """
    account = ledger.account
    if account.paused:
        raise Refusal(
            "AccountSendingPausedException",
            "Email sending is paused for this account.",
            v2_code="SendingPausedException",
        )
    if message.tenant is not None:
        check_send(
            ledger,
            message.region,
            message.tenant,
            address_of(message.source),
            message.configuration_set,
            message.template,
        )
    if message.configuration_set is not None:
        _check_set(ledger, message.region, message.configuration_set)
    _check_envelope(message, senders)
    if message.size > _LARGEST[message.service]:
        raise invalid(
            f"Message length is more than {_LARGEST[message.service]} bytes long: '{message.size}'."
        )
    asked = [
        address_of(text) for text in (*senders, *(message.recipients if account.sandbox else ()))
    ]
    failed = [
        address
        for address in dict.fromkeys(asked)
        if not ledger.is_verified(address, message.region)
    ]
    if failed:
        where = (
            f"The following identities failed the check in region {message.region.upper()}: "
            f"{', '.join(failed)}"
        )
        raise Refusal("MessageRejected", f"Email address is not verified. {where}")
    if 0 <= account.quota.max24_hour_send < ledger.sent_today() + len(message.recipients):
        raise refusals.throttled("Daily message quota exceeded.")
    ledger.accept(message)
    publish_events(ledger, message)
    return message.message_id


def _check_set(ledger: Ledger, region: str, name: str) -> None:
    found = configuration_set(ledger, region, name)
    if found is None:
        text = f"Configuration set <{name}> does not exist."
        raise Refusal(
            "ConfigurationSetDoesNotExist", text, v2_code="NotFoundException", v2_status=_NOT_FOUND
        )
    if found.get("SendingOptions", {}).get("SendingEnabled") is False:
        text = f"Email sending is paused for configuration set <{name}>."
        raise Refusal(
            "ConfigurationSetSendingPausedException", text, v2_code="SendingPausedException"
        )


def _check_envelope(message: SentMessage, senders: tuple[str, ...]) -> None:
    if not message.recipients:
        raise invalid("There are no recipients")
    count = sum(map(check_mailboxes, message.recipients))
    for text in (*senders, *message.reply_to, *filter(None, (message.feedback_address,))):
        check_mailboxes(text)
    if count > _RECIPIENTS:
        raise invalid(f"Recipient count exceeds {_RECIPIENTS}.")
