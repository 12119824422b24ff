"""Connectors of catalog sources: families of thousands of actions that a package describes on
demand, such as all services of AWS.

The file named by ``JACKFIELD_OFFERS`` (default: ``offers.json`` in the data folder) lists the parts
of a source that a workspace is offered; ``jackfield offers`` changes it. A workspace that is not in
the file is offered nothing, with one exception: the operator's own surfaces see everything in the
workspace ``default``. No pattern offers an action that hands out credentials: only its full name
does. Running processes reread the file within a tenth of a second.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from jackfield.catalog.discovery import EntryPoint
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Unavailable, did_you_mean
from jackfield.kernel.failures import BrokenPart, Raised, attempt, contained, loaded
from jackfield.manifest.manifest import Manifest

ALL = "*"
"""Name in the file for all workspaces that the file does not name."""
DEFAULT = "default"
"""Name of the workspace of the operator's own surfaces."""
EFFECTS = ("read", "idempotent", "write")
EFFECT_WORDS = (*EFFECTS, "change")
"""Names of effects in an offer: ``change`` means every effect but ``read``."""
_VARIABLE = "JACKFIELD_OFFERS"


def offers_file(environment: Mapping[str, str], home: str) -> str:
    """Return the path of the operator's file."""
    return environment.get(_VARIABLE) or os.path.join(home, "offers.json")


TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any, Protocol

    Audience = str
    """Whom a catalog is for: the ``operator``'s own surfaces; a ``tenant``, who has a token; or
    another that is offered actions apart (``kernel.packages.AUDIENCES``).
    """

    class Source(Protocol):
        """Family of connectors that a package describes on demand (a ``source`` of the entry points
        ``jackfield.bindings``). All have the same connection types.
        """

        def keys(self) -> Sequence[str]:
            """Return the keys of all connectors, sorted; each begins with the source's name and a
            dot.
            """

        def manifest(self, key: str, *, credentials: Collection[str] | None = None) -> Manifest:
            """Return the manifest of a connector, whose schemas are created when they are read. Of
            the actions that hand out credentials it has those in ``credentials``, by default all.

            :raises UnknownConnector: if there is no such connector.
            """

        def hands_out(self, key: str) -> frozenset[str]:
            """Return the keys of a connector's actions that hand out credentials."""

        def load(self, key: str) -> Any:
            """Return the code of a connector."""

        def stamp(self) -> str:
            """Return a string that changes with the content of the manifests, such as the version
            of their data.
            """


@dataclass(frozen=True, slots=True)
class Offer:
    """Part of a source that is offered to a workspace.

    ``services`` are names or patterns of connectors without the source's prefix (``s3``), or of
    actions after a dot (``sqs.send*``). An action that hands out credentials needs its full name,
    and counts as a ``write``. ``audiences`` are further audiences, besides tenants. If ``operator``
    is True, only the operator's own surfaces are offered the part.
    """

    services: tuple[str, ...]
    effects: tuple[str, ...] = EFFECTS
    audiences: tuple[str, ...] = ()
    operator: bool = False

    def is_for(self, audience: Audience) -> bool:
        """Return whether an audience is offered the part."""
        return audience == "operator" or (
            not self.operator and audience in ("tenant", *self.audiences)
        )

    def may_hold(self, name: str) -> bool:
        """Return whether the offer may include an action of a connector."""
        return any(fnmatchcase(name, pattern.partition(".")[0]) for pattern in self.services)

    def holds_all(self, name: str) -> bool:
        """Return whether the offer includes all actions of a connector, except actions that need
        their full name.
        """
        return {*self.effects} == {*EFFECTS} and any(
            fnmatchcase(name, pattern) for pattern in self.services if "." not in pattern
        )

    def holds(self, name: str, action: str, effect: str) -> bool:
        """Return whether an action with this effect matches a pattern; an action that hands out
        credentials must also be among the ``names``.
        """
        return effect in self.effects and any(
            _fits(pattern, name, action) for pattern in self.services
        )

    def names(self, name: str, action: str) -> bool:
        """Return whether an action is offered by its full name."""
        return f"{name}.{action}" in self.services

    def to_json(self) -> dict[str, Any]:
        """Return the offer in the file's form."""
        found: dict[str, Any] = {"services": list(self.services)}
        found |= {"effects": list(self.effects)} if self.effects != EFFECTS else {}
        return (
            found
            | dict.fromkeys(self.audiences, True)
            | ({"operator": True} if self.operator else {})
        )


