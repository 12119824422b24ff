"""Event publishing of Amazon SES: records of a message's events in AWS's form, published to the
topics of its configuration set.

Records from
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html. Opens and
clicks are not simulated: the mail has no readers. Destinations other than topics receive nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial

from jackfield_aws_ses_simulator.aws import resources
from jackfield_aws_ses_simulator.aws.account import NUMBER
from jackfield_aws_ses_simulator.aws.alarms import evaluate
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.mailboxes import address_of, addresses_of
from jackfield_aws_ses_simulator.aws.messages import SentMessage
from jackfield_aws_ses_simulator.aws.outcomes import Outcome, outcomes
from jackfield_aws_ses_simulator.aws.resources import Body, Operation
from jackfield_aws_ses_simulator.aws.topics import publish_for

_SUBJECT = "Amazon SES Email Event Notification"
_VALIDATED = "Successfully validated SNS topic for Amazon SES event publishing."
_TYPES = {
    "Send": "SEND",
    "Reject": "REJECT",
    "Delivery": "DELIVERY",
    "Bounce": "BOUNCE",
    "Complaint": "COMPLAINT",
}
_TOOK = {"Delivery": 0.5, "Bounce": 0.6, "Complaint": 1.0}
"""Seconds from a send to its event, by event type."""


def publish_events(ledger: Ledger, message: SentMessage) -> None:
    """Publish the events of an accepted message to the topics of its configuration set, then
    evaluate the region's alarms.
    """
    with ledger.changed:
        _publish_records(ledger, message, message.configuration_set or "")
        evaluate(ledger, message.region)


def _publish_records(ledger: Ledger, message: SentMessage, configuration_set: str) -> None:
    topics = [*_topics(ledger, message.region, configuration_set)]
    for kind, about in _records(ledger, message) if topics else ():
        record = {"eventType": kind, "mail": _mail(message), kind.lower(): about}
        for types, arn in topics:
            if _TYPES[kind] in types:
                _publish(ledger, message.region, configuration_set, arn, json.dumps(record))


def _topics(ledger: Ledger, region: str, configuration_set: str) -> Iterator[tuple[list[str], str]]:
    for found in resources.destinations(ledger, region, configuration_set):
        arn = (found.get("SnsDestination") or {}).get("TopicArn")
        if found.get("Enabled") and arn:
            yield found.get("MatchingEventTypes") or [], arn


def _publish(ledger: Ledger, region: str, configuration_set: str, arn: str, text: str) -> None:
    source = f"arn:aws:ses:{region}:{NUMBER}:configuration-set/{configuration_set}"
    publish_for(ledger, arn, "ses.amazonaws.com", source, text, _SUBJECT)


def _records(ledger: Ledger, message: SentMessage) -> Iterator[tuple[str, Body]]:
    """Yield each event's type with its own part of the event record."""
    found = outcomes(ledger, message)
    yield "Send", {}
    for kind, shape in _SHAPES.items():
        of_kind = [one for one in found if one.kind == kind]
        if kind == "Reject" and of_kind:
            yield kind, {"reason": "Bad content"}
        elif shape is not None:
            yield from (
                (kind, {"timestamp": _moment(message.at + _TOOK[kind]), **shape(one)})
                for one in of_kind
            )


def _delivery(one: Outcome) -> Body:
    return {
        "processingTimeMillis": int(_TOOK[one.kind] * 1000),
        "recipients": [one.address],
        "smtpResponse": "250 2.6.0 Message received",
        "remoteMtaIp": "127.0.2.0",
        "reportingMTA": "a1-1.smtp-out.amazonses.com",
    }


def _bounce(one: Outcome) -> Body:
    whom = {
        "emailAddress": one.address,
        "action": "failed",
        "status": "5.1.1",
        "diagnosticCode": "smtp; 550 5.1.1 user unknown",
    }
    if one.subtype == "OnAccountSuppressionList":
        text = (
            "Amazon SES did not send the message to this address because it is on the "
            "suppression list for your account."
        )
        whom = {
            "emailAddress": one.address,
            "action": "failed",
            "status": "5.1.1",
            "diagnosticCode": text,
        }
    about = {
        "feedbackId": _feedback(),
        "bounceType": "Permanent",
        "bounceSubType": one.subtype,
        "bouncedRecipients": [whom],
    }
    return {**about, "reportingMTA": "dsn; a1-1.smtp-out.amazonses.com"}


def _complaint(one: Outcome) -> Body:
    about = {
        "feedbackId": _feedback(),
        "complaintSubType": None,
        "complainedRecipients": [{"emailAddress": one.address}],
    }
    return {**about, "userAgent": "Amazon SES Mailbox Simulator", "complaintFeedbackType": "abuse"}


_SHAPES: Mapping[str, Callable[[Outcome], Body] | None] = {
    "Reject": None,
    "Delivery": _delivery,
    "Bounce": _bounce,
    "Complaint": _complaint,
}


def _feedback() -> str:
    return f"0102{uuid.uuid4().hex[:12]}-{uuid.uuid4()}-000000"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _mail(message: SentMessage) -> Body:
    """Return the event record's part about the message."""
    to = [*message.to]
    headers = [{"name": name, "value": value} for name, value in message.headers]
    if message.kind == "simple":
        texts = {
            "From": message.source,
            "To": ", ".join(to),
            "Subject": message.subject,
            "MIME-Version": "1.0",
        }
        headers = [*({"name": name, "value": value} for name, value in texts.items()), *headers]
    tags = {
        "ses:source-tls-version": ["TLSv1.3"],
        "ses:operation": ["SendEmail"],
        "ses:configuration-set": [message.configuration_set],
        "ses:source-ip": ["127.0.0.1"],
        "ses:from-domain": [address_of(message.source).rpartition("@")[2]],
        "ses:caller-identity": [message.session_name or message.access_key_id],
        **{name: [value] for name, value in message.tags.items()},
    }
    common = {
        "from": [message.source],
        "to": to,
        "messageId": message.message_id,
        "subject": message.subject,
    }
    return {
        "timestamp": _moment(message.at),
        "source": message.source,
        "sourceArn": _identity(message),
        "sendingAccountId": NUMBER,
        "messageId": message.message_id,
        "destination": [*addresses_of(message.recipients)],
        "headersTruncated": False,
        "headers": headers,
        "commonHeaders": common,
        "tags": tags,
    }


def _identity(message: SentMessage) -> str:
    return (
        message.identity_arn
        or f"arn:aws:ses:{message.region}:{NUMBER}:identity/{address_of(message.source)}"
    )


def _validated(operation: Operation, ledger: Ledger, call: Call) -> Body:
    """Create or change an event destination, and send its topic SES's validation message."""
    found = operation(ledger, call)
    arn = (call.parameters["EventDestination"].get("SnsDestination") or {}).get("TopicArn")
    if arn:
        _publish(ledger, call.region, str(call.parameters["ConfigurationSetName"]), arn, _VALIDATED)
    return found


OPERATIONS: Mapping[str, Operation] = {
    name: partial(_validated, resources.OPERATIONS[name])
    for name in ("CreateConfigurationSetEventDestination", "UpdateConfigurationSetEventDestination")
}
"""Operations of version 2 after which SES validates the topic by a message."""
