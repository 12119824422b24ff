"""Manifests with an index: of a connector with hundreds of actions, only the data for lists and
rules is read at once.

``connector.index.json`` stands next to ``connector.json`` and has everything but schemas and
bindings, with the byte offsets of each action and definition, which are read at first use. Tools
that need the whole manifest read ``connector.json`` alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping

from jackfield.catalog.discovery import read_bytes
from jackfield.kernel.dataclass import replace
from jackfield.kernel.definitions import Definitions
from jackfield.manifest.manifest import EFFECTS, ActionManifest, ActionRow, Json, Manifest
from jackfield.manifest.reading import INDEX, MANIFEST, ManifestError, light_row, shown_title

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import TypeVar

    V = TypeVar("V")
    from typing import Any

_TEXTS = frozenset({"key", "title", "description", "effect", "group"})
_PLAIN = _TEXTS | {
    "permissions",
    "deprecated",
    "outputPolicy",
    "idempotentBy",
    "keyKept",
    "sign",
    "repeatOk",
    "marker",
    "evidence",
    "at",
}
"""Members of a row that ``_check`` checks itself, or that need no check."""
_RANK = 98
"""Rank in searches, just below the rank of connectors whose actions are all read at once."""


def read_manifest(folder: str) -> Manifest:
    """Read the manifest of a package, by its index if it has one.

    :raises ManifestError: if it is not a manifest, or the index belongs to another manifest.
    :raises OSError: if it cannot be read.
    :raises ValueError: if it is not JSON.
    """
    path = os.path.join(folder, MANIFEST)
    try:
        index = json.loads(read_bytes(os.path.join(folder, INDEX)))
    except FileNotFoundError:
        return Manifest.from_json(json.loads(read_bytes(path)))
    return _indexed(index, path)


def _indexed(index: Any, path: str) -> Manifest:
    if not isinstance(index, dict) or index.get("size") != _size(path):
        raise ManifestError(f"its {INDEX} belongs to another {MANIFEST}: generate both again")
    head, places = index.get("manifest"), index.get("definitions")
    if (
        not isinstance(head, dict)
        or not isinstance(head.get("actions"), list)
        or not isinstance(places, dict)
    ):
        raise ManifestError(f"its {INDEX} is not an index")
    described = Manifest.from_json({**head, "actions": []})
    where, file = f"manifest of '{described.key}'", _Stored(path, head)
    for row in head["actions"]:
        _check(row, where)
    rows = {row["key"]: row for row in head["actions"]}
    definitions = Definitions(LazyMapping(places, lambda name: file.read(places[name]), kept=False))

    def made(key: str) -> ActionManifest:
        about = _described(rows[key], where)
        return replace(about, content=_StoredContent(file, about), definitions=definitions)

    return replace(
        described, actions=LazyMapping(rows, made), published=file, virtual=True, rank=_RANK
    )


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except NotADirectoryError:  # in an archive
        return len(read_bytes(path))


def _check(row: Any, where: str) -> None:
    """Check that the action of a row can be created. Rows with only texts, which are most rows, are
    checked without creating the action.

    :raises ManifestError: if the action cannot be created.
    """
    if not isinstance(row, dict):
        raise ManifestError(f"{where}: 'actions' must be an array of objects")
    texts = [value for name, value in row.items() if name in _TEXTS]
    is_plain = (
        row.keys() <= _PLAIN
        and "key" in row
        and all(isinstance(text, str) and text for text in texts)
    )
    if (
        not is_plain
        or row.get("effect", "write") not in EFFECTS
        or not _is_permissions(row.get("permissions", {}))
    ):
        _described(row, where)


def _is_permissions(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(
        isinstance(names, list) and all(isinstance(name, str) for name in names)
        for names in value.values()
    )


def _described(row: Json, where: str) -> ActionManifest:
    return ActionManifest.from_json(row, where)


class _Stored:
    """JSON of a manifest in its file; ``head`` has everything but the parts that the index leaves
    out.
    """

    def __init__(self, path: str, head: Json) -> None:
        self._path = path
        self._head = head

    def listed(self) -> Json:
        """Return the part in the index."""
        return self._head

    def whole(self) -> Any:
        """Read the whole file."""
        return json.loads(read_bytes(self._path))

    def rows(self, _actions: Mapping[str, ActionManifest]) -> Iterator[ActionRow]:
        """Yield a row for each action, without creating the action."""
        for row in self._head["actions"]:
            key, effect = (
                row["key"],
                "write" if row.get("handsOutCredentials") else row.get("effect", "write"),
            )
            title = shown_title(row.get("title") or "") or key
            yield ActionRow(
                key,
                title,
                row.get("description") or "",
                effect,
                row.get("group") or "",
                " ".join(row.get("keywords", ())),
            )

    def read(self, place: Any) -> Any:
        """Read the value at a place.

        :raises ManifestError: if there is no value.
        """
        try:
            offset, length = place
            return json.loads(read_bytes(self._path, offset, length))
        except (OSError, ValueError, TypeError) as error:
            raise ManifestError(
                f"{MANIFEST} cannot be read at the place that its index gives "
                f"({type(error).__name__})"
            ) from None


class _StoredContent:
    """Content of an action, whose schemas are read at first use; the index has all other
    content.
    """

    __slots__ = ("_about", "_file", "_row", "defaults", "pagination", "permissions")

    def __init__(self, file: _Stored, about: ActionManifest) -> None:
        self._file = file
        self._about = about
        self._row: Json | None = None
        self.pagination = about.pagination
        self.permissions = about.permissions
        self.defaults = about.defaults

    @property
    def row(self) -> Json:
        """Published JSON of the action.

        :raises ManifestError: if the index contradicts it.
        """
        if self._row is None:
            expected = self._about.content.row
            place: Any = expected.get("at")
            found = self._file.read(place)
            if not isinstance(found, dict) or light_row(found, place) != {**expected, "at": place}:
                raise ManifestError(
                    f"{INDEX} and {MANIFEST} disagree about the action '{self._about.key}': "
                    "generate both again"
                )
            self._row = found
        return self._row

    @property
    def inputs(self) -> Json:
        """Schema of the inputs."""
        found: Json = self.row["inputs"]
        return found

    @property
    def output(self) -> Json:
        """Schema of the output."""
        found: Json = self.row["output"]
        return found


class LazyMapping(Mapping[str, "V"]):
    """Mapping of ``keys`` to the values that ``make`` returns. Each value is created once, or at
    every access unless ``kept``.
    """

    __slots__ = ("_kept", "_keys", "_make")

    def __init__(
        self, keys: Collection[str], make: Callable[[str], V], *, kept: bool = True
    ) -> None:
        self._keys = keys
        self._make = make
        self._kept: dict[str, V] | None = {} if kept else None

    def __getitem__(self, key: str) -> V:
        if self._kept is not None and key in self._kept:
            return self._kept[key]
        if key not in self._keys:
            raise KeyError(key)
        made = self._make(key)
        # of two threads that make it at once, both get the first
        return made if self._kept is None else self._kept.setdefault(key, made)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
