"""Amazon SQS (AWS JSON 1.0): standard queues with long polling, visibility timeouts and dead-letter
queues.

Defaults and limits from
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jackfield_aws_ses_simulator.aws.account import NUMBER
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.refusals import Refusal, unimplemented
from jackfield_aws_ses_simulator.aws.resource_policies import permits
from jackfield_aws_ses_simulator.aws.resources import Body, paged

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_SETTABLE: Mapping[str, tuple[str, int, int]] = {
    "DelaySeconds": ("0", 0, 900),
    "MaximumMessageSize": ("1048576", 1024, 1_048_576),
    "MessageRetentionPeriod": ("345600", 60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": ("0", 0, 20),
    "VisibilityTimeout": ("30", 0, 43_200),
}
"""Numeric attributes of a queue: default, minimum and maximum."""
_TEXTS = (
    "Policy",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
)
_AT_ONCE, _LONGEST_WAIT = 10, 20
_CONSUMED = ("Policy", "RedrivePolicy")


@dataclass(slots=True)
class Message:
    """Message in a queue. ``visible_at`` is a time of the ledger's clock; ``receipt`` is the handle
    of its last receipt.
    """

    id: str
    body: str
    sent_at: float
    visible_at: float
    sender: str
    receives: int = 0
    received_at: float = 0.0
    receipt: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


def queue_arn(region: str, name: str) -> str:
    """Return the ARN of a queue."""
    return f"arn:aws:sqs:{region}:{NUMBER}:{name}"


def arn_of(call: Call) -> str:
    """Return the ARN of a call's queue; ``*`` if the call names none."""
    name = (
        call.parameters.get("QueueName")
        or str(call.parameters.get("QueueUrl", "")).rpartition("/")[2]
    )
    return queue_arn(call.region, name) if name else "*"


def _place(region: str, name: str) -> tuple[str, ...]:
    return "Queue", region, name


def _gone() -> Refusal:
    text = "The specified queue does not exist."
    return Refusal(
        "QueueDoesNotExist",
        text,
        headers=(("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender"),),
    )


def _invalid(text: str, code: str = "InvalidParameterValueException") -> Refusal:
    return Refusal(code, text)


def _find(ledger: Ledger, call: Call) -> Body:
    found = ledger.records.get(_place(call.region, arn_of(call).rpartition(":")[2]))
    if found is None:
        raise _gone()
    return found


def _create(ledger: Ledger, call: Call) -> Body:
    name, given = str(call.parameters["QueueName"]), dict(call.parameters.get("Attributes") or {})
    if name.endswith(".fifo"):
        raise unimplemented("FIFO queues")
    if not _NAME.fullmatch(name):
        raise _invalid(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )
    _check(given)
    known = ledger.records.get(_place(call.region, name))
    if known is not None:
        if any(known["Attributes"].get(key) != value for key, value in given.items()):
            raise _invalid(
                "A queue already exists with the same name and a different value for attribute "
                + ", ".join(given),
                "QueueNameExists",
            )
        return {"QueueUrl": _url(call, name)}
    attributes = {**{key: default for key, (default, _, _) in _SETTABLE.items()}, **given}
    ledger.records[_place(call.region, name)] = {
        "Name": name,
        "CreatedAt": int(ledger.now()),
        "Attributes": attributes,
        "Messages": [],
    }
    return {"QueueUrl": _url(call, name)}


def _check(given: Mapping[str, str]) -> None:
    """Check attributes.

    :raises Refusal: InvalidAttributeName or InvalidAttributeValue.
    """
    for name, value in given.items():
        if name in _SETTABLE:
            _, least, largest = _SETTABLE[name]
            if not value.isdecimal() or not least <= int(value) <= largest:
                raise _invalid(f"Invalid value for the parameter {name}.", "InvalidAttributeValue")
        elif name not in _TEXTS:
            raise _invalid(f"Unknown Attribute {name}.", "InvalidAttributeName")
        elif name in _CONSUMED and value and not _is_object(value):
            raise _invalid(f"Invalid value for the parameter {name}.", "InvalidAttributeValue")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _url(call: Call, name: str) -> str:
    return f"{call.origin}/{NUMBER}/{name}"


def _get_url(ledger: Ledger, call: Call) -> Body:
    return {"QueueUrl": _url(call, _find(ledger, call)["Name"])}


def _list(ledger: Ledger, call: Call) -> Body:
    prefix = call.parameters.get("QueueNamePrefix", "")
    names = [
        place[2]
        for place, record in ledger.records.items()
        if place[:2] == ("Queue", call.region) and record is not None
    ]
    shown = paged(
        call, {name: _url(call, name) for name in names if name.startswith(prefix)}, "QueueUrls"
    )
    return {name: value for name, value in shown.items() if value}


def _delete(ledger: Ledger, call: Call) -> Body:
    del ledger.records[_place(call.region, _find(ledger, call)["Name"])]
    return {}


def _purge(ledger: Ledger, call: Call) -> Body:
    _find(ledger, call)["Messages"].clear()
    return {}


