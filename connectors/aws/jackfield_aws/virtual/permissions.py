"""IAM actions of an operation. Most are named after it; ``permissions.tsv`` lists the exceptions,
each with AWS's page.

``iam_actions`` lists the names that AWS documents. An operation newer than that list gets an action
of its own name, which is *unproven*: policies and hints say so.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PREFIXES: Mapping[str, str] = {
    "monitoring": "cloudwatch",
    "tagging": "tag",
    "iotdata": "iot",
    "IoTSecuredTunneling": "iot",
    "iot-jobs-data": "iotjobsdata",
    "mturk-requester": "mechanicalturk",
    "cloudcontrolapi": "cloudformation",
    "bedrock-runtime": "bedrock",
    "bedrock-agent": "bedrock",
    "bedrock-agent-runtime": "bedrock",
    "partnercentral-account": "partnercentral",
    "partnercentral-selling": "partnercentral",
    "partnercentral-benefits": "partnercentral",
    "partnercentral-channel": "partnercentral",
}
"""Prefixes of IAM actions that differ from the signing name."""
_BY_METHOD = frozenset(("apigateway", "apigatewayv2"))
"""Services whose IAM actions are HTTP methods."""
_TABLE = Path(__file__).with_name("permissions.tsv")
OWN, _NONE, ALL = "=", "-", "*"
_SIGNED = "sigv4"


@functools.lru_cache(maxsize=1)
def rows() -> Mapping[tuple[str, str], tuple[str, str]]:
    """Return the table by service and operation: the actions, separated by blanks, and AWS's
    page.
    """
    found = {}
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            service, operations, actions, page = line.split("\t")
            found.update({(service, name): (actions, page) for name in operations.split(" ")})
    return found


def prefix_of(service_model: Any) -> str:
    """Return the prefix of the IAM actions of a service."""
    name = str(service_model.signing_name)
    return (
        _PREFIXES.get(service_model.service_name)
        or _PREFIXES.get(service_model.endpoint_prefix)
        or _PREFIXES.get(name)
        or name
    )


def permissions_of(service: str, operation: Any) -> tuple[str, ...]:
    """Return the IAM actions of an operation; empty if it is not signed with AWS's signature, or
    not authorised by IAM.
    """
    if not _is_signed(operation):
        return ()
    row = _row(service, operation.name)
    if row is not None and row != OWN:
        return () if row == _NONE else tuple(row.split(" "))
    if service in _BY_METHOD:
        return (f"apigateway:{operation.http.get('method', 'POST')}",)
    return (f"{prefix_of(operation.service_model)}:{operation.name}",)


def _row(service: str, name: str) -> str | None:
    found = rows().get((service, name)) or rows().get((service, ALL))
    return None if found is None else found[0]


def _is_signed(operation: Any) -> bool:
    """Return whether the request has an AWS signature; others carry another kind of token, or
    nothing.
    """
    about = operation.service_model.metadata
    schemes = operation.auth or about.get("auth") or ()
    if operation.auth_type == "none" or about.get("signatureVersion") == "bearer":
        return False
    return not schemes or any(_SIGNED in scheme for scheme in schemes)
