"""Run the tests that a change can affect: ``python .ci/changed.py [COMMIT]``, for the work between
commits. ``make test`` decides.

The change is what differs from COMMIT in the working tree. Without COMMIT that is what is not
committed, or the last commit if all is. The map of ``make test-map`` says which functions each test
file executed, and which files of the repository it opened.

A test file is chosen if it is changed, opened a changed file, or executed a changed function. What
stands outside of functions (a constant, a class's fields, a decorator) may show in any module that
imports it: then a test file is chosen that executed any function of these modules. So is one that
the map does not have.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from code_difference import ROOT, Difference, git, importers, listed

MAP = ROOT / ".cache" / "footprints" / "map.json"
_OLD = 100
"""Commits after which the map misses too much of what calls what."""
_ENOUGH = 0.8
"""Share of the test files below which the map is of a part of them."""
_TESTS = re.compile(r"(tests|connectors/[^/]+/tests)/(.+/)?test_[^/]*\.py")
_HOUSE = "tests/house/"
_RUNNER = ("tests/runner/", "pyproject.toml", "constraints.txt")
"""Files that may affect each test, though none opens them."""


@dataclass(frozen=True)
class Change:
    """A file with its texts before and after; None where it did not exist."""

    path: str
    before: str | None
    after: str | None


class Map:
    """What test files use, and the code of the working tree."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self.commit: str = found["commit"]
        self.numbers: dict[str, int] = found["functions"]
        self.tests: dict[str, dict[str, Any]] = found["tests"]
        self._imported = int(found["imported"], 16)

    @classmethod
    def read(cls) -> Map | None:
        """Read the map; None if there is none."""
        if not MAP.exists():
            return None
        return cls(json.loads(MAP.read_text(encoding="utf-8")))

    @cached_property
    def _executed(self) -> dict[str, int]:
        return {path: int(row["executed"], 16) for path, row in self.tests.items()}

    @cached_property
    def _opened(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for test, row in self.tests.items():
            for path in row["opened"]:
                found.setdefault(path, set()).add(test)
        return found

    @cached_property
    def _modules(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for name, number in self.numbers.items():
            found.setdefault(name.partition("::")[0], []).append(number)
        return found

    def affected(self, change: Change) -> set[str]:
        """Return the test files that a change can affect."""
        path = change.path
        found = {*self._opened.get(path, ())}
        if change.before is None or change.after is None:
            found |= {test for test in self.tests if test.startswith(_HOUSE)}
            found |= self._opened.get(f"{path.rpartition('/')[0]}/", set())
        if path.endswith("conftest.py"):
            found |= self._below(path)
        elif path.endswith(".py") and not _TESTS.fullmatch(path):
            found |= self._affected_by_code(change)
        return found

    def _affected_by_code(self, change: Change) -> set[str]:
        try:
            difference = Difference.between(change.before or "", change.after or "")
        except SyntaxError:  # a template, or an example of a fault
            return set()
        named = [f"{change.path}::{name}" for name in difference.functions]
        numbers = {self.numbers[name] for name in named if name in self.numbers}
        if (
            difference.is_wide
            or len(numbers) < len(named)
            or any(self._imported >> number & 1 for number in numbers)
        ):
            near = {change.path, *importers(change.path)}
            numbers.update(number for path in near for number in self._modules.get(path, ()))
        else:
            near = set()
        mask = sum(1 << number for number in numbers)
        found = {test for test, executed in self._executed.items() if executed & mask}
        for path in near:
            found |= self._below(path) if path.endswith("conftest.py") else {path}
        return found & self.tests.keys()

    def _below(self, conftest: str) -> set[str]:
        folder = conftest.removesuffix("conftest.py")
        return {test for test in self.tests if test.startswith(folder)}

    def seconds(self, tests: Iterable[str]) -> float:
        """Return how long these test files took together."""
        return sum(float(self.tests[test]["seconds"]) for test in tests if test in self.tests)


def changes(base: str) -> Iterator[Change]:
    """Yield what differs from a commit in the working tree."""
    paths = git("diff", "-z", "--name-only", "--no-renames", base).split("\0")[:-1]
    for path in {*paths, *git("ls-files", "-z", "-o", "--exclude-standard").split("\0")[:-1]}:
        before = subprocess.run(
            ["git", "show", f"{base}:{path}"], cwd=ROOT, capture_output=True, check=False
        )
        old = before.stdout.decode(errors="replace") if before.returncode == 0 else None
        file = ROOT / path
        new = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None
        yield Change(path, old, new)


def _main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("commit", nargs="?", help="what the change is compared with")
    parser.add_argument("--list", action="store_true", help="print the test files, and run nothing")
    asked = parser.parse_args()
    there = {path for path in listed("*.py") if _TESTS.fullmatch(path) and (ROOT / path).is_file()}
    known = Map.read()
    if known is None or len(known.tests.keys() & there) < len(there) * _ENOUGH:
        print(
            "there is no map of all tests: run 'make test-map', which takes as long as 'make test'"
        )
        return 2
    base = asked.commit or ("HEAD" if git("status", "--porcelain").strip() else "HEAD~1")
    found = {change.path: known.affected(change) | {change.path} for change in changes(base)}
    unknown = there - known.tests.keys()
    chosen = there & unknown.union(*found.values())
    if asked.list:
        print(*sorted(chosen), sep="\n")
        return 0
    print(f"what differs from {base}:")
    for path, tests in sorted(found.items()):
        print(f"  {path}: {_counted(len(tests & there))}")
        if path.startswith(_RUNNER):
            print("    it may affect all tests: run 'make test'")
    if unknown:
        print(f"  not in the map: {_counted(len(unknown))}")
    workers = os.environ.get("WORKERS", "8")
    minutes = known.seconds(chosen) / int(workers) / 60
    print(f"{_counted(len(chosen))} of {len(there)}, about {minutes:.1f} min")
    _warn_of_age(known)
    if not chosen:
        return 0
    command = [sys.executable, "-m", "pytest", "-q", "--workers", workers, *sorted(chosen)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _warn_of_age(known: Map) -> None:
    command = ["git", "rev-list", "--count", f"{known.commit}..HEAD"]
    counted = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if counted.returncode or int(counted.stdout) > _OLD:
        print(f"the map is older than the last {_OLD} commits: 'make test-map' makes it anew")


def _counted(number: int) -> str:
    return f"{number} test file{'s' * (number != 1)}"


if __name__ == "__main__":
    sys.exit(_main())
