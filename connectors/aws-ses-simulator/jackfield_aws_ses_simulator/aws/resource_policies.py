"""Policies of topics and queues: they say which service may publish or send, and for which
resource.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from jackfield_aws_ses_simulator.aws.account import NUMBER

_EQUAL, _LIKE = ("StringEquals", "ArnEquals"), ("StringLike", "ArnLike")


def permits(policy: str, service: str, action: str, source_arn: str) -> bool:
    """Return whether a policy lets a service act for a resource of the account. Denials win. Only
    condition keys for source and account are evaluated; other conditions are never satisfied.
    """
    context = {"aws:sourcearn": source_arn, "aws:sourceaccount": NUMBER, "aws:sourceowner": NUMBER}
    effects = {
        one.get("Effect")
        for one in _statements(policy)
        if _covers(one, service, action) and _holds(one, context)
    }
    return effects == {"Allow"}


def _statements(policy: str) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(policy)["Statement"]
    except (ValueError, TypeError, KeyError):
        return []
    return [one for one in _many(found) if isinstance(one, Mapping)]


def _covers(statement: Mapping[str, Any], service: str, action: str) -> bool:
    principal = statement.get("Principal")
    named = (
        [*_many(principal.get("Service")), *_many(principal.get("AWS"))]
        if isinstance(principal, Mapping)
        else _many(principal)
    )
    return bool({service, "*"} & set(named)) and any(
        fnmatchcase(action.lower(), str(one).lower()) for one in _many(statement.get("Action"))
    )


def _holds(statement: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    return all(
        _satisfied(operator, context.get(key.lower()), wanted)
        for operator, key, wanted in _conditions(statement)
    )


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    for operator, keys in (statement.get("Condition") or {}).items():
        for key, wanted in keys.items():
            yield operator, key, _many(wanted)


def _satisfied(operator: str, value: str | None, wanted: list[Any]) -> bool:
    if value is None or operator not in (*_EQUAL, *_LIKE):
        return False
    return (
        value in wanted
        if operator == "StringEquals"
        else any(fnmatchcase(value, str(one)) for one in wanted)
    )


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
