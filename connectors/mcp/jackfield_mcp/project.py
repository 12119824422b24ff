"""Files of a frozen connector: manifest, lock of digests, project file and report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jackfield.connector import InvalidInput
from jackfield.manifest.parts import package_of
from jackfield.manifest.reading import INDEX
from jackfield_mcp.conversion import Converted
from jackfield_mcp.overlays import check_overlay
from jackfield_mcp.texts import one_line
from jackfield_openapi.project import as_json, pyproject_head, written
from jackfield_openapi.reading import parsed

LOCK = "mcp.lock.json"
REPORT = "mcp.report.json"
OVERLAY = "overlay.yaml"

Json = Mapping[str, Any]


def read_lock(path: Path) -> dict[str, str]:
    """Return the keys of earlier generations by tool; an empty object if there is no lock.

    :raises InvalidInput: if the file is no lock.
    """
    try:
        found = json.loads(path.read_bytes())
        return {tool: str(row["key"]) for tool, row in found["tools"].items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise InvalidInput(
            f"'{path}' is no lock of this generator", hint="Restore it; its keys are in use."
        ) from None


def read_overlay(path: Path) -> dict[str, Json]:
    """Return the settings of the project's overlay, by action key; an empty object without an
    overlay.

    :raises InvalidInput: if the overlay cannot be read, or has an unknown setting.
    """
    try:
        found = parsed(path.read_bytes(), str(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidInput(
            f"'{path}' cannot be read ({type(error).__name__})",
            hint="Write an object 'actions' of objects by key.",
        ) from None
    rows = found.get("actions") if isinstance(found, dict) else None
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise InvalidInput(
            f"'{path}' has no object 'actions'", hint="Write an object 'actions' of objects by key."
        )
    for key, row in rows.items():
        check_overlay(str(key), row)
    return {str(key): row for key, row in rows.items()}


def files_of(made: Converted, url: str) -> dict[str, bytes]:
    """Return the files of the project by their paths; the same tools give the same bytes."""
    manifest = made.manifest
    package = package_of(manifest["key"])
    content, index = written(manifest)
    return {
        f"{package}/connector.json": content,
        **({f"{package}/{INDEX}": index} if index is not None else {}),
        "pyproject.toml": _pyproject(manifest, package).encode(),
        "README.md": _readme(manifest, url).encode(),
        f"tests/test_{package.removeprefix('jackfield_')}.py": _tests(manifest, package).encode(),
        LOCK: as_json({"lockVersion": 1, "server": url, "tools": made.locked}),
        REPORT: as_json(made.report),
    }


def _pyproject(manifest: Json, package: str) -> str:
    left = "".join(
        f'{row["key"]} = "its server speaks MCP, which the loopback provider does not"\n'
        for row in manifest["actions"]
    )
    return f"""{pyproject_head(manifest, package, "mcp")}
[tool.jackfield.check]
connection = "{manifest["connectionTypes"][0]["key"]}"
values = {{ server = "${{url}}" }}
safe-posts = ["{manifest["connectionTypes"][0]["key"]}"]  # its test lists tools

[tool.jackfield.check.left-out]
{left}"""


def _tests(manifest: Json, package: str) -> str:
    name = "".join(part.capitalize() for part in manifest["key"].split("-"))
    return f'''"""The connector keeps what every connector owes its callers, and its tools stay those that were accepted."""

import json
from pathlib import Path

from jackfield.testing import Conformance

ROOT = Path(__file__).parent.parent


class Test{name}(Conformance):
    """The connector passes the rules of its grade."""

    grade = "bronze"
    sample = 8


def test_tools_are_locked() -> None:
    """Each action calls the tool whose digest the lock has."""
    actions = json.loads((ROOT / "{package}" / "connector.json").read_bytes())["actions"]
    tools = json.loads((ROOT / "{LOCK}").read_bytes())["tools"]
    pins = (action["mcp"] for action in actions)
    assert all(tools[pin.get("tool") or pin["method"]]["digest"] == pin["digest"] for pin in pins)
'''


def _readme(manifest: Json, url: str) -> str:
    return f"""# {one_line(manifest["title"], 60)}

A connector for jackfield, generated from an MCP server; it contains no code.

- `{package_of(manifest["key"])}/connector.json`: the manifest that jackfield runs.
- `{LOCK}`: the key and the digest of each tool as it was accepted. Commit it.
- `{REPORT}`: the tools that were left out, and what was left off of others, each with the reason.
- `{OVERLAY}` (yours): titles and effects by action; it is applied at every generation.

    jackfield generate mcp {url} --out .
"""
