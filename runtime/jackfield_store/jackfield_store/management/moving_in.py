"""Grants from other systems become grants of stored connections: no person approves again.

Tokens are sent only to addresses from the connection type, a registered OAuth client or the
operator. The source of the tokens (a row of another system's export, a request) names no
destination, no proxy and no certificate authority, and no value of this host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from jackfield.connections.audience import audience_of
from jackfield.connections.grant_formats import MEMBERS, ForeignGrant, grant_reader
from jackfield.connections.provenance import Provenance
from jackfield.connections.secret_references import reference_paths
from jackfield.kernel.clock import written
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import Detail, InvalidConnection, JackfieldError
from jackfield.kernel.frames import bordered
from jackfield.kernel.pointers import pointer
from jackfield.manifest.manifest import OAUTH_CLIENT
from jackfield_store.connections.connection_table import NameTaken, name_taken
from jackfield_store.connections.grants import Adoption
from jackfield_store.management.drafts import destinations

if TYPE_CHECKING:
    from jackfield.call.open import Opener
    from jackfield.callers.actor import Actor
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_types import ConnectionKind, Kinds
    from jackfield.connector import Grant
    from jackfield.kernel.clock import Clock
    from jackfield_store.connections.connection_rows import ConnectionRow
    from jackfield_store.connections.connection_table import ConnectionTable
    from jackfield_store.database import Transaction
    from jackfield_store.management.authorizing import Authorizing
    from jackfield_store.management.drafts import ConnectionDraft, Drafter
    from jackfield_store.management.visible_connections import VisibleConnections

_LONGEST_TOKEN, _LONGEST_USER, _LARGEST_METADATA, _MOST_SCOPES = 16_384, 255, 16_384, 200
_TOKEN = re.compile(r"[!-~]+")
_NOT_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_TOO_OLD = "the imported access token had expired, and there was no refresh token"
_GRANT_HINT = (
    'Give {"refreshToken": "…"}, or {"accessToken": "…", "expiresAt": '
    '"2031-01-31T12:00:00Z"} where there is none.'
)
_APART = "Name them apart, such as by provider and id."
_UNKNOWN = "is not a member of a grant"
_FROM_THE_TYPE = (
    "decides where tokens are sent: it comes from the connection type, from a registered "
    "OAuth client, or from the operator"
)


@dataclass(frozen=True, slots=True)
class Choices:
    """Choices for an import. ``types`` and ``clients`` are connection types and OAuth clients by
    the other system's provider; ``names`` is a pattern of names with ``{id}``, ``{user}`` and
    ``{provider}``. ``values`` are added to each row's. ``source`` is the format of the export.
    ``replaces`` also replaces grants that were used here since.
    """

    types: Mapping[str, str] = field(default_factory=dict)
    clients: Mapping[str, str] = field(default_factory=dict)
    names: str = "{id}"
    values: Mapping[str, Any] = field(default_factory=dict)
    source: str = "import"
    replaces: bool = False


@bordered
class MovingIn:
    """Imports of one workspace. ``changeable`` returns the table that can hold a connection of a
    name; ``authorizing`` lets connection types read tokens; ``audited`` makes the unit that records
    an event.
    """

    choices: ClassVar[type[Choices]] = Choices

    def __init__(
        self,
        visible: VisibleConnections,
        drafter: Drafter,
        changeable: Callable[[str], ConnectionTable],
        opening: tuple[Opener, Catalog, Clock],
        authorizing: Callable[[], Authorizing],
        audited: Callable[..., Callable[[Transaction], None]],
        actor: Actor,
    ) -> None:
        self._visible, self._drafter, self._changeable = visible, drafter, changeable
        self._opener, self._catalog, self._clock = opening
        self._authorizing, self._audited, self._by = authorizing, audited, actor.name or actor.key

    def add(
        self, name: str, type: str, values: Mapping[str, Any], grant: object, provenance: Provenance
    ) -> None:
        """Store a new connection with its grant; nothing is sent.

        :raises InvalidConnection: if the name is taken, the type accepts no grant, or values or
            grant are not valid.
        :raises NotAllowed: if rules forbid a connection of that name and type.
        """
        if self._changeable(name).show(name) is not None:
            raise name_taken(name)
        row = ForeignGrant("the grant", name, "", type, values, _object(grant))
        self._store(name, self._kind(name, type), row, Choices(), provenance, is_new=True)

    def take(self, text: str, choices: Choices) -> Iterator[dict[str, Any]]:
        """Store each row of an export; yield ``{"name", "type", "result": "added" | "replaced" |
        "kept" | "refused"}`` with its ``status`` or ``error``. A refused row does not affect the
        others.

        :raises InvalidInvocation: if the format ``choices.source`` is not installed, or the export
            cannot be read at all.
        """
        taken: dict[str, str] = {}
        for row in grant_reader(choices.source)(text):
            name = _name(row, choices)
            about = {"name": name, "type": None, "place": row.place}
            try:
                if row.fault:
                    raise InvalidConnection(
                        f"{row.place} {row.fault}", details=[Detail("", row.fault)]
                    )
                if taken.setdefault(name, row.place) != row.place:
                    text = f"{row.place} has the same name as {taken[name]}"
                    raise InvalidConnection(
                        text,
                        details=[Detail("/name", text)],
                        hint="Name them apart with --names, such as {provider}-{id}.",
                    )
                kind = self._kind(
                    name,
                    row.type
                    or choices.types.get(row.provider)
                    or self._guessed(name, row.provider),
                )
                about["type"] = kind.full_name
                yield {**about, **self._store(name, kind, row, choices, Provenance())}
            except JackfieldError as error:
                yield {**about, "result": "refused", "error": error.to_json()}

    def _kind(self, name: str, type: str) -> ConnectionKind:
        self._visible.require_new(name, type)
        kinds: Kinds = self._visible.kinds_for(name)
        kind = kinds.find(type)
        if not kind.about.authorizes:
            text = (
                f"connections of the type '{kind.full_name}' are not approved by a person, "
                "so they have no grant"
            )
            raise InvalidConnection(
                text, details=[Detail("/type", text)], hint="Add it with its values instead."
            )
        return kind

    def _guessed(self, name: str, provider: str) -> str:
        """Return the only connection type that fits a provider of the other system.

        :raises InvalidConnection: if none or several fit.
        """
        kinds = [kind for kind in self._visible.kinds_for(name).all() if kind.about.authorizes]
        fitting = [
            kind.full_name
            for kind in kinds
            if any(manifest.key == provider for manifest in kind.manifests)
        ]
        if len(fitting) == 1:
            return fitting[0]
        text = f"no single connection type fits the provider '{provider[:60]}'"
        hint = (
            "Name one with --map PROVIDER=TYPE, such as "
            f"{', '.join((fitting or [kind.full_name for kind in kinds])[:5])}."
        )
        raise InvalidConnection(text, details=[Detail("/type", text)], hint=hint)

    def _store(
        self,
        name: str,
        kind: ConnectionKind,
        row: ForeignGrant,
        choices: Choices,
        provenance: Provenance,
        *,
        is_new: bool = False,
    ) -> dict[str, Any]:
        own = {
            field: value
            for field, value in row.values.items()
            if field in kind.schema.get("properties", {}) or row.type is not None
        }
        client = choices.clients.get(row.provider)
        own = {**own, **({OAUTH_CLIENT: client} if client is not None else {})}
        refuse_destinations(kind, own)
        _refuse_references(own)
        adoption_of = self._reader(row, choices, kind)
        store = self._changeable(name)
        there = None if is_new else store.show(name)
        if there is None:
            drafted = self._drafter.draft(kind, {**own, **choices.values}, provenance, name=name)
            given = adoption_of(drafted)
            created = self._audited(
                "connection.created",
                name,
                type=kind.full_name,
                grant=choices.source,
                scopes=list(given.grant.scopes),
            )

            def in_transaction(transaction: Transaction) -> None:
                store.approvals[0].adopt(transaction, name, given, replaces=False)
                created(transaction)

            try:
                store.require_room()
                added = store.add(name, drafted.draft, in_transaction)
            except NameTaken:
                if is_new:
                    raise
            else:
                return {
                    "result": "added",
                    "status": added.outcome.status if given.reason is None else "expired",
                }
            there = store.show(name)
        return (
            self._into(store, there, kind, adoption_of, choices)
            if there is not None
            else {"result": "kept"}
        )

    def _into(
        self,
        store: ConnectionTable,
        there: ConnectionRow,
        kind: ConnectionKind,
        adoption_of: Callable[[ConnectionDraft], Adoption],
        choices: Choices,
    ) -> dict[str, Any]:
        """Store a grant for an existing connection. Its values stay as they are."""
        self._visible.require(there.name)
        if there.type != kind.full_name:
            text = (
                f"the connection '{there.name}' is of the type '{there.type}', not "
                f"'{kind.full_name}'"
            )
            raise InvalidConnection(text, details=[Detail("/type", text)], hint=_APART)
        if there.origin != "operator":
            refuse_destinations(kind, there.public)
        stored = self._visible.find(there.name)
        given = adoption_of(
            self._drafter.draft(
                kind, stored.values, Provenance(there.origin), name=there.name, old=stored
            )
        )
        _refuse_other_owner(there.name, store.approvals[0].about(there.id), given.about)
        result: list[str] = []
        granted = self._audited(
            "connection.granted",
            there.name,
            by=self._by,
            scopes=list(given.grant.scopes),
            grant=choices.source,
        )
        with store.database.write() as transaction:
            result.append(
                store.approvals[0].adopt(transaction, there.name, given, replaces=choices.replaces)
            )
            if result[-1] != "kept":
                granted(transaction)
        now = store.show(there.name)
        return {
            "result": result[-1],
            "status": there.outcome.status if now is None else now.outcome.status,
        }

    def _reader(
        self, row: ForeignGrant, choices: Choices, kind: ConnectionKind
    ) -> Callable[[ConnectionDraft], Adoption]:
        """Return a function that lets a draft's connection type read the row's tokens."""
        tokens = checked(row.grant)
        about = {
            name: row.grant[name]
            for name in ("user", "metadata")
            if row.grant.get(name) is not None
        }
        expired = (
            "refreshToken" not in tokens
            and tokens.get("expiresAt", self._clock.time() + 1) <= self._clock.time()
        )

        def read(drafted: ConnectionDraft) -> Adoption:
            grant = self._adopted(kind, drafted, row.id or "draft", tokens)
            return Adoption(
                grant,
                {"source": choices.source, "id": row.id, **about},
                self._by,
                _TOO_OLD if expired else None,
            )

        return read

    def _adopted(
        self, kind: ConnectionKind, drafted: ConnectionDraft, name: str, tokens: Mapping[str, Any]
    ) -> Grant:
        manifest = kind.manifests[0]
        connector = self._catalog.load(manifest.key)
        opening = self._opener.find(
            drafted.find(drafted.stored(name), manifest), manifest, connector
        )
        if opening.judge is not None:
            opening.judge()
        return self._authorizing().adopted(opening, connector, tokens)


def refuse_destinations(kind: ConnectionKind, values: Mapping[str, Any]) -> None:
    """Refuse values that come with tokens and decide where the tokens are sent. An OAuth client, if
    there is one, refuses them itself.

    :raises InvalidConnection: with all faults at once.
    """
    if OAUTH_CLIENT in values:
        return
    named = {
        name for name in values if audience_of(kind.schema, name, authorizes=True) == "operator"
    } | {*destinations(kind.schema)}
    faults = [Detail(pointer(name), _FROM_THE_TYPE) for name in values if name in named]
    if faults:
        hint = (
            "Register an OAuth client and refer to it; the operator can give the value with "
            "--values on the server's command line."
        )
        raise InvalidConnection(
            "the values of a grant name a destination", details=faults, hint=hint
        )


def _refuse_references(values: Mapping[str, Any]) -> None:
    faults = [
        Detail(path, "is a reference: give the value itself") for path in reference_paths(values)
    ]
    if faults:
        raise InvalidConnection(
            "the values of a grant refer to secrets of this server",
            details=faults,
            hint="Give the values themselves.",
        )


def _refuse_other_owner(name: str, present: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse a grant for a connection that was imported for another owner: two ids that give one
    name must not share an account.
    """
    for member in ("id", "user"):
        if member in present and member in given and present[member] != given[member]:
            text = (
                f"the connection '{name}' was imported for another "
                f"{'user' if member == 'user' else 'connection of the other system'}"
            )
            raise InvalidConnection(
                text,
                details=[Detail("/name", text)],
                hint="Choose another name with --names, or remove the connection.",
            )


