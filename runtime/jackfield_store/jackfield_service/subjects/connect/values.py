"""Values of a connect session: the fields of the page, and the merging of entries with the
platform's values and stored values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.call.admit import is_blank
from jackfield.connections.audience import audience_of
from jackfield.connections.host_access import generated_fields
from jackfield.connections.oauth_clients import DESTINATIONS, SECRETS, VALUES
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Detail, InvalidConnection, InvalidInvocation
from jackfield.kernel.walk import extension
from jackfield.manifest.manifest import OAUTH_CLIENT
from jackfield_store.connections.connection_rows import secret_places
from jackfield_store.management.drafts import edited, refuse_redirected

if TYPE_CHECKING:
    from jackfield.connections.connection_types import ConnectionKind
    from jackfield.manifest.manifest import ActionManifest
    from jackfield_service.subjects.connect.session import ConnectSession, Wanted

Check = Callable[[Mapping[str, Any]], None]
"""Validation of values of a new connection; raises if they are not valid."""
_BRING = "Give it in 'defaults.values', or name the field in 'fields' for the person to fill it in."
_NOT_ASKED = "is not asked for here"


class UnaskedValues(InvalidConnection):
    """Error for values of fields that the page does not have."""


def platforms_values(wanted: Wanted, kind: ConnectionKind) -> dict[str, Any]:
    """Return the platform's values for a type, without External IDs, which belong to a session."""
    known = kind.schema.get("properties", {}).keys() - set(generated_fields(kind.schema))
    return {name: value for name, value in wanted.values.items() if name in known}


def can_be_filled(wanted: Wanted, kind: ConnectionKind) -> bool:
    """Return whether a person who knows only their own account can connect a connection of a type.
    That is so if some values are the person's, and the platform has given all other required
    values.
    """
    own, names = platforms_values(wanted, kind), kind.schema.get("properties", {})
    if OAUTH_CLIENT in own:  # it has all that is not the person's
        return bool(kind.about.authorizes) or any(
            _audience(kind, name) == "user" and name not in VALUES for name in names
        )
    has_own = bool(kind.about.authorizes) or any(
        _audience(kind, name) == "user" or name in wanted.fields for name in names
    )
    return has_own and all(
        name in own or name in wanted.fields or _audience(kind, name) == "user"
        for name in kind.schema.get("required", ())
    )


def asks_for_server(wanted: Wanted, kind: ConnectionKind) -> bool:
    """Return whether a person has to name the server, such as a database's. A type that requires
    this is offered only if a session names it.
    """
    fields, given = kind.schema.get("properties", {}), platforms_values(wanted, kind)
    required = [name for name in kind.schema.get("required", ()) if name not in given]
    return any(
        _audience(kind, name) == "user" and extension(fields.get(name)).get("destination")
        for name in required
    )


def asked(found: ConnectSession, kind: ConnectionKind) -> dict[str, Any]:
    """Return the fields of the page: the person's own, and the platform's fields that the session
    names; never the operator's.
    """
    return _requested_fields(found.wanted, kind, found.closed(kind.schema))


def _requested_fields(
    wanted: Wanted, kind: ConnectionKind, closed: Collection[str]
) -> dict[str, Any]:
    hidden = {*closed, *generated_fields(kind.schema)}
    # the OAuth client's values are not asked for
    if OAUTH_CLIENT in platforms_values(wanted, kind):
        hidden |= {OAUTH_CLIENT} | VALUES - {*wanted.fields} | DESTINATIONS - {"server"} | SECRETS
    shown = {"user": True, "operator": False}
    fields = kind.schema.get("properties", {}).items()
    return {
        name: field
        for name, field in fields
        if name not in hidden and shown.get(_audience(kind, name), name in wanted.fields)
    }


def form_schema_of(found: ConnectSession, kind: ConnectionKind) -> dict[str, Any]:
    """Return the schema of the values that the person enters."""
    fields, required = asked(found, kind), {*kind.schema.get("required", ()), *filling(found, kind)}
    return {
        **kind.schema,
        "properties": fields,
        "required": [name for name in fields if name in required],
    }


def filling(found: ConnectSession, kind: ConnectionKind) -> set[str]:
    """Return the values, such as a region, from which most actions of the named connector take a
    required input, and that have no default.
    """
    key = found.type.partition("/")[0]
    connector = next((one for one in kind.manifests if one.key == key), None)
    if connector is None:  # the type of a family, for any of its connectors
        return set()
    counts = Counter(
        source for action in connector.actions.values() for source in _required_sources(action)
    )
    usual = {
        name for name, field in kind.schema.get("properties", {}).items() if "default" in field
    }
    own = platforms_values(found.wanted, kind)
    return (
        {source for source, count in counts.items() if 2 * count > len(connector.actions)}
        - usual
        - own.keys()
    )


def _required_sources(action: ActionManifest) -> set[str]:
    required = action.inputs.get("required", ())
    return {source for name, source in action.defaults if name in required}


def refuse_missing(
    found: ConnectSession, kind: ConnectionKind, values: Mapping[str, Any], check: Check
) -> None:
    """Refuse values without a value that the connector's actions require; ``check`` validates the
    values.

    :raises InvalidConnection: with each missing value, and the other faults.
    """
    missing = sorted(
        filling(found, kind)
        & asked(found, kind).keys()
        - {name for name, value in values.items() if not is_blank(value)}
    )
    if not missing:
        return
    faults = [Detail(f"/{name}", "is required", "required") for name in missing]
    try:
        check(values)
    except InvalidConnection as error:
        raise InvalidConnection(
            error.message, details=[*error.details, *faults], hint=error.hint
        ) from None
    raise InvalidConnection("a value is missing", details=faults, hint="Enter it.")


