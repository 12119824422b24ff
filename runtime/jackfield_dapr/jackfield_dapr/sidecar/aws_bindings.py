"""Dapr's bindings of SQS, SNS and DynamoDB: each sends one JSON payload by one operation of AWS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from jackfield.invocation import check_values
from jackfield.kernel.errors import InvalidInvocation
from jackfield_dapr.sidecar.calls import BindingError, Call, Response


def sqs(call: Call) -> Response:
    """Send the data to the queue, whose URL is queried by its name."""
    queue = call.invoke("getQueueUrl", {"QueueName": call.fields["queueName"]})
    call.invoke(
        "sendMessage", {"QueueUrl": queue["QueueUrl"], "MessageBody": _utf8(call.request.octets())}
    )
    return Response()


def sns(call: Call) -> Response:
    """Publish the ``message`` of the data to the topic, under its ``subject``. A missing subject
    stays empty, and an object becomes JSON text; Dapr sends ``<nil>`` and Go's notation of a map.
    """
    given = json_object(call.request.octets())
    if is_absent(given.get("message")):
        raise BindingError('the data must be an object with a "message", and may have a "subject"')
    inputs = {"TopicArn": call.fields["topicArn"], "Message": _text_of(given["message"])}
    call.invoke(
        "publish",
        inputs
        if is_absent(given.get("subject"))
        else {**inputs, "Subject": _text_of(given["subject"])},
    )
    return Response()


def dynamodb(call: Call) -> Response:
    """Put the data, an object, into the table as an item."""
    item = {name: _attribute(value) for name, value in json_object(call.request.octets()).items()}
    call.invoke("putItem", {"TableName": call.fields["table"], "Item": item})
    return Response()


def is_absent(value: object) -> bool:
    """Return whether a member counts as missing."""
    return value is None or value == ""


def json_object(octets: bytes) -> Mapping[str, Any]:
    """Parse data that must be a JSON object. Numbers retain their digits.

    :raises BindingError: if the data are not a JSON object.
    """
    try:
        check_values(octets)
        found = json.loads(octets, parse_float=Decimal)
    except InvalidInvocation as error:
        raise BindingError(error.message) from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping):
        raise BindingError("the data must be a JSON object")
    return found


def _utf8(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise BindingError("the data is not UTF-8 text") from None


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=float)


def _attribute(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {"M": {str(name): _attribute(item) for name, item in value.items()}}
    if isinstance(value, list):
        return {"L": [_attribute(item) for item in value]}
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"S": value} if isinstance(value, str) else {"N": str(value)}
