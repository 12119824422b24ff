"""A catalogue of 300 connectors, in a campaign of 1,000 and 5,000: a build from nothing, one more
release, and installations. Time, memory, size.

``python -m benchmarks.catalogue FOLDER COUNT`` only makes signed wheels, ``python -m
benchmarks.catalogue build DIST [SITE]`` measures one build.
"""

from __future__ import annotations

import io
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.cold import COMMAND
from benchmarks.measure import CAMPAIGN, Command, Line, compared, run_child, shown
from benchmarks.trees import environment
from jackfield_market.attestations import SUFFIX, attest
from jackfield_market.publishers import SigningKey, new_publisher, read_signing_key
from jackfield_market.wheels import parse_wheel, record_hash

_SIZES = (1_000, 5_000) if CAMPAIGN else (300,)
_EACH = 40
"""Connectors of one publisher."""
_ICON = (
    "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 "
    "24'><circle cx='12' cy='12' r='9'/></svg>"
)
_SETUP = "\n\n".join(
    (
        f"{number}. Open the settings of the service, and **create** a key with the scope "
        f"`scope:{number}`."
    )
    for number in range(1, 6)
)
_WORDS = [
    "invoice",
    "order",
    "customer",
    "ticket",
    "message",
    "file",
    "contact",
    "deal",
    "event",
    "task",
    "refund",
    "label",
    "report",
    "member",
    "payment",
]
_SYLLABLES = [
    "ba",
    "co",
    "du",
    "fe",
    "gi",
    "ho",
    "ju",
    "ka",
    "le",
    "mi",
    "no",
    "pu",
    "ra",
    "se",
    "ti",
    "vo",
    "wy",
    "xa",
    "ze",
    "qui",
]
_MIB = 1024 * 1024


def lines() -> Iterator[Line]:
    """A line for each size and question."""
    for size in _SIZES:
        with tempfile.TemporaryDirectory() as folder:
            yield from _of_size(size, Path(folder))


def _of_size(size: int, folder: Path) -> Iterator[Line]:
    make_wheels(folder / "dist", size)
    what, site = f"catalogue of {size:,} connectors", folder / "site"
    build = Command(
        [sys.executable, "-m", "benchmarks.catalogue", "build", str(folder / "dist")],
        value="cpuEach",
    )
    yield compared(build, rounds=3).line_of_value(
        f"{what}: CPU of a build from nothing, for each connector", at_most=0.02
    )
    yield Line(
        f"{what}: … memory at most", f"{max(run['rss'] for run in build.said) / _MIB:.0f} MiB"
    )
    run_child("benchmarks.catalogue", "build", str(folder / "dist"), str(site))
    files = [path.stat().st_size for path in site.rglob("*") if path.is_file()]
    wheels = sum(path.stat().st_size for path in (site / "packages").iterdir())
    pages = (sum(files) - wheels) / _MIB
    yield Line(
        f"{what}: size",
        f"{pages:.0f} MiB and {wheels / _MIB:.0f} MiB of packages, {len(files):,} files",
    )
    more = []
    for number in range(5):
        make_wheels(folder / f"more{number}", 1, first=0, version=f"1.1.{number}")
        more.append(
            run_child("benchmarks.catalogue", "build", str(folder / f"more{number}"), str(site))
        )
    seconds = statistics.median(one["cpu"] for one in more)
    again = (
        f"{seconds:.2f} s of CPU, {max(one['rss'] for one in more) / _MIB:.0f} MiB at most, "
        f"{more[-1]['pagesWritten']} pages and lists written"
    )
    yield Line(f"{what}: add one release", again, "≤ 2 s", seconds <= 2)
    yield from _install(what, site)


def _install(what: str, site: Path) -> Iterator[Line]:
    from tests.jackfield_market.tuf_client import serving

    key = json.loads((site / "catalogue.json").read_text(encoding="utf-8"))["connectors"][0]["key"]
    with serving(site) as url, tempfile.TemporaryDirectory() as folder:
        settings = environment(settings={"JACKFIELD_HOME": folder})

        def seconds(*words: str) -> float:
            began = time.perf_counter()
            subprocess.run([COMMAND, *words], check=True, capture_output=True, env=settings)
            return time.perf_counter() - began

        install = ("install", key, "--from", url, "--root", str(site / "metadata" / "root.json"))
        first, again = seconds(*install), []
        read = sum(
            path.stat().st_size
            for path in Path(folder, "catalogues").rglob("*.json")
            if path.is_file() and not path.is_symlink()
        )
        for _ in range(5):
            seconds("uninstall", key)
            again.append(seconds(*install))
    yield Line(
        f"{what}: `jackfield install`, knowing the root only",
        f"{shown(first)}, {read / 1024:.0f} KiB read",
        "≤ 2 s",
        first <= 2,
    )
    median = statistics.median(again)
    yield Line(
        f"{what}: `jackfield install` of what was downloaded before",
        shown(median),
        "≤ 2 s",
        median <= 2,
    )


