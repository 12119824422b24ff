"""The library in hosts that take long to build or start: ``make campaign hosts``.

Wheels are built and installed in a fresh environment, in which a notebook runs in its kernel, and
an application is packed with shiv and with PyInstaller and calls a provider from there. The first
call of a Lambda environment is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from host_provider import SECRET, providing

ROOT = Path(__file__).parents[2]
_PROJECTS = (".", "runtime/jackfield_store", "connectors/http")
_PACKED = ("jackfield", "jackfield-store", "jackfield-http")
_TOOLS = ("ipykernel", "nbclient", "pyinstaller", "shiv")
_APPLICATION = f"""
import os
from jackfield import Jackfield

def main():
    shop = {{"type": "http/bearer", "values": {{"server": os.environ["SHOP_URL"], "token": "{SECRET}"}}}}
    with Jackfield(connections=[{{"connections": {{"shop": shop}}}}]) as jackfield:
        asked = {{"connector": "http", "action": "request", "connection": "shop", "inputs": {{"url": "/", "method": "POST"}}}}
        result = jackfield.invoke(asked)
        print(result.status, result.error or "")

if __name__ == "__main__":
    main()
"""
_NOTEBOOK = f'''
import sys, nbclient, nbformat
cells = [
    """import os
from jackfield import Jackfield
values = {{"server": os.environ["SHOP_URL"], "token": os.environ["SHOP_TOKEN"]}}
jackfield = Jackfield(connections=[{{"connections": {{"shop": {{"type": "http/bearer", "values": values}}}}}}])
asked = {{"connector": "http", "action": "request", "connection": "shop", "inputs": {{"url": "/", "method": "POST"}}}}""",
    "jackfield.invoke(asked)", "await jackfield.ainvoke(asked)",
    "jackfield", "vars(jackfield)", "jackfield.show('shop')", "jackfield.close()",
]
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
shown = nbformat.writes(notebook)
tables = [out["data"].get("text/html", "") for cell in notebook.cells for out in cell.outputs if "data" in out]
assert sum("<table>" in table and "succeeded" in table for table in tables) == 2, tables
assert "{SECRET}" not in shown
print("succeeded")
'''
_LAMBDA = """
import time
begun = time.perf_counter()
from jackfield import Jackfield
imported = time.perf_counter()
import os
shop = {"type": "http/bearer", "values": {"server": os.environ["SHOP_URL"], "token": "t"}}
jackfield = Jackfield(connections=[{"connections": {"shop": shop}}])
asked = {"connector": "http", "action": "request", "connection": "shop", "inputs": {"url": "/", "method": "POST"}}
times = []
for _ in range(3):
    before = time.perf_counter()
    assert jackfield.invoke(asked).status == "succeeded"
    times.append(time.perf_counter() - before)
print(f"import {(imported - begun) * 1000:.0f} ms, first call {times[0] * 1000:.0f} ms, third call {times[2] * 1000:.1f} ms")
"""


def _ran(
    command: Sequence[object], folder: Path, environment: Mapping[str, str] | None = None
) -> str:
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(
            f"{command[0]}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return done.stdout.strip()


def _installed(folder: Path) -> Path:
    """Build the wheels and install them in a fresh environment; return its folder of programs."""
    uv = Path(sys.executable).with_name("uv")
    for project in _PROJECTS:
        _ran(
            [uv, "build", "--quiet", "--wheel", "--out-dir", folder / "wheels", ROOT / project],
            folder,
        )
    _ran([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], folder)
    wheels = sorted((folder / "wheels").glob("*.whl"))
    where = ["--python", folder / "venv" / "bin" / "python", "-c", ROOT / "constraints.txt"]
    _ran([uv, "pip", "install", "--quiet", *where, *wheels, *_TOOLS, "pip"], folder)
    return folder / "venv" / "bin"


def _say(host: str, found: str) -> None:
    sys.stdout.write(f"{host}: {found}\n")


def main() -> None:
    """Print what came of each host."""
    with tempfile.TemporaryDirectory() as made, providing() as provider:
        folder = Path(made)
        programs = _installed(folder)
        (folder / "shop.py").write_text(_APPLICATION)
        (folder / "pyproject.toml").write_text(
            '[project]\nname = "shop"\nversion = "1"\n[tool.setuptools]\npy-modules = ["shop"]\n'
        )
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JACKFIELD_", "PYTHON"))
        }
        given = {
            **kept,
            "SHOP_URL": provider.url,
            "SHOP_TOKEN": SECRET,
            "HOME": str(folder),
            "JACKFIELD_HOME": str(folder / "home"),
        }
        _say("Jupyter, a kernel", _ran([programs / "python", "-c", _NOTEBOOK], folder, given))
        for name, database in (
            ("without a database", "none"),
            ("with SQLite", f"sqlite:///{folder / 'cold.db'}"),
        ):
            _say(
                f"Lambda, {name}",
                _ran(
                    [programs / "python", "-c", _LAMBDA],
                    folder,
                    {**given, "JACKFIELD_DATABASE_URL": database},
                ),
            )
        wheels = ("--find-links", folder / "wheels")
        _ran(
            [programs / "shiv", "-o", "shop.pyz", "-e", "shop:main", *wheels, *_PACKED, "."],
            folder,
            given,
        )
        _say("shiv", _ran([programs / "python", "shop.pyz"], folder, given))
        taken = [
            word
            for name in _PACKED
            for word in ("--collect-all", name.replace("-", "_"), "--copy-metadata", name)
        ]
        _ran([programs / "pyinstaller", "shop.py", *taken], folder, given)
        _say("PyInstaller", _ran([folder / "dist" / "shop" / "shop"], folder, given))


if __name__ == "__main__":
    main()
