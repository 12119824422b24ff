"""``make prove-public``: prove all rows and write ``docs/prove-results.md``; ``make prove-public
ROW=stripe`` proves one, and prints it.

No service is called: all requests end at a provider on loopback, and all credentials are made up.
``--newest`` installs newest releases. ``--resume`` goes on with a run of the same day that was
interrupted. ``--all`` prints each situation of the rows that are named.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any

from benchmarks.cold import COMMAND
from benchmarks.measure import ROOT
from benchmarks.prove_public import (
    engines,
    frameworks,
    mcp_servers,
    node_libraries,
    python_libraries,
)
from benchmarks.prove_public.environments import CACHE, PYTHON, SHELF, modules, prepare, version
from benchmarks.prove_public.page import Found, Ours, page, shared
from benchmarks.prove_public.software import Software

ROWS = (
    *python_libraries.SOFTWARE,
    *node_libraries.SOFTWARE,
    *frameworks.SOFTWARE,
    *mcp_servers.SOFTWARE,
    *engines.SOFTWARE,
)
_PAGE = ROOT / "docs" / "prove-results.md"
_AT_ONCE = 8
"""Rows at once: most of their time is silence and pauses between attempts."""
_SECONDS = 1200
_SILENCE, _LATE, _LIMIT = "2s", "0.5s", "120s"
_PLAYED = (
    "refused",
    "throttled",
    "failed-before",
    "failed-503",
    "taken-reset",
    "taken-closed",
    "taken-silent",
    "taken-late",
    "taken-500",
    "taken-503",
    "taken-half",
    "taken-always",
)
_OURS_PLAYED = (
    "refused",
    "failed-before",
    "taken-reset",
    "taken-silent",
    "taken-503",
    "taken-half",
)
"""Of the same kinds, one each."""


@dataclass(frozen=True)
class _Run:
    """What a command said, as JSON, and how it was called."""

    said: dict[str, Any]
    words: Sequence[str]
    seconds: float


def main(words: Sequence[str]) -> int:
    """Prove the rows; 1 if one could not be."""
    parser = argparse.ArgumentParser(
        prog="make prove-public", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    parser.add_argument(
        "rows", nargs="*", metavar="ROW", help=f"one of {', '.join(row.row for row in ROWS)}"
    )
    parser.add_argument(
        "--newest",
        action="store_true",
        help="install newest releases, also where others are installed",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="keep what was proved today with the same version and settings",
    )
    parser.add_argument("--all", action="store_true", help="print each situation")
    given = parser.parse_args(words)
    chosen = [row for row in ROWS if not given.rows or row.row in given.rows]
    if unknown := set(given.rows) - {row.row for row in chosen}:
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    CACHE.mkdir(parents=True, exist_ok=True)
    prepare(chosen, newest=given.newest)
    began = time.monotonic()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = shared(list(pool.map(partial(_found, resumes=given.resume), chosen)))
    if given.rows:
        for one in found:
            print(one.line() if not given.all else json.dumps(one.said, indent=2), flush=True)
    print(
        f"{len(found)} rows, {sum(one.is_proved for one in found)} proved, in "
        f"{time.monotonic() - began:.0f} s"
    )
    if not given.rows:
        _PAGE.write_text(page(found, datetime.now(UTC).date()), encoding="utf-8")
    return 0 if all(one.is_proved for one in found) else 1


def _found(row: Software, *, resumes: bool) -> Found:
    """Prove a row, and the same write through jackfield; or return what was found today."""
    folder = CACHE / "rows" / row.row
    digest = f"{datetime.now(UTC).date()} {version(row)} {row.digest}"
    kept = _kept(row, folder, digest) if resumes else None
    if kept is not None and kept.is_proved:
        return kept
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run = _prove(row, folder, row.program, _PLAYED)
    found = Found(row, version(row), run.said, run.seconds)
    if row.once or row.ours:
        found = found.beside(_ours(row, folder))
    (folder / "digest").write_text(digest, encoding="utf-8")
    print(found.line(), file=sys.stderr, flush=True)
    return found


def _kept(row: Software, folder: Path, digest: str) -> Found | None:
    """Return what an earlier run found; None if there was none with the digest."""
    if (
        not (folder / "digest").exists()
        or (folder / "digest").read_text(encoding="utf-8") != digest
    ):
        return None
    found = Found(
        row, version(row), json.loads((folder / "said.json").read_text(encoding="utf-8")), 0.0
    )
    way = "once" if row.once else row.ours
    beside = folder / ("once" if row.once else "ours") / "said.json"
    return found.beside(Ours(way, json.loads(beside.read_text(encoding="utf-8")))) if way else found


def _ours(row: Software, folder: Path) -> Ours:
    if row.once:
        beside = folder / "once"
        beside.mkdir(exist_ok=True)
        return Ours("once", _prove(row, beside, row.once, _OURS_PLAYED).said)
    words = ["prove", "--json", "--silence", "1s", "--late", "0.2s", *_only(_OURS_PLAYED), row.ours]
    return Ours(row.ours, _said(words, folder / "ours", row).said)


def _only(names: Sequence[str]) -> list[str]:
    return [word for name in names for word in ("--only", name)]


def _prove(row: Software, folder: Path, program: str, played: Sequence[str]) -> _Run:
    """Run ``jackfield prove`` with a program, or with the row's command."""
    words = [
        "prove",
        "--json",
        "--silence",
        _SILENCE,
        "--late",
        _LATE,
        "--limit",
        _LIMIT,
        *_only(played),
        *row.options,
    ]
    for name, text in row.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    for option, text in (("answers", row.answers), ("arguments", row.arguments)):
        if text:
            file = folder / f"{option}.json"
            file.write_text(text, encoding="utf-8")
            words += [f"--{option}", str(file)]
    return _said([*words, "--", *_command(row, folder, program)], folder, row)


def _command(row: Software, folder: Path, program: str) -> list[str]:
    if not program:
        places = {
            "python": str(PYTHON.parent),
            "modules": str(modules(row.place)),
            "folder": str(folder),
        }
        return [word.format_map(places) for word in row.words]
    is_node = row.place != "python"
    file = folder / ("write.mjs" if is_node else "write.py")
    file.write_text(dedent(program), encoding="utf-8")
    link = folder / "node_modules"
    if is_node and not link.exists():
        link.symlink_to(modules(row.place))
    return ["node" if is_node else str(PYTHON), str(file)]


def _said(words: Sequence[str], folder: Path, row: Software) -> _Run:
    began = time.monotonic()
    folder.mkdir(exist_ok=True)
    place = folder if row.place in ("python", "node", "mcp") else CACHE / row.place
    environment = {**os.environ, "PYTHONPATH": str(SHELF) if not row.once else "", **row.variables}
    try:
        done = subprocess.run(
            [COMMAND, *words],
            check=False,
            capture_output=True,
            text=True,
            cwd=place,
            timeout=_SECONDS,
            env=environment,
        )
        said: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        said = {"error": {"message": f"it has not ended after {_SECONDS} s"}}
    except ValueError:
        said = {"error": {"message": done.stderr[-500:]}}
    (folder / "said.json").write_text(json.dumps(said, indent=2), encoding="utf-8")
    return _Run(said, words, time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
