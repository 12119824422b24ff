"""A scripted AWS: KMS, IAM, SQS and SES take writes and may lose the answer; CloudTrail's Event
history has them later, as tests say.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from jackfield.kernel.clock import iso
from jackfield_market.testing.loopback_provider import (
    CLOSE,
    Answer,
    Provider,
    Request,
    Step,
    refused,
)

ACCOUNT = "123456789012"
_KEY_ID = re.compile(r"Credential=[A-Z0-9]+/\d+/([a-z0-9-]+)/([a-z0-9-]+)/")
_USER = "<User><Path>/</Path><UserName>u</UserName><UserId>AIDA</UserId><Arn>arn:aws:iam::1:user/u</Arn></User>"
_REST = {
    "/v2/email/templates": "CreateEmailTemplate",
    "/v2/email/identities": "CreateEmailIdentity",
}
"""Operations of SES's API v2, by their paths."""
_IAM = f"<CreateUserResponse><CreateUserResult>{_USER}</CreateUserResult></CreateUserResponse>"


class TrailAws:
    """State of the scripted AWS. ``clock`` tells the time of the records."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.script: list[str] = []
        """What becomes of the next writes: ``done``, ``cut`` (took effect, no answer), ``lost``
        (neither), ``throttled``, ``throttled-cut`` (refused, no answer), ``broken`` (an internal
        error on record, no answer).
        """
        self.took: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.lookups: list[dict[str, Any]] = []
        self.looked_at: list[float] = []
        self.denied = False
        self.delay = 60.0
        self.page = 50
        self.records: list[tuple[float, dict[str, Any]]] = []
        """Records, and when each becomes visible."""
        self.omits: Callable[[], bool] = lambda: False
        """Decides for each record of each answer whether it is left out."""
        self.url = ""
        self.lock = threading.Lock()

    def record(
        self, agent: str, operation: str, source: str, region: str, **more: Any
    ) -> dict[str, Any]:
        """Write a record of a request."""
        number = len(self.records) + 1
        told = {
            "eventVersion": "1.09",
            "eventID": f"e-{number}",
            "requestID": f"r-{number}",
            "eventTime": iso(self.clock()),
            "eventSource": source,
            "eventName": operation,
            "awsRegion": region,
            "userAgent": agent,
            "recipientAccountId": ACCOUNT,
            **more,
        }
        self.records.append((self.clock() + self.delay, told))
        return told

    def lookup(self, asked: dict[str, Any], region: str) -> tuple[int, dict[str, Any]]:
        """Answer LookupEvents, the newest first."""
        self.lookups.append(asked)
        self.looked_at.append(self.clock())
        if self.denied:
            return 400, {
                "__type": "AccessDeniedException",
                "message": "not authorized to perform: cloudtrail:LookupEvents",
            }
        (attribute,) = asked["LookupAttributes"]
        begin, end = (_moment(asked[name]) for name in ("StartTime", "EndTime"))
        found = [
            told
            for visible, told in reversed(self.records)
            if visible <= self.clock()
            and told["eventName"] == attribute["AttributeValue"]
            and told["awsRegion"] == region
            and begin <= _moment(told["eventTime"]) <= end
            and not self.omits()
        ]
        place = int(asked.get("NextToken") or 0)
        more = {"NextToken": str(place + self.page)} if place + self.page < len(found) else {}
        events = [
            {
                "EventId": told["eventID"],
                "EventName": told["eventName"],
                "EventTime": _moment(told["eventTime"]),
                "CloudTrailEvent": json.dumps(told),
            }
            for told in found[place : place + self.page]
        ]
        return 200, {"Events": events, **more}

    def write(
        self, operation: str, source: str, region: str, agent: str, inputs: dict[str, Any]
    ) -> str:
        """Take a write; return what becomes of it."""
        with self.lock:
            step = self.script.pop(0) if self.script else "done"
            one = {"operation": operation, "agent": agent, "inputs": inputs}
            self.requests.append(one)
            if step in ("done", "cut"):
                self.took.append(one)
                self.record(agent, operation, source, region)
            elif step.startswith("throttled"):
                self.record(
                    agent,
                    operation,
                    source,
                    region,
                    errorCode="ThrottlingException",
                    errorMessage="slow down",
                )
            elif step == "broken":
                self.record(agent, operation, source, region, errorCode="InternalFailure")
            return step


def _moment(value: Any) -> float:
    return (
        float(value)
        if isinstance(value, int | float)
        else datetime.fromisoformat(value).timestamp()
    )


def _answer(aws: TrailAws, request: Request) -> Step:
    """Answer a call, or lose its answer; what only reads is not there."""
    if not request.changes:
        return refused(501)
    agent, body, target = request.header("User-Agent"), request.body, request.header("X-Amz-Target")
    found = _KEY_ID.search(request.header("Authorization"))
    region, service = found.groups() if found else ("", "")
    if target.endswith("LookupEvents"):
        status, document = aws.lookup(request.json(), region)
        return Answer(document, status)
    if request.path in _REST:
        operation, inputs = _REST[request.path], request.json()
    elif target:
        operation, inputs = target.rpartition(".")[2], json.loads(body or b"{}")
    else:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        operation, inputs = form.pop("Action"), form
    step = aws.write(operation, f"{service}.amazonaws.com", region, agent, inputs)
    if step in ("cut", "lost", "throttled-cut", "broken"):
        return CLOSE
    if step == "throttled":
        return Answer({"__type": "ThrottlingException", "message": "slow down"}, 400)
    if target:
        return Answer({"KeyMetadata": {"KeyId": "k-1"}} if operation == "CreateKey" else {})
    return Answer(content=_IAM.encode(), headers={"Content-Type": "text/xml"})


@contextmanager
def trail_aws(clock: Callable[[], float]) -> Iterator[TrailAws]:
    """Serve a scripted AWS."""
    aws = TrailAws(clock)
    with Provider(lambda _number, request: _answer(aws, request), keeps=True) as far:
        aws.url = far.url
        yield aws
