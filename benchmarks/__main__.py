"""Run all parts of the benchmarks (or those named), print the lines and write their sections of
docs/performance.md and its further pages.

``make bench`` runs it, ``make bench PART`` one part, in at most five minutes. ``make bench calls``,
the bar of a release, takes up to ten minutes a line. ``CAMPAIGN=1`` has the large sizes.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import ROOT, Line
from benchmarks.trees import commit

_CALLS = (
    "calls",
    "no_op",
    "sending",
    "journal",
    "twins",
    "attachment",
    "listing",
    "smtp",
    "pacing",
    "isolation",
    "cold",
)
_SERVERS = (
    "http_api",
    "http_lanes",
    "http_sends",
    "http_client",
    "mcp_calls",
    "aws_calls",
    "events",
    "queued",
    "queue_budgets",
)
_SIZES = ("catalogue", "files", "catalogue_size", "journal_size", "keyed_commits")
_PARTS = (*_CALLS, *_SERVERS, *_SIZES)
_DOCS = ROOT / "docs"
_PAGES = {
    _DOCS / "performance.md": _CALLS,
    _DOCS / "performance-servers.md": _SERVERS,
    _DOCS / "performance-sizes.md": _SIZES,
}
"""Parts by page: one page with all of them would be too long for a phone."""
_HEAD = """# Performance

Ratios measured side by side, each in one run of its part of `make bench`, against fake providers of our own on loopback. No real AWS was called.

- Each side is a process of its own. The sides take turns, in rounds of 20 ms of the measured time (CPU, or time passed) or of one call if that takes longer; the order
  rotates. A figure is the median of the ratios within rounds, 31 or more of them. Cold starts, loads on a server and attachments have longer rounds, and fewer.
- Absolute figures are medians too; they are for scale only and belong to the machine that ran them. A part says how fast that was: the CPU time of a loop of a
  million turns in Python, before and after it. Parts without that sentence were measured before it was there.
- *Against the baseline*: ours divided by ours with the code of the last release, or of another commit that `benchmarks/baseline` names, in the same rounds. A part says which;
  parts that do not were measured against `a9bbf4f`, with goals of that time. "–": not compared, or that code lacks what the line needs.
- `calls` is the bar of a release, in CPU time. Ours, ours again (A/A) and the baseline run on one core, a server's load on another. Each *sitting* of some rounds starts
  them anew, since the memory layout of a process makes it up to 5 % faster or slower than another process of the same code. Figures are medians of sittings, with their 95 %
  confidence interval. A line is judged once the interval of A/A is within 1.01; if it is not after ten minutes, there is no verdict.
- *Load*: the load average of one minute when the line was measured, which has the benchmark itself in it. "–": measured in longer rounds, before this
  column was there.

`make bench PART` measures one part again, in at most five minutes, `calls` in up to ten minutes a line. Large sizes: `CAMPAIGN=1 make bench PART`.

[Performance of servers](performance-servers.md) has the HTTP API, the clients of HTTP and AWS, and queues; [Performance at size](performance-sizes.md) has
catalogues, journals and files.

Measured with Python {python}, botocore {botocore}, jsonschema-rs {schema}, pydantic {pydantic}, on {cores} cores.
"""
_FURTHER_HEADS = {
    _SERVERS: "# Performance of servers\n\nThe HTTP API, the clients of HTTP and AWS, and queues. "
    "[Performance](performance.md) says how they are measured.\n\n"
    "The fair bound is a Starlette and uvicorn application that does the same work for a "
    "journalled call, with its HTTP client in threads, as "
    "connectors' functions are, or on the event loop; rows say the database and the connections.\n",
    _SIZES: (
        "# Performance at size\n\nCatalogues, journals and files at size. "
        "[Performance](performance.md) says how they are measured.\n"
    ),
}
_TABLE = (
    "| what | measured | against the baseline | goal | met | load |\n|---|---|---|---|---|---|\n"
)
_MET = {True: "yes", False: "**no**", None: "–"}


def _main(names: list[str]) -> int:
    if unknown := set(names).difference(_PARTS):
        print(
            f"no such part: {', '.join(sorted(unknown))}. The parts: {', '.join(_PARTS)}",
            file=sys.stderr,
        )
        return 2
    sections = _sections()
    for name in names or _PARTS:
        began, first = time.monotonic(), _loop()
        rows = "".join(_measured(name))
        machine = (
            f"A loop of a million turns took {first:.0f} ms before and {_loop():.0f} ms after; "
            f"the baseline was `{commit():.9}`."
        )
        print(f"{name}: {time.monotonic() - began:.0f} s. {machine}", flush=True)
        sections[name] = f"{machine}\n\n{_TABLE}{rows}"
        _write(sections)
    return 0


def _write(sections: dict[str, str]) -> None:
    """Write the pages: their parts in order, then what somebody has written there about other
    measurements.
    """
    for page, parts in _PAGES.items():
        others = [name for name in _sections_of(page) if name not in _PARTS]
        text = "".join(
            f"\n## {part}\n\n{sections[part]}" for part in (*parts, *others) if part in sections
        )
        page.write_text((_FURTHER_HEADS.get(parts) or _head()) + text, encoding="utf-8")


def _measured(name: str) -> Iterator[str]:
    """Print each line of a part; yield it as a row of the table."""
    lines: Iterator[Line] = import_module(f"benchmarks.{name}").lines()
    for line in lines:
        met, load = _MET[line.met], f"{os.getloadavg()[0]:.1f}"
        said = (
            f"{line.what}: {line.measured}, against the baseline {line.before} (goal "
            f"{line.goal}; met: {met.strip('*')}; load {load})"
        )
        print(said, flush=True)
        yield f"| {line.what} | {line.measured} | {line.before} | {line.goal} | {met} | {load} |\n"


def _loop() -> float:
    """Return the milliseconds of CPU time that a loop of a million turns takes here: the best of
    five.
    """
    taken = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(1_000_000):
            pass
        taken.append(time.process_time() - began)
    return min(taken) * 1000


def _sections() -> dict[str, str]:
    """Return what the pages have below each of their headings: tables of parts, and what else was
    measured.
    """
    return {name: text for page in _PAGES for name, text in _sections_of(page).items()}


def _sections_of(page: Path) -> dict[str, str]:
    found = page.read_text(encoding="utf-8").split("\n## ")[1:] if page.exists() else []
    return {
        name: table.strip() + "\n" for name, _, table in (text.partition("\n") for text in found)
    }


def _head() -> str:
    return _HEAD.format(
        python=platform.python_version(),
        botocore=version("botocore"),
        schema=version("jsonschema-rs"),
        pydantic=version("pydantic"),
        cores=os.cpu_count(),
    )


sys.exit(_main(sys.argv[1:]))
