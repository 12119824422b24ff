"""Connect sessions: a platform begins one, its user connects an account on this server's page, and
the platform confirms the user's identity.

Entered values have no effect before the confirmation: values stay sealed in the session, a
provider's tokens with the approval.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.call.admit import is_blank
from jackfield.callers import Caller, Rules
from jackfield.callers.actor import Actor
from jackfield.connections.host_access import generated_fields
from jackfield.connections.secret_references import reference_paths
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import (
    Detail,
    InvalidConnection,
    InvalidInvocation,
    JackfieldError,
    UnknownConnection,
)
from jackfield.manifest.manifest import OAUTH_CLIENT
from jackfield_service.subjects.connect.access import REMOTE, Access
from jackfield_service.subjects.connect.approvals import SessionApprovals
from jackfield_service.subjects.connect.choice import Choice
from jackfield_service.subjects.connect.confirmation import (
    ANOTHER,
    is_repeated,
    of_another_user,
    require_proof,
    require_texts,
)
from jackfield_service.subjects.connect.faults import failed_step, refused, steps_of
from jackfield_service.subjects.connect.permissions import Approval
from jackfield_service.subjects.connect.records import ConnectRecord, ConnectRecords
from jackfield_service.subjects.connect.session import (
    CANCELLED,
    ConnectSession,
    Wanted,
    is_another,
    told_apart,
)
from jackfield_service.subjects.connect.table import (
    ConnectTable,
    Overtaken,
    SessionChanged,
    SessionMoved,
    same,
    unknown,
)
from jackfield_service.subjects.connect.trials import SECONDS, Trials
from jackfield_service.subjects.connect.values import (
    Check,
    check_brought,
    check_defaults,
    form_schema_of,
    merged,
    platforms_values,
    refuse_missing,
    refuse_unasked,
    widened,
)
from jackfield_store.access import Audit, Workspaces
from jackfield_store.connections.connection_rows import secret_places
from jackfield_store.keys.sealing import digest, new_secret
from jackfield_store.management.visible_connections import table_of

if TYPE_CHECKING:
    from jackfield.connections.connection_types import ConnectionKind
    from jackfield.kernel.clock import Clock
    from jackfield_store.database import Transaction
    from jackfield_store.management.authorizing import Authorizing
    from jackfield_store.management.connections import ManagedConnections
    from jackfield_store.resources.storage import Storage

PAGE = "/connect"
"""Path of the server's page; a link appends a secret."""
_NO_PLATFORM = Detail(
    "/verify", "must be 'link' or 'browser' unless a platform begins the session", "enum"
)
_LATE = "the confirmation came too late for the provider's answer"
_FRESH: dict[str, Any] = {
    "values": {},
    "trial": {},
    "authorization": "",
    "start": "",
    "status": "opened",
    "blocked": {},
    "met": {},
    "busy_until": 0.0,
}
"""Members of a session that starts to connect a connection."""


def open_sessions(runtime: Opened, clock: Clock) -> Connecting:
    """Return the connect sessions of a workspace, whose people are remote callers."""
    storage, workspace = runtime.storage, runtime.workspace
    table = ConnectTable(storage.database, lambda: storage.vault, workspace, clock)
    connections = runtime.connections_of(Caller("connect session", "manage", Rules(), remote=True))
    workspaces = Workspaces(storage.database, storage.vault, clock)
    audit = partial(Audit, storage.database, lambda: storage.vault, workspace, clock)
    records = ConnectRecords(storage.database, lambda: storage.vault, workspace, clock)
    access = Access(connections, lambda: storage.vault, workspace)
    trials = Trials(table, connections.kinds, clock)
    return Connecting(
        table,
        records,
        connections,
        access,
        audit,
        lambda: workspaces.settings(workspace).theme,
        trials,
    )


class Opened(Protocol):
    """Runtime of a workspace, as connect sessions need it."""

    workspace: str
    storage: Storage

    def connections_of(self, caller: Caller) -> ManagedConnections:
        """Return the connections that a caller may see."""


