"""Services other than SES and STS, by botocore's models: Amazon SNS (query protocol), Amazon SQS
and Amazon CloudWatch (AWS JSON 1.0), Amazon Route 53 (REST-XML).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from jackfield_aws_ses_simulator.aws import alarms, metrics, model, queues, topics, zones
from jackfield_aws_ses_simulator.aws.access import Caller
from jackfield_aws_ses_simulator.aws.call import MONITORING, Call
from jackfield_aws_ses_simulator.aws.exchange import Answer
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.query import (
    document_xml,
    members_xml,
    read_members,
    result_xml,
)
from jackfield_aws_ses_simulator.aws.refusals import unimplemented
from jackfield_aws_ses_simulator.aws.resources import Body
from jackfield_aws_ses_simulator.aws.zones import read_zones_call

_OK, _JSON = 200, "application/x-amz-json-1.0"


@dataclass(frozen=True, slots=True)
class Service:
    """AWS service: its name in botocore and in permissions, its operations, and a function for the
    ARN of a call's resource.
    """

    key: str
    operations: Mapping[str, Callable[[Ledger, Call], Body]]
    resource: Callable[[Ledger, Call], str]
    protocol: Literal["json", "query", "rest-xml"] = "json"


SERVICES: Mapping[str, Service] = {
    "sns": Service("sns", topics.OPERATIONS, topics.arn_of, "query"),
    "sqs": Service("sqs", queues.OPERATIONS, lambda _ledger, call: queues.arn_of(call)),
    "route53": Service("route53", zones.OPERATIONS, lambda _ledger, _call: "*", "rest-xml"),
    MONITORING: Service(
        "cloudwatch", {**metrics.OPERATIONS, **alarms.OPERATIONS}, lambda _ledger, _call: "*"
    ),
}
"""Services by the name in signatures."""


def is_open(call: Call) -> bool:
    """Return whether a call needs no signature, since a link in a message of SNS makes it."""
    return (
        call.service == "sns" and call.operation in topics.UNSIGNED and call.authorization is None
    )


def answer_service(ledger: Ledger, call: Call, caller: Caller | None) -> Answer:
    """Answer a call of one of the services; ``caller`` is None for a call that needs no signature.

    :raises Refusal: when AWS would refuse it, or the simulator does not know the operation.
    """
    service = SERVICES[call.service]
    if service.protocol == "rest-xml":
        read_zones_call(call)
    operation = service.operations.get(call.operation)
    if operation is None:
        raise unimplemented(call.operation)
    if call.malformed is not None:
        raise call.malformed
    _decode_form(service, call)
    with ledger.changed:
        if caller is not None:
            caller.authorise(service.resource(ledger, call), f"{service.key}:{call.operation}")
        return _written(service, call, operation(ledger, call))


def _decode_form(service: Service, call: Call) -> None:
    """Convert the parameters of a form to the model's types, and check all parameters against the
    model.
    """
    if service.protocol == "query":
        shape, _ = model.shapes(service.key, call.operation)
        call.parameters = read_members(call.parameters, shape)
    model.check(call.operation, call.parameters, service.key)


def _written(service: Service, call: Call, body: Body) -> Answer:
    headers = (("x-amzn-RequestId", call.request_id),)
    _, shape = model.shapes(service.key, call.operation)
    if service.protocol == "json":
        shown = {} if shape is None else model.shaped(call.operation, body, service.key)
        return Answer(_OK, json.dumps(shown).encode(), _JSON, headers)
    inner = "" if shape is None else members_xml(shape, body)
    if service.protocol == "rest-xml":
        return Answer(_OK, document_xml(call.service, call.operation, inner), "text/xml", headers)
    return Answer(
        _OK, result_xml(call.service, call.operation, inner, call.request_id), "text/xml", headers
    )
