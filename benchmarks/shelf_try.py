"""Newcomers to the shelf: each of its services is installed from a catalogue into an empty data
folder, and tried, by two commands.

``make shelf-try`` packs, signs and publishes the shelf into a throw-away catalogue, and prints for
how many services a first read has succeeded, and the time of both commands. ``python -m
benchmarks.shelf_try KEY ...`` tries some.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cold import COMMAND
from benchmarks.measure import ROOT
from benchmarks.trees import environment

_SECONDS = 600
_MEDIAN, _MOST = 3.0, 10.0
"""Seconds that the commands of one service may take: half of the services, and each."""


def main(keys: list[str]) -> int:
    """Try the services; 1 if a first read has failed, or takes longer than it may."""
    with tempfile.TemporaryDirectory() as folder:
        site = _published(Path(folder), keys)
        rows = [
            _tried(Path(folder), site, wheel)
            for wheel in sorted(Path(folder, "dist").glob("*.whl"))
        ]
    for row in rows:
        print(f"{row['key']}: {row['seconds']:.1f} s, {row['said']}", flush=True)
    took, good = [row["seconds"] for row in rows], sum(row["said"] == "succeeded" for row in rows)
    print(
        f"shelf: {good} of {len(rows)} first reads succeeded, two commands each; median "
        f"{median(took):.1f} s (at most {_MEDIAN:.0f} s), "
        f"slowest {max(took):.1f} s (at most {_MOST:.0f} s); load average {os.getloadavg()[0]:.1f}"
    )
    return 0 if good == len(rows) and median(took) <= _MEDIAN and max(took) <= _MOST else 1


def _run(*words: str, home: Path) -> dict[str, Any]:
    done = subprocess.run(
        [COMMAND, *words, "--json"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=_SECONDS,
        env=environment(settings={"JACKFIELD_HOME": str(home)}),
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(
            f"jackfield {' '.join(words)}: exit code {done.returncode}: {done.stderr[-500:]}"
        ) from None
    return found


def _published(folder: Path, keys: list[str]) -> Path:
    """Build, pack and sign the services, and publish them; return the site."""
    home, dist, site, key = (
        folder / "operator",
        folder / "dist",
        folder / "site",
        folder / "shelf.key",
    )
    _run("publisher", "new", "shelf", "--out", str(key), home=home)
    _run("shelf", "build", *keys, "--pack", "--key", str(key), "--out", str(folder), home=home)
    _run("catalogue", "init", str(site), home=home)
    _run("catalogue", "build", str(dist), "--out", str(site), home=home)
    return site


def _tried(folder: Path, site: Path, wheel: Path) -> dict[str, Any]:
    key = wheel.name.split("-")[0].removeprefix("jackfield_").replace("_", "-")
    home, began = folder / "homes" / key, time.perf_counter()
    _run(
        "install",
        key,
        "--from",
        str(site),
        "--root",
        str(site / "metadata" / "root.json"),
        home=home,
    )
    found = _run("try", key, home=home)
    seconds = time.perf_counter() - began
    said = found.get("result", found).get("status") or found["error"]["message"]
    if found.get("connection", {}).get("test") != "ok":
        said = f"the connection's test is not ok: {said}"
    return {"key": key, "seconds": seconds, "said": said}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
