"""AWS's own log of requests as evidence: the Event history of CloudTrail has most requests that
manage resources, of the last 90 days.

It proves that a request took effect or was refused, never that none arrived: its delivery is best
effort. It lacks requests that only handle data, such as messages, objects and items (AWS CloudTrail
user guide, "Logging data events").
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from jackfield.connector.evidence import Record, RecordEvidence
from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass
from jackfield_aws.agents import marker_in_agent
from jackfield_aws.answers import Answer
from jackfield_aws.errors import plain
from jackfield_aws.virtual.code_words import row_of
from jackfield_aws.virtual.errors import KNOWN, SERVICE_ERRORS
from jackfield_aws.virtual.models import service_model

_DATA_NAMES = """
appconfigdata appsync-runtime bedrock-agent-runtime bedrock-agentcore bedrock-runtime cloudfront-keyvaluestore cloudsearchdomain
cloudtrail-data cognito-sync connectparticipant dynamodbstreams ebs elastic-inference forecastquery gameliftstreams geo-maps
geo-places geo-routes iot-data iot-jobs-data kinesis-video-archived-media kinesis-video-media kinesis-video-signaling
kinesis-video-webrtc-storage lex-runtime lexv2-runtime marketplace-entitlement mediastore-data meteringmarketplace mobileanalytics
neptunedata personalize-events personalize-runtime qldb-session rds-data redshift-data sagemaker-a2i-runtime sagemaker-edge
sagemaker-featurestore-runtime sagemaker-metrics sagemaker-runtime sso-oidc timestream-query workmailmessageflow
"""
_DATA = frozenset(_DATA_NAMES.split())
"""Services whose writes handle data. A wrong entry here prevents looks; a missing one causes
useless looks.
"""
_DATA_OPERATIONS = re.compile(
    r"cloudwatch\.PutMetricData|dynamodb\.(\w*Item|\w*Items|Execute\w+)|events\.PutEvents|firehose\.PutRecord.*|kinesis\.PutRecords?|lambda\.Invoke.*"
    r"|logs\.PutLogEvents|s3\.(\w+Object\w*|\w+Objects|\w*MultipartUpload|UploadPart\w*)|ses(v2)?\.Send.*|sns\.Publish.*"
    r"|sqs\.(Send|Delete|Receive|ChangeMessage)\w*Message\w*|stepfunctions\.(SendTask\w+|StartSyncExecution)|xray\.Put\w+"
    r"|timestream-write\.WriteRecords|apigatewaymanagementapi\..*|textract\..*|rekognition\.(Detect|Recognize)\w+|polly\.Synthesize\w+|personalize\..*Runtime.*"
)
"""Pattern of operations that handle data, in services that also have others."""
_GLOBAL = frozenset(
    {
        "iam",
        "sts",
        "cloudfront",
        "organizations",
        "route53",
        "account",
        "support",
        "waf",
        "shield",
        "globalaccelerator",
    }
)
"""Services whose records are in a single region of their partition ("Viewing CloudTrail events",
global services).
"""
_HOME = {"cn": "cn-north-1", "us-gov": "us-gov-west-1"}
_DOUBTFUL = re.compile(r"(?i)internal|unavailable|^server\.|timeout|timedout|unknown")
"""Pattern of error codes after which a request may have taken effect."""
_REFUSALS = {
    "rate_limited",
    "forbidden",
    "unauthenticated",
    "invalid_input",
    "not_found",
    "conflict",
    "rejected",
    "quota_exceeded",
}
_CLIENT_ERROR = 400
_SHOWN = (
    "eventID",
    "requestID",
    "eventTime",
    "eventName",
    "eventSource",
    "awsRegion",
    "errorCode",
    "sourceIPAddress",
)
_PAGE = 50
PARTLY = ("waitUntil",)
"""Inputs with which a call waits for a state after its first request. The record of that request
does not prove the whole call.
"""
_PERMISSIONS = {"aws:iam": ("cloudtrail:LookupEvents",)}


def has_records(service: str, operation: str) -> bool:
    """Return whether the Event history may have records of an operation."""
    return service not in _DATA and _DATA_OPERATIONS.fullmatch(f"{service}.{operation}") is None


def evidence_of(
    service: str,
    operation: str,
    effect: str = "write",
    *,
    by_key: bool = False,
    partly: tuple[str, ...] = PARTLY,
) -> tuple[EventHistory, ...]:
    """Return the evidence of an operation; empty if its calls are never in doubt, or the Event
    history lacks its requests.

    ``by_key``: AWS recognises repeats by a token. With one of the inputs ``partly``, the request is
    only the first part of a call, so its record does not prove enough.
    """
    may_doubt = effect == "write" or (effect == "idempotent" and by_key)
    return (
        (
            EventHistory(
                service=service, operation=operation, permissions=_PERMISSIONS, partly=partly
            ),
        )
        if may_doubt and has_records(service, operation)
        else ()
    )


@dataclass(frozen=True, slots=True)
class EventHistory(RecordEvidence):
    """Event history of CloudTrail, as evidence of calls of one operation."""

    source: str = "aws.cloudtrail"
    action: str = "lookupEvents"
    service: str = ""
    operation: str = ""
    partly: tuple[str, ...] = PARTLY

    def about(self, inputs: Mapping[str, Any]) -> Mapping[str, str] | None:
        """Return operation, service and region of a call's record; None if the record would not
        prove the call or the region is unknown.
        """
        if any(inputs.get(name) for name in self.partly):
            return None
        region = str(inputs.get("awsRegion") or "")
        partition = next((one for one in _HOME if region.startswith(f"{one}-")), "")
        region = _HOME.get(partition, "us-east-1") if self.service in _GLOBAL else region
        return (
            {"operation": self.operation, "service": self.service, "region": region}
            if region
            else None
        )

    def asked(
        self, about: Mapping[str, str], since: float, until: float, page: str | None
    ) -> Mapping[str, Any]:
        """Return the inputs of ``lookupEvents`` for one page."""
        return {
            "awsRegion": about["region"],
            "StartTime": iso(since),
            "EndTime": iso(until),
            "MaxResults": _PAGE,
            "LookupAttributes": [
                {"AttributeKey": "EventName", "AttributeValue": about["operation"]}
            ],
            **({} if page is None else {"NextToken": page}),
        }

    def found(
        self, about: Mapping[str, str], output: Mapping[str, Any]
    ) -> tuple[Sequence[Record], str | None]:
        """Return the records with a marker, and the token of the next page; None after the last
        page.
        """
        read = (_record(about, event) for event in output.get("Events") or ())
        return [record for record in read if record is not None], output.get("NextToken")


def _record(about: Mapping[str, str], event: Mapping[str, Any]) -> Record | None:
    """Parse one event; None if it has no marker, or belongs to another operation, service or
    region.
    """
    try:
        told = json.loads(event["CloudTrailEvent"])
        marker, at = marker_in_agent(told["userAgent"]), datetime.fromisoformat(told["eventTime"])
        is_ours = told["eventName"] == about["operation"] and _is_of(
            about["service"], told["eventSource"]
        )
        if marker is None or not is_ours or told["awsRegion"] != about["region"]:
            return None
        code, account = told.get("errorCode"), told.get("recipientAccountId")
        shown = {name: str(told[name]) for name in _SHOWN if told.get(name) is not None}
        return Record(
            str(told["eventID"]),
            marker,
            at.timestamp(),
            code,
            _refusal(code),
            account,
            shown,
            _link(shown),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None  # what nobody can read proves nothing


def _link(shown: Mapping[str, str]) -> str | None:
    """Return the URL of an event in AWS's console; None outside the public partition."""
    region, event = shown["awsRegion"], quote(shown["eventID"], safe="")
    if region.startswith(("cn-", "us-gov-", "us-iso", "eu-isoe-", "eusc-")):
        return None
    return (
        f"https://{region}.console.aws.amazon.com/cloudtrailv2/home?region={region}#/events/{event}"
    )


def _is_of(service: str, source: str) -> bool:
    """Return whether an event belongs to a service: its source begins with the service's endpoint
    prefix or signing name.
    """
    metadata = service_model(service).metadata
    names = {service, metadata.get("endpointPrefix", ""), metadata.get("signingName", "")}
    host = source.removesuffix(".amazonaws.com")
    return bool(
        {host, host.partition(".")[0]} & {name.partition(".")[0] for name in names if name}
        | ({host} & names)
    )


def _refusal(code: str | None) -> str | None:
    """Return jackfield's code for an AWS error after which nothing took effect; None if something
    may have, or the code is unknown.
    """
    if not code or _DOUBTFUL.search(code):
        return None
    short = code.rpartition(".")[2]
    if plain(short) not in KNOWN and row_of(short) is None:
        return None
    found = SERVICE_ERRORS.find(Answer(short, "", _CLIENT_ERROR, "")).kind.code
    return found if found in _REFUSALS else None
