"""Amazon SNS (query protocol): standard topics, delivered to queues of the account and to web
servers on this machine.

A subscription over http or https becomes active once the endpoint returns its token. Nothing leaves
the machine: an endpoint on another host receives nothing, and its subscription stays pending.
"""

from __future__ import annotations

import http.client
import json
import re
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from jackfield_aws_ses_simulator.aws import queues
from jackfield_aws_ses_simulator.aws.account import NUMBER
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.refusals import Refusal, unimplemented
from jackfield_aws_ses_simulator.aws.resource_policies import permits
from jackfield_aws_ses_simulator.aws.resources import Body, paged
from jackfield_aws_ses_simulator.aws.signing import signed

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FORBIDDEN, _NOT_FOUND = 403, 404
_PENDING = "PendingConfirmation"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_WITHIN = 10.0
_PARTS = 3
"""Number of colons before an ARN's region."""
_SETTABLE = frozenset(
    {
        "Policy",
        "DisplayName",
        "SignatureVersion",
        "DeliveryPolicy",
        "KmsMasterKeyId",
        "TracingConfig",
    }
)
_OF_SUBSCRIPTIONS = frozenset(
    {"RawMessageDelivery", "DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RedrivePolicy"}
)


def topic_arn(region: str, name: str) -> str:
    """Return the ARN of a topic."""
    return f"arn:aws:sns:{region}:{NUMBER}:{name}"


def _region(arn: str) -> str:
    """Return an ARN's region, "" if it has none. An unsigned call has no other region."""
    return arn.split(":")[3] if arn.count(":") > _PARTS else ""


def arn_of(ledger: Ledger, call: Call) -> str:
    """Return the ARN of a call's topic, found by its subscription if need be; ``*`` if the call
    names none.
    """
    given = call.parameters
    if "Name" in given:
        return topic_arn(call.region, str(given["Name"]))
    found = ledger.records.get(("Subscription", call.region, given.get("SubscriptionArn", "")))
    return str(given.get("TopicArn") or (found or {}).get("TopicArn") or "*")


def _missing(what: str) -> Refusal:
    return Refusal("NotFound", f"{what} does not exist", _NOT_FOUND)


def _invalid(text: str) -> Refusal:
    return Refusal("InvalidParameter", f"Invalid parameter: {text}")


def _topic(ledger: Ledger, region: str, arn: str) -> Body:
    found = ledger.records.get(("Topic", region, arn))
    if found is None:
        raise _missing("Topic")
    return found


def _subscription(ledger: Ledger, call: Call) -> Body:
    found = ledger.records.get(
        ("Subscription", call.region, str(call.parameters["SubscriptionArn"]))
    )
    if found is None:
        raise _missing("Subscription")
    return found


def _records(ledger: Ledger, kind: str, region: str) -> dict[str, Body]:
    return {
        place[2]: record
        for place, record in ledger.records.items()
        if place[:2] == (kind, region) and record is not None
    }


def subscriptions(ledger: Ledger, arn: str) -> list[Body]:
    """Return the subscriptions of a topic."""
    return [
        one
        for one in _records(ledger, "Subscription", _region(arn)).values()
        if one["TopicArn"] == arn
    ]


def _create(ledger: Ledger, call: Call) -> Body:
    name, given = str(call.parameters["Name"]), call.parameters.get("Attributes") or {}
    if name.endswith(".fifo") or given.get("FifoTopic") == "true":
        raise unimplemented("FIFO topics")
    if not _NAME.fullmatch(name):
        raise _invalid("Topic Name")
    for attribute in given:
        _check(attribute, _SETTABLE)
    arn = topic_arn(call.region, name)
    policy = json.dumps(
        {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [_owner(arn)]}
    )
    ledger.records.setdefault(
        ("Topic", call.region, arn), {"TopicArn": arn, "Attributes": {"Policy": policy, **given}}
    )
    return {"TopicArn": arn}


def _owner(arn: str) -> Body:
    """Return the policy statement of a new topic, which lets the account, and services acting for
    it, use the topic.
    """
    return {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["SNS:Publish", "SNS:Subscribe"],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": NUMBER}},
    }


def _check(name: str, known: frozenset[str]) -> None:
    if name not in known:
        raise _invalid(f"AttributeName: {name}")


def _get_attributes(ledger: Ledger, call: Call) -> Body:
    arn = str(call.parameters["TopicArn"])
    found = _topic(ledger, call.region, arn)
    states = [one["Confirmed"] for one in subscriptions(ledger, arn)]
    counts = {
        "SubscriptionsConfirmed": str(sum(states)),
        "SubscriptionsPending": str(states.count(False)),
        "SubscriptionsDeleted": "0",
    }
    return {"Attributes": {"TopicArn": arn, "Owner": NUMBER, **counts, **found["Attributes"]}}


