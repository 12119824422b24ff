"""Drafts of connections: submitted values, validated, completed and limited to the rights of their
origin.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jackfield.call.admit import CallTarget, check_values, is_blank
from jackfield.connections.host_access import HostAccess, generate, generated_fields, refused
from jackfield.connections.named_connection import NamedConnection, Origin
from jackfield.connections.provenance import Provenance
from jackfield.connections.secret_references import reference_paths
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidConnection
from jackfield.kernel.pointers import child, names
from jackfield.kernel.secrecy import SecretHolder
from jackfield.manifest.manifest import OAUTH_CLIENT
from jackfield.redaction.marks import is_reference, masked
from jackfield_store.access.settings import checked_quotas
from jackfield_store.connections.connection_rows import (
    PLACEHOLDER,
    Draft,
    refuse_large,
    secret_places,
)

if TYPE_CHECKING:
    from jackfield.call.admit import Targets
    from jackfield.connections.connection_types import ConnectionKind
    from jackfield.manifest.manifest import Manifest

_HOSTS = frozenset(
    {"uri", "uri-reference", "iri", "iri-reference", "hostname", "idn-hostname", "ipv4", "ipv6"}
)


def edited(
    schema: Mapping[str, Any], old: Mapping[str, Any], given: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Apply ``given`` to ``old``. An omitted secret, and a value sent back masked (``***``,
    ``****MPLE``), stays as it is; a secret given as null is removed. Everything else is taken from
    ``given``.
    """
    return _edited(given, old, masked(schema, old), secret_places(schema, old), "")


def _edited(
    given: Mapping[str, Any], old: Mapping[str, Any], shown: Any, secret: frozenset[str], path: str
) -> Mapping[str, Any]:
    values: dict[str, Any] = {}
    for name, value in given.items():
        here = child(path, name)
        if value is None and here in secret and old.get(name) is not None:
            continue
        values[name] = (
            _merged(value, old[name], shown[name], secret, here) if name in old else value
        )
    left_out = {
        name: value
        for name, value in old.items()
        if name not in given and child(path, name) in secret
    }
    return {**values, **left_out}


def _merged(given: Any, old: Any, shown: Any, secret: frozenset[str], path: str) -> Any:
    if given == shown or (given == PLACEHOLDER and path in secret):
        return old
    if (
        isinstance(given, Mapping)
        and isinstance(old, Mapping)
        and not is_reference(given)
        and not is_reference(old)
    ):
        return _edited(given, old, shown, secret, path)
    if isinstance(given, list) and isinstance(old, list) and len(given) == len(old):
        places = range(len(old))
        return [
            _merged(given[place], old[place], shown[place], secret, child(path, place))
            for place in places
        ]
    return given


