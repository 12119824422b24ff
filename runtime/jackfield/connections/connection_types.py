"""Connection types by name, across all installed connectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import Detail, InvalidConnection, did_you_mean
from jackfield.kernel.hints import NextStep

if TYPE_CHECKING:
    from jackfield.catalog.installed import Catalog
    from jackfield.manifest.manifest import ConnectionTypeManifest, Manifest

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class ConnectionKind:
    """Connection type under its full name, with the connectors that accept it; the first
    connector's schema validates the values.
    """

    full_name: str
    about: ConnectionTypeManifest
    manifests: tuple[Manifest, ...]
    chosen: tuple[Manifest, ...]
    """Manifests to list, without the connectors of sources that are offered as a whole."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """Schema of the values."""
        return self.about.schema


class UnknownType(InvalidConnection):
    """Error for a connection type that no installed connector has."""


class Kinds:
    """Connection types of one catalog. A broken connector contributes none."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._found: dict[str, ConnectionKind] = {}

    def all(self) -> list[ConnectionKind]:
        """Return all connection types, by full name."""
        found: dict[str, list[tuple[ConnectionTypeManifest, Manifest]]] = {}
        for manifest in sorted(self._catalog.manifests(), key=lambda manifest: manifest.isolated):
            for kind in manifest.connection_types.values():
                found.setdefault(manifest.full_name(kind), []).append((kind, manifest))
        return [
            self._kind(name, pairs, [manifest for _, manifest in pairs])
            for name, pairs in sorted(found.items())
        ]

    def _kind(
        self,
        name: str,
        pairs: Sequence[tuple[ConnectionTypeManifest, Manifest]],
        manifests: Sequence[Manifest],
    ) -> ConnectionKind:
        titles = Counter(kind.title for kind, _ in pairs)
        about = (
            replace(pairs[0][0], title=titles.most_common(1)[0][0])
            if len(titles) > 1
            else pairs[0][0]
        )
        return ConnectionKind(name, about, tuple(manifests), tuple(self._catalog.chosen(manifests)))

    def find(self, name: str) -> ConnectionKind:
        """Return the type with this full name, in which a connector's key may replace the family's.
        A type's key alone works if it is unique.

        :raises InvalidConnection: if no installed connector has it, or the name is ambiguous.
        """
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._only(name)
        return found

    def known(self, name: str) -> ConnectionKind | None:
        """Return the type called ``name``; None if it is not installed or the name is ambiguous."""
        try:
            return self.find(name)
        except InvalidConnection:
            return None

    def _only(self, name: str) -> ConnectionKind:
        found: dict[str, list[tuple[ConnectionTypeManifest, Manifest]]] = {}
        for manifest in self._catalog.with_type(name):
            kind = manifest.connection_type(name)
            if kind is not None:
                found.setdefault(manifest.full_name(kind), []).append((kind, manifest))
        if len(found) == 1:
            ((full_name, pairs),) = found.items()
            return self._kind(full_name, pairs, self._catalog.with_type(full_name))
        raise self._unknown(name, sorted(found))

    def _unknown(self, name: str, meant: list[str]) -> InvalidConnection:
        names = [kind.full_name for kind in self.all()]
        more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
        hint = (
            f"Known types: {', '.join(names[:_MOST_NAMED])}{more}."
            if names
            else NextStep("connectors")
        )
        if meant:
            text = f"'{name[:80]}' is ambiguous: {' or '.join(meant)}"
            return InvalidConnection(text, details=[Detail("/type", text, "enum")], hint=hint)
        text = f"no installed connector has the connection type '{name[:80]}'" + did_you_mean(
            name, names
        )
        return UnknownType(text, details=[Detail("/type", text, "enum")], hint=hint)