def _get_attributes(ledger: Ledger, call: Call) -> Body:
    record, now = _find(ledger, call), ledger.now()
    _expire(record, now)
    messages: list[Message] = record["Messages"]
    hidden = sum(message.visible_at > now for message in messages)
    shown = {
        "QueueArn": queue_arn(call.region, record["Name"]),
        "CreatedTimestamp": str(record["CreatedAt"]),
        "ApproximateNumberOfMessages": str(len(messages) - hidden),
        "ApproximateNumberOfMessagesNotVisible": str(hidden),
        "ApproximateNumberOfMessagesDelayed": "0",
        **record["Attributes"],
    }
    asked = call.parameters.get("AttributeNames") or ()
    return {
        "Attributes": {
            name: value
            for name, value in shown.items()
            if value and ("All" in asked or name in asked)
        }
    }


def _set_attributes(ledger: Ledger, call: Call) -> Body:
    given = call.parameters["Attributes"]
    _check(given)
    _find(ledger, call)["Attributes"].update(given)
    return {}


def _send(ledger: Ledger, call: Call) -> Body:
    return _sent(ledger, call, _find(ledger, call), call.parameters)


def _sent(ledger: Ledger, call: Call, record: Body, given: Mapping[str, Any]) -> Body:
    text = str(given["MessageBody"])
    if len(text.encode("utf-8", "replace")) > int(record["Attributes"]["MaximumMessageSize"]):
        raise _invalid(
            "One or more parameters are invalid. Reason: Message must be shorter than the "
            "queue's MaximumMessageSize."
        )
    delay = given.get("DelaySeconds", int(record["Attributes"]["DelaySeconds"]))
    message = put(
        ledger, record, text, call.access_key_id, delay, given.get("MessageAttributes") or {}
    )
    return {"MessageId": message.id, "MD5OfMessageBody": _md5(text)}


def _send_batch(ledger: Ledger, call: Call) -> Body:
    record = _find(ledger, call)
    return {
        "Successful": [
            {"Id": one["Id"], **_sent(ledger, call, record, one)} for one in _entries(call)
        ],
        "Failed": [],
    }


def put(
    ledger: Ledger,
    record: Body,
    text: str,
    sender: str,
    delay: float = 0.0,
    attributes: Mapping[str, Any] | None = None,
) -> Message:
    """Put a message into a queue, and wake waiting receivers."""
    now = ledger.now()
    message = Message(
        str(uuid.uuid4()), text, now, now + delay, sender, attributes=attributes or {}
    )
    record["Messages"].append(message)
    ledger.changed.notify_all()
    return message


def deliver(ledger: Ledger, arn: str, topic_arn: str, text: str) -> bool:
    """Put a topic's message into a queue; return False if the queue does not exist, or its policy
    does not let the topic send.
    """
    _, _, service, region, account, name = [*arn.split(":"), *[""] * 6][:6]
    record = (
        ledger.records.get(_place(region, name)) if (service, account) == ("sqs", NUMBER) else None
    )
    if record is None or not permits(
        record["Attributes"].get("Policy", ""), "sns.amazonaws.com", "sqs:SendMessage", topic_arn
    ):
        return False
    put(ledger, record, text, "AIDAIT2UOQQY3AUEKVGXU")
    return True


def _receive(ledger: Ledger, call: Call) -> Body:
    """Wait for messages up to the requested time, and hide returned ones for the visibility
    timeout.
    """
    given, attributes = call.parameters, _find(ledger, call)["Attributes"]
    most = given.get("MaxNumberOfMessages", 1)
    wait = given.get("WaitTimeSeconds", int(attributes["ReceiveMessageWaitTimeSeconds"]))
    if not 1 <= most <= _AT_ONCE or not 0 <= wait <= _LONGEST_WAIT:
        raise _invalid(
            f"MaxNumberOfMessages must be from 1 to {_AT_ONCE}, WaitTimeSeconds from 0 to "
            f"{_LONGEST_WAIT}."
        )
    until = time.monotonic() + wait
    while not (
        found := _receive_messages(
            ledger, _find(ledger, call), most, given.get("VisibilityTimeout")
        )
    ):
        left = until - time.monotonic()
        if left <= 0 or ledger.closed:
            return {}
        # at least each second: a hidden message becomes visible without a notification
        ledger.changed.wait(min(left, 1.0))
    return {"Messages": [_message_entry(message, given) for message in found]}


def _receive_messages(
    ledger: Ledger, record: Body, most: int, hidden_for: int | None
) -> list[Message]:
    now = ledger.now()
    _expire(record, now)
    _redrive(ledger, record, now)
    found: list[Message] = [
        *itertools.islice((one for one in record["Messages"] if one.visible_at <= now), most)
    ]
    for message in found:
        message.receives += 1
        message.received_at = message.received_at or now
        message.receipt = uuid.uuid4().hex
        message.visible_at = now + (
            int(record["Attributes"]["VisibilityTimeout"]) if hidden_for is None else hidden_for
        )
    return found