def _set_attributes(ledger: Ledger, call: Call) -> Body:
    given, found = call.parameters, _topic(ledger, call.region, str(call.parameters["TopicArn"]))
    name, value = str(given["AttributeName"]), str(given.get("AttributeValue", ""))
    _check(name, _SETTABLE)
    if name == "Policy":
        try:
            json.loads(value)
        except ValueError:
            raise _invalid("Policy Error: null") from None
    found["Attributes"][name] = value
    return {}


def _list(ledger: Ledger, call: Call) -> Body:
    rows = {arn: {"TopicArn": arn} for arn in _records(ledger, "Topic", call.region)}
    return paged(call, rows, "Topics")


def _delete(ledger: Ledger, call: Call) -> Body:
    arn = str(call.parameters["TopicArn"])
    ledger.records.pop(("Topic", call.region, arn), None)
    for one in subscriptions(ledger, arn):
        del ledger.records["Subscription", call.region, one["SubscriptionArn"]]
    return {}


def _subscribe(ledger: Ledger, call: Call) -> Body:
    given = call.parameters
    arn, protocol, endpoint = (
        str(given["TopicArn"]),
        str(given["Protocol"]),
        str(given.get("Endpoint", "")),
    )
    topic, attributes = _topic(ledger, call.region, arn), dict(given.get("Attributes") or {})
    for name in attributes:
        _check(name, _OF_SUBSCRIPTIONS)
    if protocol not in ("sqs", "http", "https"):
        raise unimplemented(f"subscriptions over {protocol}")
    if not endpoint.startswith("arn:aws:sqs:" if protocol == "sqs" else "http"):
        raise _invalid(
            "SQS endpoint ARN"
            if protocol == "sqs"
            else "Endpoint must match the specified protocol"
        )
    known = next(
        (
            one
            for one in subscriptions(ledger, arn)
            if (one["Protocol"], one["Endpoint"]) == (protocol, endpoint)
        ),
        None,
    )
    if known is None:
        known = {
            "SubscriptionArn": f"{arn}:{uuid.uuid4()}",
            "TopicArn": arn,
            "Protocol": protocol,
            "Endpoint": endpoint,
            "Owner": NUMBER,
            "Confirmed": protocol == "sqs",
            "Token": secrets.token_hex(64),
            "Attributes": attributes,
        }
        ledger.records["Subscription", call.region, known["SubscriptionArn"]] = known
    if not known["Confirmed"]:
        _post(known, _confirmation(ledger, topic, known), "SubscriptionConfirmation")
    return {
        "SubscriptionArn": known["SubscriptionArn"]
        if known["Confirmed"] or given.get("ReturnSubscriptionArn")
        else "pending confirmation"
    }


def _confirm(ledger: Ledger, call: Call) -> Body:
    arn, token = str(call.parameters["TopicArn"]), call.parameters["Token"]
    _topic(ledger, _region(arn), arn)
    found = next(
        (
            one
            for one in subscriptions(ledger, arn)
            if secrets.compare_digest(one["Token"], str(token))
        ),
        None,
    )
    if found is None:
        raise _invalid("Token")
    found["Confirmed"] = True
    found["Authenticated"] = call.parameters.get("AuthenticateOnUnsubscribe") == "true"
    return {"SubscriptionArn": found["SubscriptionArn"]}


def _get_subscription(ledger: Ledger, call: Call) -> Body:
    found = _subscription(ledger, call)
    shown = {
        name: found[name]
        for name in ("SubscriptionArn", "TopicArn", "Protocol", "Endpoint", "Owner")
    }
    pending = str(not found["Confirmed"]).lower()
    return {
        "Attributes": {
            **shown,
            "RawMessageDelivery": "false",
            "PendingConfirmation": pending,
            **found["Attributes"],
        }
    }


def _set_subscription(ledger: Ledger, call: Call) -> Body:
    name = str(call.parameters["AttributeName"])
    _check(name, _OF_SUBSCRIPTIONS)
    _subscription(ledger, call)["Attributes"][name] = str(call.parameters.get("AttributeValue", ""))
    return {}


def _list_subscriptions(ledger: Ledger, call: Call) -> Body:
    arn = call.parameters.get("TopicArn")
    if arn is not None:
        _topic(ledger, call.region, str(arn))
    found = _records(ledger, "Subscription", call.region)
    return paged(
        call,
        {name: _row(one) for name, one in found.items() if arn in (None, one["TopicArn"])},
        "Subscriptions",
    )


def _row(found: Body) -> Body:
    return {
        **found,
        "SubscriptionArn": found["SubscriptionArn"] if found["Confirmed"] else _PENDING,
    }


def _unsubscribe(ledger: Ledger, call: Call) -> Body:
    arn = str(call.parameters["SubscriptionArn"])
    found = ledger.records.get(("Subscription", _region(arn), arn)) or {}
    if call.authorization is None and found.get("Authenticated"):
        raise Refusal(
            "AuthorizationError",
            "The subscription was confirmed with AuthenticateOnUnsubscribe",
            _FORBIDDEN,
        )
    ledger.records.pop(("Subscription", _region(arn), arn), None)
    return {}


