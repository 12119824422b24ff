"""Run all benchmarks (or those named), print the ratios and write docs/performance.md (or the rows of those named in it)."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version

from benchmarks.measure import ROOT, Line

_PARTS = (
    "sending",
    "journal",
    "attachment",
    "listing",
    "smtp",
    "pacing",
    "queued",
    "queue_budgets",
    "files",
    "isolation",
    "cold",
    "http_api",
    "http_client",
    "aws_calls",
    "catalogue",
    "catalogue_size",
    "journal_size",
)
_PAGE = ROOT / "docs" / "performance.md"
_HEAD = """# Performance

Ratios measured side by side, each in one run of its part of `make bench`, against a fake AWS endpoint of our own on loopback. They are medians over alternating
rounds; absolute figures are for scale only and belong to the machine that ran them. No real AWS was called.

Measured with Python {python}, botocore {botocore}, jsonschema-rs {schema}, pydantic {pydantic}, on {cores} cores.

| what | measured | goal | met |
|---|---|---|---|
"""


def _main(names: list[str]) -> int:
    rows = []
    for name in names or _PARTS:
        for line in _lines(name):
            mark = {True: "yes", False: "**no**", None: "–"}[line.met]
            print(f"{line.what}: {line.measured} (goal {line.goal}; met: {mark.strip('*')})", flush=True)
            rows.append(f"| {line.what} | {line.measured} | {line.goal} | {mark} |")
            if names:
                _PAGE.write_text(_with_row(_PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")
    if not names:
        _PAGE.write_text(_head() + "\n".join(rows) + "\n", encoding="utf-8")
    return 0


def _with_row(page: str, rows: list[str]) -> str:
    """Return the page with the last of ``rows`` in the place of the row of the same name; a new one follows the row before it, or is last."""
    lines = page.splitlines()
    places = {line.split(" | ")[0]: number for number, line in enumerate(lines)}
    *before, row = (places.get(row.split(" | ")[0]) for row in rows[-2:])
    if row is not None:
        lines[row] = rows[-1]
    else:
        lines.insert(before[0] + 1 if before and before[0] is not None else len(lines), rows[-1])
    return "\n".join(lines) + "\n"


def _lines(name: str) -> Iterator[Line]:
    found: Iterator[Line] = import_module(f"benchmarks.{name}").lines()
    return found


def _head() -> str:
    import os

    return _HEAD.format(
        python=platform.python_version(),
        botocore=version("botocore"),
        schema=version("jsonschema-rs"),
        pydantic=version("pydantic"),
        cores=os.cpu_count(),
    )


sys.exit(_main(sys.argv[1:]))