def refuse_placeholders(schema: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Refuse placeholders in place of secrets.

    :raises InvalidConnection: if a placeholder stands for a stored secret that does not exist.
    """
    found = [
        path for path in sorted(secret_places(schema, values)) if _at(values, path) == PLACEHOLDER
    ]
    if found:
        text = f"'{PLACEHOLDER}' means an unchanged secret, but none is stored here"
        raise InvalidConnection(
            "a secret of the connection is missing",
            details=[Detail(path, text) for path in found],
            hint="Give the secret itself.",
        )


def refuse_redirected(
    schema: Mapping[str, Any],
    old: Mapping[str, Any],
    given: Mapping[str, Any],
    values: Mapping[str, Any],
) -> None:
    """Refuse an edit that would send a stored secret to another destination: editors who never saw
    a secret must not be able to have it sent to their own host.

    :raises InvalidConnection: if a value that determines the destination has changed and a secret
        was not given again.
    """
    moved = [field for field in destinations(schema) if values.get(field) != old.get(field)]
    unchanged = (
        [
            path
            for path in sorted(secret_places(schema, values))
            if _given(given, path) in (None, PLACEHOLDER)
        ]
        if moved
        else []
    )
    if unchanged:
        text = f"was stored for another '{moved[0]}': enter it again"
        raise InvalidConnection(
            "stored secrets cannot be sent to a new destination",
            details=[Detail(path, text) for path in unchanged],
            hint=(
                f"Changing '{moved[0]}' would send them elsewhere. Enter each secret again, "
                f"or leave '{moved[0]}' unchanged."
            ),
        )


def destinations(schema: Mapping[str, Any]) -> list[str]:
    """Return the names of values that determine the destination of secrets: values marked as such,
    and values with the format of a URL or a host.
    """
    fields = {
        name: field
        for name, field in schema.get("properties", {}).items()
        if isinstance(field, Mapping)
    }
    marked = [
        name for name, field in fields.items() if field.get("x-jackfield", {}).get("destination")
    ]
    return marked + [
        name
        for name, field in fields.items()
        if field.get("format") in _HOSTS and name not in marked
    ]


def _given(values: Any, path: str) -> Any:
    try:
        return _at(values, path)
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _at(values: Any, path: str) -> Any:
    for name in names(path):
        values = values[int(name)] if isinstance(values, list | tuple) else values[name]
    return values


@dataclass(frozen=True, slots=True, repr=False)
class ConnectionDraft(SecretHolder):
    """Validated draft, and the fields for which an External ID was generated."""

    kind: ConnectionKind
    draft: Draft
    made: tuple[str, ...]
    targets: Targets

    def find(self, _stored: NamedConnection, manifest: Manifest) -> CallTarget:
        """Return the draft's target. It has no name, so that it shares nothing with the stored
        connection of that name.

        :raises InvalidConnection: if the values are not valid for another connector of the family.
        """
        about = manifest.connection_type(self.draft.type) or self.kind.about
        own, client = self.targets.joined(about, self.draft.values, None)
        origin = "remote" if client is not None and client.origin == "remote" else self.draft.origin
        return CallTarget(
            None,
            about,
            check_values(about, own, manifest, self.targets.schemas, name=""),
            origin=origin,
            client=client,
        )

    def stored(self, name: str) -> NamedConnection:
        """Return the draft as a connection of this name."""
        return NamedConnection(
            name, self.draft.type, self.draft.values, "draft", origin=self.draft.origin
        )

    def changed(self, old: NamedConnection) -> list[str]:
        """Return the names of the values that differ from a connection's; the audit log contains no
        values.
        """
        before, now = old.values, self.draft.values
        quotas = ["quotas"] if tuple(old.quotas) != self.draft.quotas else []
        return sorted(
            [
                *quotas,
                *(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)),
            ]
        )


class Drafter:
    """Factory of drafts. ``access`` returns the host access of connections made over HTTP or MCP;
    ``check_references`` refuses references that these connections may not use.
    """

    def __init__(
        self,
        targets: Targets,
        access: Callable[[], HostAccess],
        check_references: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._targets = targets
        self._access = access
        self._check_references = check_references

    def draft(
        self,
        kind: ConnectionKind,
        given: object,
        provenance: Provenance,
        *,
        name: str | None = None,
        old: NamedConnection | None = None,
        quotas: Any = None,
    ) -> ConnectionDraft:
        """Validate ``given`` as the values of a new connection, or as an edit of ``old``. With
        ``quotas`` None, the quotas of ``old`` stay.

        :raises InvalidConnection: with all faults at once, each with a JSON Pointer into the
            values.
        :raises InvalidInvocation: if a quota is not valid.
        """
        quotas = checked_quotas((() if old is None else old.quotas) if quotas is None else quotas)
        if not isinstance(given, Mapping):
            raise InvalidConnection(
                "the values are not valid",
                details=[Detail("", "must be an object", "type")],
                hint="Give an object.",
            )
        with suppress(TypeError, ValueError, RecursionError):  # what is not JSON is refused below
            refuse_large(len(json.dumps(given)))
        values = edited(kind.schema, old.values, given) if old is not None else given
        if old is not None and provenance.origin == "remote":
            refuse_redirected(kind.schema, old.values, given, values)
        refuse_placeholders(kind.schema, values)
        values, made = self._completed(kind, values, provenance, old)
        values = {
            field: value
            for field, value in values.items()
            if field != OAUTH_CLIENT or value is not None
        }
        whole, client = self._targets.joined(kind.about, values, name)
        judged = check_values(
            kind.about, whole, kind.manifests[0], self._targets.schemas, name=name or ""
        )
        # without schema defaults, which may change
        accepted = {field: value for field, value in judged.items() if field in values}
        if client is not None:
            accepted[OAUTH_CLIENT] = values[OAUTH_CLIENT]
        origin = _origin(provenance, given, accepted, old)
        if origin == "remote":
            self._check_references(accepted)
        else:
            accepted = {
                field: _anchored(value, provenance.folder) for field, value in accepted.items()
            }
        return ConnectionDraft(
            kind,
            Draft(kind.full_name, accepted, kind.schema, origin, quotas=quotas),
            made,
            self._targets,
        )

    def _completed(
        self,
        kind: ConnectionKind,
        values: Mapping[str, Any],
        provenance: Provenance,
        old: NamedConnection | None,
    ) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Generate an External ID if the type needs one and it was neither given nor stored
        before.
        """
        completed, made, chosen = dict(values), [], []
        for field in generated_fields(kind.schema):
            before = old.values.get(field) if old is not None else None
            if values.get(field) is None or is_blank(values[field]):
                completed[field] = before if before is not None else generate()
                made += [field] if before is None else []
            elif values[field] != before and not self._may_choose(provenance):
                chosen.append(field)
        if chosen:
            raise refused(chosen)
        return completed, tuple(made)

    def _may_choose(self, provenance: Provenance) -> bool:
        if provenance.own_external_id is not None:
            return provenance.own_external_id
        return provenance.origin == "operator" or self._access().own_external_id


def _origin(
    provenance: Provenance,
    given: Mapping[str, Any],
    accepted: Mapping[str, Any],
    old: NamedConnection | None,
) -> Origin:
    """Return the origin of the submitted values. References given over HTTP or MCP remain "remote"
    when an operator edits other values.
    """
    was_remote = old is not None and old.origin == "remote"
    if was_remote and not set(reference_paths(accepted)) <= set(reference_paths(given)):
        return "remote"
    return provenance.origin


def _anchored(value: Any, folder: str) -> Any:
    """Return the value with absolute paths in ``$file`` references, so that the current folder does
    not matter.
    """
    if isinstance(value, Mapping):
        if len(value) == 1 and isinstance(value.get("$file"), str):
            path = os.path.expanduser(value["$file"])
            return {"$file": os.path.abspath(os.path.join(folder, path))}
        return {name: _anchored(member, folder) for name, member in value.items()}
    return [_anchored(item, folder) for item in value] if isinstance(value, list | tuple) else value
