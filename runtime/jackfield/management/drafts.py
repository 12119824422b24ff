"""Drafts of connections: submitted values, validated, completed and limited to the rights of their origin."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from jackfield.connections import HostAccess, Origin, reference_paths
from jackfield.connections.edits import edited, refuse_placeholders, refuse_redirected
from jackfield.connections.external_ids import generate, generated_fields
from jackfield.connections.stored_row import Draft
from jackfield.errors import Detail, InvalidConnection
from jackfield.pipe.admit import Target, check_values

if TYPE_CHECKING:
    from jackfield.connections import StoredConnection
    from jackfield.connections.connection_types import Kind
    from jackfield.manifest import Manifest
    from jackfield.schema.cache import Schemas

__all__ = ["ConnectionDraft", "Drafter", "Provenance"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Origin of submitted values, and the rights that it implies.

    ``own_external_id`` is True if the values may contain an External ID; None means that the operator's may, and that values over
    HTTP or MCP may if the workspace's settings allow it. Relative ``$file`` references start at ``folder``. ``source`` is the file from
    which the values are imported; that file may continue to hide the stored connection.
    """

    origin: Origin = "operator"
    own_external_id: bool | None = None
    folder: str = "."
    source: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ConnectionDraft:
    """Validated draft, and the fields for which an External ID was generated."""

    kind: Kind
    draft: Draft
    made: tuple[str, ...]
    schemas: Schemas

    def __reduce__(self) -> NoReturn:
        raise TypeError("a draft cannot be pickled: it holds secrets")

    def find(self, _stored: StoredConnection, manifest: Manifest) -> Target:
        """Return the draft's target. It has no name, so that nothing of it is shared with the stored connection of that name.

        :raises InvalidConnection: if the values are not valid for another connector of the family.
        """
        about = manifest.connection_type(self.draft.type) or self.kind.about
        return Target(None, about, check_values(about, self.draft.values, manifest, self.schemas), origin=self.draft.origin)


class Drafter:
    """Factory of drafts. ``access`` returns the host access of connections made over HTTP or MCP; ``check_references`` refuses
    references that they may not use."""

    def __init__(self, schemas: Schemas, access: Callable[[], HostAccess], check_references: Callable[[Mapping[str, Any]], None]) -> None:
        self._schemas = schemas
        self._access = access
        self._check_references = check_references

    def draft(
        self, kind: Kind, given: object, giver: Provenance, *, name: str | None = None, old: StoredConnection | None = None
    ) -> ConnectionDraft:
        """Validate ``given`` as the values of a new connection, or as an edit of ``old``.

        :raises InvalidConnection: with all faults at once, each with a JSON Pointer into the values.
        """
        if not isinstance(given, Mapping):
            raise InvalidConnection("the values are not valid", details=[Detail("", "must be an object", "type")], hint="Give an object.")
        values = edited(kind.schema, old.values, given) if old is not None else given
        if old is not None and giver.origin == "remote":
            refuse_redirected(kind.schema, old.values, given, values)
        refuse_placeholders(kind.schema, values)
        values, made = self._completed(kind, values, giver, old)
        judged = check_values(kind.about, values, kind.manifests[0], self._schemas, name=name)
        kept = {field: value for field, value in judged.items() if field in values}  # without schema defaults, which may change
        origin = _origin(giver, given, kept, old)
        if origin == "remote":
            self._check_references(kept)
        else:
            kept = {field: _anchored(value, giver.folder) for field, value in kept.items()}
        return ConnectionDraft(kind, Draft(kind.full_name, kept, kind.schema, origin), made, self._schemas)

    def _completed(
        self, kind: Kind, values: Mapping[str, Any], giver: Provenance, old: StoredConnection | None
    ) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Generate an External ID if the type needs one and it was neither given nor stored before."""
        completed, made, refused = dict(values), [], []
        for field in generated_fields(kind.schema):
            before = old.values.get(field) if old is not None else None
            if _is_blank(values.get(field)):
                completed[field] = before if before is not None else generate()
                made += [field] if before is None else []
            elif values[field] != before and not self._may_choose(giver):
                refused.append(Detail(f"/{field}", "is made by jackfield, and cannot be chosen"))
        if refused:
            raise InvalidConnection("the External ID cannot be chosen", details=refused, hint="Omit it: jackfield generates one.")
        return completed, tuple(made)

    def _may_choose(self, giver: Provenance) -> bool:
        if giver.own_external_id is not None:
            return giver.own_external_id
        return giver.origin == "operator" or self._access().own_external_id


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _origin(giver: Provenance, given: Mapping[str, Any], kept: Mapping[str, Any], old: StoredConnection | None) -> Origin:
    """Return the origin of the submitted values; but references given over HTTP or MCP remain "remote" when an operator edits other
    values."""
    was_remote = old is not None and old.origin == "remote"
    if was_remote and not set(reference_paths(kept)) <= set(reference_paths(given)):
        return "remote"
    return giver.origin


def _anchored(value: Any, folder: str) -> Any:
    """Return the value with absolute paths in ``$file`` references, so that the current folder does not matter."""
    if isinstance(value, Mapping):
        if len(value) == 1 and isinstance(value.get("$file"), str):
            path = os.path.expanduser(value["$file"])
            return {"$file": os.path.abspath(os.path.join(folder, path))}
        return {name: _anchored(member, folder) for name, member in value.items()}
    return [_anchored(item, folder) for item in value] if isinstance(value, list | tuple) else value
