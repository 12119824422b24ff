"""The project of a sound connector, which keeps every rule of a grade; tests of author's tools
begin with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from jackfield_market.testing.project import Project
from plugboard import make_connector

SOUND = (Path(__file__).parents[1] / "jackfield_market" / "mutants" / "sound.py").read_text(
    encoding="utf-8"
)


def _recording(*exchanges: tuple[str, str, object, object]) -> str:
    """A recording of exchanges: method, path, and the JSON of request and response."""
    rows = [
        {
            "request": {
                "method": method,
                "path": path,
                "contentType": "application/json",
                "json": sent,
            },
            "response": {
                "status": 200,
                "headers": {"content-type": "application/json"},
                "json": returned,
            },
        }
        for method, path, sent, returned in exchanges
    ]
    return json.dumps({"recordingVersion": 1, "exchanges": rows}, indent=2)


_WEIGHED = (
    ("POST", "/weighings", {"name": "ada"}, {"id": "w1"}),
    ("GET", "/weighings/w1", None, {"state": "busy", "percent": 20}),
    ("GET", "/weighings/w1", None, {"state": "busy", "percent": 60}),
    ("GET", "/weighings/w1", None, {"state": "done", "grams": 7}),
)
FILES = {
    "pyproject.toml": """[project]
name = "jackfield-parcel"
version = "1.0.0"
license = "MIT"
dependencies = ["jackfield>=0.1,<1"]

[project.entry-points."jackfield.connectors"]
parcel = "jackfield_parcel:connector"
""",
    "README.md": f"""# Parcel

Sends parcels {"far and wide " * 10}

| action | does |
| --- | --- |
| `findParcel`, `weighParcel` | reads `GET /parcels` |

    jackfield connections add my-parcel --type parcel/TYPE
    jackfield invoke parcel ACTION --connection my-parcel
    jackfield invoke parcel findParcel name=ada
""",
    "CHANGELOG.md": "# Changes\n\n## 1.0.0\n\nThe first.\n",
    "tests/test_parcel.py": "from jackfield.testing import Conformance\n\n\ndef test_it() -> None: ...\n",
    "tests/recordings/example-findParcel.json": _recording(
        ("GET", "/parcels?name=ada", None, {"id": "p1"})
    ),
    "tests/recordings/example-weighParcel.json": _recording(*_WEIGHED),
    "jackfield_parcel/py.typed": "",
}
"""The files of the sound connector's project, beside its package."""


def write_files(folder: Path, files: Mapping[str, str]) -> Project:
    """Write the project's files around a package that is there already."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Project.read(folder)


def parcel_project(folder: Path, source: str = SOUND) -> Project:
    """Write the whole project."""
    make_connector(folder, "parcel", source)
    return write_files(folder, FILES)