class Connecting:
    """Connect sessions of one workspace. ``connections`` are the workspace's, with the rights of a
    remote caller; ``theme`` returns the look of sessions without one of their own.
    """

    def __init__(
        self,
        table: ConnectTable,
        records: ConnectRecords,
        connections: ManagedConnections,
        access: Access,
        audit: Callable[[Actor], Audit],
        theme: Callable[[], Mapping[str, str]],
        trials: Trials,
    ) -> None:
        self._table = table
        self._records = records
        self._access = access
        self._theme = theme
        self._connections = connections
        self._audit = audit
        self._choice = Choice(records, connections, access)
        self.trials = trials
        self.approvals = SessionApprovals(table, self._authorizing, self.account, trials)

    def create(self, body: Mapping[str, Any] | Wanted, actor: Actor) -> tuple[ConnectSession, str]:
        """Begin a session for a platform, or for one person alone; return it with the secret of its
        link.

        :raises InvalidInvocation: if the request is not valid, or too many sessions are open.
        :raises UnknownConnection: if a connection is to be connected again that does not exist.
        """
        wanted = (
            body
            if isinstance(body, Wanted)
            else Wanted.from_json(body if "theme" in body else {**body, "theme": self._theme()})
        )
        if wanted.verify == "confirm" and actor.kind != "platform":
            hint = (
                "Choose 'link' to send the link to one person, or 'browser' to lead them "
                "from a page of yours."
            )
            raise InvalidInvocation(
                "only the platform that began a connect session confirms it",
                details=[_NO_PLATFORM],
                hint=hint,
            )
        self._require_room(adds=wanted.mode == "connect")
        kinds = self._choice.kinds(wanted)
        self._choice.check_words(wanted)
        wanted = wanted if actor.kind == "platform" else widened(wanted, kinds)
        self._choice.require_offer(wanted)
        about: dict[str, Any] = {
            "owner": actor.key,
            "asked_by": actor.to_json(),
            "connection": wanted.connection,
        }
        if wanted.connection and wanted.mode != "connect":
            about |= self._choice.again(wanted.connection)[1]
            self._choice.require_own(wanted)
        elif wanted.connection and self._choice.exists(wanted.connection):
            self._begin_anew(wanted, actor)
        if len(kinds) == 1:
            check_defaults(wanted, kinds[0])
        for place, kind in enumerate(kinds if wanted.mode == "connect" else ()):
            check_brought(wanted, kind, place, self._check(kind))
        self._choice.check_access(wanted, kinds, ConnectRecord.from_json(about.get("recalled", {})))
        audit = self._audit(actor)
        facts = {
            "mode": wanted.mode,
            "verify": wanted.verify,
            "user": wanted.user,
            "types": list(wanted.types),
        }

        def in_transaction(transaction: Transaction, made: ConnectSession) -> None:
            audit.append(transaction, "connect.created", f"connect-session:{made.id}", facts)

        identifier, link = self._table.create(wanted, about, in_transaction)
        return self._table.find(identifier), link

    def _begin_anew(self, wanted: Wanted, actor: Actor) -> None:
        """End the open session in which the same owner and user have left the approval of this
        connection half-way, and free its name; end expired sessions, too.

        :raises SessionMoved: if the connection still exists.
        """
        self.sweep()
        if not self._choice.exists(wanted.connection):
            return
        earlier = next(
            (
                one
                for one in self._table.open()
                if one.created and one.connection == wanted.connection
            ),
            None,
        )
        is_ours = earlier is not None and earlier.owner == actor.key
        text, hint = (
            f"the connection '{wanted.connection}' exists",
            "Choose another name, or the mode 'reauth'.",
        )
        if earlier is not None and is_ours and earlier.wanted.user == wanted.user:
            self._fail(earlier, "the same user has begun again")
            if not self._choice.exists(wanted.connection):
                return
        elif earlier is not None and is_ours:
            text, hint = (
                f"another user is connecting '{wanted.connection}'",
                f"Choose another name, or delete the session '{earlier.id}'.",
            )
        raise SessionMoved(text, details=[Detail("/connection", text)], hint=hint)

    def _require_room(self, *, adds: bool) -> None:
        if adds and (store := table_of(self._connections.known)) is not None:
            store.require_room()

    def find(self, identifier: str) -> ConnectSession:
        """Return a session.

        :raises UnknownSession: if there is no such session.
        """
        return self._table.find(identifier)

    def page(
        self, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[ConnectSession], str | None]:
        """Return a page of sessions, the latest expiry first, and the cursor of the next page; None
        on the last page.
        """
        return self._table.page(cursor, limit)

    def show(self, identifier: str) -> dict[str, Any]:
        """Return a session as its platform sees it, with the connected account.

        :raises UnknownSession: if there is no such session.
        """
        found = self._waited(self._table.find(identifier))
        shown = found.to_json()
        if found.status == "granted" and not found.disconnected:
            with contextlib.suppress(JackfieldError, KeyError):
                shown["account"] = self._connections.show(found.connection)["account"]
        return shown

    def _waited(self, found: ConnectSession) -> ConnectSession:
        """End a session whose authorization has failed because the platform's confirmation came too
        late.
        """
        if (
            found.status == "saved"
            and found.task == "authorize"
            and self.approvals.state(found)["status"] == "failed"
        ):
            with contextlib.suppress(SessionMoved):
                self._fail(found, _LATE)
            return self._table.find(found.id)
        return found

    def cancel(self, identifier: str, reason: str = "the platform has cancelled it") -> None:
        """End a session, unless it is over.

        :raises UnknownSession: if there is no such session.
        """
        found = self._table.find(identifier)
        if not found.is_over and found.wanted.mode == "manage" and reason == CANCELLED:
            # nothing was to be connected
            self._table.change(found, status="granted", task="", values={}, proof="", opener="")
        elif not found.is_over:
            self._fail(found, reason)

    def sweep(self) -> None:
        """End expired sessions, and remove connections that were stored for approvals which were
        never given.
        """
        while some := self._table.expire():
            for ended in some:
                self._discard(ended)
        for name in self._table.left():
            with contextlib.suppress(JackfieldError):
                self._connections.remove(name)

    def confirm(
        self, identifier: str, proof: str, user: str, actor: Actor, state: str | None = None
    ) -> dict[str, Any] | None:
        """Confirm for a platform that ``user`` is signed in to the browser that brought it
        ``proof``; this creates the connection. A repeated confirmation gets the same answer, or
        None while another request performs it, so that no thread waits. If ``state`` is given,
        confirm only a session with this digest of its state.

        :raises InvalidInvocation: if the proof or the user is empty; the session goes on.
        :raises SessionChanged: if the session has another digest; the session goes on.
        :raises UnknownSession: if there is no such session, or another token began it.
        :raises SessionMoved: if it is over, or the person has not finished.
        :raises RefusedConfirmation: if the proof is wrong, or the user another one; that ends the
            session.
        :raises JackfieldError: if the provider refuses the person's approval; that ends the
            session, too.
        """
        require_texts(proof, user)
        with contextlib.suppress(Overtaken):
            if self._is_confirmed(identifier, proof, user, actor, state):
                return self.show(identifier)
        return None

    def _is_confirmed(
        self, identifier: str, proof: str, user: str, actor: Actor, state: str | None
    ) -> bool:
        """Confirm as ``confirm`` does; return False while another request performs the same
        confirmation.
        """
        found = self._table.find(identifier)
        if found.owner != actor.key:
            raise unknown()
        if is_repeated(found, proof, user):
            return found.is_over
        if state is not None and state != found.state:
            raise SessionChanged(
                "the session is not as it was shown", hint="Show it again, and send its digest."
            )
        require_proof(found, proof)
        if user != found.wanted.user:
            self._fail(found, ANOTHER)
            raise of_another_user()
        self._require_room(adds=found.task == "add")  # before the proof is spent
        self._require_own(found)
        self._perform(self._table.change(found, proof="", confirmed=digest(proof)))
        return True

    def open(
        self, found: ConnectSession, opener: str, secret: str, *, framed: bool = False
    ) -> ConnectSession:
        """Bind a session to the browser that came with ``opener``. From then on, only ``secret``
        gives access, which the browser gets now, since ``opener`` may have been planted. A browser
        that has missed the answer may open the session again. ``framed`` is true in a frame.

        :raises SessionMoved: if another browser has opened it.
        """
        if found.browser and not same(found.opener, opener):
            raise SessionMoved(
                "another browser has opened the connect session",
                hint="Begin again where you came from.",
            )
        opened = (
            self._table.change(found, browser=digest(secret))
            if found.browser
            else self._open_session(found, opener, secret)
        )
        opened = self.approvals.led_from(opened, framed=framed)
        if opened.task:  # an earlier press has come so far
            return opened
        offered = self.offered(opened)
        if opened.type:
            return (
                self.begin(opened, opened.connection) if opened.wanted.mode == "reauth" else opened
            )
        return (
            self.choose(opened, offered[0][0])
            if opened.wanted.mode == "connect" and len(offered) == 1
            else opened
        )

    def _open_session(self, found: ConnectSession, opener: str, secret: str) -> ConnectSession:
        audit, facts = self._audit(_actor(found)), {"verify": found.wanted.verify}
        members = {"browser": digest(secret), "opener": digest(opener), "status": "opened"}
        place = f"connect-session:{found.id}"
        return self._table.change(
            found,
            lambda transaction: audit.append(transaction, "connect.opened", place, facts),
            **members,
        )

    def entered(self, found: ConnectSession) -> ConnectSession:
        """Record that the browser returned with its secret, and revoke the secret with which it
        opened the session.
        """
        if not found.opener or found.is_over:
            return found
        with contextlib.suppress(SessionMoved):
            return self._table.change(found, opener="")
        return self._table.find(found.id)

    def offered(self, found: ConnectSession) -> list[tuple[str, ConnectionKind]]:
        """Return the types that the person may choose, under the names that the platform gave
        them.
        """
        return self._choice.offered(found.wanted)

    def choose(self, found: ConnectSession, name: str) -> ConnectSession:
        """Begin a new connection of a type.

        :raises InvalidConnection: if the session does not offer it.
        """
        kind = next((kind for offered, kind in self.offered(found) if offered == name), None)
        if kind is None or found.wanted.mode != "connect":
            raise InvalidConnection(
                "this system is not offered here", hint="Choose one of the list."
            )
        self._discard(found)
        connection = found.wanted.connection or self._choice.free_name(name.partition("/")[0])
        check_defaults(found.wanted, kind)
        generated = self._access.generated(found.wanted, kind, connection)
        fresh = {**_FRESH, "created": False, "recalled": {}}
        return self._table.change(
            found, task="add", type=name, connection=connection, generated=generated, **fresh
        )

    def begin(
        self, found: ConnectSession, connection: str, *, remove: bool = False
    ) -> ConnectSession:
        """Begin to connect an existing connection again, or to remove it.

        :raises UnknownConnection: if it is not among the session's connections.
        """
        named = {str(row["name"]) for row in self.managed(found)}
        if connection not in named or (remove and found.wanted.mode != "manage"):
            raise UnknownConnection(f"there is no connection '{connection[:100]}' here")
        kind, about = self._choice.again(connection)
        task = "remove" if remove else "authorize" if kind.about.authorizes else "replace"
        generated = self._access.brought(found.wanted, kind) if task == "replace" else {}
        return self._table.change(
            found, task=task, connection=connection, generated=generated, **_FRESH, **about
        )

    def records(self, connection: str = "") -> dict[str, ConnectRecord]:
        """Return the records that sessions have stored with connections, by connection: of one, or
        of all.
        """
        return self._records.of(connection)

    def users(self) -> dict[str, str]:
        """Return the users who have connected connections, by the connections' names."""
        return {name: record.user for name, record in self._records.of().items() if record.user}

    def managed(self, found: ConnectSession) -> list[dict[str, Any]]:
        """Return the stored connections that belong to the session."""
        return self._choice.managed(found.wanted)

    def known_kind(self, name: str) -> ConnectionKind | None:
        """Return a type by its name; None if it is not installed."""
        return self._connections.kinds.known(name)

    def kind(self, found: ConnectSession) -> ConnectionKind:
        """Return the type of the session's connection.

        :raises InvalidConnection: if it is not installed.
        """
        return self._connections.kinds.find(found.type)

    def form(
        self, found: ConnectSession
    ) -> tuple[Mapping[str, Any], Mapping[str, Any], frozenset[str]]:
        """Return the schema of the values to enter, the values to display, and the names of stored
        secrets.
        """
        kind = self.kind(found)
        schema = form_schema_of(found, kind)
        fields = schema["properties"]
        values = {**platforms_values(found.wanted, kind), **found.values}
        if found.task == "replace":
            values = {**self._connections.find(found.connection).values, **values}
        secret = frozenset(path[1:] for path in secret_places(kind.schema, values))
        return (
            schema,
            {
                name: value
                for name, value in values.items()
                if name in fields and name not in secret
            },
            secret,
        )

    def refused(self, found: ConnectSession) -> list[str]:
        """Return the names of entered values that the last test has refused."""
        step = failed_step(steps_of(found.trial)) if found.is_refused else None
        if step is None:
            return []
        schema, values, secret = self.form(found)
        return refused(
            step,
            {
                name: field
                for name, field in schema["properties"].items()
                if name in values or name in secret
            },
        )

    def first(
        self, found: ConnectSession, name: str, kind: ConnectionKind
    ) -> ConnectSession | None:
        """Return a new session as it would be while a person enters the only value of a connection
        of the type ``name``. Return None if more steps are needed, or the person has to sign in
        first.
        """
        begun = replace(found, task="add", type=name, connection=found.wanted.connection or "new")
        is_alone = len(form_schema_of(begun, kind)["properties"]) == 1 and not generated_fields(
            kind.schema
        )
        return (
            begun
            if is_alone and found.wanted.mode == "connect" and found.wanted.verify != "oidc"
            else None
        )

    def enter(
        self, found: ConnectSession, given: Mapping[str, Any], **members: Any
    ) -> ConnectSession:
        """Store the entered values, without a test, and further members of the session.

        :raises InvalidConnection: if a value is not valid, with all faults.
        """
        kind = self.kind(found)
        values = self._taken(found, kind, given)
        self._check(kind)(values)
        return self._table.change(found, values=values, **members)

    def submit(self, found: ConnectSession, given: Mapping[str, Any]) -> ConnectSession:
        """Store the entered values, and test them; a type that a provider approves is only
        validated.

        :raises InvalidConnection: if a value is not valid, with all faults.
        :raises TestRunning: if a test runs already.
        """
        kind = self.kind(found)
        if kind.about.authorizes:
            return self.enter(found, given, trial={}, status="testing")
        values, acting = self._taken(found, kind, given), self._connections.acting_as(_actor(found))
        return self.trials.run(found, kind, values, acting, partial(self._require_account, found))

    def _check(self, kind: ConnectionKind) -> Check:
        return partial(self._connections.check, kind.full_name, provenance=REMOTE)

    def _taken(
        self, found: ConnectSession, kind: ConnectionKind, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        if any(reference_paths(given)):
            raise InvalidConnection(
                "references to secrets cannot be entered here", hint="Enter the secret itself."
            )
        refuse_unasked(form_schema_of(found, kind), given)
        self._refuse_again(found, given)
        stored = (
            self._connections.find(found.connection).values if found.task == "replace" else None
        )
        values = merged(found, kind, given, stored)
        refuse_missing(found, kind, values, self._check(kind))
        return values

    def _refuse_again(self, found: ConnectSession, given: Mapping[str, Any]) -> None:
        """Refuse to test again a refused secret that the person has not entered anew."""
        blank = [name for name in self.refused(found) if is_blank(given.get(name, ""))]
        secret = self.form(found)[2] if blank else ()
        if lacking := [name for name in blank if name in secret]:
            faults = [Detail(f"/{name}", "is required", "required") for name in lacking]
            raise InvalidConnection("a value is missing", details=faults, hint="Enter it.")

    def authorize(self, found: ConnectSession, redirect_uri: str, return_to: str) -> ConnectSession:
        """Begin the approval at the provider; a new connection is first stored without approval.

        :raises JackfieldError: if the authorization cannot be started.
        """
        found = self._added(found) if found.task == "add" else found
        try:
            return self.approvals.begin(found, redirect_uri, return_to)
        except JackfieldError:
            if found.created and not found.authorization:  # the values may be wrong
                self._table.change(found, task="add", created=False, status="opened")
                self._discard(found)
            raise

    def reopened(self, found: ConnectSession, *, choose: bool = False) -> ConnectSession:
        """Set the session back to the entry of values, or to the choice of a type; return it."""
        if choose:
            self._discard(found)
            return self._table.change(
                found,
                task="",
                type="",
                values={},
                trial={},
                generated={},
                status="opened",
                created=False,
            )
        return self._table.change(found, trial={}, status="opened")

    def finish(self, found: ConnectSession, returned: str = "") -> tuple[ConnectSession, str]:
        """End the person's part: return the session, and the proof that the browser takes to the
        platform; without a confirmation, the connection is made now, and the proof is empty.
        ``returned`` is the secret of a browser that came back from the provider.

        :raises SessionMoved: if a step is missing, or another browser has approved.
        """
        if not self._is_ready(found):
            raise SessionMoved(
                "the connect session is not finished", hint="Enter the values, and test them."
            )
        if found.task == "authorize" and not self.approvals.came_back(found, returned):
            raise SessionMoved(
                "the account was approved in another browser",
                hint="Finish there, or start again here.",
            )
        self._require_room(adds=found.task == "add")
        self._require_own(found)
        if found.wanted.verify != "confirm":
            self._perform(self.trials.held(found))
            return self._table.find(found.id), ""
        proof = new_secret()
        return self._table.change(found, status="saved", proof=digest(proof)), proof

    def trusts(self, found: ConnectSession, kind: ConnectionKind) -> bool:
        """Return whether the owner of the account creates a role that trusts the platform."""
        return bool(found.asked.principal) and self._access.trusts(kind)

    def approval(self, found: ConnectSession, kind: ConnectionKind) -> Approval:
        """Return the approval at the provider, by the values of the session, the connection and the
        OAuth client.
        """
        usual = {
            name: field["default"]
            for name, field in kind.schema.get("properties", {}).items()
            if "default" in field
        }
        own = {**platforms_values(found.wanted, kind), **found.values}
        with contextlib.suppress(JackfieldError):
            if found.wanted.mode != "connect":
                own = {**self._connections.find(found.connection).values, **own}
            if OAUTH_CLIENT in own:
                usual |= self._connections.known.oauth_client(own[OAUTH_CLIENT]).values
        return Approval.of(kind, {**usual, **own})

    def documents(self, found: ConnectSession) -> Mapping[str, Any]:
        """Return the documents by which the owner of the account gives the connection access; an
        empty object if its type has none.
        """
        return self._access.documents(found, self.kind(found))

    def external_id(self, found: ConnectSession) -> str | None:
        """Return the External ID that the owner of the account has to require; None if the type has
        none, or the connection cannot be read.
        """
        return self._access.external_id(found)

    def _added(self, found: ConnectSession) -> ConnectSession:
        """Store a connection without approval, and return the session. The same commit notes the
        connection in the session, which can then remove it.
        """
        noted: list[ConnectSession] = []

        def in_transaction(transaction: Transaction) -> None:
            noted.append(self._table.changed_in(transaction, found, task="authorize", created=True))
            self._table.await_approval(transaction, found)

        acting = self._connections.acting_as(_actor(found), in_transaction)
        acting.add(
            found.connection,
            self.kind(found).full_name,
            found.values,
            test=False,
            provenance=REMOTE,
        )
        return noted[-1]

    def _require_own(self, found: ConnectSession) -> None:
        """Require that the connection is still the session's, since another one may have taken over
        its name.

        :raises UnknownConnection: if it is no longer the session's.
        """
        if found.wanted.mode != "connect" and not any(
            row["name"] == found.connection for row in self.managed(found)
        ):
            raise UnknownConnection(f"there is no connection '{found.connection}' here")

    def _is_ready(self, found: ConnectSession) -> bool:
        if found.is_over or not found.task:
            return False
        if found.task == "authorize":
            return bool(self.approvals.state(found)["status"] == "answered")
        return found.passed or found.task == "remove"

    def _perform(self, found: ConnectSession) -> None:
        """Carry out the session's change and end the session, in one commit."""
        left = None if found.task == "remove" else found.leaves(self.kind(found).full_name)

        def in_transaction(transaction: Transaction) -> None:
            self._table.changed_in(
                transaction,
                found,
                status="granted",
                values={},
                proof="",
                blocked={},
                busy_until=0.0,
            )
            if left is not None:
                self._records.keep(transaction, found.connection, left)

        acting = self._connections.acting_as(_actor(found), in_transaction)
        how: dict[str, Any] = {
            "test": True,
            "force": True,
            "provenance": REMOTE,
            "timeout_seconds": SECONDS,
        }
        try:
            if found.task == "add":
                acting.add(found.connection, self.kind(found).full_name, found.values, **how)
            elif found.task == "replace":
                acting.replace(found.connection, found.values, **how)
            elif found.task == "remove":
                acting.remove(found.connection)
            else:
                accept = (
                    None
                    if found.created
                    else lambda account: self._require_account(
                        found, {"id": account.id, "label": account.label}
                    )
                )
                self._authorizing(found, in_transaction).complete(
                    found.authorization, browser=found.key, accept=accept
                )
        except JackfieldError as error:
            self._fail(found, error.message, error)
            raise
        if found.task == "authorize":
            # the approval stands; the connection's own status shows what is wrong
            with contextlib.suppress(JackfieldError):
                self._connections.acting_as(_actor(found)).test(
                    found.connection, timeout_seconds=SECONDS
                )

    def _fail(
        self, found: ConnectSession, reason: str, error: JackfieldError | None = None
    ) -> None:
        ended: dict[str, Any] = {
            "status": "failed",
            "reason": reason,
            "values": {},
            "proof": "",
            "opener": "",
            "busy_until": 0.0,
        }
        if error is not None and self.trials.is_platforms(found, error):
            self.trials.note(found, error, **ended)
        else:
            self._table.change(found, **ended)
        self._discard(found)

    def _discard(self, found: ConnectSession) -> None:
        """Remove the connection if it was stored for an approval that was never given."""
        if found.created:
            with contextlib.suppress(JackfieldError):
                if self._connections.show(found.connection)["authorization"]["status"] == "none":
                    self._connections.acting_as(_actor(found)).remove(found.connection)

    def _require_account(self, found: ConnectSession, account: Mapping[str, Any] | None) -> None:
        if found.task == "add" or found.wanted.other_account:
            return
        before = self.account(found)
        if is_another(before, account):
            now, kept = told_apart(account, before)
            text = (
                f"this signs in to the account {now}, and the connection is for the account {kept}"
            )
            raise InvalidConnection(text, hint=f"Enter what signs in to the account {kept}.")

    def account(self, found: ConnectSession) -> Mapping[str, Any]:
        """Return the account of a stored connection; an empty object if its test has not determined
        the account.
        """
        known: Mapping[str, Any] = self._choice.find(found.connection).get("account") or {}
        return known

    def _authorizing(
        self, found: ConnectSession, in_transaction: Callable[[Transaction], None] | None = None
    ) -> Authorizing:
        return self._connections.acting_as(_actor(found), in_transaction).authorizing()


def _actor(found: ConnectSession) -> Actor:
    """Return the author of a session's changes: the platform, on behalf of its user."""
    asked = Actor.from_json(found.asked_by)
    return Actor(asked.kind, asked.id, asked.name, found.wanted.user or asked.behalf)