def refuse_unasked(schema: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse values of fields that the page does not have.

    :raises UnaskedValues: with each such value.
    """
    faults = [
        Detail(f"/{name[:100]}", _NOT_ASKED, "additionalProperties")
        for name in given
        if name not in schema["properties"]
    ]
    if faults:
        raise UnaskedValues(
            "there are values that nobody has asked for",
            details=faults,
            hint="Reload the page, and enter them again.",
        )


def merged(
    found: ConnectSession,
    kind: ConnectionKind,
    entered: Mapping[str, Any],
    stored: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the values to test: the platform's, the person's, secrets entered before, and the
    External ID. ``stored`` are the values of a connection that is connected again; its values
    without a field on the page stay.

    :raises InvalidConnection: if secrets would go to another destination than they were stored for.
    """
    own, shown = platforms_values(found.wanted, kind), asked(found, kind)
    if stored is not None:
        own = {**{name: value for name, value in stored.items() if name not in shown}, **own}
        after = dict(edited(kind.schema, stored, {**own, **entered, **found.generated}))
        refuse_redirected(kind.schema, stored, entered, after)
        return after
    secret = {path[1:] for path in secret_places(kind.schema, found.values)}
    kept = {name: value for name, value in found.values.items() if name in secret and name in shown}
    after = {**own, **kept, **entered}
    if secret_places(kind.schema, own):
        refuse_redirected(kind.schema, own, {**kept, **entered}, after)
    return {**after, **found.generated}


def check_defaults(wanted: Wanted, kind: ConnectionKind) -> None:
    """Check the platform's values and fields against the type, as far as the type is known.

    :raises InvalidInvocation: if a name is not a value of the type, a field is the operator's, or
        an External ID is not a string.
    """
    known = kind.schema.get("properties", {})
    made = generated_fields(kind.schema)
    given = [name for name in made if not isinstance(wanted.values.get(name, ""), str)]
    faults = [Detail(f"/defaults/values/{name}", "must be a string") for name in given]
    if len(wanted.types) == 1:
        names = {**dict.fromkeys(wanted.values, "values"), **dict.fromkeys(wanted.locked, "locked")}
        faults += [
            Detail(f"/defaults/{part}/{name}", f"is not a value of '{kind.full_name}'")
            for name, part in names.items()
            if name not in known
        ]
        faults += [
            Detail(
                f"/fields/{place}",
                f"'{name}' is not a value of '{kind.full_name}' that a person may enter: "
                f"{_reason(kind, name)}",
            )
            for place, name in enumerate(wanted.fields)
            if name not in known or _audience(kind, name) == "operator"
        ]
    if wanted.mode == "connect":  # nobody could enter it
        required = (
            set[str]() if OAUTH_CLIENT in wanted.values else {*kind.schema.get("required", ())}
        )
        unseen = {name for name in required if _audience(kind, name) == "operator"}
        lacking = sorted(({*wanted.locked} & required | unseen) - wanted.values.keys() - {*made})
        faults += [
            Detail(
                f"/defaults/locked/{name}",
                "is locked, required, and has no value in 'defaults.values'",
            )
            for name in lacking
        ]
    if faults:
        text = "; ".join(f"{fault.path[1:]} {fault.message}" for fault in faults[:3])
        raise InvalidInvocation(f"the connect session is not valid: {text}", details=faults)


def widened(wanted: Wanted, kinds: Iterable[ConnectionKind]) -> Wanted:
    """Return a request that asks the person for all missing values that the types require. An
    operator's own link needs this, since it names no fields; a platform lists the fields that its
    users know.
    """
    if OAUTH_CLIENT in wanted.values:
        return wanted
    lacking = [
        name
        for kind in kinds
        for name in kind.schema.get("required", ())
        if _audience(kind, name) == "platform" and name not in wanted.values
    ]
    return replace(wanted, fields=tuple(dict.fromkeys((*wanted.fields, *lacking))))


def check_brought(wanted: Wanted, kind: ConnectionKind, place: int, check: Check) -> None:
    """Check that the platform's values are valid, and that the person's values can complete them.
    ``place`` is the type's index in the session, ``check`` validates the values of a new connection
    of this type. Faults of the person's values do not count yet.

    :raises InvalidInvocation: if no input of the person could finish the session.
    """
    persons = {*_requested_fields(wanted, kind, wanted.locked), *generated_fields(kind.schema)}
    try:
        check(platforms_values(wanted, kind))
    except InvalidConnection as error:
        theirs = [(fault, fault.path.split("/")[1]) for fault in error.details if fault.path]
        faults = [
            _brought(fault, name, kind, place) for fault, name in theirs if name not in persons
        ]
        if faults:
            text = "; ".join(f"{fault.path[1:]} {fault.message}" for fault in faults[:3])
            raise InvalidInvocation(
                f"the connect session is not valid: {text}", details=faults, hint=_BRING
            ) from None


def _brought(fault: Detail, name: str, kind: ConnectionKind, place: int) -> Detail:
    known = name in kind.schema.get("properties", {})
    return Detail(
        f"/defaults/values{fault.path}" if known else f"/types/{place}",
        fault.message,
        fault.keyword,
    )


def is_persons(kind: ConnectionKind, path: str) -> bool:
    """Return whether a pointer into a type's values leads to a field that the person fills in."""
    return _audience(kind, path.split("/")[1] if path else "") == "user"


def _audience(kind: ConnectionKind, name: str) -> str:
    return audience_of(kind.schema, name, authorizes=bool(kind.about.authorizes))


def _reason(kind: ConnectionKind, name: str) -> str:
    return (
        "it is the operator's"
        if name in kind.schema.get("properties", {})
        else "there is none of this name"
    )
