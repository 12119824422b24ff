"""Manifests with an index: of a connector with hundreds of actions, only what lists and rules need is read at once.

``connector.index.json`` lies beside ``connector.json`` and has everything but schemas and bindings, with the place of each action and each
definition in bytes. They are read from there when they are first used. Tools that need the whole manifest read ``connector.json`` alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jackfield.dataclass import replace
from jackfield.definitions import Definitions
from jackfield.manifest import EFFECTS, ActionManifest, ActionRow, Json, Manifest, ManifestError, shown_title
from jackfield.manifest_index import INDEX, MANIFEST, light_row

_TEXTS = frozenset({"key", "title", "description", "effect", "group"})
_PLAIN = _TEXTS | {"permissions", "deprecated", "outputPolicy", "idempotentBy", "repeatOk", "at"}
"""Members of a row that are checked here, or need no check."""
_RANK = 98
"""Rank in searches, next to that of connectors whose actions are all read at once."""


def read_manifest(folder: str) -> Manifest:
    """Read the manifest of a package, by its index if it has one.

    :raises ManifestError: if it is not a manifest, or the index belongs to another one.
    :raises OSError: if it cannot be read.
    :raises ValueError: if it is not JSON.
    """
    path = os.path.join(folder, MANIFEST)
    try:
        with open(os.path.join(folder, INDEX), encoding="utf-8") as file:
            index = json.load(file)
    except FileNotFoundError:
        with open(path, encoding="utf-8") as file:
            return Manifest.from_json(json.load(file))
    return _indexed(index, path)


def _indexed(index: Any, path: str) -> Manifest:
    if not isinstance(index, dict) or index.get("size") != os.path.getsize(path):
        raise ManifestError(f"its {INDEX} belongs to another {MANIFEST}: generate both again")
    head, rows = index.get("manifest"), _Rows(path)
    if not isinstance(head, dict) or not isinstance(head.get("actions"), list) or not isinstance(index.get("definitions"), dict):
        raise ManifestError(f"its {INDEX} is not an index")
    described = Manifest.from_json({**head, "actions": []})
    where = f"manifest of '{described.key}'"
    for row in head["actions"]:
        _check(row, where)
    actions = _StoredActions(rows, head["actions"], where, Definitions(_Stored(rows, index["definitions"])))
    found = replace(described, actions=actions, raw=head, virtual=True, rank=_RANK)
    return IndexedManifest(**{name: getattr(found, name) for name in Manifest.__dataclass_fields__})


def _check(row: Any, where: str) -> None:
    """Check that the action of a row can be made, without making it for rows that have nothing but texts, as most do.

    :raises ManifestError: if it cannot.
    """
    if not isinstance(row, dict):
        raise ManifestError(f"{where}: 'actions' must be an array of objects")
    texts = [value for name, value in row.items() if name in _TEXTS]
    is_plain = row.keys() <= _PLAIN and "key" in row and all(isinstance(text, str) and text for text in texts)
    if not is_plain or row.get("effect", "write") not in EFFECTS or not _is_permissions(row.get("permissions", {})):
        _described(row, where)


def _is_permissions(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in value.values())


def _described(row: Json, where: str) -> ActionManifest:
    return ActionManifest.from_json({**row, "inputs": {}, "output": {}}, where)


class IndexedManifest(Manifest):
    """Manifest whose actions are read from its file when they are used; ``raw`` has what the index has."""

    __slots__ = ()

    def whole(self) -> Json:
        """Return the JSON as published, read again from its file."""
        stored = next(action for action in self.actions.values() if isinstance(action, _StoredAction))
        return stored.whole()

    def rows(self) -> Iterator[ActionRow]:
        """Yield a row for each action, which is not made for it."""
        for row in self.raw["actions"]:
            key, effect = row["key"], "write" if row.get("handsOutCredentials") else row.get("effect", "write")
            title = shown_title(row.get("title") or "") or key
            yield ActionRow(key, title, row.get("description") or "", effect, row.get("group") or "")

    def action_json(self, action: ActionManifest) -> dict[str, Any]:
        """Return the published JSON of one action."""
        found: dict[str, Any] = dict(action.row) if isinstance(action, _StoredAction) else super().action_json(action)
        return found


class _Rows:
    """Reader of values by their places in a file of JSON."""

    def __init__(self, path: str) -> None:
        self._path = path

    def whole(self) -> Any:
        """Return the whole file."""
        with open(self._path, encoding="utf-8") as file:
            return json.load(file)

    def read(self, place: Any) -> Any:
        """Return the value at a place.

        :raises ManifestError: if there is none.
        """
        try:
            offset, length = place
            with open(self._path, "rb") as file:
                file.seek(offset)
                return json.loads(file.read(length))
        except (OSError, ValueError, TypeError) as error:
            raise ManifestError(f"{MANIFEST} cannot be read at the place that its index gives ({type(error).__name__})") from None


class _Stored(Mapping[str, Any]):
    """Definitions by name, read when they are asked for."""

    def __init__(self, rows: _Rows, places: Mapping[str, Any]) -> None:
        self._rows = rows
        self._places = places

    def __getitem__(self, name: str) -> Any:
        return self._rows.read(self._places[name])

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class _StoredActions(Mapping[str, ActionManifest]):
    """Actions by key, each made when it is first asked for."""

    def __init__(self, file: _Rows, rows: Iterable[Json], where: str, definitions: Definitions) -> None:
        self._file = file
        self._rows = {row["key"]: row for row in rows}
        self._where = where
        self._definitions = definitions
        self._made: dict[str, ActionManifest] = {}

    def __getitem__(self, key: str) -> ActionManifest:
        found = self._made.get(key)
        if found is None:
            row = self._rows[key]
            made = _StoredAction.of(_described(row, self._where), (self._file, row.get("at"), row), self._definitions)
            found = self._made.setdefault(key, made)
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class _StoredAction(ActionManifest):
    """Action whose schemas are read when they are first used."""

    __slots__ = ("_place", "_read")

    _place: tuple[_Rows, Any, Json]
    _read: list[Json]

    @classmethod
    def of(cls, about: ActionManifest, place: tuple[_Rows, Any, Json], definitions: Definitions) -> _StoredAction:
        """Return an action that the index describes."""
        made = cls.__new__(cls)
        for name in ActionManifest.__dataclass_fields__:
            if name not in ("own_inputs", "own_output", "definitions"):
                object.__setattr__(made, name, getattr(about, name))  # the base is frozen
        object.__setattr__(made, "definitions", definitions)
        object.__setattr__(made, "_place", place)
        object.__setattr__(made, "_read", [])
        return made

    def whole(self) -> Json:
        """Return the manifest that the action belongs to."""
        found: Json = self._place[0].whole()
        return found

    @property
    def row(self) -> Json:
        """Published JSON of the action.

        :raises ManifestError: if the index says something else about it.
        """
        if not self._read:
            rows, place, expected = self._place
            found = rows.read(place)
            if not isinstance(found, dict) or light_row(found, place) != {**expected, "at": place}:
                raise ManifestError(f"{INDEX} and {MANIFEST} disagree about the action '{self.key}': generate both again")
            self._read.append(found)
        row: Json = self._read[0]
        return row

    @property
    def own_inputs(self) -> Json:
        """Schema of the inputs."""
        found: Json = self.row["inputs"]
        return found

    @property
    def own_output(self) -> Json:
        """Schema of the output."""
        found: Json = self.row["output"]
        return found

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"StoredAction({self.key!r})"
