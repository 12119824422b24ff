"""Documents that a packed wheel carries: a page of documentation in Markdown and a CycloneDX SBOM.
Both depend on the wheel alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackfield.manifest.manifest import ActionManifest, Manifest
    from jackfield.manifest.triggers import TriggerManifest
    from jackfield_market.wheels import Wheel


def page(wheel: Wheel) -> str:
    """Return the page of a connector: its connection types, actions and triggers, with their
    inputs.
    """
    return "\n".join(_lines(wheel.manifest)) + "\n"


def _lines(manifest: Manifest) -> Iterator[str]:
    yield from (
        f"# {manifest.title}",
        "",
        manifest.description,
        "",
        f"Connector `{manifest.key}`, version {manifest.version}.",
        "",
    )
    if manifest.connection_types:
        yield from ("## Connections", "")
    for kind in manifest.connection_types.values():
        yield from (
            f"### `{manifest.full_name(kind)}`: {kind.title}",
            "",
            kind.description,
            "",
            *_table(kind.schema),
            "",
        )
        if kind.setup:
            yield from (kind.setup, "")
    yield from ("## Actions", "")
    for action in manifest.actions.values():
        yield from _action(action)
    if manifest.triggers:
        yield from ("## Triggers", "")
    for trigger in manifest.triggers.values():
        yield from _trigger(trigger)


def _action(action: ActionManifest) -> Iterator[str]:
    yield from (
        f"### `{action.key}`: {action.title}",
        "",
        action.description,
        "",
        f"Effect: {action.effect}.",
    )
    for system, names in action.permissions.items():
        yield f"Permissions ({system}): {', '.join(f'`{name}`' for name in names)}."
    yield from ("", *_table(action.inputs), "", "Output:", "", *_table(action.output), "")


def _trigger(trigger: TriggerManifest) -> Iterator[str]:
    yield from (
        f"### `{trigger.key}`: {trigger.title}",
        "",
        trigger.description,
        "",
        f"Kind: {trigger.kind}.",
    )
    yield from ("", *_table(trigger.inputs), "", "Event:", "", *_table(trigger.event), "")


def _table(schema: Mapping[str, Any]) -> Iterator[str]:
    fields = schema.get("properties") or {}
    if not fields:
        yield "No values."
        return
    required = schema.get("required") or ()
    yield from ("| name | type | required | meaning |", "|---|---|---|---|")
    for name, field in fields.items():
        node = field if isinstance(field, dict) else {}
        kind = node.get("type", "any")
        shown = ", ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
        need = "yes" if name in required else ""
        yield (
            f"| `{_cell(name)}` | {_cell(shown)} | {need} | "
            f"{_cell(str(node.get('description') or node.get('title') or ''))} |"
        )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def sbom(wheel: Wheel) -> str:
    """Return the CycloneDX 1.6 document of a wheel: the wheel and its declared requirements;
    versions are resolved at installation.
    """
    metadata = wheel.metadata
    root = {
        "type": "library",
        "bom-ref": "self",
        "name": wheel.name,
        "version": wheel.version,
        "purl": f"pkg:pypi/{wheel.name}@{wheel.version}",
    }
    if metadata.license_expression:
        root["licenses"] = [{"expression": str(metadata.license_expression)}]  # type: ignore[assignment]
    needs = sorted(metadata.requires_dist or (), key=str)
    parts = [
        {
            "type": "library",
            "bom-ref": f"requirement-{number}",
            "name": need.name,
            "purl": f"pkg:pypi/{need.name.lower().replace('_', '-')}",
            "properties": [{"name": "jackfield:requirement", "value": str(need)}],
        }
        for number, need in enumerate(needs, start=1)
    ]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": parts,
        "dependencies": [{"ref": "self", "dependsOn": [part["bom-ref"] for part in parts]}],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