def checked(grant: object) -> dict[str, Any]:
    """Check and return the tokens of a grant: ``refreshToken``, ``accessToken``, ``expiresAt`` in
    seconds since the epoch, ``scopes``.

    :raises InvalidConnection: with all faults at once; none quotes a value.
    """
    given = {name: value for name, value in _object(grant).items() if value is not None}
    faults = [
        Detail(pointer("grant", str(name)), "is not a member of a grant", "additionalProperties")
        for name in given
        if name not in MEMBERS
    ]
    tokens: dict[str, Any] = {
        name: given[name] for name in ("refreshToken", "accessToken") if name in given
    }
    faults += [
        Detail(pointer("grant", name), "is not a token", "type")
        for name, value in tokens.items()
        if not _is_token(value)
    ]
    if not tokens:
        faults.append(
            Detail("/grant/refreshToken", "is missing, and so is an access token", "required")
        )
    expires, scopes = _moment(given.get("expiresAt")), _scopes(given.get("scopes"))
    if "expiresAt" in given and expires is None:
        faults.append(
            Detail("/grant/expiresAt", "is not a moment such as 2031-01-31T12:00:00Z", "format")
        )
    if scopes is None:
        faults.append(
            Detail(
                "/grant/scopes",
                "must be an array of scopes, or a string of them separated by spaces",
                "type",
            )
        )
    if not isinstance(given.get("user", ""), str) or len(given.get("user", "")) > _LONGEST_USER:
        faults.append(
            Detail("/grant/user", f"must be a string of at most {_LONGEST_USER} characters", "type")
        )
    if not _is_metadata(given.get("metadata", {})):
        faults.append(
            Detail(
                "/grant/metadata",
                f"must be an object of at most {_LARGEST_METADATA:,} bytes of JSON",
                "type",
            )
        )
    if faults:
        raise InvalidConnection("the grant is not valid", details=faults, hint=_GRANT_HINT)
    return {**tokens, **({"expiresAt": expires} if expires is not None else {}), "scopes": scopes}