def _expire(record: Body, now: float) -> None:
    oldest = now - int(record["Attributes"]["MessageRetentionPeriod"])
    record["Messages"] = [message for message in record["Messages"] if message.sent_at > oldest]


def _redrive(ledger: Ledger, record: Body, now: float) -> None:
    """Move visible messages that were received too often to the dead-letter queue."""
    policy = json.loads(record["Attributes"].get("RedrivePolicy") or "{}")
    target = ledger.records.get(
        _place(*str(policy.get("deadLetterTargetArn", "::::::")).split(":")[3:6:2])
    )
    if target is None:
        return
    most = int(policy.get("maxReceiveCount", 10))
    moved = [
        message
        for message in record["Messages"]
        if message.visible_at <= now and message.receives >= most
    ]
    record["Messages"] = [message for message in record["Messages"] if message not in moved]
    target["Messages"] += moved


def _message_entry(message: Message, given: Mapping[str, Any]) -> Body:
    about = {
        "SenderId": message.sender,
        "SentTimestamp": str(int(message.sent_at * 1000)),
        "ApproximateReceiveCount": str(message.receives),
        "ApproximateFirstReceiveTimestamp": str(int(message.received_at * 1000)),
    }
    asked = {
        *(given.get("AttributeNames") or ()),
        *(given.get("MessageSystemAttributeNames") or ()),
    }
    system = {name: value for name, value in about.items() if "All" in asked or name in asked}
    return {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "Body": message.body,
        "MD5OfBody": _md5(message.body),
        **({"Attributes": system} if system else {}),
    }


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def _entries(call: Call) -> list[Mapping[str, Any]]:
    """Return the entries of a batch.

    :raises Refusal: if there are none or too many, or if two have the same ID.
    """
    found: list[Mapping[str, Any]] = call.parameters["Entries"]
    if not found:
        raise _invalid("There should be at least one entry in the request.", "EmptyBatchRequest")
    if len(found) > _AT_ONCE:
        raise _invalid(
            "Maximum number of entries per request are 10.", "TooManyEntriesInBatchRequest"
        )
    if len({one["Id"] for one in found}) < len(found):
        raise _invalid(
            "Two or more batch entries in the request have the same Id.", "BatchEntryIdsNotDistinct"
        )
    return found


def _each(
    step: Callable[[Ledger, Body, Mapping[str, Any]], None],
) -> dict[str, Callable[[Ledger, Call], Body]]:
    """Return two operations made from a step: for one message, and for a batch with an outcome for
    each entry.
    """

    def one(ledger: Ledger, call: Call) -> Body:
        step(ledger, _find(ledger, call), call.parameters)
        return {}

    def batch(ledger: Ledger, call: Call) -> Body:
        record, entries = _find(ledger, call), _entries(call)
        failed = {}
        for entry in entries:
            try:
                step(ledger, record, entry)
            except Refusal as refusal:
                failed[entry["Id"]] = {
                    "Id": entry["Id"],
                    "SenderFault": True,
                    "Code": refusal.code,
                    "Message": refusal.message,
                }
        return {
            "Successful": [{"Id": entry["Id"]} for entry in entries if entry["Id"] not in failed],
            "Failed": [*failed.values()],
        }

    return {"": one, "Batch": batch}


def _delete_message(_ledger: Ledger, record: Body, given: Mapping[str, Any]) -> None:
    """Delete a message by its last receipt handle; a handle of a deleted message is accepted."""
    record["Messages"] = [
        message for message in record["Messages"] if message.receipt != _handle(given)
    ]


def _change_visibility(ledger: Ledger, record: Body, given: Mapping[str, Any]) -> None:
    found = next(
        (message for message in record["Messages"] if message.receipt == _handle(given)), None
    )
    if found is None or found.visible_at <= ledger.now():
        raise _invalid("The message referred to is not in flight.", "MessageNotInflight")
    found.visible_at = ledger.now() + given.get("VisibilityTimeout", 0)
    ledger.changed.notify_all()


def _handle(given: Mapping[str, Any]) -> str:
    handle = str(given["ReceiptHandle"])
    if not handle:
        raise _invalid("The input receipt handle is invalid.", "ReceiptHandleIsInvalid")
    return handle


OPERATIONS: Mapping[str, Callable[[Ledger, Call], Body]] = {
    "CreateQueue": _create,
    "GetQueueUrl": _get_url,
    "ListQueues": _list,
    "DeleteQueue": _delete,
    "PurgeQueue": _purge,
    "GetQueueAttributes": _get_attributes,
    "SetQueueAttributes": _set_attributes,
    "SendMessage": _send,
    "SendMessageBatch": _send_batch,
    "ReceiveMessage": _receive,
    **{f"DeleteMessage{end}": step for end, step in _each(_delete_message).items()},
    **{f"ChangeMessageVisibility{end}": step for end, step in _each(_change_visibility).items()},
}
"""Operations by name; each returns the members of its response."""
