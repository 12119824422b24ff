"""A caller's view of a workspace's journal: the entries whose calls the token's rules would allow,
and the outputs of the caller's own calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from jackfield.kernel.dataclass import replace
from jackfield.kernel.exports import late_hints
from jackfield.kernel.frames import bordered
from jackfield_store.journal.contents import Contents, containing, queued_connections
from jackfield_store.journal.counts import PeriodPart, Sample, open_counts, parts, samples, sums
from jackfield_store.journal.exchanges import exchanges_of, no_exchanges, with_curl, without_bodies
from jackfield_store.journal.journal import unknown_entry
from jackfield_store.management.readable_inputs import ReadableInputs

if TYPE_CHECKING:
    from jackfield.callers import Authorizer
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.invocation.entry import Entry
    from jackfield.manifest.manifest import Manifest
    from jackfield_store.journal.journal import Journal

_FOUND = ("text", "link", "sent", "matched")
"""Members of looks and evidence with the provider's data about a call."""


@bordered
class SeenJournal:
    """Visible entries of a journal; all others appear not to exist.

    ``owner`` is the caller whose outputs are shown; None shows all.
    """

    def __init__(
        self,
        journal: Journal,
        workspace: str,
        known: Connections,
        catalog: Catalog,
        authorizer: Authorizer,
        owner: str | None,
    ) -> None:
        self._journal = journal
        self._workspace = workspace
        self._known = known
        self._authorizer = authorizer
        self._catalog = catalog
        self._owner = owner
        self._manifests: dict[str, Manifest | None] = {}

    def entries(
        self, *, cursor: str | None = None, limit: int = 50, **filters: Any
    ) -> tuple[list[Entry], str | None]:
        """Return a page of visible entries that match all filters, newest first, and the cursor of
        the next page, None on the last page.
        """
        if not self._authorizer.token:
            return self._journal.entries(cursor=cursor, limit=limit, **filters)
        found, cursor = self._journal.seen_entries(
            self._sees, cursor=cursor, limit=limit, **filters
        )
        return [self._visible_entry(entry) for entry in found], cursor

    def containing(self, text: str, **filters: Any) -> Contents | None:
        """Find entries whose recorded inputs or error contain a text; None if the caller may see
        only a part of the journal.
        """
        return None if self._authorizer.token else containing(self._journal, text, **filters)

    def queued_connections(self, entries: Sequence[Entry]) -> dict[str, str]:
        """Return the ID of the connection of each queued entry, by the entry's ID. A caller who may
        see only a part of the journal gets no IDs, since some connections may be hidden.
        """
        return {} if self._authorizer.token else queued_connections(self._journal, entries)

    def find(self, identifier: str) -> Entry:
        """Return the entry of an invocation.

        :raises InvalidInvocation: if there is no visible entry.
        """
        entry = self._journal.find(identifier)
        if not self._sees(entry):
            raise unknown_entry(identifier)
        return self._visible_entry(self._with_request(entry))

    def _with_request(self, entry: Entry) -> Entry:
        """Return the entry of a call whose process was killed with the inputs of its request."""
        if entry.status != "in_doubt" or entry.inputs is not None:
            return entry
        readable = ReadableInputs(
            self._journal, self._known, self._catalog, keeps=False, decides=False, is_bound=False
        )
        return replace(entry, inputs=readable.of([entry]).get(entry.id))

    def exchanges(self, identifier: str) -> Mapping[str, Any]:
        """Return an invocation's exchanges with its provider, and each request as a ``curl``
        command. Bodies of another caller's call are left out for a caller with rules.

        :raises InvalidInvocation: if there is no visible entry, or its exchanges were not stored.
        """
        entry, found = self.find(identifier), exchanges_of(self._journal, identifier)
        if found is None:
            raise no_exchanges(entry)
        if self._authorizer.token and self._owner is not None and entry.caller != self._owner:
            found = without_bodies(found)
        return {"invocationId": identifier, **with_curl(found)}

    def resolve(
        self,
        identifier: str,
        outcome: Literal["succeeded", "failed"],
        by: str,
        note: str = "",
        because: int | None = None,
        output: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Resolve an in-doubt entry with a person's answer, as the journal does; ``output`` is the
        output of a success.

        :raises InvalidInvocation: if there is no such visible entry, it is not in doubt, or it
            accepts no output.
        :raises InvalidInput: if the output breaks the action's schema.
        """
        entry = self.find(identifier)
        if output is not None:
            from jackfield_store.management.given_outputs import judged_output  # few give one

            output = judged_output(self._manifest(entry.connector), entry, outcome, output)
        return self._visible_entry(
            self._journal.resolve(identifier, outcome, by, note, because, output)
        )

    def parts(self, since: float, step: int) -> list[PeriodPart] | None:
        """Return the invocations since a time, counted in parts of ``step`` seconds; None if the
        caller may see only a part of the journal.
        """
        return (
            None
            if self._authorizer.token
            else parts(self._journal.database, self._workspace, since, step)
        )

    def uses(self, since: float) -> Counter[tuple[str, str]]:
        """Count the invocations since a time by connector and action; empty if the caller may see
        only a part of the journal.
        """
        rows = (
            [] if self._authorizer.token else sums(self._journal.database, self._workspace, since)
        )
        found = Counter[tuple[str, str]]()
        for row in rows:
            found[row["connector"], row["action"]] += row["invocations"]
        return found

    def samples(self, since: float, limit: int) -> list[Sample]:
        """Return the newest invocations since a time, for a dashboard to count."""
        return samples(
            self._journal.database,
            self._workspace,
            since,
            limit,
            None if not self._authorizer.token else self._sees,
        )

    def open_counts(self) -> Mapping[str, int]:
        """Return the numbers of invocations that are queued, running and in doubt, and of dead
        letters.
        """
        return open_counts(
            self._journal.database,
            self._workspace,
            None if not self._authorizer.token else self._sees,
        )

    def _sees(self, entry: Any) -> bool:
        manifest = self._manifest(entry.connector)
        return self._authorizer.sees_entry(
            manifest, entry.connector, entry.action, entry.effect, entry.connection
        )

    def _visible_entry(self, entry: Entry) -> Entry:
        """Return the entry without the deciding pattern, which may name hidden objects, and without
        the output of another's call. Such an output may contain data that the rules would hide, and
        names files that the caller may not use; so may findings of looks.
        """
        if not self._authorizer.token:
            return entry
        is_foreign = self._owner is not None and entry.caller != self._owner
        if not is_foreign:
            return replace(entry, rule=None)
        looks = [
            {name: value for name, value in look.items() if name not in _FOUND}
            for look in entry.looks
        ]
        evidence = entry.evidence and {**entry.evidence, **({"looks": looks} if looks else {})}
        return replace(
            entry,
            rule=None,
            inputs=None if entry.status == "in_doubt" else entry.inputs,
            result=None if entry.result is None else _without_answers(entry.result),
            evidence=evidence,
        )

    def _manifest(self, key: str) -> Manifest | None:
        if key not in self._manifests:
            self._manifests[key] = self._catalog.look(key)[1]
        return self._manifests[key]


def _without_answers(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Result without its output, and without evidence about it."""
    left = {name: value for name, value in result.items() if name != "output"}
    resolution = left.get("meta", {}).get("resolution")
    if resolution is None:
        return left
    told = {
        name: value if name == "error" else _without_found(value)
        for name, value in resolution.items()
    }
    return {**left, "meta": {**left["meta"], "resolution": told}}


def _without_found(value: Any) -> Any:
    return (
        {name: about for name, about in value.items() if name not in _FOUND}
        if isinstance(value, Mapping)
        else value
    )


late_hints(__name__)
