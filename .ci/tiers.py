"""Print the folders with tests of a tier, or of an extra of tier 3: ``python .ci/tiers.py 1``,
``... celery``. ``tiers.toml`` has them.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def tiers() -> Mapping[str, str]:
    """Return the tier or the extra of each folder, by its path. A connector that has none is an
    extra of its own.
    """
    found = tomllib.loads(Path(__file__).with_name("tiers.toml").read_text(encoding="utf-8"))
    named = {**{name: found[name] for name in ("1", "2")}, **found["3"]}
    connectors = {
        f"connectors/{path.parent.name}": path.parent.name
        for path in ROOT.glob("connectors/*/pyproject.toml")
    }
    return connectors | {folder: name for name, folders in named.items() for folder in folders}


def tier_of(path: str, folders: Mapping[str, str]) -> str:
    """Return the tier, or the extra, of a path below the root; an empty text for one that has
    none.
    """
    parts = path.split("/")
    return next(
        (
            folders[place]
            for end in range(len(parts), 0, -1)
            if (place := "/".join(parts[:end])) in folders
        ),
        "",
    )


def _main(wanted: str) -> int:
    folders, found = tiers(), set[str]()
    extras = {name for name in folders.values() if not name.isdigit()}
    if wanted not in {"1", "2", "3", *extras}:
        print(
            f"no tier and no extra is called {wanted!r}: 1, 2, 3, {', '.join(sorted(extras))}",
            file=sys.stderr,
        )
        return 2
    for path in (*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("connectors/*/tests/**/test_*.py")):
        place = path.relative_to(ROOT).as_posix()
        name = tier_of(place, folders)
        if wanted == name or (wanted == "3" and name in extras):
            found.add(place)
    if not found:
        print(f"the tests of {wanted!r} have a target of their own: make help", file=sys.stderr)
        return 2
    print(*sorted(found))
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
