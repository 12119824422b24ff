"""How long each test took, from its setup to its teardown, kept in ``.cache/durations.json``:
``make test`` ends with the slowest ten.

A run with ``--workers`` adds what it has run; ``make unit`` begins a new file. ``python
tests/runner/kept_durations.py folders`` prints the seconds of each folder. The order of tests does
not depend on this file, so that a clean checkout runs them in the same one.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

_PLACE = Path(".cache") / "durations.json"
_SHOWN = 10


def keep(root: Path, took: Mapping[str, float]) -> None:
    """Add the seconds of tests, by their ids, to the file of the repository at ``root``."""
    if took:
        path = root / _PLACE
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        rows = {**_read(path), **{name: round(seconds, 3) for name, seconds in took.items()}}
        part.write_text(json.dumps(dict(sorted(rows.items())), indent=0), encoding="utf-8")
        part.replace(path)


def _read(path: Path) -> dict[str, float]:
    try:
        found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or one that a run which was killed has left
        return {}
    return found


def _lines(words: list[str]) -> Iterator[str]:
    rows = Counter(_read(_PLACE))
    if words == ["folders"]:
        folders = Counter[str]()
        for name, seconds in rows.items():
            folders[name.partition("::")[0].rpartition("/")[0]] += seconds
        yield from (f"{seconds:8.1f} s  {folder}" for folder, seconds in folders.most_common())
        return
    yield (
        f"slowest of {len(rows):,} tests, which took {sum(rows.values()):,.0f} s together "
        f"({_PLACE}):"
    )
    yield from (f"{seconds:8.1f} s  {name}" for name, seconds in rows.most_common(_SHOWN))


if __name__ == "__main__":
    sys.stdout.write("".join(f"{line}\n" for line in _lines(sys.argv[1:])))
