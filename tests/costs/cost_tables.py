"""Tables of what calls and cold commands cost: measured, compared with the committed ones, written
again by ``make costs``.

All is measured in processes of their own, which see the echo, a no-op, ``aws-ses`` and ``http``,
whatever else is installed.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.costs import call_counts
from tests.costs.call_counts import Functions

from plugboard import declare, hide_others, make_connector, make_echo
from stage import clean_environment

ROOT = Path(__file__).parents[2]
CALLS, IMPORTS = (ROOT / "tests" / "costs" / name for name in ("calls.json", "imports.json"))
PINNED = "3.11"
"""Version of Python that the tables are for: others import other modules of their own library, and
call some functions otherwise.
"""
_SLACK = 0.05
AGAIN = "If that is worth it, run `make costs`, and say why in the commit."
Table = dict[str, dict[str, Any]]
_NO_OP = '''
from jackfield.connector import Connector, Inputs, Output

class Nothing(Inputs):
    """No input."""

class Done(Output):
    """No output."""

connector = Connector("noop", title="No-op", version="1.0.0")

@connector.action("do", effect="read")
def do(nothing: Nothing) -> Done:
    """Do nothing."""
    return Done()
'''


def is_pinned() -> bool:
    """Return True if this is the Python that the tables are for."""
    return platform.python_implementation() == "CPython" and platform.python_version().startswith(
        f"{PINNED}."
    )


def committed(path: Path) -> Table:
    """Read a table of the repository."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


@cache
def _environment(folder: Path) -> dict[str, str]:
    """Return an environment with the connectors of the tables and no others, and nothing that
    changes what Python imports.
    """
    own, hidden = folder / "plugs", folder / "hidden"
    paths = make_echo(own)
    make_connector(own, "noop", _NO_OP)
    declare(
        own, "jackfield-aws-ses", "jackfield.connectors", {"aws-ses": "jackfield_aws_ses:connector"}
    )
    declare(
        own, "jackfield-http", "jackfield.connectors", {"http": "jackfield_http.request:connector"}
    )
    hide_others(hidden)
    sources = (
        "runtime",
        "runtime/jackfield_market",
        "connectors/aws",
        "connectors/aws-ses",
        "connectors/http",
        "tests/support",
    )
    path = os.pathsep.join([*paths, str(hidden), *(str(ROOT / source) for source in sources)])
    kept = {
        name: value
        for name, value in clean_environment(folder).items()
        if not name.startswith(("PYTHON", "COV_", "COVERAGE_")) or name == "PYTHONPYCACHEPREFIX"
    }
    return {**kept, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}


def _printed(folder: Path, *arguments: str, **more: str) -> Any:
    """Run this Python and read the JSON that it prints."""
    command, environment = [sys.executable, *arguments], {**_environment(folder), **more}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


# Calls


def functions(folder: Path) -> dict[str, Functions]:
    """Count the calls of each function, by scene."""
    found: dict[str, Functions] = _printed(folder, call_counts.__file__, str(folder))
    return found


def calls(found: Mapping[str, Functions]) -> Table:
    """Make the table of calls: for each scene its sentence, the number of calls, and that of each
    module.
    """
    return {
        name: {
            "what": call_counts.SCENES[name][0],
            "calls": sum(own.values()),
            "modules": _by_module(own),
        }
        for name, own in found.items()
    }


def _by_module(own: Functions) -> dict[str, int]:
    modules = Counter[str]()
    for function, count in own.items():
        modules[function.partition(":")[0]] += count
    return dict(sorted(modules.items()))


def changed_calls(old: Table, found: Mapping[str, Functions]) -> Iterator[str]:
    """Say which scenes differ from the committed table: the modules that do, and the functions
    called in them now.

    Another Python than the pinned one may call a few functions more or less often.
    """
    for name, now in calls(found).items():
        was = old.get(name, {"calls": 0, "modules": {}})
        if was == now or (
            not is_pinned() and abs(now["calls"] - was["calls"]) <= _SLACK * was["calls"]
        ):
            continue
        yield f"{name}: {was['calls']} calls before, {now['calls']} now. {now['what']}"
        for module in sorted({*was["modules"], *now["modules"]}):
            before, after = was["modules"].get(module, 0), now["modules"].get(module, 0)
            if before != after:
                yield f"    {module}: {before} → {after}, now {_called(found[name], module)}"
    yield from (f"{name}: no longer counted" for name in old if name not in found)


def _called(own: Functions, module: str) -> str:
    counts = sorted(
        (function.partition(":")[2], count)
        for function, count in own.items()
        if function.partition(":")[0] == module
    )
    return ", ".join(f"{function} {count}" for function, count in counts) or "none"


# Modules