def _fits(pattern: str, name: str, action: str) -> bool:
    service, dot, rest = pattern.partition(".")
    return fnmatchcase(name, service) and (not dot or fnmatchcase(action, rest))


Offers = Mapping[str, Mapping[str, tuple[Offer, ...]]]
"""Offers by workspace and source, as in the file."""
_OWN = Offer(("*",), operator=True)


class Offering:
    """The operator's offers, and the installed sources. A source is imported when its connectors
    are first read.
    """

    def __init__(self, points: Sequence[EntryPoint], path: str, *, required: bool) -> None:
        self._points = {point.name: point for point in points}
        self._sources: dict[str, Source] = {}
        self._path = path
        self._stamp = _stamp(path)
        self.edition = 0
        """Number of changes of the file that this process has seen."""
        self.written = read_offers(path, self._points, required=required)
        """Content of the file."""

    @classmethod
    def read(
        cls, points: Sequence[EntryPoint], environment: Mapping[str, str], home: str
    ) -> Offering:
        """Read the operator's file.

        :raises Unavailable: if the file cannot be read, or has an unknown member.
        """
        return cls(
            points, offers_file(environment, home), required=bool(environment.get(_VARIABLE))
        )

    def refresh(self) -> bool:
        """Read the file again if it has changed; return whether the offers have changed. A file
        that cannot be used is logged, and changes nothing.
        """
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            written = read_offers(self._path, self._points, required=False)
        except Unavailable as error:
            logging.getLogger("jackfield.catalog").warning(
                "%s; what was offered before stays", error.message
            )
            return False
        if written == self.written:
            return False
        self.written = written
        self.edition += 1
        return True

    @property
    def names(self) -> Iterable[str]:
        """Names of the installed sources."""
        return self._points.keys()

    def of(
        self, workspace: str, audience: Audience = "operator"
    ) -> Mapping[str, tuple[Offer, ...]]:
        """Return the offers of a workspace for an audience, by source."""
        found = effective(self.written, workspace, self._points)
        kept = {
            name: tuple(offer for offer in offers if offer.is_for(audience))
            for name, offers in found.items()
        }
        return {name: offers for name, offers in kept.items() if offers}

    def _together(self, *, for_operator: bool) -> Mapping[str, list[Offer]]:
        """Return all offers to any workspace, by source; ``for_operator``, every source as a whole,
        too.
        """
        found: dict[str, list[Offer]] = (
            {name: [_OWN] for name in self._points} if for_operator else {}
        )
        for workspace in (*self.written, DEFAULT):
            for name, offers in self.of(
                workspace, "operator" if for_operator else "tenant"
            ).items():
                found.setdefault(name, []).extend(offers)
        return found

    def has_any(self, *, for_operator: bool = False) -> bool:
        """Return whether any workspace is offered a connector; ``for_operator`` also counts
        connectors that only the operator sees.
        """
        return bool(self._together(for_operator=for_operator))

    def offered(self, *, for_operator: bool = False) -> Iterator[Manifest]:
        """Yield the complete manifests of all connectors that may be offered to any workspace; with
        ``for_operator``, of all connectors.
        """
        for name, together in sorted(self._together(for_operator=for_operator).items()):
            source = self.source(name)
            for key in source.keys():  # noqa: SIM118 (a source is no mapping)
                if any(offer.may_hold(key[len(name) + 1 :]) for offer in together):
                    yield source.manifest(key)

    def stamp(self, *, for_operator: bool = False) -> str:
        """Return a string that changes with the offers to any workspace."""
        together = sorted(self._together(for_operator=for_operator).items())
        return json.dumps(
            [
                [
                    name,
                    self.source(name).stamp(),
                    sorted({one for offer in offers for one in offer.services}),
                ]
                for name, offers in together
            ]
        )

    def source(self, name: str) -> Source:
        """Return a source, imported on first use."""
        found = self._sources.get(name)
        if found is None:
            found = self._sources.setdefault(name, _imported(self._points[name]))
        return found


