"""Generated connectors on their way to a workspace: graded, packed, signed, published together, one more release, and installed.

``python -m benchmarks.generated_market FOLDER [--every N] [--checked N]`` takes the projects that ``benchmarks.thousand`` has written into
FOLDER, and prints what became of them. Packing 1,000 takes half an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, bare_environment, run_child
from jackfield.errors import JackfieldError
from jackfield.market.attestations import SUFFIX, attest
from jackfield.market.packing import pack
from jackfield.market.publishers import new_publisher, read_signing_key

_COMMAND = str(Path(sys.executable).parent / "jackfield")
_SECONDS = 900


def main() -> int:
    """Run the campaign; 1 if a connector could not be packed or installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="pack only every nth project")
    parser.add_argument("--checked", type=int, default=40, help="number of projects to grade, spread evenly")
    arguments = parser.parse_args()
    projects = sorted((arguments.folder / "projects").iterdir())
    chosen = projects[:: arguments.every]
    failed = _packed(chosen, arguments.folder)
    print(f"packed and signed: {len(chosen) - len(failed)} of {len(chosen)} ({_load()})", *failed, sep="\n  ", flush=True)
    _published(arguments.folder)
    _graded(projects[:: max(1, len(projects) // arguments.checked)])
    return 1 if failed else 0


def _load() -> str:
    return f"load average {os.getloadavg()[0]:.1f}"


def _packed(projects: list[Path], folder: Path) -> list[str]:
    """Pack and sign each project that is not packed yet; return what failed."""
    key_file = folder / "publisher.key"
    if not key_file.exists():
        new_publisher("generated", str(key_file))
    key, failed = read_signing_key(str(key_file)), []
    dist, done = folder / "dist", folder / "packed.json"
    dist.mkdir(exist_ok=True)
    packed: dict[str, str] = json.loads(done.read_bytes()) if done.exists() else {}
    for project in projects:
        if project.name in packed:
            continue
        try:
            made = pack(str(project))
        except JackfieldError as error:
            failed.append(f"{project.name}: {error.message[:300]}")
            continue
        path = made.write(str(dist))
        Path(f"{path}{SUFFIX}").write_text(json.dumps(attest(made.wheel, key, datetime.now(UTC))), encoding="utf-8")
        packed[project.name] = path
        done.write_text(json.dumps(packed), encoding="utf-8")
    return failed


def _published(folder: Path) -> None:
    """Build a catalogue of all wheels but one, add that one, and install it from there."""
    from tuf_client import serving

    dist, last, site = folder / "dist", folder / "last", folder / "site"
    last.mkdir(exist_ok=True)
    wheel = max(dist.glob("*.whl")) if not any(last.iterdir()) else next(last.glob("*.whl"))
    for path in (wheel, Path(f"{wheel}{SUFFIX}")):
        if path.parent == dist:
            path.rename(last / path.name)
    for what, source in (("build", dist), ("one release more", last)):
        built = run_child("benchmarks.catalogue", "build", str(source), str(site))
        print(
            f"catalogue, {what}: {built['cpu']:.1f} s of CPU, {built['rss'] / 2**20:.0f} MiB, {built['releases']} releases ({_load()})",
            flush=True,
        )
    rows: list[dict[str, Any]] = json.loads((site / "catalogue.json").read_bytes())["connectors"]
    root = str(site / "metadata" / "root.json")
    with serving(site) as url:
        environment = {**bare_environment(), "JACKFIELD_HOME": str(folder / "home")}
        for key in (rows[0]["key"], rows[len(rows) // 2]["key"]):
            started = time.perf_counter()
            words = [_COMMAND, "install", key, "--from", url, "--root", root, "--json"]
            done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)
            print(
                f"install {key}: exit {done.returncode}, {time.perf_counter() - started:.1f} s ({_load()}) {done.stderr[-300:]}", flush=True
            )
        listed = subprocess.run(
            [_COMMAND, "connectors", "list", "--json"], check=True, capture_output=True, text=True, env=environment, cwd=ROOT
        )
        print("installed:", [row["key"] for row in json.loads(listed.stdout) if row["key"] in {one["key"] for one in rows}], flush=True)


def _graded(projects: list[Path]) -> None:
    """Print how many projects have which grade, and the rules that keep them from a better one."""
    grades: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    for project in projects:
        words = [_COMMAND, "check", str(project), "--json"]
        try:
            done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=ROOT, env=bare_environment(), timeout=_SECONDS)
            report = json.loads(done.stdout)
        except (subprocess.TimeoutExpired, ValueError) as error:
            grades[type(error).__name__] += 1
            print(f"  {project.name}: {type(error).__name__}", flush=True)
            continue
        grades[report["grade"]] += 1
        lacking = [rule["name"] for rule in report["rules"] if rule["passed"] is False and rule["tier"] in ("bronze", "silver")]
        causes.update(lacking)
        print(f"  {project.name}: {report['grade']} {' '.join(lacking)}", flush=True)
    print(f"grades of {len(projects)}: {dict(grades)}", "rules of bronze and silver that fail:", dict(causes), sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