def make_wheels(folder: Path, count: int, first: int = 0, version: str = "1.0.0") -> None:
    """Write ``count`` signed wheels of made-up connectors; the keys lie beside the folder, one per
    ``_EACH`` connectors.
    """
    folder.mkdir(parents=True)
    keys: dict[int, SigningKey] = {}
    for number in range(first, first + count):
        owner = number // _EACH
        if owner not in keys:
            path = folder.parent / f"publisher{owner}.key"
            if not path.exists():
                new_publisher(f"publisher-{_name(owner)}", str(path))
            keys[owner] = read_signing_key(str(path))
        content = _wheel(_name(number), version, _WORDS[number % len(_WORDS)])
        wheel = parse_wheel(f"jackfield_{_name(number)}-{version}-py3-none-any.whl", content)
        (folder / wheel.file).write_bytes(content)
        attestation = attest(wheel, keys[owner], datetime(2026, 1, 1, tzinfo=UTC))
        (folder / f"{wheel.file}{SUFFIX}").write_text(json.dumps(attestation), encoding="utf-8")


def _name(number: int) -> str:
    """A name that no other looks like: each number's syllables and their sum, so that two differ in
    more than one letter.
    """
    digits = [number // 20**place % 20 for place in range(4)]
    digits += [
        sum(digits) % 20,
        sum((place + 2) * digit for place, digit in enumerate(digits)) % 20,
    ]
    return "".join(_SYLLABLES[digit] for digit in digits)


def _wheel(key: str, version: str, word: str) -> bytes:
    package = f"jackfield_{key}"
    info = f"{package}-{version}.dist-info"
    readme = f"# {key}\n\n" + "\n\n".join(
        f"## Part {part}\n\n{'It does what the service does. ' * 12}" for part in range(4)
    )
    files = {
        f"{package}/__init__.py": f'"""The connector {key}."""\n' + "VALUE = 1\n" * 200,
        f"{package}/connector.json": json.dumps(_manifest(key, version, word), indent=2),
        f"{info}/METADATA": f"Metadata-Version: 2.4\nName: jackfield-{key}\nVersion: "
        f"{version}\nLicense-Expression: MIT\n"
        f"Description-Content-Type: text/markdown\n\n{readme}",
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: benchmark\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        f"{info}/entry_points.txt": f"[jackfield.connectors]\n{key} = {package}:connector\n",
    }
    record = "".join(
        f"{path},{record_hash(text.encode())},{len(text.encode())}\n"
        for path, text in files.items()
    )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            opened.writestr(zipfile.ZipInfo(path), text, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _manifest(key: str, version: str, word: str) -> dict[str, Any]:
    closed = {"type": "object", "additionalProperties": False}
    text = {
        "type": "string",
        "title": "Text",
        "description": "A text that somebody has written. " * 3,
        "minLength": 1,
        "maxLength": 200,
    }
    inputs = {
        **closed,
        "properties": {f"field{number}": text for number in range(8)},
        "required": ["field0", "field1"],
    }
    output = {**closed, "properties": {"Id": {"type": "string", "description": "Its id."}}}
    actions = [
        {
            "key": f"{verb}{word.title()}",
            "title": f"{verb.title()} {word}",
            "description": f"{verb.title()} a {word} of the service.",
            "effect": effect,
            "inputs": inputs,
            "output": output,
            "permissions": {"api": [f"{word}:{verb}"]},
        }
        for verb, effect in (
            ("create", "write"),
            ("get", "read"),
            ("list", "read"),
            ("delete", "idempotent"),
            ("update", "idempotent"),
        )
    ]
    secret = {"type": "string", "title": "Key", "writeOnly": True, "format": "password"}
    kind = {
        "key": "apiKey",
        "title": "API key",
        "description": "A key of the service.",
        "auth": "apiKey",
        "setup": _SETUP,
    }
    kind["schema"] = {**closed, "properties": {"key": secret}, "required": ["key"]}  # type: ignore[assignment]
    about = {
        "title": key.title(),
        "description": f"Work with each {word} of {key.title()}.",
        "version": version,
        "icon": _ICON,
    }
    return {
        "manifestVersion": 1,
        "key": key,
        **about,
        "categories": [word],
        "license": "MIT",
        "connectionTypes": [kind],
        "actions": actions,
    }


def _build(dist: str, site: str) -> None:
    started, used = time.perf_counter(), time.process_time()
    from jackfield_market.catalogue import build, init
    from jackfield_market.role_keys import default_keys

    if not Path(site).exists():
        init(site, default_keys(site))
    built = build(dist, site, default_keys(site))
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    each = cpu / built["releases"]
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu": cpu,
                "cpuEach": each,
                "rss": rss,
                "pagesWritten": built["pagesWritten"],
                "releases": built["releases"],
            }
        )
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["build"]:
        with tempfile.TemporaryDirectory() as scratch:
            _build(sys.argv[2], *(sys.argv[3:] or [f"{scratch}/site"]))
    else:
        make_wheels(Path(sys.argv[1]), int(sys.argv[2]))
