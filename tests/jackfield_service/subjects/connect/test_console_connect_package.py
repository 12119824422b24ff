"""The package of npm in ``clients/connect``: it packs, installs, is typed for both kinds of
modules, and is the script that is served.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from jackfield import __version__
from jackfield_service.shell.pages.layout.assets import content_of

ROOT = Path(__file__).resolve().parents[4]
PACKAGE = ROOT / "clients" / "connect"
SAMPLES = ROOT / "tests" / "clients"
NODE = Path(sys.prefix) / "node" / "node_modules" / ".bin"


def run(folder: Path, *command: str | Path) -> str:
    """Run a command to its good end; what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_package_is_packed_installed_typed_and_run(tmp_path: Path) -> None:
    """``npm pack`` makes a tarball that installs offline; ``tsc --strict`` takes callers of both
    kinds of modules, and Node runs them.
    """
    if shutil.which("npm") is None or not (NODE / "tsc").exists():
        pytest.skip("no npm here, or no tsc ('make clients' installs it)")
    made = json.loads(
        run(PACKAGE, "npm", "pack", "--json", "--ignore-scripts", "--pack-destination", tmp_path)
    )[0]
    tarball = tmp_path / made["filename"]
    with tarfile.open(tarball) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
        script = archive.extractfile("package/connect.js")
        assert script is not None
        assert script.read() == content_of("embed.js")
    assert names == {
        "package.json",
        "README.md",
        "connect.js",
        "connect.mjs",
        "connect.d.ts",
        "connect.d.mts",
    }
    assert (made["name"], made["version"]) == ("jackfield-connect", __version__)
    home = tmp_path / "app"
    home.mkdir()
    (home / "package.json").write_text('{"private": true}', encoding="utf-8")
    run(home, "npm", "install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts", tarball)
    for name in ("connect.mts", "connect.cts"):
        shutil.copy(SAMPLES / name, home)
    run(
        home,
        NODE / "tsc",
        "--strict",
        "--target",
        "es2022",
        "--module",
        "nodenext",
        "--lib",
        "es2022,dom",
        "connect.mts",
        "connect.cts",
    )
    printed = [
        run(home, "node", "-e", f"globalThis.self = globalThis; {load}")
        for load in ("import('./connect.mjs')", "require('./connect.cjs')")
    ]
    assert printed == ["function true\n", "function\n"]
