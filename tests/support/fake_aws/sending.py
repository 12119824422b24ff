"""What SES checks before it accepts a message, in one order for all ways to send."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from . import errors
from .errors import AwsError
from .identities import is_verified
from .mailbox import address_of, check_field, split_mailboxes
from .mime import header_block
from .records import SentMessage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .access import Caller
    from .call import Call
    from .options import Settings
    from .state import State

_ONCE = frozenset(
    {"from", "sender", "reply-to", "to", "cc", "bcc", "subject", "message-id", "date", "return-path"}
    | {"mime-version", "content-type", "content-transfer-encoding"}
)
_MAX_LINE = 998


def draft(state: State, call: Call, caller: Caller, **fields: Any) -> SentMessage:
    """Return a message with what every way to send has in common filled in."""
    return SentMessage(
        message_id=state.message_id(),
        service=call.service,
        operation=call.operation,
        region=call.region,
        access_key_id=call.access_key_id,
        session_name=caller.session.session_name if caller.session else None,
        connection=call.connection,
        at=state.now(),
        **fields,
    )


def envelope(lists: Sequence[Iterable[str]], headers: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """To, cc and bcc: the lists as given, or, where all are empty, those of the raw message's headers."""
    names = ("to", "cc", "bcc")
    if any(lists):
        return dict(zip(names, map(tuple, lists), strict=True))
    return {name: tuple(split_mailboxes(headers[name])) if headers.get(name) else () for name in names}


def sender_arn(settings: Settings, region: str, source: str) -> str:
    """Return the ARN of the identity that a message is sent from."""
    return f"arn:aws:ses:{region}:{settings.account_id}:identity/{address_of(source)}"


def accept(state: State, message: SentMessage, senders: tuple[str, ...]) -> str:
    """Check the message and write it down; answers its id. `senders` are all mailboxes that must be verified."""
    settings = state.settings
    _check_account(settings, message)
    _check_envelope(settings, message, senders)
    _check_size(settings, message)
    _check_identities(settings, message, senders)
    quota = settings.quota.max24_hour_send
    if 0 <= quota < state.sent_today() + len(message.recipients):
        raise errors.throttled("Daily message quota exceeded.")
    state.accept(message)
    return message.message_id


def _check_account(settings: Settings, message: SentMessage) -> None:
    if settings.paused:
        raise AwsError("AccountSendingPausedException", "Email sending is paused for this account.", 400, "SendingPausedException")
    name, known = message.configuration_set, settings.configuration_sets
    if name is not None and known is not None and name not in known:
        text = f"Configuration set <{name}> does not exist."
        raise AwsError("ConfigurationSetDoesNotExist", text, 400, "NotFoundException", 404)


def _check_envelope(settings: Settings, message: SentMessage, senders: tuple[str, ...]) -> None:
    recipients = message.recipients
    if not recipients:
        raise errors.invalid("There are no recipients")
    if settings.check_addresses:
        count = sum(map(check_field, recipients))
        for text in (*senders, *message.reply_to, *filter(None, (message.feedback_address,))):
            check_field(text)
    else:
        count = len(recipients)
    if settings.max_recipients is not None and count > settings.max_recipients:
        raise errors.invalid(f"Recipient count exceeds {settings.max_recipients}.")


def _check_size(settings: Settings, message: SentMessage) -> None:
    limit = settings.size_limit_v2 if message.service == "sesv2" else settings.size_limit_v1
    if limit is not None and message.size > limit:
        raise errors.invalid(f"Message length is more than {limit} bytes long: '{message.size}'.")


def _check_identities(settings: Settings, message: SentMessage, senders: tuple[str, ...]) -> None:
    if settings.identities is None:
        return
    asked = [address_of(text) for text in senders]
    if settings.sandbox:
        asked += [address_of(text) for text in message.recipients]
    failed = [address for address in dict.fromkeys(asked) if not is_verified(settings, address, message.region)]
    if failed:
        where = f"The following identities failed the check in region {message.region.upper()}: {', '.join(failed)}"
        raise AwsError("MessageRejected", f"Email address is not verified. {where}", 400)


def raw_headers(settings: Settings, raw: bytes) -> dict[str, str]:
    """Return the raw message's own headers, checked; AwsError for one that is missing or doubled, or a line that is too long."""
    pairs = header_block(raw)
    headers = dict(pairs)
    if not settings.check_raw:
        return headers
    doubled = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1 and name in _ONCE]
    if doubled:
        raise errors.invalid(f"Duplicate header '{doubled[0].title()}'.")
    if "from" not in headers:
        raise errors.invalid("Missing required header 'From'.")
    if max(map(len, raw.split(b"\n"))) > _MAX_LINE + 1:
        raise errors.invalid("Line length exceeds the limit of 1000 characters.")
    return headers
