"""Access that the owner of an account gives in a connect session: the documents of a role or
policy, and their names.

They permit the calls that the platform will make, and are named after the platform: the person
reads them in a third party's console.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from jackfield.connections.host_access import generated_fields
from jackfield.connections.provenance import Provenance
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import (
    Detail,
    InvalidConnection,
    InvalidInput,
    InvalidInvocation,
    JackfieldError,
    did_you_mean,
)
from jackfield.kernel.hints import NextStep
from jackfield_service.subjects.connect.values import is_persons, platforms_values
from jackfield_store.connections.external_ids import derived
from jackfield_store.management.policies import PolicyRequest
from jackfield_store.management.served_actions import TooWide
from jackfield_store.management.visible_connections import table_of

if TYPE_CHECKING:
    from jackfield.connections.connection_types import ConnectionKind
    from jackfield_service.subjects.connect.session import ConnectSession, Wanted
    from jackfield_store.keys import Vault
    from jackfield_store.management.connections import ManagedConnections

REMOTE = Provenance("remote", own_external_id=True)
"""Provenance of a session's values: from a person, with an External ID that the session has
generated or the platform has given.
"""
_NEUTRAL = "access"
"""First part of a name if the platform has no suitable one."""
_NO_PRINCIPAL = (
    "is required for '{type}': give the ARN of the user or role that the keys in 'defaults' "
    "belong to, which the role has to trust"
)
_TOO_WIDE = (
    "or 'calls' is required: a role of '{type}' for all that the workspace may call would be "
    "too wide for one policy"
)
_LONGEST, _LONGEST_FIRST = 64, 24
"""Maximum lengths, in characters, of a role's name (IAM API reference, CreateRole), and of the
platform's part of it.
"""


def role_name(platform: str, connection: str) -> str:
    """Return the name of a role for a connection, of the named ``platform``: letters, digits and
    hyphens, with a letter first.
    """
    plain = (
        unicodedata.normalize("NFKD", platform.replace("ß", "ss"))
        .encode("ascii", "ignore")
        .decode()
    )
    first = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:_LONGEST_FIRST].strip("-")
    whole = f"{first if first[:1].isalpha() else _NEUTRAL}-{connection}"
    if len(whole) <= _LONGEST:
        return whole
    mark = sha256(connection.encode()).hexdigest()[:8]
    return f"{whole[: _LONGEST - 9]}-{mark}"


def role_of(documents: Mapping[str, Any]) -> str:
    """Return the name of the role that the template of ``documents`` creates."""
    return str(documents["cloudFormation"]["Resources"]["Role"]["Properties"]["RoleName"])


def stack_of(documents: Mapping[str, Any]) -> str:
    """Return the name of the CloudFormation stack that creates the role of ``documents``. A
    repeated connection updates the stack.
    """
    return stack_name(role_of(documents))


def stack_name(role: str) -> str:
    """Return the name of the stack for a role: letters, digits and hyphens, with a letter first
    (CloudFormation API, CreateStack).
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "-", role).strip("-")
    return plain if plain[:1].isalpha() else f"{_NEUTRAL}-{plain}"


