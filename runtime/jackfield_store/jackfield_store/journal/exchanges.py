"""Exchanges with providers in the journal: stored with the outcome of a call, deleted with its
entry, and shown as ``curl``.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.database.batches import RowUnit
from jackfield_store.journal.outcomes import refer

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry
    from jackfield_store.database import Database, Transaction
    from jackfield_store.database.batches import InTransaction

_SELECT = "SELECT sealed FROM invocation_exchanges WHERE workspace = :workspace AND id = :id"
_INSERT = """
INSERT INTO invocation_exchanges (workspace, id, sealed) VALUES (:workspace, :id, :exchanges)
ON CONFLICT (workspace, id) DO UPDATE SET sealed = excluded.sealed
"""
_REMOVE = "DELETE FROM invocation_exchanges WHERE workspace = :workspace AND id IN ({ids})"
_FRAMING = frozenset({"host", "content-length", "transfer-encoding", "connection"})
"""Header fields that curl writes itself."""
NOT_CAPTURED = "not captured: the connector sends by other means than HTTP, or asks for credentials"
_NOT_KEPT = "<the body was not kept>"


class SealedJournal(Protocol):
    """Journal of a workspace, reduced to the method that exchanges need."""

    database: Database
    workspace: str

    def opened_inputs(self, identifier: str, sealed: bytes, column: str) -> Any:
        """Decrypt a sealed column of an entry."""


def keep(transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store the exchanges of outcomes, in their transaction."""
    for row in rows:
        transaction.change(_INSERT, row)


def keep_and_refer(transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store the exchanges of outcomes, and the references for later events."""
    keep(transaction, rows)
    refer(transaction, rows)


def ended(
    statements: tuple[str, str],
    values: Mapping[str, Any],
    references: Sequence[str],
    exchanges: bytes | None,
    connection: str | None,
    before: InTransaction | None = None,
) -> RowUnit:
    """Return the unit that records an outcome, with the references for later events, and the
    exchanges with the provider. ``before`` is as in ``RowUnit``.
    """
    if not references and exchanges is None:
        return RowUnit(*statements, values, None, before)
    also = refer if exchanges is None else keep_and_refer if references else keep
    return RowUnit(
        *statements,
        {**values, "references": references, "connection": connection, "exchanges": exchanges},
        also,
        before,
    )


def remove(transaction: Transaction, workspace: str, identifiers: Mapping[str, str]) -> None:
    """Delete the exchanges of deleted entries; ``identifiers`` are their IDs by SQL parameter."""
    ids = ", ".join(f":{name}" for name in identifiers)
    transaction.change(_REMOVE.format(ids=ids), {"workspace": workspace, **identifiers})


def exchanges_of(journal: SealedJournal, identifier: str) -> Mapping[str, Any] | None:
    """Return a call's exchanges with its provider: ``captured``, ``dropped`` and ``exchanges``;
    None if none are stored.
    """
    row = journal.database.look_up(
        _SELECT, {"workspace": journal.workspace, "id": identifier}, flush=True
    )
    return None if row is None else journal.opened_inputs(identifier, row.sealed, "exchanges")


def no_exchanges(entry: Entry) -> InvalidInvocation:
    """Build the error for an invocation without stored exchanges."""
    return InvalidInvocation(
        f"no exchanges are kept of the invocation '{entry.id}', which is {entry.status}",
        hint=(
            "They are kept of calls that fail or end in doubt after something was sent, and "
            "of those with 'trace'."
        ),
    )


def without_bodies(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return exchanges for a caller who may not see the output of the call."""
    return {**found, "exchanges": [_bare(one) for one in found["exchanges"]]}


def _bare(exchange: Mapping[str, Any]) -> dict[str, Any]:
    parts = {name: exchange[name] for name in ("request", "response") if name in exchange}
    return {
        **exchange,
        **{
            name: {key: value for key, value in part.items() if key != "body"}
            for name, part in parts.items()
        },
    }


def with_curl(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return exchanges, each with the command line that sends its request again once somebody
    replaces the masks by the secrets.
    """
    return {**found, "exchanges": [{**one, "curl": curl_of(one)} for one in found["exchanges"]]}


def curl_of(exchange: Mapping[str, Any]) -> str:
    """Return a request as a command line of ``curl``, with ``***`` for each secret."""
    request = exchange["request"]
    words = ["curl", "-X", exchange["method"], exchange["url"]]
    words += _options(
        "-H",
        (
            f"{field['name']}: {field['value']}"
            for field in request["headers"]
            if field["name"].lower() not in _FRAMING
        ),
    )
    if request["bytes"]:
        words += ["--data-binary", request.get("body", _NOT_KEPT)]
    return " ".join(map(shlex.quote, words))


def _options(name: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (name, value)]
