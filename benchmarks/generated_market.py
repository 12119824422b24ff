"""Generated connectors on their way to a workspace: packed, signed, published together, one more
release, installed, called, and graded.

``python -m benchmarks.generated_market FOLDER [--every N] [--checked N]`` takes the projects that
``benchmarks.thousand`` has written into FOLDER, and prints what became of them. Run again, it goes
on where it stopped. Packing 1,000 takes six minutes of CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.cold import COMMAND
from benchmarks.measure import ROOT, run_child
from benchmarks.trees import environment
from jackfield.kernel.errors import JackfieldError
from jackfield_market.attestations import SUFFIX, attest
from jackfield_market.packing import pack
from jackfield_market.publishers import new_publisher, read_signing_key
from jackfield_market.testing.driving import server_values
from jackfield_market.testing.loopback_provider import Answer, Provider

_SECONDS = 900
_INSTALLED = 6
"""Connectors that are installed and called."""
_VALUES = frozenset({"apiKey", "basic", "bearer"})
"""Credentials that are values of the connection alone: no person, certificate or token endpoint is
needed.
"""
_SEARCHED = 20
"""Connectors that are searched for in a browser."""


def main() -> int:
    """Run the campaign; 1 if a connector could not be packed, installed, called or found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="pack only every nth project")
    parser.add_argument(
        "--checked", type=int, default=40, help="number of projects to grade, spread evenly"
    )
    arguments = parser.parse_args()
    projects = sorted((arguments.folder / "projects").iterdir())
    chosen = projects[:: arguments.every]
    failed = _packed(chosen, arguments.folder)
    print(
        f"packed and signed: {len(chosen) - len(failed)} of {len(chosen)} ({_load()})",
        *failed,
        sep="\n  ",
        flush=True,
    )
    used = _published(arguments.folder)
    _graded(projects[:: max(1, len(projects) // arguments.checked)])
    return 0 if used and not failed else 1


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
        Path(f"{path}{SUFFIX}").write_text(
            json.dumps(attest(made.wheel, key, datetime.now(UTC))), encoding="utf-8"
        )
        packed[project.name] = path
        done.write_text(json.dumps(packed), encoding="utf-8")
    return failed


def _published(folder: Path) -> bool:
    """Build a catalogue of all wheels but one and add that one; then use it. Return True if
    everything succeeded.
    """
    from tests.jackfield_market.tuf_client import serving

    dist, last, site = folder / "dist", folder / "last", folder / "site"
    last.mkdir(exist_ok=True)
    wheel = max(dist.glob("*.whl")) if not any(last.iterdir()) else next(last.glob("*.whl"))
    for path in (wheel, Path(f"{wheel}{SUFFIX}")):
        if path.parent == dist:
            path.rename(last / path.name)
    for what, source in (("build", dist), ("one release more", last)):
        built = run_child("benchmarks.catalogue", "build", str(source), str(site))
        print(
            f"catalogue, {what}: {built['cpu']:.1f} s of CPU, {built['rss'] / 2**20:.0f} MiB, "
            f"{built['releases']} releases ({_load()})",
            flush=True,
        )
    rows: list[dict[str, Any]] = json.loads((site / "catalogue.json").read_bytes())["connectors"]
    with serving(site) as url:
        installed = _installed(folder / "home", rows, url, str(site / "metadata" / "root.json"))
        return _shown(site, rows, url) and installed


def _installed(home: Path, rows: list[dict[str, Any]], url: str, root: str) -> bool:
    """Install some connectors into a fresh data folder, and call an action of each; return True if
    everything succeeded.
    """
    settings, codes = environment(settings={"JACKFIELD_HOME": str(home)}), []

    def run(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        started = time.perf_counter()
        done = subprocess.run(
            [COMMAND, *words],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=settings,
            input=given,
            timeout=_SECONDS,
        )
        codes.append(done.returncode)
        print(
            f"{' '.join(words[:2])}: exit {done.returncode}, {time.perf_counter() - started:.1f} "
            f"s ({_load()}) {done.stderr[-300:]}",
            flush=True,
        )
        return done

    keys = [row["key"] for row in rows[:: max(1, len(rows) // _INSTALLED)]][:_INSTALLED]
    for key in keys:
        run("install", key, "--from", url, "--root", root, "--json")
        _call(json.loads(run("connectors", "show", key, "--json").stdout), run)
    listed = json.loads(run("connectors", "list", "--json").stdout)
    found = {row["key"] for row in listed if row["status"] == "ok"}
    print(f"installed: {len(found.intersection(keys))} of {len(keys)}", flush=True)
    return found.issuperset(keys) and not any(codes)


def _call(manifest: dict[str, Any], run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Call the first action that has an example, over a connection to a provider on loopback, and
    print what came back.
    """
    action = next((one for one in manifest["actions"] if one["examples"]), None)
    kinds = manifest["connectionTypes"]
    kind = next(
        (
            one
            for one in kinds
            if all(part["kind"] in _VALUES for part in one["http"]["credentials"])
        ),
        None,
    )
    if action is None or (kinds and kind is None):
        print(
            f"  {manifest['key']}: "
            f"{'no action has an example' if action is None else 'a person must sign in'}",
            flush=True,
        )
        return
    called, shown = (action["examples"][0][name] for name in ("invocation", "result"))
    with Provider([Answer(shown["output"])]) as provider:
        values = (
            server_values(kind["schema"], {"server": provider.url}, provider.url)
            if kind is not None
            else {}
        )
        connection = (
            {"connection": {"type": kind["key"], "values": values}} if kind is not None else {}
        )
        asked = {
            "connector": manifest["key"],
            "action": action["key"],
            "inputs": called["inputs"],
            **connection,
        }
        result = json.loads(run("invoke", "--file", "-", "--json", given=json.dumps(asked)).stdout)
        sent = [f"{request.method} {request.path}"[:80] for request in provider.requests]
    about = result.get("error", {}).get("message", "")
    print(f"  {manifest['key']} {action['key']}: {result['status']}, {sent} {about}", flush=True)


def _shown(site: Path, rows: list[dict[str, Any]], url: str) -> bool:
    """Open the page of each connector, and search for some of them in a browser as people do;
    return True if all are found.
    """
    from playwright.sync_api import sync_playwright

    from browser import browser_path

    sizes, missing = [], []
    for row in rows:
        page = site / "connectors" / row["key"] / "index.html"
        content = page.read_text(encoding="utf-8") if page.is_file() else ""
        sizes.append(len(content))
        if f"<code>{row['key']}</code>" not in content and row["key"] not in content:
            missing.append(row["key"])
    print(
        f"pages: {len(rows) - len(missing)} of {len(rows)}, median "
        f"{sorted(sizes)[len(sizes) // 2]:,} characters, most {max(sizes):,}"
    )
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        page = browser.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda message: faults.append(message.text) if message.type == "error" else None,
        )
        took = []
        for row in rows[:: max(1, len(rows) // _SEARCHED)]:
            page.goto(url)
            started = time.perf_counter()
            page.fill("#words", f"{row['title'][:60]} {row['key']}")  # many have the title "API"
            page.wait_for_function("document.querySelector('#status').textContent.includes(' of ')")
            took.append(time.perf_counter() - started)
            link = page.locator(f"#results a[href$='connectors/{row['key']}/index.html']")
            if not link.count():
                missing.append(row["key"])
                print(
                    f"  a search for {row['title'][:60]!r} does not show {row['key']}: "
                    f"{page.text_content('#status')}"
                )
                continue
            link.first.click()
            if row["title"][:20] not in (page.text_content("h1") or ""):
                missing.append(row["key"])
        browser.close()
    print(
        f"searches in a browser: {len(took)}, the slowest {max(took):.2f} s with the index "
        f"({_load()})",
        *faults[:5],
        sep="\n  ",
        flush=True,
    )
    return not missing and not faults


def _graded(projects: list[Path]) -> None:
    """Print how many projects have which grade, and the rules that keep them from a better one."""
    grades: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    for project in projects:
        words = [COMMAND, "check", str(project), "--json"]
        try:
            done = subprocess.run(
                words,
                check=False,
                capture_output=True,
                text=True,
                cwd=ROOT,
                env=environment(),
                timeout=_SECONDS,
            )
            report = json.loads(done.stdout)
        except (subprocess.TimeoutExpired, ValueError) as error:
            grades[type(error).__name__] += 1
            print(f"  {project.name}: {type(error).__name__}", flush=True)
            continue
        grades[report["grade"]] += 1
        lacking = [
            rule["name"]
            for rule in report["rules"]
            if rule["passed"] is False and rule["tier"] in ("bronze", "silver")
        ]
        causes.update(lacking)
        print(f"  {project.name}: {report['grade']} {' '.join(lacking)}", flush=True)
    print(
        f"grades of {len(projects)}: {dict(grades)}",
        "rules of bronze and silver that fail:",
        dict(causes),
        sep="\n",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