class Access:
    """Access that the owners of accounts give in one workspace. ``vault`` returns the vault that
    derives its External IDs.
    """

    def __init__(
        self, connections: ManagedConnections, vault: Callable[[], Vault], workspace: str
    ) -> None:
        self._connections = connections
        self._vault = vault
        self._workspace = workspace

    def generated(self, wanted: Wanted, kind: ConnectionKind, connection: str) -> dict[str, str]:
        """Return the External IDs of a new connection by field: the platform's own, or IDs that all
        sessions for the name share. So a role that is created after its session, or for an earlier
        one, still fits.
        """
        return {
            field: wanted.values.get(field)
            or derived(self._vault(), self._workspace, connection, field)
            for field in generated_fields(kind.schema)
        }

    def brought(self, wanted: Wanted, kind: ConnectionKind) -> dict[str, str]:
        """Return the External IDs that the platform gives for a repeated connection, which
        otherwise uses its own.
        """
        return {
            field: wanted.values[field]
            for field in generated_fields(kind.schema)
            if wanted.values.get(field)
        }

    def external_id(self, found: ConnectSession) -> str | None:
        """Return the External ID that the owner of the account has to require; None if the type has
        none, or the connection cannot be read.
        """
        if found.generated or found.task == "add":
            return next(iter(found.generated.values()), None)
        try:
            return self._connections.external_id(found.connection)
        except JackfieldError:
            return None

    def documents(self, found: ConnectSession, kind: ConnectionKind) -> Mapping[str, Any]:
        """Return the documents by which the account's owner gives the connection access. There are
        none if the type has none, or the provider itself asks for approval. Documents of a role
        without a principal would trust nobody, and are left out.
        """
        if found.task not in ("add", "replace"):
            return {}
        try:
            made = self._made(
                found.asked,
                kind,
                found.type,
                found.connection,
                found.generated,
                stored=found.task == "replace",
            )
        except JackfieldError:
            return {}
        trusting = ("trustPolicy", "cloudFormation", "terraform", "assumePolicy")
        return (
            made
            if found.asked.principal
            else {name: value for name, value in made.items() if name not in trusting}
        )

    def _made(
        self,
        wanted: Wanted,
        kind: ConnectionKind,
        type_name: str,
        connection: str,
        generated: Mapping[str, str],
        *,
        stored: bool = False,
    ) -> dict[str, Any]:
        """Return the documents for the calls that the platform will make. Without a list of calls,
        they cover the actions of the type's connector that the workspace's rules allow.

        :raises JackfieldError: if the documents cannot be made, or the type has none.
        """
        connector = _connector_of(kind, type_name)
        named = bool(wanted.actions or wanted.calls)
        request = PolicyRequest(
            actions=[_of_connector(name, connector) for name in wanted.actions] if named else None,
            connector=None if named else connector,
            principal_arn=wanted.principal or None,
            calls=wanted.calls or None,
            lenient=True,
            whole=False,
        )
        before = self._connections.find(connection).values if stored else {}
        values, role = (
            {**before, **platforms_values(wanted, kind), **generated},
            role_name(wanted.theme.get("name", ""), connection),
        )
        return self._connections.draft_policy(
            kind.full_name, values, connection, request, REMOTE, role=role
        )

    def check(
        self, wanted: Wanted, offered: Sequence[tuple[str, ConnectionKind]], *, stored: bool = False
    ) -> None:
        """Check that the actions that the platform will call exist, and that documents can be made
        for them. ``offered`` are types by the names under which they are offered; ``stored`` is
        true for types of existing connections.

        :raises InvalidInvocation: with the place of each fault.
        """
        missing = list[str]()
        faults = [*self._misfitting(wanted, offered), *self._unknown(wanted, offered, missing)]
        faults = faults or list(self._unmade(wanted, offered, stored=stored))
        if faults:
            text = "; ".join(f"{fault.path[1:]} {fault.message}" for fault in faults[:3])
            store = table_of(self._connections.known)
            how = (
                NextStep("offer", pattern=f"{missing[0]} --workspace {store.workspace}")
                if missing and store is not None
                else None
            )
            raise InvalidInvocation(
                f"the connect session is not valid: {text}", details=faults, hint=how
            )

    def _misfitting(
        self, wanted: Wanted, offered: Sequence[tuple[str, ConnectionKind]]
    ) -> Iterator[Detail]:
        """Yield the faults of the platform's External ID, by the rule of each type that has one."""
        for _, kind in offered:
            brought = self.brought(wanted, kind)
            try:
                if brought:
                    self._connections.check(
                        kind.full_name, {**platforms_values(wanted, kind), **brought}, REMOTE
                    )
            except InvalidConnection as error:
                wrong = [fault for fault in error.details if fault.path[1:] in brought]
                yield from (replace(fault, path=f"/defaults/values{fault.path}") for fault in wrong)
                if wrong:
                    return

    def _unknown(
        self, wanted: Wanted, offered: Sequence[tuple[str, ConnectionKind]], missing: list[str]
    ) -> Iterator[Detail]:
        """Yield a fault for each action that no offered type serves; append the connectors missing
        in the workspace to ``missing``.
        """
        places = [(f"/actions/{place}", name) for place, name in enumerate(wanted.actions)]
        places += [
            (f"/calls/{place}/action", call["action"]) for place, call in enumerate(wanted.calls)
        ]
        for path, name in places:
            try:
                lacks = [self._lacks(wanted, kind, type_name, name) for type_name, kind in offered]
            except InvalidInvocation as error:
                yield Detail(path, error.message, "pattern")
                continue
            if None in lacks:
                continue
            connector = next((one for one in lacks if one), "")
            # others come with a package, not by an offer
            missing += [connector] if "." in connector else []
            types = ", ".join(f"'{one}'" for one, _ in offered[:5]) or "no type"
            lacking = (
                "the workspace is not offered the connector"
                if "." in connector
                else "there is no connector"
            )
            why = f": {lacking} '{connector[:80]}'" if connector else ""
            tail = why or _nearest(name, offered)
            yield Detail(
                path, f"'{name[:80]}' fits no action or trigger that {types} can call{tail}", "enum"
            )

    def _lacks(self, wanted: Wanted, kind: ConnectionKind, type_name: str, name: str) -> str | None:
        """Return the connector that a name belongs to and the workspace lacks; an empty string if
        the type does not serve the name; None if it does.
        """
        named = _of_connector(name, _connector_of(kind, type_name))
        found = self._connections.unserved(kind.full_name, wanted.connection or "new", [named])
        return next(iter(found.values()), None)

    def _unmade(
        self, wanted: Wanted, offered: Sequence[tuple[str, ConnectionKind]], *, stored: bool
    ) -> Iterator[Detail]:
        """Yield the faults of the principal, or of the number of actions, for types that need a
        role in the owner's account. An existing connection has a role already: a platform that
        names no actions requests no documents.
        """
        named = bool(wanted.actions or wanted.calls)
        for type_name, kind in offered:
            if not self.trusts(kind):
                continue
            if not wanted.principal and (named or not stored):
                yield Detail("/principal", _NO_PRINCIPAL.format(type=type_name), "required")
                return
            try:
                self._made(wanted, kind, type_name, wanted.connection or "new", {}, stored=stored)
            except TooWide as error:
                yield Detail(
                    "/actions",
                    error.message if named else _TOO_WIDE.format(type=type_name),
                    "required",
                )
            except (InvalidInput, InvalidInvocation) as error:
                yield from _own(error, named)
            except InvalidConnection as error:
                # such as the keys that assume the role; what the person enters is no fault yet
                faults = (
                    replace(fault, path=f"/defaults/values{fault.path}")
                    for fault in error.details
                    if not is_persons(kind, fault.path)
                )
                yield from faults if named or wanted.principal else ()
            except JackfieldError:
                continue

    def trusts(self, kind: ConnectionKind) -> bool:
        """Return whether connections of a type need a role in the owner's account that trusts the
        platform.
        """
        return bool(generated_fields(kind.schema)) and self._connections.has_policies(kind)


