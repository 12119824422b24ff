"""``Jackfield.connections``: view and change the connections of one workspace."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.callers import INLINE, UNBOUND, Authorizer
from jackfield.callers.actor import LIBRARY, Actor
from jackfield.connections.connection_page import ConnectionPage
from jackfield.connections.connection_types import ConnectionKind
from jackfield.connections.host_access import HostAccess
from jackfield.connections.named_connection import NAME, NAME_EXPECTED, STORE, NamedConnection
from jackfield.connections.provenance import Provenance
from jackfield.invocation import DEFAULT_TIMEOUT
from jackfield.kernel.clock import Deadline
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import (
    Detail,
    InvalidConnection,
    InvalidInvocation,
    JackfieldError,
    UnknownConnection,
)
from jackfield.kernel.exports import late_hints
from jackfield.kernel.frames import bordered
from jackfield.kernel.hints import NextStep
from jackfield.kernel.secrecy import Hidden
from jackfield_store.access import Audit
from jackfield_store.access.settings import checked_quotas
from jackfield_store.access.workspaces import require
from jackfield_store.connections.client_registrations import approval_tables
from jackfield_store.connections.connection_rows import Draft
from jackfield_store.connections.connection_table import (
    ConnectionTable,
    conflict,
    name_taken,
    nothing,
)
from jackfield_store.database import Transaction
from jackfield_store.management.authorizing import Authorizing
from jackfield_store.management.connection_test import Trial, not_saved, try_connection
from jackfield_store.management.drafts import ConnectionDraft, Drafter
from jackfield_store.management.moving_in import MovingIn
from jackfield_store.management.platform_part import platform_part
from jackfield_store.management.policies import PolicyRequest, external_id, visible_policies
from jackfield_store.management.revoking import Revoking
from jackfield_store.management.served_actions import unserved
from jackfield_store.management.transfer import Fill, exported, imported
from jackfield_store.management.type_facts import has_policies, needs_host
from jackfield_store.management.views import page, renamed, shown_from_file, shown_from_store
from jackfield_store.management.visible_connections import VisibleConnections, not_stored, table_of
from jackfield_store.management.weak_secrets import warned

if TYPE_CHECKING:
    from jackfield.call.admit import Targets
    from jackfield.call.open import Opener
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.kernel.clock import Clock

_PAGE, _LARGEST_PAGE = 100, 1000
_CURSOR = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")  # any name, including old ones of punctuation only
_OPERATOR = Provenance()


@bordered
class ManagedConnections:
    """Connections of one workspace: list, show, test, add and change. Thread-safe.

    ``values`` have the form of their type's schema; returned values are masked.
    ``Provenance("remote")`` means callers over HTTP or MCP, who have less access to the server; the
    default is the operator. ``audit`` opens the audit log for an actor (``acting_as``); it is None
    without a database. ``authorizer`` decides what is visible, may be used and may be changed
    (``VisibleConnections``); the default allows everything.

    :raises UnknownConnection: from methods that take a name, if the caller sees no connection of
        that name.
    :raises NotAllowed: from methods that test or change a connection, if rules forbid its use.
    """

    def __init__(
        self,
        known: Connections,
        catalog: Catalog,
        opening: Opener,
        targets: Targets,
        clock: Clock,
        audit: Callable[[Actor], Audit] | None = None,
        authorizer: Authorizer = UNBOUND,
        rename_guard: Callable[[str, str], None] = lambda _name, _to: None,
    ) -> None:
        self.known = known
        self._rename_guard = rename_guard
        self._visible = VisibleConnections(known, catalog, authorizer)
        self.kinds = self._visible.kinds
        self._catalog = catalog
        self._opening = opening
        self._targets = targets
        self._clock = clock
        self._drafter = Drafter(targets, known.access, opening.check_references)
        self._open_audit = audit
        self._actor = LIBRARY
        self._in_transaction: Callable[[Transaction], None] = nothing

    def acting_as(
        self, actor: Actor, in_transaction: Callable[[Transaction], None] | None = None
    ) -> ManagedConnections:
        """Return a copy whose changes and tests the audit log attributes to ``actor``; each change
        runs ``in_transaction``, too.
        """
        bound = copy.copy(self)
        vars(bound).update(_actor=actor, _in_transaction=in_transaction or nothing)
        return bound

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences about the parts of the connection files that cannot be read."""
        return self._visible.problems

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about the stored connections that a file hides."""
        return self._visible.warnings

    def access(self) -> HostAccess:
        """Return the host access that the server grants to connections made over HTTP or MCP."""
        return self.known.access()

    def require(self, name: str) -> None:
        """Require that the rules let the caller use the connection of this name; without rules,
        nothing is read.

        :raises NotAllowed: if they forbid every use of the name, whether or not the connection
            exists.
        :raises UnknownConnection: if they allow the name, but the connection does not exist or is
            hidden for its type.
        """
        self._visible.require(name)

    def list(
        self,
        cursor: str | None = None,
        limit: int = _PAGE,
        *,
        type: str | None = None,
        text: str | None = None,
    ) -> ConnectionPage:
        """List up to ``limit`` connections by name, optionally only those of a type, or with
        ``text`` in their name, type or account.

        :raises InvalidInvocation: if the limit is not between 1 and 1,000, or the cursor is not
            valid.
        :raises InvalidConnection: if the type is not installed.
        """
        if not 1 <= limit <= _LARGEST_PAGE:
            raise InvalidInvocation(
                "the limit is not valid",
                details=[Detail("/limit", f"is not between 1 and {_LARGEST_PAGE:,}")],
            )
        if cursor and not _CURSOR.match(cursor):
            raise InvalidInvocation(
                "the cursor is not valid",
                details=[Detail("/cursor", "is not the cursor of a page")],
            )
        full_name = self.kinds.find(type).full_name if type is not None else None
        return page(
            self.known, self.kinds, cursor or "", limit, full_name, text, self._visible.sees
        )

    def find(self, name: str) -> NamedConnection:
        """Return the connection called ``name`` with its unmasked values, for the runtime's own
        use.

        :raises UnknownConnection: if the caller sees no such connection.
        :raises InvalidConnection: if two files define it.
        """
        return self._visible.find(name)

    def show(self, name: str) -> dict[str, Any]:
        """Return a connection as JSON with masked secrets.

        :raises InvalidConnection: if two files define it.
        """
        if self.known.in_files(name) is not None:
            stored, table = self.find(name), self._store_if_open()
            return shown_from_file(
                stored,
                self.kinds,
                table.file_tests.find([stored]).get(stored.name) if table is not None else None,
            )
        store = table_of(self.known)
        row = store.show(name) if store is not None else None
        if store is None or row is None or not self._visible.sees(name, row.type):
            raise self._visible.unknown(name)
        shown = shown_from_store(row, self.kinds)
        if self._authorizes(row.type):
            state = store.approvals[0].state(row.id)
            shown["authorization"] = {"status": "none"} if state is None else state.to_json()
        return shown

    def needs_host(self, kind: ConnectionKind) -> bool:
        """Return whether a connection of this type can only authenticate with the server's own
        identity.
        """
        return needs_host(self._catalog, kind)

    def has_policies(self, kind: ConnectionKind) -> bool:
        """Return whether a type derives policies from the permissions of actions."""
        return has_policies(self._catalog, kind)

    def check(
        self, type: str, values: Mapping[str, Any], provenance: Provenance = _OPERATOR
    ) -> None:
        """Validate ``values`` for a new connection of that type, without testing or storing them.

        :raises InvalidConnection: with all faults at once.
        """
        self._drafter.draft(self.kinds.find(type), values, provenance)

    def add(
        self,
        name: str,
        type: str,
        values: Mapping[str, Any],
        *,
        test: bool = True,
        force: bool = False,
        provenance: Provenance = _OPERATOR,
        timeout_seconds: float = DEFAULT_TIMEOUT,
        quotas: Any = (),
    ) -> dict[str, Any]:
        """Validate the values, test the connection and store it; return it as ``show`` does, with
        ``warnings``. ``force`` stores it even if the test fails. ``quotas`` bound the effects of
        calls over it.

        :raises InvalidConnection: if the name is taken or not valid, the type is unknown, values
            are not valid (with all faults), or the test fails.
        :raises InvalidInvocation: if there is no database, or a quota is not valid.
        :raises NotAllowed: if rules forbid a connection of that name and type.
        """
        self._visible.require_new(name, type)
        # before the provider is asked; reports a missing workspace before faults of the connection
        self._store().require_room()
        kinds = self._visible.kinds_for(name)
        store, drafted = self._validated(name, kinds.find(type), values, provenance, quotas)
        del values
        tried = self._tested(drafted, name, test=test, force=force, timeout_seconds=timeout_seconds)
        added = store.add(
            name, tried.draft, self._audited("connection.created", name, type=tried.draft.type)
        )
        return warned(shown_from_store(added, kinds), tried.draft)

    def replace(
        self,
        name: str,
        values: Mapping[str, Any],
        version: int | None = None,
        *,
        test: bool = True,
        force: bool = False,
        provenance: Provenance = _OPERATOR,
        timeout_seconds: float = DEFAULT_TIMEOUT,
        quotas: Any = None,
    ) -> dict[str, Any]:
        """Replace the values of a stored connection. Omitted secrets, and values sent back masked,
        stay unchanged; a secret given as null is removed. ``version`` is the version that the
        caller saw; any other current version is a conflict. With ``quotas`` None, the present
        quotas stay.

        :raises VersionConflict: if it was changed in the meantime.
        :raises InvalidConnection: as ``add`` does.
        """
        self.require(name)
        store = self._store()
        old = store.find(name)
        if old is None:
            raise not_stored(self.known, name)
        if version is not None and version != old.version:
            raise conflict(name)
        drafted = self._drafter.draft(
            self.kinds.find(old.type), values, provenance, name=name, old=old, quotas=quotas
        )
        del values
        tried = self._tested(drafted, name, test=test, force=force, timeout_seconds=timeout_seconds)
        in_transaction = self._audited(
            "connection.replaced", name, type=old.type, fields=tried.changed(old)
        )
        return warned(
            shown_from_store(
                store.replace(name, tried.draft, old.version, in_transaction), self.kinds
            ),
            tried.draft,
        )

    def limit(self, name: str, quotas: Any, version: int | None = None) -> dict[str, Any]:
        """Replace the quotas on effects over a stored connection, and nothing else, without a test.

        :raises VersionConflict: if it was changed meanwhile.
        :raises InvalidInvocation: if a quota is not valid.
        """
        self.require(name)
        store, checked = self._store(), checked_quotas(quotas)
        row, old = store.show(name), store.find(name)
        if row is None or old is None:
            raise not_stored(self.known, name)
        if (version or old.version) != row.version:
            raise conflict(name)
        kind = self.kinds.find(old.type)
        draft = Draft(old.type, old.values, kind.schema, old.origin, row.outcome, checked)
        in_transaction = self._audited(
            "connection.replaced", name, type=old.type, fields=["quotas"]
        )
        return shown_from_store(store.replace(name, draft, old.version, in_transaction), self.kinds)

    def rename(self, name: str, new_name: str) -> dict[str, Any]:
        """Rename a stored connection; return it with ``warnings``: about objects that still use the
        old name, or about an unchanged name.

        :raises UnknownConnection: if no connection has the old name.
        :raises InvalidConnection: if the new name is taken or not valid.
        :raises NotAllowed: if rules forbid the use of either name, or allow more under the new one.
        """
        self._visible.require_rename(name, new_name)
        store = self._changeable(new_name)
        if (row := store.show(name)) is None:
            raise not_stored(self.known, name)
        if new_name != name:
            row = store.rename(
                name,
                new_name,
                self._audited("connection.renamed", name, renamed=new_name, to=new_name),
            )
        return renamed(shown_from_store(row, self.kinds), name)

    def authorizing(self) -> Authorizing:
        """Return the object that connects stored connections by a person's approval at the
        provider.

        :raises InvalidInvocation: if there is no database.
        """
        tables, finders = (
            approval_tables(self._store(), self._clock),
            (self._approvable, self._by_id),
        )
        return Authorizing(
            self._catalog,
            self._opening,
            self._targets,
            self._clock,
            tables,
            finders,
            self._audited,
            self._actor,
        )

    def moving_in(self) -> MovingIn:
        """Return the object that imports grants which a person approved elsewhere."""
        parts = self._opening, self._catalog, self._clock
        return MovingIn(
            self._visible,
            self._drafter,
            self._changeable,
            parts,
            self.authorizing,
            self._audited,
            self._actor,
        )

    def remove(self, name: str) -> None:
        """Delete a stored connection and its secrets. Its subscriptions are paused, its schedules
        stopped, and its provider is notified that its grant is no longer needed.

        :raises InvalidConnection: if it is defined in a file.
        """
        self.require(name)
        if (row := self._store().show(name)) is None:
            raise not_stored(self.known, name)
        # the provider's answer, later, is no part of the change
        alone = self.acting_as(self._actor).revoking()
        alone.remove(name, self._in_transaction, is_granted=self._authorizes(row.type))

    def revoking(self) -> Revoking:
        """Return the object that removes connections, and notifies providers that their grants are
        no longer needed.
        """
        audit = self._open_audit and self._open_audit(self._actor)
        return Revoking(
            self._store(), self._clock, self.find, self.authorizing, self._audited, audit
        )

    def test(self, name: str, *, timeout_seconds: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
        """Test a connection, with the connectors for which it may be used, without changing its
        values. Store the outcome, and return the connection with it.

        :raises InvalidConnection: if its values break its type's schema, or a secret cannot be
            read.
        """
        self.require(name)
        stored, catalog = self.known.find(name), self._visible.catalog_for(name)
        trial = try_connection(
            stored,
            catalog,
            self._opening,
            self._targets,
            Deadline.after(timeout_seconds, self._clock),
        )
        store = self._store_if_open() if stored.id is None else table_of(self.known)
        if store is not None and stored.id is None:
            store.file_tests.keep(stored, trial.outcome)
            self._record("connection.tested", name, status=trial.status)
        elif store is not None:
            store.set_test_outcome(
                stored, trial.outcome, self._audited("connection.tested", name, status=trial.status)
            )
        shown = self.show(name)
        kept = (
            {"status": shown["status"]} if store is not None and trial.status == "untested" else {}
        )
        return {**shown, **trial.to_json(), **kept}

    def test_draft(
        self,
        type: str,
        values: Mapping[str, Any],
        *,
        name: str | None = None,
        provenance: Provenance = _OPERATOR,
        timeout_seconds: float = DEFAULT_TIMEOUT,
    ) -> dict[str, Any]:
        """Test values without storing them; return ``status``, ``account`` and ``lastTest`` as a
        connection has them. ``name`` is their later name.

        :raises InvalidConnection: as ``add`` does, except for a test that fails.
        :raises NotAllowed: as ``add`` does.
        """
        own = name or INLINE
        self._visible.require_new(own, type)
        drafted = self._drafter.draft(self._visible.kinds_for(own).find(type), values, provenance)
        del values
        self._record("connection.draft_tested", None, type=drafted.draft.type)
        return self._trial(drafted, own, timeout_seconds).to_json()

    def import_document(
        self,
        document: str | os.PathLike[str],
        *,
        values: Mapping[str, Any] | Fill | None = None,
        replace: bool = False,
        test: bool = True,
        force: bool = False,
        provenance: Provenance = _OPERATOR,
    ) -> Sequence[dict[str, Any]]:
        """Store the connections of a document: the path of a file or folder, or the text itself if
        it contains a line break or begins with a brace. Return a row for each: ``{"name", "type",
        "result": "added" | "replaced" | "refused"}`` with its ``status`` or ``error``. ``replace``
        overwrites existing connections. ``values``, or its return value for a connection, supply
        values that the document lacks. Of two connections with one name, the second is refused.

        :raises InvalidConnection: if the document cannot be read at all.
        """
        given = Hidden((document, values or {}))
        del document, values
        return imported(self, given, replace=replace, test=test, force=force, provenance=provenance)

    def export(
        self, names: Iterable[str] | None = None, *, secrets: bool = False
    ) -> dict[str, Any]:
        """Return connections in the format of a connection file; without ``secrets``, each secret
        is a reference to an environment variable that the reader sets.

        :raises UnknownConnection: if one of the names does not exist.
        """
        wanted = sorted(self._visible.names()) if names is None else names
        document = exported([self.find(name) for name in wanted], self.kinds, secrets=secrets)
        self._record(
            "connection.exported", None, names=sorted(document["connections"]), secrets=secrets
        )
        return document

    def policy(
        self,
        name: str,
        actions: Sequence[str] | None = None,
        principal_arn: str | None = None,
        sender: str | None = None,
        connector: str | None = None,
        calls: Sequence[Mapping[str, Any]] | None = None,
        *,
        evidence: bool = False,
    ) -> dict[str, Any]:
        """Return the provider policies that the connection needs for ``actions`` (``sendEmail``,
        ``aws-ses/get*``), or for a whole ``connector``, and for its test; by default for all its
        connectors. ``sender`` is the address that email may be sent from, with ``*`` for any text.
        ``calls`` (``{"action", "inputs"}``) are added to ``actions``, and ``evidence`` adds the
        permissions for reads of logs.

        :raises UnknownAction: if there is no such action, or UnknownConnector, no such connector.
        :raises InvalidInvocation: if it serves too many actions for one policy and neither actions
            nor a connector is named.
        :raises InvalidConnection: if its type has no policies.
        """
        wanted = PolicyRequest(actions, connector, principal_arn, sender, calls, evidence=evidence)
        return visible_policies(
            self._visible, self._opening, self._clock, self.find(name), self._targets, wanted
        )

    def draft_policy(
        self,
        type: str,
        values: Mapping[str, Any],
        name: str,
        wanted: PolicyRequest,
        provenance: Provenance = _OPERATOR,
        *,
        role: str = "",
    ) -> dict[str, Any]:
        """Return the policies as ``policy`` does, for a connection that does not exist yet: its
        type predicts missing values, for ``role``.

        :raises JackfieldError: as ``policy`` does, or if values are not valid.
        """
        kind = self.kinds.find(type)
        model = self._catalog.load(kind.manifests[0].key).connections[kind.about.key]
        foreseen = {field: text.format(name=role or name) for field, text in model.foreseen.items()}
        drafted = self._drafter.draft(kind, {**foreseen, **values}, provenance)
        del values
        return visible_policies(
            self._visible, self._opening, self._clock, drafted.stored(name), drafted, wanted
        )

    def unserved(self, type: str, name: str, actions: Iterable[str]) -> dict[str, str]:
        """Return ``unserved``: the names and patterns that match no action of a connection of that
        type and name.
        """
        return unserved(
            NamedConnection(name, type, {}, STORE),
            self._visible.catalog_for(name),
            actions,
            self._visible.allows,
        )

    def external_id(self, name: str) -> str | None:
        """Return the connection's External ID, with a reference resolved; None if it has none.

        :raises InvalidConnection: if the reference cannot be read.
        """
        return external_id(self.find(name), self._catalog, self._opening, self._targets)

    def _authorizes(self, type: str) -> bool:
        kind = self.kinds.known(type)
        return kind is not None and bool(kind.about.authorizes)

    def _approvable(self, name: str) -> NamedConnection:
        """Return a stored connection that the caller may use, for an approval; a connection in a
        file cannot store one.
        """
        self.require(name)
        if self.known.in_files(name) is not None:
            raise not_stored(self.known, name)
        return self.known.find(name)

    def _by_id(self, identifier: str) -> NamedConnection:
        name = self._store().name_of(identifier)
        if name is None:
            raise UnknownConnection(
                "the connection was removed", hint="Add it again, then connect it."
            )
        return self.find(name)

    def _store_if_open(self) -> ConnectionTable | None:
        """Return the store; None without a store, or if the store cannot be opened, since
        connections from files work without it.
        """
        try:
            return table_of(self.known)
        except JackfieldError:
            return None

    def _audited(
        self, event: str, name: str, renamed: str | None = None, **details: Any
    ) -> Callable[[Transaction], None]:
        """Return a step that audits an event of the connection in the transaction of the change,
        and wakes its subscriptions.
        """
        audit, store = (
            self._open_audit and self._open_audit(self._actor).prepare(),
            self._store_if_open(),
        )

        def in_transaction(transaction: Transaction) -> None:
            if audit is not None:
                audit.append(transaction, event, f"connection:{name}", details)
            if store is not None:
                platform_part().look_again(
                    transaction, store.vault, store.workspace, name, store.now(), renamed
                )
            if renamed is not None:
                self._rename_guard(name, renamed)
            self._in_transaction(transaction)

        return in_transaction

    def _record(self, event: str, name: str | None, **details: Any) -> None:
        if self._open_audit is not None:
            self._open_audit(self._actor).record(
                event, "connections" if name is None else f"connection:{name}", details
            )

    def _store(self) -> ConnectionTable:
        store = table_of(self.known)
        if store is None:
            raise InvalidInvocation(
                "this runtime has no database to store connections in", hint=NextStep("no_store")
            )
        require(store.database, store.workspace)  # it may have been purged since it was opened
        return store

    def _changeable(self, name: str, provenance: Provenance = _OPERATOR) -> ConnectionTable:
        """Return the store if it can hold a connection of that name."""
        store = self._store()
        if not NAME.match(name):
            raise InvalidConnection(
                "the name is not valid",
                details=[Detail("/name", NAME_EXPECTED, "pattern")],
                hint="Choose another.",
            )
        file = self.known.in_files(name)
        if file is not None and not (
            provenance.source is not None and file.is_of(provenance.source, provenance.folder)
        ):
            text = (
                f"{file.source} has a connection '{name}', which would hide the stored connection"
            )
            raise InvalidConnection(
                text,
                details=[Detail("/name", text)],
                hint="Choose another name, or remove the one in the file.",
            )
        return store

    def _validated(
        self,
        name: str,
        kind: ConnectionKind,
        values: Mapping[str, Any],
        provenance: Provenance,
        quotas: Any,
    ) -> tuple[ConnectionTable, ConnectionDraft]:
        """Validate the name and the values of a new connection together.

        :raises InvalidConnection: with the faults of both at once.
        """
        try:
            store = self._changeable(name, provenance)
            if store.show(name) is not None:
                raise name_taken(name)
        except InvalidConnection as unnamed:
            try:
                self._drafter.draft(kind, values, provenance)
            except InvalidConnection as unfit:
                text, details = (
                    f"{unnamed.message}, and {unfit.message}",
                    [*unnamed.details, *unfit.details],
                )
                raise InvalidConnection(text, details=details, hint=unfit.hint) from None
            raise
        return store, self._drafter.draft(kind, values, provenance, name=name, quotas=quotas)

    def _tested(
        self,
        drafted: ConnectionDraft,
        name: str,
        *,
        test: bool,
        force: bool,
        timeout_seconds: float,
    ) -> ConnectionDraft:
        """Return the draft with the outcome of its test.

        :raises InvalidConnection: if the test fails and is not overridden.
        """
        if not test:
            # its access to the server is checked when it is opened
            if drafted.draft.origin == "remote":
                manifest = drafted.kind.manifests[0]
                self._opening.find(
                    drafted.find(drafted.stored(name), manifest),
                    manifest,
                    self._catalog.load(manifest.key),
                )
            return drafted
        trial = self._trial(drafted, name, timeout_seconds)
        if trial.status == "failing" and not force:
            raise not_saved(trial, generated=bool(drafted.made))
        return replace(drafted, draft=replace(drafted.draft, outcome=trial.outcome))

    def _trial(self, drafted: ConnectionDraft, name: str, timeout_seconds: float) -> Trial:
        deadline, stored = Deadline.after(timeout_seconds, self._clock), drafted.stored(name)
        return try_connection(
            stored, self._visible.catalog_for(name), self._opening, drafted, deadline
        )


late_hints(__name__)
