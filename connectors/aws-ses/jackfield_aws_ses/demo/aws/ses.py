"""Amazon SES: version 1 (query protocol) lists identities, version 2 (REST-JSON) returns the account; both send, raw or simple. SES's
checks come in its order, before it accepts a message.

Limits from https://docs.aws.amazon.com/ses/latest/dg/quotas.html.
"""

from __future__ import annotations

import binascii
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jackfield_aws_ses.demo.aws import refusals
from jackfield_aws_ses.demo.aws.access import Caller
from jackfield_aws_ses.demo.aws.account import NUMBER, Identity, page
from jackfield_aws_ses.demo.aws.call import Call
from jackfield_aws_ses.demo.aws.exchange import Answer
from jackfield_aws_ses.demo.aws.ledger import Ledger
from jackfield_aws_ses.demo.aws.messages import Attachment, Content, SentMessage
from jackfield_aws_ses.demo.aws.query import element, listed
from jackfield_aws_ses.demo.aws.refusals import Refusal, invalid

_DOMAIN = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f.:A-Za-z]+\]")
_LOCAL = re.compile(r"[!-~]+")


def split_mailboxes(text: str) -> list[str]:
    """Return the mailboxes of an address list: commas count outside quotes and angle brackets only."""
    parts, start, quoted, angle, escaped = [], 0, False, False, False
    for position, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\" and quoted:
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "<>":
            angle = char == "<"
        elif char == "," and not quoted and not angle:
            parts.append(text[start:position])
            start = position + 1
    return [part.strip() for part in (*parts, text[start:])]


def address_of(mailbox: str) -> str:
    """Return the bare address: between the last angle brackets, or the whole text."""
    text = mailbox.strip()
    return text[text.rfind("<") + 1 : -1].strip() if text.endswith(">") and "<" in text else text


def check_mailboxes(text: str) -> int:
    """Check every mailbox of one value and count them.

    :raises Refusal: InvalidParameterValue (BadRequestException in version 2) for an address that SES does not accept.
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
    {"from", "sender", "reply-to", "to", "cc", "bcc", "subject", "message-id", "date", "return-path"}
    | {"mime-version", "content-type", "content-transfer-encoding"}
)
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_END = re.compile(rb"\r?\n\r?\n")
_NOT_FOUND = 404


def _send_email(ledger: Ledger, call: Call, caller: Caller) -> dict[str, Any]:
    """Check and accept a SendEmail of version 2.

    :raises Refusal: for anything that SES refuses.
    """
    content = call.content.get("Content")
    if not isinstance(content, dict) or len(content.keys() & {"Simple", "Raw"}) != 1:
        raise invalid("Content must hold Simple or Raw")
    given = call.parameters
    source = str(given.get("FromEmailAddress") or "")
    fields: dict[str, Any] = {
        "reply_to": tuple(given.get("ReplyToAddresses") or ()),
        "configuration_set": given.get("ConfigurationSetName"),
        "tags": {tag.get("Name", ""): tag.get("Value", "") for tag in given.get("EmailTags") or ()},
        "feedback_address": given.get("FeedbackForwardingEmailAddress"),
        "identity_arn": given.get("FromEmailAddressIdentityArn"),
    }
    destination = given.get("Destination") or {}
    lists = [destination.get(name) or () for name in ("ToAddresses", "CcAddresses", "BccAddresses")]
    if "Raw" in content:
        either = () if ledger.account.strict_raw else ("ses:SendEmail",)
        raw = _blob(content["Raw"].get("Data"))
        return {"MessageId": _send_raw(ledger, call, caller, raw, source, lists, ("ses:SendRawEmail", *either), fields)}
    simple = _simple(content["Simple"])
    caller.authorise(fields["identity_arn"] or _identity(call, source), "ses:SendEmail")
    fields |= {"simple": simple, "size": _encoded_size(simple), **_envelope(lists, {})}
    return {"MessageId": _accept(ledger, _draft(ledger, call, caller, source, fields), (source,))}


def _send_raw_email(ledger: Ledger, call: Call, caller: Caller) -> str:
    form = call.parameters
    lists = (listed(form, "Destinations"), (), ())
    fields = {"configuration_set": form.get("ConfigurationSetName"), "identity_arn": form.get("SourceArn")}
    raw, source = _blob(call.content["Data"]), form.get("Source", "")
    return element("MessageId", _send_raw(ledger, call, caller, raw, source, lists, ("ses:SendRawEmail",), fields))


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
    caller.authorise(fields["identity_arn"] or _identity(call, source), *actions)
    fields = {**fields, "raw": raw, "size": len(raw), **_envelope(lists, headers)}
    return _accept(ledger, _draft(ledger, call, caller, source, fields), senders)


def _identity(call: Call, source: str) -> str:
    """Return the ARN of the identity that a message is sent from."""
    return f"arn:aws:ses:{call.region}:{NUMBER}:identity/{address_of(source)}"


def _envelope(lists: Sequence[Iterable[str]], headers: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return ``to``, ``cc`` and ``bcc``: the given lists or, if all are empty, those of the raw message's headers."""
    names = ("to", "cc", "bcc")
    if any(lists):
        return dict(zip(names, map(tuple, lists), strict=True))
    return {name: tuple(split_mailboxes(headers[name])) if headers.get(name) else () for name in names}


