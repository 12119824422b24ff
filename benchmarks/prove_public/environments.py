"""Environments that rows run in: one of Python, and folders of npm. They lie outside of the
repository, and are kept between runs.

``JACKFIELD_PROVE_CACHE`` names the folder (default: ``~/.cache/jackfield/prove-public``). Newest
releases are installed with ``--newest``, or where nothing is installed yet.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cold import COMMAND
from benchmarks.measure import ROOT
from benchmarks.prove_public.software import Place, Software

CACHE = Path(
    os.environ.get("JACKFIELD_PROVE_CACHE") or Path.home() / ".cache" / "jackfield" / "prove-public"
)
PYTHON = CACHE / "python" / "bin" / "python"
SHELF = CACHE / "shelf"
_UV = (sys.executable, "-m", "uv")
_OURS = ("-e", str(ROOT), "-e", str(ROOT / "runtime" / "jackfield_store"))
"""Packages of jackfield that a program with a boundary imports."""
_INSTALLED = frozenset({"github", "slack", "stripe", "http"})
"""Connectors that the development environment has; others are built of the shelf."""


def modules(place: Place) -> Path:
    """Return the folder with the packages of an environment of npm."""
    return CACHE / place / "node_modules"


def prepare(rows: Sequence[Software], *, newest: bool) -> None:
    """Install what the rows need and what is not there; everything anew if ``newest``."""
    for place in sorted({row.place for row in rows}):
        packages = sorted(
            {package for row in rows if row.place == place for package in row.packages}
        )
        if place == "python":
            _with_uv(packages, newest=newest)
        else:
            _with_npm(place, packages, newest=newest)
    _with_shelf(
        sorted({row.ours.partition("/")[0] for row in rows if row.ours} - _INSTALLED), newest=newest
    )


def _with_uv(packages: Sequence[str], *, newest: bool) -> None:
    if not PYTHON.exists():
        subprocess.run(
            [*_UV, "venv", "--quiet", "--python", sys.executable, str(PYTHON.parents[1])],
            check=True,
        )
    upgrade = ("--upgrade",) if newest else ()
    subprocess.run(
        [*_UV, "pip", "install", "--quiet", *upgrade, "--python", str(PYTHON), *_OURS, *packages],
        check=True,
    )


def _with_npm(place: Place, packages: Sequence[str], *, newest: bool) -> None:
    folder = CACHE / place
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "package.json").exists():
        (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    missing = [
        package
        for package in packages
        if newest or not (modules(place) / _name(package) / "package.json").exists()
    ]
    if missing:
        words = [
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--silent",
            "--ignore-scripts",
            *missing,
        ]
        subprocess.run(words, cwd=folder, check=True)


def _with_shelf(keys: Sequence[str], *, newest: bool) -> None:
    """Build the connectors of the shelf that are not built, into a folder for PYTHONPATH."""
    missing = [
        key for key in keys if newest or not (SHELF / f"jackfield_{key.replace('-', '_')}").exists()
    ]
    if missing:
        built = CACHE / "built"
        subprocess.run(
            [COMMAND, "shelf", "build", *missing, "--pack", "--out", str(built)],
            check=True,
            capture_output=True,
            cwd=ROOT,
        )
        wheels = [
            str(built / "dist" / f"jackfield_{key.replace('-', '_')}-*.whl") for key in missing
        ]
        found = [
            str(wheel)
            for pattern in wheels
            for wheel in Path(pattern).parent.glob(Path(pattern).name)
        ]
        subprocess.run(
            [
                *_UV,
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--upgrade",
                "--target",
                str(SHELF),
                *found,
            ],
            check=True,
        )


def version(row: Software) -> str:
    """Return the version of a row's first package."""
    package = row.package
    if row.place != "python":
        text = (modules(row.place) / package / "package.json").read_text(encoding="utf-8")
        return str(json.loads(text)["version"])
    asked = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run(
        [str(PYTHON), "-c", asked], check=True, capture_output=True, text=True
    ).stdout.strip()


def _name(package: str) -> str:
    """Return a package's name without a version."""
    return package[0] + package[1:].partition("@")[0].partition("==")[0]
