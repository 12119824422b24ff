"""Resolve the oldest and the newest packages that our distributions allow, and compare both with
the advisories beside this file.

``make bounds`` prints a line for each resolution, and exits with 1 if there is no solution or an
advisory fits a package. Nothing is installed: ``make campaign bounds`` runs the tests with both.
"""

from __future__ import annotations

import sys

from audit import ADVISORIES, advisories, affected
from benchmarks.environments import PROJECTS, asked, compiled

RESOLUTIONS = ("lowest-direct", "highest")
_OURS = "".join(f"{asked(project)} @ {project.as_uri()}\n" for project in PROJECTS)


def _main() -> int:
    sound = [_is_sound(resolution) for resolution in RESOLUTIONS]
    return int(not all(sound))


def _is_sound(resolution: str) -> bool:
    """Resolve, from what was fetched before where no index can be asked; print what came out, and
    return whether nothing is wrong.
    """
    found = compiled(_OURS, "--resolution", resolution)
    if isinstance(found, str):
        found = compiled(_OURS, "--resolution", resolution, "--offline")
    if isinstance(found, str):
        print(f"bounds, {resolution}: {found}", file=sys.stderr)
        return False
    known = affected(advisories([ADVISORIES]), found)
    print(
        f"bounds, {resolution}: {len(found)} packages,",
        "; ".join(map(" ".join, known)) or "no advisory fits",
    )
    return not known


if __name__ == "__main__":
    sys.exit(_main())