_SAYS, _SENDS = ("invoke", "--file", "say.json"), ("invoke", "--file", "send.json")
_COMMANDS: dict[str, tuple[str, tuple[str, ...], bool]] = {
    "help": ("The list of commands.", ("--help",), False),
    "version": ("The version.", ("--version",), False),
    "unknown command": ("A command that does not exist.", ("nonsense",), False),
    "connectors list": ("The connectors.", ("connectors", "list"), False),
    "schema": ("The schema of an action.", ("schema", "echo", "say"), False),
    "search": ("A search for actions, which makes the index.", ("search", "say"), False),
    "unknown connector": (
        "An invocation of a connector that does not exist.",
        ("invoke", "ecco", "say"),
        False,
    ),
    "invoke": (
        "An invocation of the echo's `say`, with a connection from a file, without a journal.",
        _SAYS,
        False,
    ),
    "invoke, first journal": ("The same, which makes the journal in SQLite.", _SAYS, True),
    "invoke, journal": ("The same, with a journal in SQLite that exists.", _SAYS, True),
    "sendEmail": ("A mail by `aws-ses`, with an access key, without a journal.", _SENDS, False),
}
"""Commands by name: a sentence, the words, and whether there is a journal."""
_DEAR = (
    "argparse",
    "asyncio",
    "concurrent.futures",
    "ctypes",
    "dataclasses",
    "decimal",
    "email",
    "hashlib",
    "http.client",
    "importlib.metadata",
    "inspect",
    "json",
    "logging",
    "multiprocessing",
    "pathlib",
    "random",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "typing",
    "urllib.parse",
    "urllib.request",
    "uuid",
    "xml.etree.ElementTree",
    "zipfile",
    "zoneinfo",
)
"""Modules of the standard library that cost a cold command most. The others are not listed:
releases of Python change them.
"""
_RUN = """
import sys
found, out = set(), sys.stdout

class Finder:
    @staticmethod
    def find_spec(name, *_):
        current = getattr(sys.modules.get("threading"), "current_thread", None)
        if current is None or current().name != "jackfield-lease":
            found.add(name)

sys.meta_path.insert(0, Finder)
sys.stdout = sys.stderr
from jackfield.cli.main import main
code = main(sys.argv[1:])
imported = sorted(found & sys.modules.keys())
import json
json.dump([code, imported], out)
"""
"""Run a command, and print what it imported, without the thread of the journal's upkeep: how far
that gets depends on the machine.
"""


def imports(folder: Path) -> Table:
    """Make the table of modules: for each command ours by package, others' packages, and what is
    dear of the standard library.
    """
    for name, invocation in (("say", call_counts.SAY), ("send", call_counts.SEND)):
        (folder / f"{name}.json").write_text(json.dumps(invocation), encoding="utf-8")
    with call_counts.provider() as known:
        (folder / "connections.json").write_text(
            json.dumps({"connections": known}), encoding="utf-8"
        )
        return {
            name: {"what": what, **_imported(folder, words, journal=journal)}
            for name, (what, words, journal) in _COMMANDS.items()
        }


def _imported(folder: Path, words: tuple[str, ...], *, journal: bool) -> dict[str, Any]:
    database = f"sqlite:///{folder / 'cold.db'}" if journal else "none"
    settings = {
        "JACKFIELD_CONNECTIONS": str(folder / "connections.json"),
        "JACKFIELD_DATABASE_URL": database,
    }
    code, found = _printed(folder, "-c", _RUN, *words, **settings)
    ours = [module for module in found if module.startswith("jackfield")]
    packages: dict[str, str] = {}
    for module in ours:
        package, _, own = module.rpartition(".")
        packages[package] = f"{packages[package]} {own}" if package in packages else own
    return {
        "command": " ".join(("jackfield", *words)),
        "exit code": code,
        "modules": len(ours),
        "jackfield": dict(sorted(packages.items())),
        "others": sorted(
            {module.partition(".")[0] for module in found if module[0] != "_"}
            - sys.stdlib_module_names
            - {*packages[""].split()}
        ),
        "standard": [module for module in _DEAR if module in found],
    }


def changed_imports(old: Table, found: Table) -> Iterator[str]:
    """Say which commands differ from the committed table, and by which modules."""
    for name in {**old, **found}:
        before, now = (_modules(table[name]) if name in table else set() for table in (old, found))
        if before != now:
            yield f"{name}: imports {sorted(now - before)} and no longer {sorted(before - now)}"


def _modules(row: Mapping[str, Any]) -> set[str]:
    """Flatten a row. Another Python than the pinned one has another library, for which packages of
    others make up.
    """
    ours = {
        f"{package}.{module}".lstrip(".")
        for package, own in row["jackfield"].items()
        for module in own.split()
    }
    rest = {*row["others"], *row["standard"]} if is_pinned() else set()
    return {*ours, *rest, f"(exit code {row['exit code']})"}


def main() -> None:
    """Write both tables again."""
    if not is_pinned():
        sys.exit(f"the tables are for CPython {PINNED}; run this with that")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, table in ((CALLS, calls(functions(folder))), (IMPORTS, imports(folder))):
            path.write_text(
                json.dumps(table, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
            )


if __name__ == "__main__":
    main()
