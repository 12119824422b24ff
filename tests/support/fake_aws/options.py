"""The keyword arguments of FakeAws, read into one frozen value; member names are camelCase in JSON,
snake_case in Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from jackfield_aws_ses_simulator.aws.account import Account, Identity, Quota, Role, User

from .faults import Fault


@dataclass(frozen=True, kw_only=True)
class Settings(Account):
    """The account, and how the fake behaves; times are seconds."""

    script: tuple[Fault, ...] = ()
    latency: float = 0.0
    connect_latency: float = 0.0
    blind: bool = False
    answers: Mapping[str, Any] = field(default_factory=dict)


def parse(options: Mapping[str, Any], start: Settings | None = None) -> Settings:
    """Read options, names in either case, over `start`; ValueError for a member that does not
    exist.
    """
    named = _members(options, Settings)
    return replace(
        start or Settings(),
        **{name: _READERS.get(name, _same)(value) for name, value in named.items()},
    )


_UPPER = re.compile(r"(?<=[a-z0-9])([A-Z])")


def _members(value: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Return the members in snake_case: `sizeLimitV1` is `size_limit_v1`, `max24HourSend` is
    `max24_hour_send`.
    """
    named = {
        _UPPER.sub(lambda match: "_" + match.group(1).lower(), name): member
        for name, member in value.items()
    }
    unknown = sorted(named.keys() - {known.name for known in fields(kind)})
    if unknown:
        raise ValueError(f"{kind.__name__} knows no {', '.join(unknown)}")
    return named


def _one(kind: type, value: Any) -> Any:
    """Read a role, user, quota, identity or fault, unless it is one already."""
    if isinstance(value, kind):
        return value
    return kind(
        **{
            name: _names(item) if name in ("allow", "trust") else item
            for name, item in _members(value, kind).items()
        }
    )


def _names(value: Iterable[str] | None) -> frozenset[str] | None:
    return None if value is None else frozenset(value)


def _same(value: Any) -> Any:
    return value


def _by_name(kind: type) -> Callable[[Any], Any]:
    return lambda value: (
        None if value is None else {name: _one(kind, item) for name, item in value.items()}
    )


def _identities(value: Iterable[Any] | None) -> tuple[Identity, ...] | None:
    return (
        None
        if value is None
        else tuple(
            Identity(item) if isinstance(item, str) else _one(Identity, item) for item in value
        )
    )


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "identities": _identities,
    "configuration_sets": _names,
    "roles": _by_name(Role),
    "users": _by_name(User),
    "script": lambda value: tuple(_one(Fault, item) for item in value),
    "quota": lambda value: _one(Quota, value),
}
