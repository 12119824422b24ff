"""IAM policies, as far as a fake needs them: Effect, Action, NotAction and Resource with wildcards. Conditions are not evaluated."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def matches(patterns: Iterable[str], action: str) -> bool:
    """Whether an action fits one of the patterns; IAM compares actions without case."""
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


@lru_cache(maxsize=256)
def parse_policy(text: str) -> Mapping[str, Any] | None:
    """Return a policy document; None where the text is none."""
    try:
        policy = json.loads(text)
    except ValueError:
        return None
    if not isinstance(policy, dict) or not all(isinstance(item, dict) for item in _many(policy.get("Statement"))):
        return None
    return policy if _many(policy.get("Statement")) else None


def permits(policy: Mapping[str, Any], action: str, resource: str) -> bool:
    """Whether the policy allows the action on the resource and does not deny it."""
    effects = [statement.get("Effect") for statement in _many(policy.get("Statement")) if _covers(statement, action, resource)]
    return "Allow" in effects and "Deny" not in effects


def _covers(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    if "NotAction" in statement:
        named = not matches(_many(statement["NotAction"]), action)
    else:
        named = matches(_many(statement.get("Action")), action)
    return named and any(fnmatchcase(resource, pattern) or resource == "*" for pattern in _many(statement.get("Resource", "*")))


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
