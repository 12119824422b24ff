"""Map from test files to what they use: functions of ours that they execute, and files of the
repository that they open. ``.ci/changed.py`` reads it; ``footprint_code.py`` starts the run that
makes it.

A file is the unit, and has a process of its own in this run: what one test has computed and cached,
those after it do not execute. A file of which a test failed has no entry.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from footprint_start import FOLDER, ROOT, RUN, VARIABLE, new_place, notes

MAP = Path(FOLDER, "map.json")


@dataclass
class _Footprint:
    """What a test file uses, as far as it is known."""

    executed: int = 0
    """A bit for each function, by its number."""
    opened: set[str] = field(default_factory=set)
    seconds: float = 0.0


def pytest_configure(config: pytest.Config) -> None:
    """Take the notes of this run."""
    config.pluginmanager.register(_Recording(), "footprints-run")


class _Recording:
    """Recording of the run, in the parent and in each child that it forks."""

    def __init__(self) -> None:
        self._parent, self._process = os.getpid(), 0
        self._failed: set[str] = set()
        self._imported = 0
        self._collected: dict[str, _Footprint] = {}
        self._begin()

    def _begin(self) -> None:
        """Give this process files of its own."""
        if self._process == os.getpid():
            return
        self._process, self._began = os.getpid(), time.perf_counter()
        self._place, self._read = new_place(str(self._process)), 0
        os.environ[VARIABLE] = self._place
        notes().use(self._place)

    def _taken(self) -> _Footprint:
        """Return what was noted since the last call, also by child processes."""
        hits = notes().hits
        executed = _executed(hits)
        for number in _numbers(executed):
            hits[number] = 0
        notes().seen.clear()
        with open(f"{self._place}.opened", "rb") as file:
            file.seek(self._read)
            opened = {*file.read().decode(errors="surrogateescape").splitlines()}
            self._read = file.tell()
        began, self._began = self._began, time.perf_counter()
        return _Footprint(executed, opened, self._began - began)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Any:
        """Record what the import of a test file uses, also for its parameters."""
        if not isinstance(collector, pytest.Module):
            return (yield)
        self._imported |= self._taken().executed  # by a conftest
        report = yield
        self._collected[collector.nodeid] = self._taken()
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: object) -> Any:
        """Record what a test file uses, when its last test has ended."""
        self._begin()
        done = yield
        path = _file(item.nodeid)
        if not isinstance(nextitem, pytest.Item) or _file(nextitem.nodeid) != path:
            with open(f"{self._place}.rows", "ab") as file:
                pickle.dump((path, self._taken()), file)
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note that a file's tests did not end as they should, so that much may be missing."""
        if report.failed:
            self._failed.add(_file(report.nodeid))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the map. A run of some files replaces their entries, and keeps the others."""
        if os.getpid() != self._parent:
            return
        rows = [*self._collected.items()]
        for place in Path(RUN).glob("*.rows"):
            with place.open("rb") as file:
                while file.peek(1):
                    rows.append(pickle.load(file))
        found: dict[str, _Footprint] = {}
        for path, row in rows:
            known = found.setdefault(path, _Footprint())
            known.executed |= row.executed
            known.opened |= row.opened
            known.seconds += row.seconds
        imported = self._imported | _executed(Path(RUN, "main").read_bytes())
        for row in self._collected.values():
            imported |= row.executed
        is_whole = session.config.args_source is not pytest.Config.ArgsSource.ARGS
        _write(found, self._failed, imported, is_whole=is_whole)


def _file(test: str) -> str:
    return test.partition("::")[0]


def _executed(hits: Any) -> int:
    return sum(1 << match.start() for match in re.finditer(b"\1", hits))


def _numbers(executed: int) -> Iterable[int]:
    return (number for number, bit in enumerate(reversed(f"{executed:b}")) if bit == "1")


def _write(
    found: dict[str, _Footprint], failed: set[str], imported: int, *, is_whole: bool
) -> None:
    names: list[str] = json.loads(Path(RUN, "names.json").read_text(encoding="utf-8"))
    former: dict[str, Any] = {"functions": {}, "imported": "0", "tests": {}}
    if MAP.exists() and not is_whole:
        former = json.loads(MAP.read_text(encoding="utf-8"))
    numbers: dict[str, int] = former["functions"]
    for name in names:
        numbers.setdefault(name, len(numbers))
    places = [numbers[name] for name in names]

    def numbered(executed: int) -> int:
        return sum(1 << places[number] for number in _numbers(executed))

    entries = {path: row for path, row in former["tests"].items() if path not in found}
    for path, row in found.items():
        if path not in failed:
            entries[path] = {
                "executed": f"{numbered(row.executed):x}",
                "opened": sorted(row.opened),
                "seconds": round(row.seconds, 2),
            }
    command = ["git", "rev-parse", "HEAD"]
    head = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    text = {
        "commit": former.get("commit") or head.strip(),
        "functions": numbers,
        "imported": f"{int(former['imported'], 16) | numbered(imported):x}",
        "tests": dict(sorted(entries.items())),
    }
    part = MAP.with_suffix(".part")
    part.write_text(json.dumps(text), encoding="utf-8")
    part.replace(MAP)
