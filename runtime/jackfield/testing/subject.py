"""The subject of a conformance rule, and the declaration of a rule. Names of rules are stable: reports and grades use them."""

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


@dataclass(frozen=True)
class Subject:
    """Connector under test.

    ``values`` (for its connection) and ``answers`` (JSON responses by method and path) override the suite's guesses. ``safe_posts`` are
    actions that read although they send a POST.
    """

    connector: Connector
    manifest: Manifest
    folder: Path
    module: str
    values: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    safe_posts: tuple[str, ...] = ()

    @classmethod
    def installed(cls, key: str, **known: Any) -> Subject:
        """Find the installed connector ``key``. Its code is imported even if the manifest differs; a rule reports that."""
        manifest = Catalog.installed().find(key)
        point = next(point for point in entry_points()["jackfield.connectors"] if point.name == key)
        module = importlib.import_module(point.module)
        connector: Connector = operator.attrgetter(point.attribute)(module)
        package = point.module.partition(".")[0]
        return cls(connector, manifest, Path(str(importlib.import_module(package).__file__)).parent, package, **known)


@dataclass(frozen=True)
class Rule:
    """Requirement on every connector. ``check`` yields a sentence for each fault.

    ``drives`` marks a rule that runs actions against a loopback provider: it applies only if a connection value names the server.
    """

    name: str
    says: str
    check: Callable[[Subject], Iterator[str]]
    drives: bool = False
