"""The subject of a conformance rule, and the declaration of a rule. Names of rules are stable:
reports and grades use them.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jackfield.catalog import Catalog
from jackfield.catalog.discovery import entry_points
from jackfield.catalog.loading import connector_at
from jackfield.connector import Connector
from jackfield.manifest.manifest import Manifest
from jackfield.schema import CompiledSchema, compile_schema
from jackfield_market.testing.declared_examples import require_examples
from jackfield_market.testing.project import Project

Tier = Literal["bronze", "silver", "gold", "platinum"]
TIERS: tuple[Tier, ...] = ("bronze", "silver", "gold", "platinum")
"""Tiers of a grade, from the lowest. A connector has a tier if all rules of that tier and of lower
tiers hold.
"""


@dataclass(frozen=True)
class Subject:
    """Connector under test.

    ``values`` (for its connection of the type ``connection``) and ``answers`` (JSON responses by
    method and path) override the suite's guesses; ``headers`` are added to every response.
    ``safe_posts`` are actions that read, or may be repeated, although they send a POST, and the
    connection type if its test reads by POST. ``left_out`` are actions and triggers that the
    loopback provider cannot serve, with the reason. ``project`` is the folder with pyproject.toml,
    if there is one.
    """

    connector: Connector
    manifest: Manifest
    folder: Path
    module: str
    values: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    safe_posts: tuple[str, ...] = ()
    connection: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    project: Project | None = None
    sample: int = 0
    """Maximum number of actions that are run, spread over all actions; 0 for no limit."""
    outcomes: dict[tuple[str, str], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Data that several rules use: attempts by action and situation, recordings, compiled
    schemas.
    """

    @classmethod
    def installed(cls, key: str, **known: Any) -> Subject:
        """Find the installed connector ``key``. Its code is imported even if the manifest differs;
        a rule reports that.
        """
        manifest = Catalog.installed().find(key)
        point = next(point for point in entry_points()["jackfield.connectors"] if point.name == key)
        return cls._imported(point.module, point.attribute, manifest, **known)

    @classmethod
    def of_project(cls, project: Project, **known: Any) -> Subject:
        """Import the connector of a project, whose folder must be on ``sys.path``;
        ``tool.jackfield.check`` configures its runs.

        :raises ManifestError: if its connector.json is not a manifest.
        """
        manifest = Manifest.from_json(project.manifest())
        return cls._imported(
            project.module,
            project.attribute,
            manifest,
            project=project,
            **{**project.check, **known},
        )

    @property
    def differs(self) -> bool:
        """Return whether connector.json differs from the code's declarations."""
        found: bool = self.manifest.raw != json.loads(json.dumps(self.connector.describe()))
        return found

    def recording(self, example: Mapping[str, Any]) -> Path | None:
        """Return the path of an example's recording, which may not exist; None without a project's
        folder.

        The path is ``tests/recordings/example-KEY.json`` for the first example of the action
        ``KEY``; the name for the second ends in ``-2``.
        """
        if self.project is None:
            return None
        key = example["invocation"]["action"]
        examples = next(
            (raw.get("examples", ()) for raw in self.manifest.raw["actions"] if raw["key"] == key),
            (),
        )
        number = next((number for number, other in enumerate(examples, 1) if other == example), 1)
        return (
            self.project.root
            / "tests"
            / "recordings"
            / f"example-{key}{f'-{number}' if number > 1 else ''}.json"
        )

    def compiled(self, where: str, schema: Mapping[str, Any]) -> CompiledSchema:
        """Return the schema of "inputs of KEY", "output of KEY" or "connection type KEY", compiled
        once for all rules.

        :raises JackfieldError: if the schema does not compile, or a ValueError.
        """
        key = (where, "schema")
        if key not in self.outcomes:
            self.outcomes[key] = compile_schema(schema)
        found: CompiledSchema = self.outcomes[key]
        return found

    @classmethod
    def _imported(cls, module: str, attribute: str, manifest: Manifest, **known: Any) -> Subject:
        require_examples(manifest.raw)
        connector: Connector = connector_at(module, attribute)
        package = module.partition(".")[0]
        return cls(
            connector,
            manifest,
            Path(importlib.import_module(package).__path__[0]),
            package,
            **known,
        )


@dataclass(frozen=True)
class Rule:
    """Requirement on every connector. ``check`` yields a sentence for each fault; ``cure`` is the
    advice for these faults.

    ``drives`` marks a rule that runs actions against a loopback provider; such a rule applies only
    if a connection value names the server. ``of_project`` marks a rule about the project's folder,
    which an installed wheel does not have. ``reason`` returns the reason why the rule does not
    apply to a connector, or None.
    """

    name: str
    says: str
    check: Callable[[Subject], Iterator[str]]
    tier: Tier
    cure: str
    drives: bool = False
    of_project: bool = False
    reason: Callable[[Subject], str | None] | None = None