def _publish(ledger: Ledger, call: Call) -> Body:
    arn = str(call.parameters.get("TopicArn") or call.parameters.get("TargetArn") or "")
    _topic(ledger, call.region, arn)
    return {
        "MessageId": publish(
            ledger, arn, str(call.parameters["Message"]), call.parameters.get("Subject")
        )
    }


def publish_for(
    ledger: Ledger, arn: str, service: str, source_arn: str, text: str, subject: str | None = None
) -> bool:
    """Publish a service's message for a resource of the account; return False if the topic does not
    exist, or its policy does not let the service publish.
    """
    topic = ledger.records.get(("Topic", _region(arn), arn))
    if topic is None or not permits(
        topic["Attributes"]["Policy"], service, "sns:Publish", source_arn
    ):
        return False
    publish(ledger, arn, text, subject)
    return True


def publish(ledger: Ledger, arn: str, text: str, subject: str | None = None) -> str:
    """Deliver a message to the confirmed subscriptions of a topic, and return its ID."""
    topic = _topic(ledger, _region(arn), arn)
    message_id = str(uuid.uuid4())
    about = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": arn,
        **({"Subject": subject} if subject else {}),
        "Message": text,
    }
    for one in subscriptions(ledger, arn):
        if not one["Confirmed"]:
            continue
        query = urlencode({"Action": "Unsubscribe", "SubscriptionArn": one["SubscriptionArn"]})
        sealed = _signed(ledger, topic, about)
        body = (
            text
            if one["Attributes"].get("RawMessageDelivery") == "true"
            else json.dumps({**sealed, "UnsubscribeURL": f"{ledger.origin}/?{query}"})
        )
        if one["Protocol"] == "sqs":
            queues.deliver(ledger, one["Endpoint"], arn, body)
        else:
            _post(one, body, "Notification", message_id)
    return message_id


def _confirmation(ledger: Ledger, topic: Body, subscription: Body) -> str:
    arn, token = topic["TopicArn"], subscription["Token"]
    text = (
        f"You have chosen to subscribe to the topic {arn}.\nTo confirm the subscription, "
        "visit the SubscribeURL included in this message."
    )
    query = urlencode({"Action": "ConfirmSubscription", "TopicArn": arn, "Token": token})
    about = {
        "Type": "SubscriptionConfirmation",
        "MessageId": str(uuid.uuid4()),
        "Token": token,
        "TopicArn": arn,
        "Message": text,
        "SubscribeURL": f"{ledger.origin}/?{query}",
    }
    return json.dumps(_signed(ledger, topic, about))


def _signed(ledger: Ledger, topic: Body, about: Mapping[str, str]) -> dict[str, str]:
    moment = (
        datetime.fromtimestamp(ledger.now(), UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
    return signed(
        {**about, "Timestamp": moment},
        topic["Attributes"].get("SignatureVersion", "1"),
        ledger.origin,
    )


def _post(subscription: Body, body: str, kind: str, message_id: str = "") -> None:
    """Send a message to a web server on this machine, in a thread, since the server may be the
    caller itself.
    """
    url = urlsplit(subscription["Endpoint"])
    if url.hostname not in _LOOPBACK:
        return
    headers: dict[str, Any] = {
        "x-amz-sns-message-type": kind,
        "x-amz-sns-topic-arn": subscription["TopicArn"],
    }
    headers |= {
        "x-amz-sns-message-id": message_id or json.loads(body)["MessageId"],
        "Content-Type": "text/plain; charset=UTF-8",
    }
    if kind == "Notification" and subscription["Attributes"].get("RawMessageDelivery") == "true":
        headers["x-amz-sns-rawdelivery"] = "true"

    def send() -> None:
        connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=_WITHIN)
        try:
            connection.request(
                "POST",
                f"{url.path or '/'}{'?' if url.query else ''}{url.query}",
                body.encode(),
                headers,
            )
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return  # SNS repeats it; the simulator does not
        finally:
            connection.close()

    threading.Thread(target=send, name="embedded-aws-topic", daemon=True).start()


OPERATIONS: Mapping[str, Callable[[Ledger, Call], Body]] = {
    "CreateTopic": _create,
    "DeleteTopic": _delete,
    "ListTopics": _list,
    "GetTopicAttributes": _get_attributes,
    "SetTopicAttributes": _set_attributes,
    "Subscribe": _subscribe,
    "ConfirmSubscription": _confirm,
    "GetSubscriptionAttributes": _get_subscription,
    "SetSubscriptionAttributes": _set_subscription,
    "ListSubscriptions": _list_subscriptions,
    "ListSubscriptionsByTopic": _list_subscriptions,
    "Unsubscribe": _unsubscribe,
    "Publish": _publish,
}
"""Operations by name; each returns the members of its response."""
UNSIGNED = frozenset({"ConfirmSubscription", "Unsubscribe"})
"""Operations that a link in a message calls unsigned."""
