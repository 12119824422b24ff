"""What a conformance rule is asked about, and how a rule is declared. Names of rules are stable: reports and grades are made from them."""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jackfield.catalog import Catalog
from jackfield.catalog.discovery import entry_points
from jackfield.connector import Connector
from jackfield.manifest import Manifest

__all__ = ["Rule", "Subject"]


@dataclass(frozen=True)
class Subject:
    """A connector under test. ``values`` and ``answers`` are what its author knows better than the suite: values for its connection, and
    the JSON that its provider answers to a method and a path. ``safe_posts`` are actions that read although they send a POST."""

    connector: Connector
    manifest: Manifest
    folder: Path
    module: str
    values: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    safe_posts: tuple[str, ...] = ()

    @classmethod
    def installed(cls, key: str, **known: Any) -> Subject:
        """Find the connector ``key`` of this environment; its code is imported though the manifest differs, which a rule tells."""
        manifest = Catalog.installed().find(key)
        point = next(point for point in entry_points()["jackfield.connectors"] if point.name == key)
        module = importlib.import_module(point.module)
        connector: Connector = operator.attrgetter(point.attribute)(module)
        package = point.module.partition(".")[0]
        return cls(connector, manifest, Path(str(importlib.import_module(package).__file__)).parent, package, **known)


@dataclass(frozen=True)
class Rule:
    """One thing that every connector owes its callers. ``check`` gives a sentence for each fault.

    ``drives`` says that it runs actions against a provider on loopback: it applies where a value of a connection names the server.
    """

    name: str
    says: str
    check: Callable[[Subject], Iterator[str]]
    drives: bool = False
