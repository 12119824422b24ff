"""From what somebody gives for a connection to what is kept: judged, completed, and within what its giver may do."""

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
    """Who gives values. ``own_external_id``: whether an External ID may be brought along; None leaves it to the origin, and over HTTP or
    MCP to the workspace's settings. ``folder`` is where relative ``$file`` references start. ``source`` is the file that they are
    imported from: it may go on hiding what is stored of it."""

    origin: Origin = "operator"
    own_external_id: bool | None = None
    folder: str = "."
    source: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ConnectionDraft:
    """A draft that was judged, and the fields for which an External ID was made."""

    kind: Kind
    draft: Draft
    made: tuple[str, ...]
    schemas: Schemas

    def __reduce__(self) -> NoReturn:
        raise TypeError("a draft is not pickled: it holds secrets")

    def find(self, _stored: StoredConnection, manifest: Manifest) -> Target:
        """The target that the draft makes: without a name, so that nothing of it is shared with the connection of that name.

        :raises InvalidConnection: where another connector of the family judges the values otherwise.
        """
        about = manifest.connection_type(self.draft.type) or self.kind.about
        return Target(None, about, check_values(about, self.draft.values, manifest, self.schemas), origin=self.draft.origin)


class Drafter:
    """Makes drafts. ``access`` says what the workspace's connections that are made over HTTP or MCP may do; ``check_references`` refuses
    the references that they may not use."""

    def __init__(self, schemas: Schemas, access: Callable[[], HostAccess], check_references: Callable[[Mapping[str, Any]], None]) -> None:
        self._schemas = schemas
        self._access = access
        self._check_references = check_references

    def draft(
        self, kind: Kind, given: object, giver: Provenance, *, name: str | None = None, old: StoredConnection | None = None
    ) -> ConnectionDraft:
        """Judge ``given`` as the values of a new connection, or as the edited ones of ``old``.

        :raises InvalidConnection: with every fault at once, each with a JSON Pointer into the values.
        """
        if not isinstance(given, Mapping):
            raise InvalidConnection("the values are not valid", details=[Detail("", "must be an object", "type")], hint="Give an object.")
        values = edited(kind.schema, old.values, given) if old is not None else given
        if old is not None and giver.origin == "remote":
            refuse_redirected(kind.schema, old.values, given, values)
        refuse_placeholders(kind.schema, values)
        values, made = self._completed(kind, values, giver, old)
        judged = check_values(kind.about, values, kind.manifests[0], self._schemas, name=name)
        kept = {field: value for field, value in judged.items() if field in values}  # a schema's defaults may change with its connector
        origin = _origin(giver, given, kept, old)
        if origin == "remote":
            self._check_references(kept)
        else:
            kept = {field: _anchored(value, giver.folder) for field, value in kept.items()}
        return ConnectionDraft(kind, Draft(kind.full_name, kept, kind.schema, origin), made, self._schemas)

    def _completed(
        self, kind: Kind, values: Mapping[str, Any], giver: Provenance, old: StoredConnection | None
    ) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """The values with an External ID where the type takes one and none is given or was there."""
        completed, made, refused = dict(values), [], []
        for field in generated_fields(kind.schema):
            before = old.values.get(field) if old is not None else None
            if _is_blank(values.get(field)):
                completed[field] = before if before is not None else generate()
                made += [field] if before is None else []
            elif values[field] != before and not self._may_choose(giver):
                refused.append(Detail(f"/{field}", "is made by jackfield, and cannot be chosen"))
        if refused:
            raise InvalidConnection("the External ID cannot be chosen", details=refused, hint="Leave it out; it is shown when it is made.")
        return completed, tuple(made)

    def _may_choose(self, giver: Provenance) -> bool:
        if giver.own_external_id is not None:
            return giver.own_external_id
        return giver.origin == "operator" or self._access().own_external_id


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _origin(giver: Provenance, given: Mapping[str, Any], kept: Mapping[str, Any], old: StoredConnection | None) -> Origin:
    """The giver's; but what somebody over HTTP or MCP refers to does not become the operator's because the operator edits the rest."""
    was_remote = old is not None and old.origin == "remote"
    if was_remote and not set(reference_paths(kept)) <= set(reference_paths(given)):
        return "remote"
    return giver.origin


def _anchored(value: Any, folder: str) -> Any:
    """The value with ``$file`` references that do not depend on where the process is started."""
    if isinstance(value, Mapping):
        if len(value) == 1 and isinstance(value.get("$file"), str):
            path = os.path.expanduser(value["$file"])
            return {"$file": os.path.abspath(os.path.join(folder, path))}
        return {name: _anchored(member, folder) for name, member in value.items()}
    return [_anchored(item, folder) for item in value] if isinstance(value, list | tuple) else value
