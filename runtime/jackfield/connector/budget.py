"""Declaration of a budget: a rate and a daily quota that the provider sets for an account, shared
by several actions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jackfield.kernel.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for one account, stated by the provider. None: no limit, or not stated.

    ``used`` counts towards ``per_day``, which the provider applies to the last 24 hours.
    """

    per_second: float | None = None
    per_day: float | None = None
    used: float = 0.0


@dataclass(frozen=True, slots=True)
class Warmup:
    """Plan of a connection that starts with few calls: the number of allowed calls on each day
    (UTC), beginning with the day of its first call.

    ``name`` is the connection's name; after the last day there is no limit.
    """

    name: str
    per_day: tuple[float, ...]


def _no_limits(_client: Any) -> Limits | None:
    return None


def _no_warmup(_client: Any) -> Warmup | None:
    return None


@dataclass(frozen=True, slots=True)
class Budget:
    """Rate and daily quota of the provider's account, shared by all actions that declare this
    budget.

    ``scope`` gets the inputs and the open client and returns the account's name (account and
    region, for instance), without sending a request to the provider. It may prepare the client, so
    that the call does not miss its slot. None means that the call is not limited. All connections
    of a workspace with the same scope share one rate, in all processes that share a database.
    ``limits`` gets the open client and reads the provider's limits; the runtime calls it rarely,
    and a failure in it never fails an action. Without ``limits``, the rate is derived from
    throttling responses alone. ``warmup`` gets the open client and returns its connection's plan,
    if there is one.
    """

    key: str
    scope: Callable[[Any, Any], str | None]
    limits: Callable[[Any], Limits | None] = _no_limits
    warmup: Callable[[Any], Warmup | None] = _no_warmup
    asks_elsewhere: bool = False
    """True if ``scope`` asks another process, so that it must not be called in an event loop."""
