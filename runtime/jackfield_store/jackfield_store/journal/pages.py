"""Pages of the journal's list. Every page reads a bounded number of rows, whatever its filters and
however long the journal is.

Filters by connector, action, connection, caller, status and error code, and the rules of a token,
select kinds of entries (``invocation_kinds``). An index has the entries of a kind in the order of
the list. Keys, correlation IDs, labels and dead letters have indexes of their own. A text is
searched in the newest entries, in the names of all kinds, and as a prefix of identifiers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from jackfield_store.database import Row, Transaction
from jackfield_store.database.cursors import invalid_cursor
from jackfield_store.database.faults import SealBroken
from jackfield_store.database.transaction import Dialect
from jackfield_store.journal import statements as sql
from jackfield_store.journal.listing import (
    AFTER_CURSOR,
    GROUPED,
    NOT_CANCELLED,
    condition,
    fits,
    naming,
    normalized,
)
from jackfield_store.journal.terms import correlation_term, label_term
from jackfield_store.keys.vault import Vault

PAGE_BYTES = 8 * 1024 * 1024
"""Maximum bytes of stored Results on one page, unless its only entry has more."""
LOOKED_AT = 1000
"""Maximum number of rows that one page reads through the index of a key, correlation ID or label; a
page with fewer matches is short and has a cursor.
"""
SCANNED = 5000
"""Number of newest rows in which a text is searched anywhere, and of rows that a page scans if no
index helps.
"""
MOST_KINDS = 5000
"""Maximum number of kinds of entries (``invocation_kinds``) that one page searches. For more kinds,
the page scans the newest rows.
"""
NAMED_KINDS = 200
"""Maximum number of kinds that a statement names, if a caller sees no others."""
BEGINNINGS = 500
"""Maximum number of entries found by the beginning of their identifiers; if more match, the page is
a scan.
"""
_CURSOR_WIDTH = 100
"""Number of bytes of every cursor before encryption; the fixed width lets the length reveal
nothing.
"""
_CURSOR = ("invocations", "cursor")
_ORDER = "ORDER BY created_at DESC, id DESC"
_COLUMNS = (
    "id",
    "status",
    "connector",
    "action",
    "effect",
    "connection",
    "caller",
    "idempotency_key",
    "error_code",
    "request_id",
    "context",
    "created_at",
    "dead_at",
    "available_at",
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM invocations WHERE workspace = :workspace"
_DEAD = f"""
SELECT {", ".join(_COLUMNS)} FROM invocations{{hint}} WHERE workspace = :workspace AND dead_at IS NOT NULL{{bounds}} {_ORDER} LIMIT :limit
"""
_PLACES = "SELECT id, created_at FROM invocations WHERE workspace = :workspace"
_OF_KIND = """i.connector = k.connector AND i.action = k.action AND i.status = k.status AND i.status <> 'running'
    AND COALESCE(i.effect, '') = COALESCE(k.effect, '') AND COALESCE(i.connection, '') = COALESCE(k.connection, '')
    AND COALESCE(i.caller, '') = COALESCE(k.caller, '') AND COALESCE(i.error_code, '') = COALESCE(k.error_code, '')"""
# A column on the right would have an affinity, with which SQLite does not use the index of the
# expression on the left.
_KIND = ("connector", "action", "status", "effect", "connection", "caller", "error_code")
_KINDS = """
SELECT k.id, k.connector, k.action, k.status, NULLIF(k.effect, '') AS effect, NULLIF(k.connection, '') AS connection, k.caller,
    k.error_code, {newest} AS newest