def _draft(ledger: Ledger, call: Call, caller: Caller, source: str, fields: Mapping[str, Any]) -> SentMessage:
    return SentMessage(
        message_id=ledger.message_id(),
        service=call.service,
        region=call.region,
        access_key_id=call.access_key_id,
        session_name=caller.session.session_name if caller.session else None,
        source=source,
        **fields,
    )


def _simple(given: Mapping[str, Any]) -> Content:
    body = given.get("Body") or {}
    parts = {"subject": given.get("Subject") or {}, "text": body.get("Text") or {}, "html": body.get("Html") or {}}
    headers = tuple((item.get("Name", ""), item.get("Value", "")) for item in given.get("Headers") or ())
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
    """Estimate the size of the message that SES builds: base64 in lines of 76 characters and CRLF, and the headers of each part."""
    texts = sum(len(text.encode("utf-8", "replace")) for text in (content.subject, content.text, content.html) if text)
    return 1024 + texts + sum(-(-attachment.size // 57) * 78 + 300 for attachment in content.attachments)


def _blob(text: object) -> bytes:
    try:
        return binascii.a2b_base64(text) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        raise refusals.misshapen("A blob is not valid base64") from None


def _raw_headers(raw: bytes) -> dict[str, str]:
    """Return the raw message's headers with lower-case names; refuse a missing or duplicate header, or an overlong line."""
    end = _END.search(raw)
    block = _FOLD.sub("", (raw[: end.start()] if end else raw).decode("utf-8", "replace"))
    pairs = [(name.strip().lower(), value.strip()) for name, colon, value in (line.partition(":") for line in block.splitlines()) if colon]
    doubled = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1 and name in _ONCE]
    if doubled:
        raise invalid(f"Duplicate header '{doubled[0].title()}'.")
    headers = dict(pairs)
    if "from" not in headers:
        raise invalid("Missing required header 'From'.")
    if max(map(len, raw.split(b"\n"))) > _LINE + 1:
        raise invalid("Line length exceeds the limit of 1000 characters.")
    return headers


def _accept(ledger: Ledger, message: SentMessage, senders: tuple[str, ...]) -> str:
    """Check the message and record it; return its id. ``senders`` are all mailboxes that must be verified."""
    account = ledger.account
    if account.paused:
        raise Refusal("AccountSendingPausedException", "Email sending is paused for this account.", v2_code="SendingPausedException")
    name, known = message.configuration_set, account.configuration_sets
    if name is not None and known is not None and name not in known:
        text = f"Configuration set <{name}> does not exist."
        raise Refusal("ConfigurationSetDoesNotExist", text, v2_code="NotFoundException", v2_status=_NOT_FOUND)
    _check_envelope(message, senders)
    if message.size > _LARGEST[message.service]:
        raise invalid(f"Message length is more than {_LARGEST[message.service]} bytes long: '{message.size}'.")
    asked = [address_of(text) for text in (*senders, *(message.recipients if account.sandbox else ()))]
    failed = [address for address in dict.fromkeys(asked) if not account.is_verified(address, message.region)]
    if failed:
        where = f"The following identities failed the check in region {message.region.upper()}: {', '.join(failed)}"
        raise Refusal("MessageRejected", f"Email address is not verified. {where}")
    if 0 <= account.quota.max24_hour_send < ledger.sent_today() + len(message.recipients):
        raise refusals.throttled("Daily message quota exceeded.")
    ledger.accept(message)
    return message.message_id


def _check_envelope(message: SentMessage, senders: tuple[str, ...]) -> None:
    if not message.recipients:
        raise invalid("There are no recipients")
    count = sum(map(check_mailboxes, message.recipients))
    for text in (*senders, *message.reply_to, *filter(None, (message.feedback_address,))):
        check_mailboxes(text)
    if count > _RECIPIENTS:
        raise invalid(f"Recipient count exceeds {_RECIPIENTS}.")


_OK = 200
_PAGE = "100"
"""Default page size for identities."""
_IS_DOMAIN = {"Domain": (True,), "EmailAddress": (False,), "": (True, False)}


def _list_identities(ledger: Ledger, call: Call, caller: Caller) -> str:
    caller.authorise("*", "ses:ListIdentities")
    kind = call.parameters.get("IdentityType", "")
    if kind not in _IS_DOMAIN:
        raise invalid(f"Value '{kind}' is not a type of identity; one of EmailAddress, Domain.")

    def asked(identity: Identity) -> bool:
        return identity.is_domain in _IS_DOMAIN[kind]

    found = filter(asked, ledger.account.identities_in(call.region))
    shown = page(found, f"v1/{kind}", call.parameters.get("NextToken"), call.parameters.get("MaxItems", _PAGE))
    names = "".join(element("member", name) for name in shown.names)
    return f"<Identities>{names}</Identities>" + (element("NextToken", shown.token) if shown.token else "")


QUERY_OPERATIONS = {"ListIdentities": _list_identities, "SendRawEmail": _send_raw_email}
"""Operations of version 1; each returns the inner elements of its answer."""


def answer_v2(ledger: Ledger, call: Call, caller: Caller) -> Answer:
    """Answer a call of version 2.

    :raises Refusal: when AWS would refuse it.
    """
    operation = _V2_OPERATIONS.get(call.operation)
    if operation is None:
        raise Refusal("UnknownOperationException", "There is no such operation.", _NOT_FOUND)
    if call.malformed is not None:
        raise call.malformed
    body = operation(ledger, call, caller)
    return Answer(_OK, json.dumps(body).encode(), headers=(("x-amzn-RequestId", call.request_id),))


def _get_account(ledger: Ledger, _call: Call, caller: Caller) -> dict[str, Any]:
    caller.authorise("*", "ses:GetAccount")
    account = ledger.account
    return {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": "HEALTHY",
        "ProductionAccessEnabled": not account.sandbox,
        "SendQuota": {
            "Max24HourSend": account.quota.max24_hour_send,
            "MaxSendRate": account.quota.max_send_rate,
            "SentLast24Hours": ledger.sent_today(),
        },
        "SendingEnabled": not account.paused,
    }


def _get_identity(ledger: Ledger, call: Call, caller: Caller) -> dict[str, Any]:
    name = str(call.parameters["EmailIdentity"])
    caller.authorise(name, "ses:GetEmailIdentity")
    if not any(identity.name == name for identity in ledger.account.identities_in(call.region)):
        raise Refusal("NotFoundException", f"Email identity {name} does not exist.", _NOT_FOUND)
    return {
        "IdentityType": "EMAIL_ADDRESS" if "@" in name else "DOMAIN",
        "FeedbackForwardingStatus": True,
        "VerifiedForSendingStatus": True,
        "DkimAttributes": {"SigningEnabled": False, "Status": "NOT_STARTED"},
        "MailFromAttributes": {"BehaviorOnMxFailure": "USE_DEFAULT_VALUE"},
        "VerificationStatus": "SUCCESS",
    }


def _get_suppressed(_ledger: Ledger, call: Call, caller: Caller) -> dict[str, Any]:
    caller.authorise("*", "ses:GetSuppressedDestination")
    raise Refusal("NotFoundException", f"{call.parameters['EmailAddress']} is not on the suppression list.", _NOT_FOUND)


_V2_OPERATIONS = {
    "SendEmail": _send_email,
    "GetAccount": _get_account,
    "GetEmailIdentity": _get_identity,
    "GetSuppressedDestination": _get_suppressed,
}
