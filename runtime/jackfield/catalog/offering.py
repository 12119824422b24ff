"""Connectors of catalog sources: families of thousands of actions that a package describes on demand, such as all services of AWS.

Nothing of a source is visible until the operator offers it to a workspace, in the file that ``JACKFIELD_OFFERS`` names (default:
``offers.json`` in the data folder). It is read when a process starts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Protocol

from jackfield.catalog.discovery import EntryPoint
from jackfield.catalog.loading import connector_at
from jackfield.errors import Unavailable, did_you_mean
from jackfield.manifest import Manifest

ALL = "*"
"""Workspace in the file whose offers hold for all that it does not name."""
_VARIABLE = "JACKFIELD_OFFERS"
_EFFECTS = ("read", "idempotent", "write")
_MEMBERS = ("services", "effects", "mcp")


def offers_file(environment: Mapping[str, str], home: str) -> str:
    """Return the path of the operator's file."""
    return environment.get(_VARIABLE) or os.path.join(home, "offers.json")


class Source(Protocol):
    """Family of connectors that a package describes on demand (entry-point group ``jackfield.catalog_sources``)."""

    def keys(self) -> Sequence[str]:
        """Return the keys of all connectors, sorted; each begins with the source's name and a dot."""

    def manifest(self, key: str) -> Manifest:
        """Return the manifest of a connector, with schemas that are made when they are read.

        :raises UnknownConnector: if there is none.
        """

    def load(self, key: str) -> Any:
        """Return the code of a connector."""

    def stamp(self) -> str:
        """Return a text that changes whenever what the manifests say changes, such as the version of the data that they are made from."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Part of a source that a workspace is offered.

    ``services`` are names or patterns of connectors without the source's prefix (``s3``), or of actions after a dot (``sqs.send*``);
    ``mcp`` says if it is offered over MCP, too.
    """

    services: tuple[str, ...]
    effects: tuple[str, ...] = _EFFECTS
    mcp: bool = False

    def may_hold(self, name: str) -> bool:
        """Return whether any action of a connector may be offered."""
        return any(fnmatchcase(name, pattern.partition(".")[0]) for pattern in self.services)

    def holds_all(self, name: str) -> bool:
        """Return whether all actions of a connector are offered."""
        return {*self.effects} == {*_EFFECTS} and any(fnmatchcase(name, pattern) for pattern in self.services if "." not in pattern)

    def holds(self, name: str, action: str, effect: str) -> bool:
        """Return whether an action is offered."""
        return effect in self.effects and any(_fits(pattern, name, action) for pattern in self.services)


def _fits(pattern: str, name: str, action: str) -> bool:
    service, dot, rest = pattern.partition(".")
    return fnmatchcase(name, service) and (not dot or fnmatchcase(action, rest))


class Offering:
    """The operator's offers, and the installed sources; a source is imported when something of it is offered."""

    def __init__(self, points: Sequence[EntryPoint], offers: Mapping[str, Mapping[str, Offer]]) -> None:
        self._points = {point.name: point for point in points}
        self._offers = offers
        self._sources: dict[str, Source] = {}

    def __bool__(self) -> bool:
        return bool(self._offers)

    @classmethod
    def read(cls, points: Sequence[EntryPoint], environment: Mapping[str, str], home: str) -> Offering:
        """Read the operator's file.

        :raises Unavailable: if it cannot be read, or says something that is not known.
        """
        path = offers_file(environment, home)
        try:
            with open(path, encoding="utf-8") as file:
                data = json.load(file)
        except FileNotFoundError:
            if environment.get(_VARIABLE):
                raise _broken(path, "it does not exist") from None
            return cls(points, {})
        except (OSError, ValueError, RecursionError) as error:
            raise _broken(path, str(error)) from None
        return cls(points, _offers(path, data, [point.name for point in points]))

    def of(self, workspace: str) -> Mapping[str, Offer]:
        """Return the offers of a workspace by source."""
        return self._offers.get(workspace, self._offers.get(ALL, {}))

    def offered(self) -> Iterator[Manifest]:
        """Yield the whole manifests of all connectors of which something is offered to any workspace."""
        for name in sorted({name for offers in self._offers.values() for name in offers}):
            together = [offers[name] for offers in self._offers.values() if name in offers]
            source = self.source(name)
            for key in source.keys():  # noqa: SIM118 (a source is no mapping)
                if any(offer.may_hold(key[len(name) + 1 :]) for offer in together):
                    yield source.manifest(key)

    def stamp(self) -> str:
        """Return a text that changes with what is offered to any workspace."""
        names = sorted({name for offers in self._offers.values() for name in offers})
        services = [sorted({one for offers in self._offers.values() if name in offers for one in offers[name].services}) for name in names]
        return json.dumps([[name, self.source(name).stamp(), patterns] for name, patterns in zip(names, services, strict=True)])

    def source(self, name: str) -> Source:
        """Return a source, imported on first use."""
        found = self._sources.get(name)
        if found is None:
            found = self._sources.setdefault(name, _imported(self._points[name]))
        return found


def _imported(point: EntryPoint) -> Source:
    try:
        found: Source = connector_at(point.module, point.attribute)()
    except (ImportError, AttributeError, OSError, ValueError) as error:
        raise Unavailable(
            f"the catalog source '{point.name}' of {point.distribution} cannot be used: {type(error).__name__}: {error}",
            hint="Reinstall the package.",
        ) from error
    return found


def _offers(path: str, data: Any, sources: Sequence[str]) -> dict[str, dict[str, Offer]]:
    if not isinstance(data, dict) or not all(isinstance(item, dict) for item in data.values()):
        raise _broken(path, "it must be an object of workspaces, each an object of sources")
    for workspace, named in data.items():
        unknown = sorted({*named} - {*sources})
        if unknown:
            tail = did_you_mean(unknown[0], sources)
            raise _broken(path, f"no installed package has the source '{unknown[0][:80]}', offered to '{workspace[:80]}'{tail}")
    return {
        workspace: {name: _offer(path, f"{workspace}, {name}", item) for name, item in named.items()} for workspace, named in data.items()
    }


def _offer(path: str, where: str, data: Any) -> Offer:
    if not isinstance(data, dict) or {*data} - {*_MEMBERS}:
        raise _broken(path, f"{where}: an offer has the members {', '.join(_MEMBERS)}")
    services, effects, mcp = data.get("services"), data.get("effects", list(_EFFECTS)), data.get("mcp", False)
    if not isinstance(services, list) or not all(isinstance(item, str) and item for item in services):
        raise _broken(path, f"{where}: 'services' must be an array of names or patterns, such as s3, sqs.* or *")
    if not isinstance(effects, list) or not all(item in _EFFECTS for item in effects):
        raise _broken(path, f"{where}: 'effects' must be an array of {', '.join(_EFFECTS)}")
    if not isinstance(mcp, bool):
        raise _broken(path, f"{where}: 'mcp' must be true or false")
    return Offer(tuple(services), tuple(effects), mcp)


def _broken(path: str, reason: str) -> Unavailable:
    return Unavailable(f"the operator's offers in {path} cannot be used: {reason}", hint="Correct the file, and start the process again.")
