"""One subscription: a trigger that is enabled for a connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.stored_values import problem_of_times
from jackfield_store.database import Row
from jackfield_store.keys import Vault

Status = Literal["pending", "active", "degraded", "failing", "disabling", "paused", "removing"]
"""Status of a subscription. ``pending``: not enabled yet, or a webhook that a person registers has
received nothing. ``degraded``: its last work failed; ``failing``: several times in a row;
``disabling``: paused, but not at the provider yet.
"""

COLUMNS = """id, name, connector, trigger_key, connection, kind, status, reason, every, sealed, mark, version, claim, failures, wake_at,
renew_at, account, last_success_at, last_event_at, caller, token, created_at, changed_at"""
_LATE = 2
"""Number of intervals after which an overdue poll counts as degraded."""


@dataclass(frozen=True, slots=True, repr=False)
class Sealed:
    """Content of a subscription, which is stored encrypted.

    ``path`` is the last part of its URL, ``secret`` the key for a provider's signatures; ``caller``
    has the form of ``Caller.to_json``. ``since`` is the time from which events count, ``then`` the
    invocation that each event starts. ``lasts`` is the lifetime of a registration, in seconds.
    ``parting`` is a removed connection, until the webhook is removed at its provider. ``leaving``
    is true from before a registration is removed at the provider until that is recorded, so that no
    process relies on ``remote``. ``left`` is true once the registration is removed permanently,
    because the rights of the subscription's author have ended.
    """

    inputs: Mapping[str, Any]
    caller: Mapping[str, Any]
    path: str
    secret: str
    remote: Mapping[str, Any]
    since: float
    then: Mapping[str, Any] | None = None
    lasts: float | None = None
    parting: Mapping[str, Any] | None = None
    leaving: bool = False
    left: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the members, to be encrypted."""
        return {name: getattr(self, name) for name in self.__match_args__}

    def sealed(self, vault: Vault, of: Subscription) -> bytes:
        """Encrypt the content for its subscription."""
        place = sealed_for(of.id, of.connector, of.trigger_key, of.connection)
        return vault.seal(of.workspace, place, json.dumps(self.to_json()).encode())


@dataclass(frozen=True, slots=True, repr=False)
class Subscription:
    """Subscription as it is stored. Times are seconds since 1970. ``every`` is the interval between
    two polls, in seconds: of a poll, and of a webhook whose gaps a poll closes.
    """

    workspace: str
    id: str
    name: str
    connector: str
    trigger_key: str
    connection: str | None
    kind: str
    status: Status
    reason: str | None
    every: float | None
    sealed: bytes
    mark: bytes | None
    version: int
    claim: int
    failures: int
    wake_at: float | None
    renew_at: float | None
    account: str | None
    last_success_at: float | None
    last_event_at: float | None
    caller: str | None
    token: str | None
    created_at: float
    changed_at: float

    @classmethod
    def read(cls, workspace: str, row: Row) -> Subscription:
        """Read a row that was selected with ``COLUMNS``."""
        return cls(workspace, **{name: getattr(row, name) for name in cls.__match_args__[1:]})

    def facts(self, also: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event's facts about the subscription, and further ones; members that are None
        are left out.
        """
        own = {
            "subscription": self.name,
            "connector": self.connector,
            "trigger": self.trigger_key,
            "connection": self.connection,
        }
        return {name: value for name, value in {**own, **also}.items() if value is not None}

    def opened(self, vault: Vault) -> Sealed:
        """Decrypt the subscription's content.

        :raises SealBroken: if the row was changed in the database.
        """
        return Sealed(
            **json.loads(
                vault.open(
                    self.workspace,
                    sealed_for(self.id, self.connector, self.trigger_key, self.connection),
                    self.sealed,
                )
            )
        )

    def checkpoint(self, vault: Vault) -> dict[str, Any]:
        """Decrypt the checkpoint of the subscription's poll; empty before the first page.

        :raises SealBroken: if the row was changed in the database.
        """
        found: dict[str, Any] = (
            {}
            if self.mark is None
            else json.loads(vault.open(self.workspace, mark_for(self.id), self.mark))
        )
        return found

    @property
    def polls(self) -> bool:
        """True if the trigger polls a list."""
        return self.every is not None

    def lateness(self, now: float) -> float:
        """Return the seconds by which the next poll is late, 0 if it is not two intervals late."""
        late = 0.0 if self.every is None or self.wake_at is None else now - self.wake_at
        return late if self.every is not None and late > _LATE * self.every else 0.0

    def shown_status(self, now: float) -> tuple[str, str | None]:
        """Return the displayed status, and its reason: the state that the work has reached, not the
        requested one.
        """
        late = self.lateness(now)
        if self.status == "active" and late:
            return (
                "degraded",
                (
                    f"its poll is {late:.0f} s late: run 'jackfield serve' or 'jackfield "
                    "worker', or more of them"
                ),
            )
        if self.status == "pending" and self.wake_at is None:
            return "pending", "the provider has sent nothing yet: give it the URL"
        return ("paused" if self.status == "disabling" else self.status), self.reason

    def to_json(self, now: float, url: str | None = None) -> dict[str, Any]:
        """Return the subscription as a JSON object, without its inputs. A subscription with an
        invalid time has a ``problem``, and placeholders for the times of its creation and change.
        """
        times = {
            "nextAt": self.wake_at if self.polls else None,
            "renewAt": self.renew_at,
            "lastSuccessAt": self.last_success_at,
            "lastEventAt": self.last_event_at,
            "createdAt": self.created_at,
            "changedAt": self.changed_at,
        }
        problem = problem_of_times(*times.values())
        moments = {
            name: iso(at)
            for name, at in times.items()
            if not problem or name in ("createdAt", "changedAt")
        } | problem
        status, reason = (
            replace(self, wake_at=now).shown_status(now) if problem else self.shown_status(now)
        )
        about: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "trigger": f"{self.connector}/{self.trigger_key}",
            "kind": self.kind,
            "connection": self.connection,
            "status": status,
            "reason": reason,
            "url": url,
            "every": self.every,
            "runsAs": {"caller": self.caller, "token": self.token},
            **moments,
        }
        return {name: value for name, value in about.items() if value is not None}


def sealed_for(
    identifier: str, connector: str, trigger: str, connection: str | None
) -> tuple[str, ...]:
    """Return the context to which the content of a subscription is sealed."""
    return ("subscription", identifier, connector, trigger, connection or "")


def mark_for(identifier: str) -> tuple[str, ...]:
    """Return the context to which a checkpoint is sealed."""
    return ("checkpoint", identifier)