def effective(
    written: Offers, workspace: str, sources: Iterable[str]
) -> Mapping[str, tuple[Offer, ...]]:
    """Return the offers that apply to a workspace: its own, or else the offers of ``*``, and for
    ``default`` the operator's.
    """
    found = written.get(workspace)
    if found is not None:
        return found
    shared = written.get(ALL, {})
    return (
        shared
        if workspace != DEFAULT
        else {name: (_OWN, *shared.get(name, ())) for name in sources}
    )


def _stamp(path: str) -> tuple[int, ...]:
    try:
        about = os.stat(path)
    except OSError:
        return ()
    return about.st_mtime_ns, about.st_ino, about.st_size


def _imported(point: EntryPoint) -> Source:
    found = attempt(lambda: contained(loaded(point, "source of connectors")))
    if isinstance(found, Raised):
        error = found.error
        reason = (
            error.reason if isinstance(error, BrokenPart) else f"{type(error).__name__}: {error}"
        )
        raise Unavailable(
            f"the source of connectors '{point.name}' of {point.distribution} cannot be used: "
            f"{reason}",
            hint="Reinstall the package.",
        ) from error
    made: Source = found
    return made


def read_offers(path: str, sources: Iterable[str], *, required: bool) -> Offers:
    """Read a file of offers; a missing file offers nothing, unless it is ``required``.

    :raises Unavailable: if the file cannot be read, or has an unknown member.
    """
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except FileNotFoundError:
        if required:
            raise _broken(path, "it does not exist") from None
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(path, str(error)) from None
    return _offers(path, data, [*sources])


def _offers(path: str, data: Any, sources: Sequence[str]) -> Offers:
    if not isinstance(data, dict) or not all(isinstance(item, dict) for item in data.values()):
        raise _broken(path, "it must be an object of workspaces, each an object of sources")
    for workspace, named in data.items():
        unknown = sorted({*named} - {*sources})
        if unknown:
            tail = did_you_mean(unknown[0], sources)
            raise _broken(
                path,
                f"no installed package has the source '{unknown[0][:80]}', offered to "
                f"'{workspace[:80]}'{tail}",
            )
    return {
        workspace: {
            name: tuple(
                _offer(path, f"{workspace}, {name}", item)
                for item in (items if isinstance(items, list) else [items])
            )
            for name, items in named.items()
        }
        for workspace, named in data.items()
    }


def _offer(path: str, where: str, data: Any) -> Offer:
    from jackfield.kernel.packages import AUDIENCES

    members = ("services", "effects", *AUDIENCES, "operator")
    if not isinstance(data, dict) or {*data} - {*members}:
        raise _broken(path, f"{where}: an offer has the members {', '.join(members)}")
    services, effects = data.get("services"), data.get("effects", list(EFFECTS))
    if not isinstance(services, list) or not all(
        isinstance(item, str) and item for item in services
    ):
        raise _broken(
            path,
            f"{where}: 'services' must be an array of names or patterns, such as s3, sqs.* or *",
        )
    if not isinstance(effects, list) or not all(item in EFFECT_WORDS for item in effects):
        raise _broken(path, f"{where}: 'effects' must be an array of {', '.join(EFFECT_WORDS)}")
    switches = {name: data.get(name, False) for name in (*AUDIENCES, "operator")}
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise _broken(path, f"{where}: '{name}' must be true or false")
    return Offer(
        tuple(services),
        named_effects(effects),
        tuple(name for name in AUDIENCES if switches[name]),
        switches["operator"],
    )


def named_effects(words: Collection[str]) -> tuple[str, ...]:
    """Return the effects that ``words`` of ``EFFECT_WORDS`` name."""
    return tuple(
        effect for effect in EFFECTS if effect in words or ("change" in words and effect != "read")
    )


def _broken(path: str, reason: str) -> Unavailable:
    return Unavailable(
        f"the operator's offers in {path} cannot be used: {reason}",
        hint="Correct the file, or use 'jackfield offers'.",
    )
