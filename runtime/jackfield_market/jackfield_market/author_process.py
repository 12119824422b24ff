"""Child processes that run an author's code: the build of the wheel, and the description of the
connector by its code.

A connector without code is described in this process: that saves most of the time of packing it.
The child processes run on the author's machine, never where packages are verified or installed.
They get only the environment variables that programs need to run: the folder may be a third
party's. They can read the caller's files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from jackfield.catalog.loading import bound
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.failures import Raised, attempt

_BUILD_SECONDS = 300
_DESCRIBE_SECONDS = 120
_LAST_LINES = 6
_PASSED = frozenset(
    {
        "HOME",
        "LANG",
        "PATH",
        "PYTHONPATH",
        "PYTHONPYCACHEPREFIX",
        "SYSTEMROOT",
        "TEMP",
        "TMP",
        "TMPDIR",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
    }
)
_PASSED_FAMILIES = ("LC_", "COVERAGE_")
"""Prefixes of the environment variables that an author's code gets."""
_EPOCH = "315532800"
"""Unix time of 1980-01-01, the first date that a zip archive can state."""
_DESCRIBE = """
import json, sys
root, module, attribute, answer = sys.argv[1:]
sys.path.insert(0, root)
from jackfield.catalog.loading import connector_at
found = connector_at(module, attribute).describe()
with open(answer, "w", encoding="utf-8") as file:
    json.dump(found, file)
"""


def plain_environment() -> dict[str, str]:
    """Return environment variables for an author's code, without the caller's credentials, tokens
    and settings.
    """
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or name.startswith(_PASSED_FAMILIES)
    }
    return {**passed, "PYTHONDONTWRITEBYTECODE": "1"}


def build_wheel(folder: str, out: str) -> str:
    """Build the wheel of ``folder`` with hatchling, offline and without isolation, into the empty
    folder ``out``; return its path.

    :raises InvalidInvocation: if hatchling is not installed or the build fails.
    """
    if find_spec("hatchling") is None:
        raise InvalidInvocation(
            "packing needs the extra 'market': hatchling is not installed",
            hint="pip install 'jackfield[market]'",
        )
    words = ["-m", "hatchling", "build", "-t", "wheel", "-d", os.path.abspath(out)]
    _run(
        words,
        folder,
        _BUILD_SECONDS,
        f"the build of '{folder}' failed",
        "Read hatchling's message; it must build without network.",
    )
    made = [name for name in os.listdir(out) if name.endswith(".whl")]
    if len(made) != 1:
        raise InvalidInvocation(f"the build of '{folder}' made {len(made)} wheels instead of one")
    return os.path.join(out, made[0])


def describe_code(root: str, module: str, attribute: str) -> dict[str, Any]:
    """Import a connector from the folder ``root`` and return the manifest that its code describes.

    :raises InvalidInvocation: if it cannot be imported or described.
    """
    hint = "Install what the connector requires into this environment: pip install -e PATH."
    with tempfile.TemporaryDirectory(prefix="jackfield-") as scratch:
        answer = os.path.join(scratch, "manifest.json")
        words = ["-c", _DESCRIBE, root, module, attribute, answer]
        _run(
            words,
            scratch,
            _DESCRIBE_SECONDS,
            f"the connector '{module}:{attribute}' cannot be imported",
            hint,
        )
        try:
            with open(answer, encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError):
            raise InvalidInvocation(
                f"the connector '{module}:{attribute}' ended Python while it was imported"
            ) from None
    return dict(found)


def describe_data(manifest: Mapping[str, Any], attribute: str) -> dict[str, Any]:
    """Return the description of a connector without code. This process makes the description, since
    no author's code has to run.

    :raises InvalidInvocation: if no installed package knows its binding, or the binding refuses the
        manifest.
    """
    found = attempt(lambda: dict(bound(attribute, manifest).describe()))
    if isinstance(found, Raised):
        message = f"the connector '{manifest.get('key')}' cannot be bound: {str(found.error)[:500]}"
        raise InvalidInvocation(
            message,
            hint="Install what the connector requires into this environment: pip install -e PATH.",
        )
    return found


def _run(words: Sequence[str], folder: str, seconds: int, failure: str, hint: str) -> None:
    environment = {**plain_environment(), "SOURCE_DATE_EPOCH": _EPOCH, "PYTHONHASHSEED": "0"}
    try:
        done = subprocess.run(
            [sys.executable, "-P", *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InvalidInvocation(f"{failure}: it took longer than {seconds} s") from None
    except OSError as error:
        raise InvalidInvocation(f"{failure}: {error.strerror}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        raise InvalidInvocation(
            f"{failure}: {' | '.join(line.strip() for line in said[-_LAST_LINES:])[:1000]}",
            hint=hint,
        )