FROM invocation_kinds k WHERE k.workspace = :workspace{kinds} LIMIT :most
"""
_NEWEST = (
    f"(SELECT created_at FROM invocations i{{hint}} WHERE i.workspace = :workspace AND "
    f"{_OF_KIND}{{bounds}} {_ORDER} LIMIT 1)"
)
_EACH_KIND = f"""
SELECT found.id, found.created_at FROM invocation_kinds k CROSS JOIN LATERAL (
    SELECT id, created_at FROM invocations i
    WHERE i.workspace = k.workspace AND {_OF_KIND}{{bounds}} AND created_at >= :floor {_ORDER} LIMIT :limit
) found
WHERE k.workspace = :workspace AND k.id = ANY(:kinds)
ORDER BY found.created_at DESC, found.id DESC LIMIT :limit
"""
_ONE_KIND = f"""
SELECT id, created_at FROM invocations i{{hint}}
WHERE i.workspace = :workspace AND {_OF_KIND.replace("k.", ":")}{{bounds}} AND created_at >= :floor {_ORDER} LIMIT :limit
"""
_BY_TERM = f"""
SELECT {", ".join(f"i.{name}" for name in _COLUMNS)} FROM (
    SELECT id, created_at FROM invocation_terms WHERE workspace = :workspace AND term = :term{{bounds}} {_ORDER} LIMIT :limit
) t CROSS JOIN {{entries}} i WHERE i.workspace = :workspace AND i.id = t.id
ORDER BY i.created_at DESC, i.id DESC
"""
# Each entry by its key: as long as PostgreSQL has no statistics, it would read the whole journal to
# join it.
_BY_KEY = "LATERAL (SELECT * FROM invocations WHERE workspace = :workspace AND id = t.id LIMIT 1)"
_TERMS = (
    "SELECT id FROM invocation_terms WHERE workspace = :workspace AND term >= :low AND term "
    "< :high LIMIT :limit"
)
_FLOOR = (
    f"SELECT created_at, id FROM invocations WHERE workspace = :workspace{{bounds}} {_ORDER} "
    "LIMIT 1 OFFSET :skipped"
)
_END = "\U0010ffff"


class EntryPosition(NamedTuple):
    """Place of an entry in the list."""

    created_at: float
    id: str


class Found(NamedTuple):
    """Places of matching entries, newest first. Entries older than ``cut`` were not searched; None
    if all entries were searched.
    """

    places: list[EntryPosition]
    cut: EntryPosition | None = None


class EntrySearch:
    """Search in the entries of one workspace, within one transaction. ``sees`` decides which
    entries the caller may see; None shows all.
    """

    def __init__(
        self,
        transaction: Transaction,
        workspace: str,
        sees: Callable[[Any], bool] | None,
        dialect: Dialect,
    ) -> None:
        self._transaction = transaction
        self._workspace = workspace
        self._sees = sees
        self._dialect = dialect

    def find(self, after: EntryPosition | None, limit: int, filters: Mapping[str, Any]) -> Found:
        """Return up to ``limit`` entries that match all filters, after a place in the list."""
        given = normalized(filters)
        if given is None:
            return Found([])
        times: dict[str, Any] = {
            name: given.pop(name) for name in ("since", "until") if name in given
        }
        period, values = condition(times)
        if after is not None and times.get("until", 0.0) > after.created_at:
            # the place is the narrower bound, and an index range can end at one only
            del times["until"]
        bounds = condition(times)[0]
        values["workspace"] = self._workspace
        if after is not None:
            bounds += AFTER_CURSOR
            values |= {"at": after.created_at, "after": after.id}
        return _Search(
            self._transaction, period, bounds, values, given, self._sees, limit, self._dialect
        ).found()

    def rows(self, places: Sequence[EntryPosition]) -> Sequence[Row]:
        """Return the rows of the first of these entries, newest first, as many as fit into the
        bytes of a page, but at least one.
        """
        total, fitting = 0, len(places)
        for count, row in enumerate(self._rows(sql.SIZES, places)):
            total += row.size
            if total > PAGE_BYTES:
                fitting = max(count, 1)
                break
        return self._rows(sql.SELECT, places[:fitting])

    def _rows(self, select: str, places: Sequence[EntryPosition]) -> Sequence[Row]:
        named = {f"id_{number}": place.id for number, place in enumerate(places)}
        if not named:
            return []
        # sorted here: SQLite would read the list's index
        statement = f"{select} AND id IN ({', '.join(f':{name}' for name in named)})"
        found = self._transaction.execute(statement, {"workspace": self._workspace, **named})
        return sorted(found, key=lambda row: (row.created_at, row.id), reverse=True)


class _Search:
    """One search. ``period`` limits the time, ``bounds`` also begin after the cursor; ``given`` are
    the other filters.
    """

    def __init__(
        self,
        transaction: Transaction,
        period: str,
        bounds: str,
        values: dict[str, Any],
        given: dict[str, Any],
        sees: Callable[[Any], bool] | None,
        limit: int,
        dialect: Dialect,
    ) -> None:
        self._transaction = transaction
        self._period = period
        self._bounds = bounds
        self._values = values
        self._given = given
        self._sees = sees
        self._limit = limit
        self._dialect = dialect

    def found(self) -> Found:
        if "dead" in self._given:
            return self._dead()
        key = self._given.get("idempotencyKey")
        if key is not None or self._given.get("waits"):
            where = (
                "idempotency_key = :key"
                if key is not None
                else "status = 'queued' AND available_at IS NULL"
            )
            return self._in_index(where, {} if key is None else {"key": key})
        if "correlationId" in self._given or "label" in self._given:
            correlation = self._given.get("correlationId")
            return self._by_term(
                label_term(self._given["label"])
                if correlation is None
                else correlation_term(correlation)
            )
        if "q" in self._given:
            return self._containing(self._given["q"])
        if self._sees is None and not self._given:
            rows = self._rows(
                f"{_PLACES}{self._bounds} {_ORDER} LIMIT :limit", {"limit": self._limit}
            )
            return Found(_places(rows))
        if "waits" in self._given:
            self._bounds += " AND available_at IS NOT NULL"
        found = self._of_kinds()
        return found if found is not None else self._scan(SCANNED)

    def _dead(self) -> Found:
        statement = _DEAD.format(
            hint=self._dialect.indexed_by.format("invocations_dead_created"), bounds=self._bounds
        )
        return self._filtered(self._rows(statement, {"limit": LOOKED_AT}))

    def _of_kinds(self, text: str | None = None) -> Found | None:
        """Find the entries of the kinds that match; None if there are too many kinds. A kind's
        names must contain ``text``, if given.
        """
        grouped = {name: value for name, value in self._given.items() if name in GROUPED}
        places = [] if text is not None else self._running(grouped)
        if grouped.get("status") == "running":
            return Found(places)
        kinds = self._kinds(grouped, text)
        if len(kinds) > MOST_KINDS:
            return None
        kinds = [
            kind
            for kind in kinds
            if kind.newest is not None and (self._sees is None or self._sees(kind))
        ]
        unique = {tuple(getattr(kind, name) for name in _KIND): kind for kind in kinds}
        newest = sorted(unique.values(), key=lambda kind: kind.newest, reverse=True)
        return Found(_newest([*places, *self._of_each(newest)], self._limit))

    def _kinds(self, grouped: Mapping[str, str], text: str | None) -> list[Row]:
        chosen, values = naming(text) if text is not None else ("", {})
        chosen += "".join(f" AND k.{GROUPED[name]} = :k_{name}" for name in grouped)
        if NOT_CANCELLED in self._given:
            chosen += " AND k.error_code <> 'cancelled'"
        wanted = {
            **values,
            **{f"k_{name}": value for name, value in grouped.items()},
            "most": MOST_KINDS + 1,
        }
        if self._sees is not None:
            kinds = self._rows(_KINDS.format(newest="NULL", kinds=chosen), wanted)
            seen = [kind for kind in kinds if self._sees(kind)]
            if len(kinds) > MOST_KINDS or not seen:
                return kinds if len(kinds) > MOST_KINDS else []
            if len(seen) <= NAMED_KINDS:
                chosen += f" AND k.id IN ({', '.join(str(kind.id) for kind in seen)})"
        newest = _NEWEST.format(
            bounds=self._bounds, hint=self._dialect.indexed_by.format("invocations_kind")
        )
        return self._rows(_KINDS.format(newest=newest, kinds=chosen), wanted)

    def _of_each(self, kinds: Sequence[Row]) -> list[EntryPosition]:
        """Return the newest places of kinds, which are sorted by their newest entry: only the first
        kinds have entries on the page.
        """
        # the newest of each fill a page
        floor = kinds[self._limit - 1].newest if len(kinds) >= self._limit else float("-inf")
        if self._dialect.lateral:
            values = {
                "kinds": [kind.id for kind in kinds[: self._limit]],
                "limit": self._limit,
                "floor": floor,
            }
            return (
                _places(self._rows(_EACH_KIND.format(bounds=self._bounds), values)) if kinds else []
            )
        found: list[EntryPosition] = []
        statement = _ONE_KIND.format(
            bounds=self._bounds, hint=self._dialect.indexed_by.format("invocations_kind")
        )
        for kind in kinds[: self._limit]:
            if len(found) >= self._limit and kind.newest < found[self._limit - 1].created_at:
                break
            values = {name: getattr(kind, name) or "" for name in _KIND}
            found = _newest(
                [
                    *found,
                    *_places(
                        self._rows(statement, {**values, "limit": self._limit, "floor": floor})
                    ),
                ],
                self._limit,
            )
        return found

    def _running(self, grouped: Mapping[str, str]) -> list[EntryPosition]:
        """Find running entries; they are few."""
        if grouped.get("status", "running") != "running" or "errorCode" in grouped:
            return []
        further, values = condition(grouped)
        statement = f"{_SELECT}{further} AND status = 'running'{self._bounds} {_ORDER} LIMIT :limit"
        return _places(self._visible(self._rows(statement, {**values, "limit": LOOKED_AT})))

    def _in_index(self, where: str, values: Mapping[str, Any]) -> Found:
        """Find entries by a condition that an index answers; the other filters are applied to its
        rows.
        """
        statement = f"{_SELECT} AND {where}{self._bounds} {_ORDER} LIMIT :limit"
        return self._filtered(self._rows(statement, {**values, "limit": LOOKED_AT}))

    def _by_term(self, term: str) -> Found:
        entries = _BY_KEY if self._dialect.lateral else "invocations"
        return self._filtered(
            self._rows(
                _BY_TERM.format(bounds=self._bounds, entries=entries),
                {"term": term, "limit": LOOKED_AT},
            )
        )

    def _filtered(self, rows: Sequence[Row]) -> Found:
        cut = _place(rows[-1]) if len(rows) == LOOKED_AT else None
        return Found(
            _places(row for row in self._visible(rows) if fits(row, self._given))[: self._limit],
            cut,
        )

    def _containing(self, text: str) -> Found:
        """Find entries in the newest rows that contain a text, whose names contain the text, or
        whose identifiers begin with it.
        """
        identifiers = {name: value for name, value in self._given.items() if name != "q"} | {
            "identifiers": text
        }
        identified = self._beginning_with(text)
        by_name = self._of_kinds(text) if identified is not None else None
        if identified is None or by_name is None:
            return self._scan(SCANNED)
        # of the period, wherever the page begins
        newest = self._rows(_FLOOR.format(bounds=self._period), {"skipped": SCANNED - 1})
        scanned = self._scan(SCANNED, identifiers, since=newest[0].created_at if newest else None)
        return Found(_newest([*scanned.places, *by_name.places, *identified], self._limit))

    def _beginning_with(self, text: str) -> list[EntryPosition] | None:
        """Find entries with an identifier that begins with a text; None if there are too many."""
        found: dict[str, None] = {}
        values = {"low": text, "high": text + _END, "limit": BEGINNINGS + 1}
        for column, low in (("id", text.lower()), ("idempotency_key", text), ("request_id", text)):
            statement = (
                f"SELECT id FROM invocations WHERE workspace = :workspace AND {column} >= "
                f":low AND {column} < :high LIMIT :limit"
            )
            found |= dict.fromkeys(
                row.id for row in self._rows(statement, {**values, "low": low, "high": low + _END})
            )
        for low in (correlation_term(text), label_term(text)):
            found |= dict.fromkeys(
                row.id for row in self._rows(_TERMS, {**values, "low": low, "high": low + _END})
            )
        if len(found) > BEGINNINGS:
            return None
        if not found:
            return []
        names = {f"id_{place}": identifier for place, identifier in enumerate(found)}
        rows = self._rows(
            f"{_SELECT} AND id IN ({', '.join(f':{name}' for name in names)}){self._bounds}", names
        )
        return _newest(
            _places(row for row in self._visible(rows) if fits(row, self._given)), self._limit
        )

    def _scan(
        self, count: int, given: Mapping[str, Any] | None = None, *, since: float | None = None
    ) -> Found:
        """Scan up to ``count`` rows in the order of the list."""
        bounds, values = self._bounds, dict[str, Any]()
        if since is not None:
            bounds, values = f"{bounds} AND created_at >= :floor_since", {"floor_since": since}
        floor = self._rows(_FLOOR.format(bounds=bounds), {**values, "skipped": count - 1})
        if floor:
            bounds += " AND (created_at, id) >= (:floor_at, :floor_id)"
            values |= {"floor_at": floor[0].created_at, "floor_id": floor[0].id}
        further, wanted = condition(self._given if given is None else given)
        limit = self._limit if self._sees is None else count
        rows = self._rows(
            f"{_SELECT}{further}{bounds} {_ORDER} LIMIT :limit",
            {**values, **wanted, "limit": limit},
        )
        return Found(
            _places(self._visible(rows))[: self._limit], _place(floor[0]) if floor else None
        )

    def _visible(self, rows: Iterable[Row]) -> list[Row]:
        return [row for row in rows if self._sees is None or self._sees(row)]

    def _rows(self, statement: str, values: Mapping[str, Any]) -> list[Row]:
        return self._transaction.execute(statement, {**self._values, **values})


def _place(row: Row) -> EntryPosition:
    return EntryPosition(row.created_at, row.id)


def _places(rows: Iterable[Row]) -> list[EntryPosition]:
    return [_place(row) for row in rows]


def _newest(places: Iterable[EntryPosition], limit: int) -> list[EntryPosition]:
    return sorted(set(places), reverse=True)[:limit]


def sealed_cursor(vault: Vault, workspace: str, place: EntryPosition) -> str:
    """Encrypt a place in the list as a cursor for callers who may see a part of the journal: a page
    may end at a hidden entry.
    """
    text = json.dumps([place.created_at, place.id]).encode()
    return vault.seal_text(workspace, _CURSOR, text.ljust(_CURSOR_WIDTH))


def opened_cursor(vault: Vault, workspace: str, cursor: str) -> EntryPosition:
    """Decrypt a cursor.

    :raises InvalidInvocation: if it is not a cursor of this workspace.
    """
    try:
        at, identifier = json.loads(vault.open_text(workspace, _CURSOR, cursor))
    except (SealBroken, ValueError):
        raise invalid_cursor() from None
    return EntryPosition(float(at), str(identifier))
