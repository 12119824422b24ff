"""Catalog of one workspace and audience: the installed connectors, and the operator's offers of
catalog sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from jackfield.catalog.installed import Catalog, CatalogRow
from jackfield.catalog.loading import choose, unknown_connector
from jackfield.catalog.offering import DEFAULT, Offer, Offering
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import UnknownAction, UnknownConnector
from jackfield.kernel.exports import late_hints
from jackfield.kernel.hints import NextStep
from jackfield.manifest.manifest import ActionManifest, Manifest

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any

    from jackfield.catalog.live import StoredManifests
    from jackfield.catalog.offering import Audience


@dataclass(frozen=True, slots=True)
class _Offered:
    """Offers in one version of the file, by source, with cached manifests."""

    edition: int
    offers: Mapping[str, tuple[Offer, ...]]
    parts: dict[str, Manifest | None] = field(default_factory=dict)
    by_type: dict[str, list[Manifest]] = field(default_factory=dict)
    """Virtual manifests by the connection type that they accept."""


class OfferedCatalog(Catalog):
    """Catalog of one workspace: all installed connectors, the current offers of catalog sources to
    ``audience``, and the ``stored`` connectors.
    """

    def __init__(
        self,
        whole: Catalog,
        offering: Offering | None,
        workspace: str,
        audience: Audience = "operator",
        stored: StoredManifests | None = None,
    ) -> None:
        super().__init__(())
        self._whole = whole
        self.offering = offering
        self._stored = stored
        self._workspace = workspace
        self._audience: Audience = audience
        # without itself: it has the workspace's storage, and no collector may run
        self._others: dict[Audience, OfferedCatalog] = {}
        self._seen = _Offered(-1, {})
        self._loaded_parts: set[str] = set()

    def for_audience(self, audience: Audience) -> Catalog:
        """Return the catalog of the same workspace for another audience."""
        found = self if audience == self._audience else self._others.get(audience)
        if found is None:
            found = self._others[audience] = OfferedCatalog(
                self._whole, self.offering, self._workspace, audience, self._stored
            )
        return found

    @property
    def _now(self) -> _Offered:
        """Offers in the current version of the file."""
        _ = self._whole.generation  # looks at the data folder, ten times a second at most
        offering, found = self.offering, self._seen
        edition = 0 if offering is None else offering.edition
        if found.edition != edition:
            offers = {} if offering is None else offering.of(self._workspace, self._audience)
            found = self._seen = _Offered(edition, offers)
        return found

    @property
    def _offering(self) -> Offering:
        if self.offering is None:
            raise LookupError("no source of connectors is installed")
        return self.offering

    def __iter__(self) -> Iterator[str]:
        offered = (key for key in self._virtual() if self._part(key) is not None)
        return iter(sorted([*self._whole, *offered, *self._stored_keys()]))

    def _stored_keys(self) -> Sequence[str]:
        return () if self._stored is None else self._stored.keys()

    def stored_manifests(self) -> list[Manifest]:
        """Return the program's own and the workspace's stored manifests, sorted by key, without
        broken ones.
        """
        own = self._whole.stored_manifests()
        return own + [
            found for key in self._stored_keys() if (found := self._usable_part(key)) is not None
        ]

    def prepare(self, key: str) -> None:
        """Read a stored manifest now, so that a later call does not wait for the database."""
        self._usable_part(key)

    def _usable_part(self, key: str) -> Manifest | None:
        try:
            return self._part(key)
        except UnknownConnector:
            return None

    def _virtual(self, *, folded: bool = False) -> Iterator[str]:
        for name in sorted(self._now.offers.keys() - {*(self.offered_whole if folded else ())}):
            yield from self._keys(name)

    def _keys(self, source: str) -> Iterator[str]:
        offers = self._now.offers[source]
        keys = self._offering.source(source).keys()
        return (
            key for key in keys if any(offer.may_hold(key[len(source) + 1 :]) for offer in offers)
        )

    def refresh(self) -> None:
        """Read the data folder again if it has changed."""
        self._whole.refresh()

    @property
    def generation(self) -> int:
        """Number of changes of the data folder that the catalog has seen."""
        return self._whole.generation

    def entries(self, *, load: bool = False, folded: bool = False) -> list[CatalogRow]:
        """Return one row per connector, sorted by key."""
        offered = (key for key in self._virtual(folded=folded) if self._part(key) is not None)
        keys = sorted([*self._whole, *offered, *self._stored_keys()])
        return [self.look(key, load=load)[0] for key in keys]

    def look(self, key: str, *, load: bool = False) -> tuple[CatalogRow, Manifest | None]:
        """Return a connector's row and its manifest. The manifest is None if the connector is
        broken; the row then has the error.
        """
        try:
            part = self._part(key)
        except UnknownConnector as error:
            return CatalogRow(key, key, None, (), error.message), None
        if part is None:
            return self._whole.look(key, load=load)
        return CatalogRow(key, part.title, part.version, part.actions, None, (part.version,)), part

    @property
    def whole(self) -> Catalog:
        """Catalog of the process, without offers."""
        return self._whole

    @property
    def has_offers(self) -> bool:
        """True if any connector of a source is offered, or any connector is stored."""
        return bool(self._now.offers) or bool(self._stored_keys())

    @property
    def for_operator(self) -> bool:
        """True if the operator's surfaces are offered more than tenants."""
        return any(offer.operator for offers in self._now.offers.values() for offer in offers)

    @property
    def offered_whole(self) -> tuple[str, ...]:
        """Names of the catalog sources whose connectors are all offered. Lists name such a source
        once.
        """
        return tuple(
            name
            for name, offers in self._now.offers.items()
            if any("*" in offer.services for offer in offers)
        )

    def offered_entries(self, *, folded: bool = False) -> list[CatalogRow]:
        """Return the rows of virtual and stored connectors, sorted by key; ``folded`` leaves out
        the sources in ``offered_whole``.
        """
        offered = (key for key in self._virtual(folded=folded) if self._part(key) is not None)
        return [self.look(key)[0] for key in sorted([*offered, *self._stored_keys()])]

    def with_type(self, name: str) -> list[Manifest]:
        """Return the manifests of the connectors that accept connections of the type ``name``,
        sorted by key, isolated connectors last.
        """
        # one of a stored connector is asked for by its full name
        stored = () if "." in name.partition("/")[0] else self.stored_manifests()
        taking = (one for one in stored if one.connection_type(name) is not None)
        found = [*self._whole.with_type(name), *self._virtual_with_type(name), *taking]
        return sorted(found, key=lambda manifest: (manifest.isolated, manifest.key))

    def _virtual_with_type(self, name: str) -> Sequence[Manifest]:
        """Return the virtual manifests with a connection type. The connectors of a source share
        their types, so only the first connector is checked.
        """
        now, owner = self._now, name.partition("/")[0]
        if "." in owner:
            part = self._usable_part(owner)
            return [part] if part is not None and part.connection_type(name) is not None else []
        if name not in now.by_type:
            found: list[Manifest] = []
            for source in now.offers:
                parts = (
                    part for key in self._keys(source) if (part := self._part(key)) is not None
                )
                first = next(parts, None)
                if first is not None and first.connection_type(name) is not None:
                    found += [first, *parts]
            if not found:
                return ()  # not cached: callers choose the names
            now.by_type[name] = found
        return now.by_type[name]

    def manifests(self) -> list[Manifest]:
        """Return the manifests of all connectors that are not broken, sorted by key."""
        found = [part for key in self._virtual() if (part := self._part(key)) is not None]
        return sorted(
            [*self._whole.manifests(), *found, *self.stored_manifests()],
            key=lambda manifest: manifest.key,
        )

    def find(self, key: str, version: str | None = None) -> Manifest:
        """Return the manifest of a connector.

        :raises UnknownConnector: if it is not installed, not offered or broken, or no version
            matches. Only the operator learns which.
        """
        part = self._part(key)
        if part is None:
            if (
                "." in key
                and self.offering is not None
                and key.partition(".")[0] in self.offering.names
            ):
                raise self._unoffered(key)
            return self._whole.find(key, version)
        if version is not None:
            choose(key, [part.version], version)
        return part

    def _unoffered(self, key: str) -> UnknownConnector:
        if self._audience != "operator":
            return unknown_connector(key, self)
        try:
            self._offering.source(key.partition(".")[0]).manifest(key)
        except UnknownConnector as error:
            return error
        return UnknownConnector(f"'{key}' exists but is not offered here", hint=self._how(key))

    def unoffered_action(self, key: str, action: str) -> UnknownAction | None:
        """Return the error for an action that exists and is not offered, for the operator. None for
        other callers, from whom it is hidden.
        """
        if self._audience != "operator" or self._is_stored(key) or self._part(key) is None:
            return None
        whole = self._offering.source(key.partition(".")[0]).manifest(key)
        if action not in {row.key for row in whole.rows()}:
            return None
        return UnknownAction(
            f"'{key}.{action}' exists but is not offered here",
            hint=self._how(f"{key}.{action}", handed_out=True),
        )

    def missing_offer(self, key: str, action: str) -> str | None:
        """Return the pattern that would offer an action, for the operator's 'offers add'. None if
        the action is offered, or cannot be offered to the operator's own surfaces.
        """
        name, _, short = key.partition(".")
        if (
            self._audience != "operator"
            or self.offering is None
            or name not in self.offering.names
            or not short
            or self.has(key, action)
        ):
            return None
        handed_out = action in self._offering.source(name).hands_out(key)
        hint = self._how(
            f"{key}.{action}" if handed_out or self._part(key) is not None else key,
            handed_out=handed_out,
        )
        return hint.facts["pattern"]

    def _how(self, pattern: str, *, handed_out: bool = False) -> NextStep:
        """Return the hint with the command. In the operator's own workspace, credentials are
        offered only to the operator.
        """
        more = (
            f" --workspace {self._workspace}"
            if self._workspace != DEFAULT
            else " --operator"
            if handed_out
            else ""
        )
        return NextStep("offer", pattern=pattern + more)

    def has(self, key: str, action: str, effect: str | None = None) -> bool:
        """Return whether an action is installed or offered."""
        name, _, short = key.partition(".")
        offers = self._now.offers.get(name)
        if effect is not None and short and offers:  # without making its actions
            return self._holds(offers, key, action, effect)
        part = self._usable_part(key)
        return action in part.actions if part is not None else self._whole.has(key, action)

    def _holds(self, offers: Iterable[Offer], key: str, action: str, effect: str) -> bool:
        name, _, short = key.partition(".")
        fitting = [offer for offer in offers if offer.holds(short, action, effect)]
        if not fitting or any(offer.names(short, action) for offer in fitting):
            return bool(fitting)
        return action not in self._offering.source(name).hands_out(key)

    def load(self, key: str, action: str | None = None, version: str | None = None) -> Any:
        """Return the connector's code."""
        if (stored := self._stored) is not None and self._is_stored(key):
            return stored.load(key, version)
        if self._part(key) is None:
            return self._whole.load(key, action, version)
        found = self._offering.source(key.partition(".")[0]).load(key)
        self._loaded_parts.add(key)
        return found

    def has_loaded(self, key: str, action: str, version: str | None = None) -> bool:
        """Return whether ``load`` would find the action's code imported; a virtual connector's
        model is read on first use.
        """
        if (stored := self._stored) is not None and self._is_stored(key):
            return stored.has_loaded(key, version)
        return (
            key in self._loaded_parts
            if self._part(key) is not None
            else self._whole.has_loaded(key, action, version)
        )

    def differs(self, key: str) -> str | None:
        """Return the first difference between a connector's manifest and its code; None for a
        virtual connector, which has one source for both.
        """
        return None if self._part(key) is not None else self._whole.differs(key)

    def _part(self, key: str) -> Manifest | None:
        """Return the offered part of a virtual connector, or a stored manifest; None if it is
        neither, or nothing of it is offered.

        :raises UnknownConnector: if a stored connector is broken.
        """
        if "." not in key:
            return None
        if self._stored is not None and self._is_stored(key):
            return self._stored.find(key)
        now = self._now
        if key not in now.parts:
            if key.partition(".")[0] not in now.offers:
                return None  # not cached: callers choose the keys
            now.parts[key] = self._cut(key, now.offers[key.partition(".")[0]])
        return now.parts[key]

    def _is_stored(self, key: str) -> bool:
        return self._stored is not None and key.startswith(self._stored.prefix)

    def _cut(self, key: str, offers: Iterable[Offer]) -> Manifest | None:
        name, _, short = key.partition(".")
        fitting, source = (
            [offer for offer in offers if offer.may_hold(short)],
            self._offering.source(name),
        )
        if not fitting:
            return None
        try:
            whole = source.manifest(key)
        except UnknownConnector:
            return None
        if any(offer.holds_all(short) for offer in fitting):
            named = {
                action
                for action in source.hands_out(key)
                if self._holds(fitting, key, action, "write")
            }
            return source.manifest(key, credentials=named)
        kept = {
            item.key: item
            for item in whole.actions.values()
            if self._holds(fitting, key, item.key, item.rule_effect)
        }
        if len(kept) == len(whole.actions):
            return whole
        return _only(whole, kept) if kept else None


def _only(manifest: Manifest, actions: Mapping[str, ActionManifest]) -> Manifest:
    raw = {
        **manifest.raw,
        "actions": [item for item in manifest.raw["actions"] if item["key"] in actions],
    }
    return manifest.part(actions=actions, raw=raw)


late_hints(__name__)