def _connector_of(kind: ConnectionKind, type_name: str) -> str | None:
    """Return the connector in the name of a type; None if the type belongs to a family."""
    return next((one.key for one in kind.manifests if one.key == type_name.partition("/")[0]), None)


def _nearest(name: str, offered: Sequence[tuple[str, ConnectionKind]]) -> str:
    """Return the end of a sentence about an action that no type serves, with the similar name; an
    empty string if no name is similar.
    """
    connector, _, action = name.rpartition("/")
    wanted = (
        {connector}
        if connector
        else {_connector_of(kind, type_name) for type_name, kind in offered}
    )
    known = {one.key: one for _, kind in offered for one in kind.manifests if one.key in wanted}
    return did_you_mean(
        action, [key for one in known.values() for key in (*one.actions, *one.triggers)]
    )


def _of_connector(name: str, connector: str | None) -> str:
    """Return a name or pattern with ``connector``, unless it names a connector itself."""
    if connector is None or "/" in name:
        return name
    return f"{connector}/* & {name}" if name == "*" or ":" in name else f"{connector}/{name}"


def guarded(trial: Mapping[str, Any], generated: Iterable[str]) -> dict[str, Any]:
    """Return a connection's test as failed unless it has proved that the system demands our
    generated value, such as ``externalIdRequired`` for ``externalId``. Otherwise anyone who names
    the role to this server would get access.
    """
    required = {f"{field}Required" for field in generated}
    last: Mapping[str, Any] = trial.get("lastTest") or {}
    open_ = [
        step["key"]
        for step in last.get("steps", ())
        if step["key"] in required and not step["passed"]
    ]
    if not open_:
        return dict(trial)
    steps = [
        {**step, "mandatory": True} if step["key"] in open_ else step for step in last["steps"]
    ]
    return {**trial, "status": "failing", "lastTest": {**last, "steps": steps}}


def _own(error: JackfieldError, named: bool) -> Iterable[Detail]:
    """Yield the faults that the platform can mend: of its principal, and of the actions that it has
    ``named``.
    """
    for fault in error.details:
        if fault.path == "/principal" or named:
            yield fault if fault.path == "/principal" else Detail("/actions", error.message)
