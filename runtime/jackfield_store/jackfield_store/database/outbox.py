"""The outbox of events: each change records its event in the same transaction, so that neither
exists without the other.

Events of invocations, connections and the audit log are recorded by triggers (in ``schema``),
others by ``record``, and events of providers by ``record_sealed``.
``jackfield_service.subjects.events`` reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jackfield_store.database.transaction import Transaction

_INSERT = (
    "INSERT INTO outbox (workspace, type, subject, at, facts) VALUES (:workspace, :type, "
    ":subject, :at, :facts)"
)
_INSERT_SEALED = """
INSERT INTO outbox (workspace, type, subject, at, facts, event_id, sealed) VALUES (:workspace, :type, :subject, :at, '{}', :id, :sealed)
"""


def sealed_place(identifier: str, type: str, subject: str) -> tuple[str, ...]:
    """Return the place that the data of a numbered event are sealed for (``Vault.seal``)."""
    return ("event", identifier, type, subject)


def record(
    transaction: Transaction,
    workspace: str,
    type: str,
    subject: str,
    at: float,
    facts: Mapping[str, Any],
) -> None:
    """Record an event in the transaction of its change.

    ``type`` is dotted (``callback.paused``), ``subject`` the name or ID of the changed object,
    ``at`` the time, in seconds since 1970. ``facts`` are the event's data. They are stored unsealed
    until a reader or the dispatcher numbers the event, so they must not contain a secret or any
    part of a provider's answer.
    """
    values = {
        "workspace": workspace,
        "type": type,
        "subject": subject,
        "at": at,
        "facts": json.dumps(facts),
    }
    transaction.change(_INSERT, values)


def record_sealed(transaction: Transaction, events: Sequence[Mapping[str, Any]]) -> None:
    """Record events whose data, ``sealed``, are sealed for ``sealed_place(id, type, subject)``,
    with these IDs. The other members are ``workspace`` and ``at``.
    """
    transaction.change_many(_INSERT_SEALED, events)
