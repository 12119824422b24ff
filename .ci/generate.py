"""Write what is made from the code: schemas, manifests, reference pages. With ``--check`` say which
files differ, and write none.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [
    str(ROOT / ".ci"),
    str(ROOT / "runtime"),
    str(ROOT / "connectors" / "http"),
    str(ROOT),
]

from generated import (  # noqa: E402 (after the path is set)
    certainty_page,
    conformance_page,
    connect_package,
    connector_page,
    connectors,
    cookbook,
    curated,
    errors_page,
    grafana_dashboard,
    http_page,
    installations,
    invocation,
    limits_page,
    manifest,
    metrics_page,
    packages_above,
    plugin_pages,
    python_pages,
    registry_entry,
    result,
    row_page,
    sections,
    settings_page,
    shelf_tasks,
    sizing_page,
    state_files,
)

from jackfield.connector import describe  # noqa: E402 (as above)

_SERVED = ("invocation", "result")
"""Schemas that the server's OpenAPI document has, from inside its package."""
_SCHEMAS = {
    "invocation": invocation.schema,
    "result": result.schema,
    "manifest": manifest.schema,
    "install-policy": installations.policy,
    "lock": installations.lock,
    "receipt": installations.receipt,
    "state": state_files.schema,
}
_PAGES = {
    "certainty": certainty_page.page,
    "conformance": conformance_page.page,
    "conformance-triggers": conformance_page.triggers_page,
    "conformance-documents": conformance_page.documents_page,
    "configuration": settings_page.page,
    "workspace-settings": settings_page.workspace_page,
    "connector-api": python_pages.connector_api,
    "connector-models": python_pages.connector_models,
    "connector-pacing": python_pages.connector_pacing,
    "connector-evidence": python_pages.connector_evidence,
    "connector-triggers": python_pages.connector_triggers,
    "connector-calls": python_pages.connector_calls,
    "connector-connections": python_pages.connector_connections,
    "connector-errors": python_pages.connector_errors,
    "connector-wire": python_pages.connector_wire,
    "errors": errors_page.page,
    "hooks": plugin_pages.hooks,
    "http-library": python_pages.http_library,
    "http-library-connections": python_pages.http_library_connections,
    "http-library-lists": python_pages.http_library_lists,
    "http-library-errors": python_pages.http_library_errors,
    "http-library-sign-ins": python_pages.http_library_sign_ins,
    "http-operations": http_page.page,
    "http-operations-events": http_page.events_page,
    "http-operations-manage": http_page.managing_page,
    "http-operations-servers": http_page.servers_page,
    "limits": limits_page.page,
    "metrics": metrics_page.page,
    "packages": plugin_pages.packages,
    "python": python_pages.python_api,
    "python-connections": python_pages.python_connections,
    "python-results": python_pages.python_results,
    "row": row_page.page,
    "sizing": sizing_page.page,
    "testing": python_pages.testing_api,
}
"""Pages of ``docs/reference`` by name."""


def artefacts(root: Path) -> Iterator[tuple[Path, str]]:
    """Each generated file and what it must hold."""
    for name, schema in _SCHEMAS.items():
        yield root / "schemas" / f"{name}.schema.json", _json(schema())
        if name in _SERVED:
            yield (
                root / "runtime/jackfield/invocation/schemas" / f"{name}.schema.json",
                _json(schema()),
            )
    yield root / "shelf" / "service.schema.json", _json(shelf_tasks.schema())
    shown = []
    for package, connector in connectors.declared(root):
        described = describe(connector)
        yield package / "connector.json", _json(described)
        if package.parent.parent == root / "connectors":  # those of the tests have no page
            shown.append(described)
    for folder in curated.projects(root):
        yield from curated.files(folder)
    yield (
        root / "deploy" / "grafana" / "dashboards" / "jackfield.json",
        _json(grafana_dashboard.dashboard()),
    )
    yield from shelf_tasks.files(root / "shelf")
    yield root / "runtime/jackfield/kernel/packages.py", packages_above.module(root)
    yield root / "server.json", _json(registry_entry.entry())
    yield from connect_package.files(root / "clients" / "connect")
    yield root / "docs" / "reference" / "option-sources.md", plugin_pages.option_sources(shown)
    for name in cookbook.PAGES:
        yield root / "docs" / "tutorial" / f"{name}.md", cookbook.page(name)
    yield from sections.pages(root / "docs")
    for name, page in _PAGES.items():
        yield root / "docs" / "reference" / f"{name}.md", page()


def connector_pages(root: Path) -> Iterator[tuple[str, str]]:
    """Yield each page of a connector with its name below ``docs/reference/connectors``: the site is
    built with them, none is committed.
    """
    for package, connector in connectors.declared(root):
        if package.parent.parent == root / "connectors":
            yield from connector_page.pages(
                describe(connector),
                {key: action.function.__module__ for key, action in connector.actions.items()},
            )
    for folder in curated.projects(root):
        yield from connector_page.summary(curated.manifest(folder))


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _differs(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_bytes() != text.encode()


def main() -> int:
    """Write the files that differ, or list them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; list the files that differ, exit code 1 if there are any",
    )
    check = parser.parse_args().check
    differing = [(path, text) for path, text in artefacts(ROOT) if _differs(path, text)]
    for path, text in differing:
        print(path.relative_to(ROOT))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    if check and differing:
        print(
            "these files differ from what the code makes of them: run 'make generate' and look "
            "at the difference",
            file=sys.stderr,
        )
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
