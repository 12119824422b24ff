"""Run the tests that failed in ``make test`` once more, alone, for ``.ci/run``.

One failure by chance in 27,000 tests would hold back a change that it has nothing to do with. If at
most three tests failed and all of them pass alone, CI passes and names them as *unsteady*: whoever
sees one mends its cause.

``unsteady.py defer STATUS`` follows a run of the tests that ended with that status. It ends with
zero if what failed may be tried again, else with the status. ``unsteady.py again`` tries it after
all other checks, one test and one process at a time, and prints the tests that are unsteady.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_MOST = 3
"""Failed tests that are tried again: more than these do not fail by chance."""
_FAILURES = Path(".cache/failures.json")
_DEFERRED = Path(".cache/deferred.json")
_AGAIN = Path(".cache/again.json")
_SHOWN = 40
"""Last lines of a failure that are shown."""


def _defer(status: int) -> int:
    """Defer the failed tests of ``make unit``, unless the run failed for anything else."""
    found = _read(_FAILURES)
    failed = found.get("failed", {})
    reasons = found.get("others", ["the run of the tests did not end"])
    if not reasons and not failed:
        reasons = ["no test failed, but the run did"]
    if len(failed) > _MOST:
        reasons = [
            *reasons,
            f"{len(failed)} tests failed, of which at most {_MOST} are tried again",
        ]
    if reasons:
        print(*(f"not tried again: {reason}" for reason in reasons), sep="\n")
        return status or 1
    _DEFERRED.write_text(json.dumps(failed), encoding="utf-8")
    print(f"tried again after the other checks: {', '.join(failed)}")
    return 0


def _again() -> int:
    """Run each deferred test in a process of its own; stop at the first that does not pass."""
    deferred = _read(_DEFERRED)
    for test in deferred:
        print(f"== once more, alone: {test}", flush=True)
        _AGAIN.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        status = subprocess.run([*command, "--failures", str(_AGAIN), test], check=False).returncode
        if status or _read(_AGAIN).get("passed") != 1:
            print(f"failed twice: {test}")
            return status or 1
    for test, failure in deferred.items():
        print(f"unsteady: {test}")
        print(*(f"    {line}" for line in failure.splitlines()[-_SHOWN:]), sep="\n")
    return 0


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


if __name__ == "__main__":
    _verb, *_words = sys.argv[1:]
    sys.exit(_defer(int(_words[0])) if _verb == "defer" else _again())