def _object(grant: object) -> Mapping[str, Any]:
    if not isinstance(grant, Mapping):
        raise InvalidConnection(
            "the grant is not valid",
            details=[Detail("/grant", "must be an object", "type")],
            hint=_GRANT_HINT,
        )
    return grant


def _is_token(value: object) -> bool:
    return (
        isinstance(value, str)
        and len(value) <= _LONGEST_TOKEN
        and _TOKEN.fullmatch(value) is not None
    )


def _is_metadata(value: object) -> bool:
    try:
        return isinstance(value, Mapping) and len(json.dumps(value)) <= _LARGEST_METADATA
    except (TypeError, ValueError, RecursionError):
        return False


def _moment(value: object) -> float | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if found is None or found.tzinfo is None else written(found)
    except (ValueError, OverflowError):
        return None


def _scopes(value: object) -> list[str] | None:
    found = (
        value.replace(",", " ").split()
        if isinstance(value, str)
        else []
        if value is None
        else value
    )
    fits = (
        isinstance(found, list | tuple)
        and len(found) <= _MOST_SCOPES
        and all(isinstance(one, str) and one for one in found)
    )
    return list(found) if fits and isinstance(found, list | tuple) else None


def _name(row: ForeignGrant, choices: Choices) -> str:
    user = row.grant.get("user")
    parts = {
        "{id}": row.id,
        "{user}": user if isinstance(user, str) else "",
        "{provider}": row.provider,
    }
    name = choices.names
    for place, value in parts.items():
        name = name.replace(place, value)
    return _NOT_NAMES.sub("-", name)[:100]
