"""Rules for the dependencies of a connector, once they are unpacked and before anything can import
them.

Dependencies come from other sources than the connector, and are put on the import path of the
process that gets the credentials.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any

from jackfield_market.refusals import NotInstalled
from jackfield_market.wheels import is_canonical

if TYPE_CHECKING:
    from jackfield_market.wheels import Wheel

_SCRIPTS = "bin"
_AT_START = frozenset({"sitecustomize", "usercustomize"})
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Dependency:
    """Distribution that was resolved for a connector, with the SHA-256 of each of its acceptable
    wheels.
    """

    name: str
    version: str
    sha256: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the row of a receipt and of a lock file."""
        return {"name": self.name, "version": self.version, "sha256": list(self.sha256)}

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Dependency:
        """Read a row of a receipt or of a lock file. Values are checked strictly, since each
        becomes part of a line that uv reads.

        :raises ValueError: if a member has another form.
        """
        name, version, digests = row["name"], row["version"], row["sha256"]
        texts = (
            isinstance(name, str)
            and isinstance(version, str)
            and isinstance(digests, list)
            and all(isinstance(d, str) for d in digests)
        )
        if not (
            texts
            and digests
            and _NAME.fullmatch(name)
            and is_canonical(version)
            and all(map(_SHA256.fullmatch, digests))
        ):
            raise ValueError("a dependency needs a normalised name, a version, and SHA-256 hashes")
        return Dependency(name, version, tuple(digests))

    @property
    def line(self) -> str:
        """Line of a requirements file."""
        return " ".join(
            [f"{self.name}=={self.version}", *(f"--hash=sha256:{digest}" for digest in self.sha256)]
        )


def check_dependencies(
    wheel: Wheel, found: Sequence[Dependency], target: str, host: Iterable[str]
) -> None:
    """Check the names of all files in ``target``, and remove scripts. ``host`` are the
    distributions that children get from the host.

    :raises NotInstalled: if a file runs at the start of Python, or replaces a module of another
        distribution.
    """
    shutil.rmtree(os.path.join(target, _SCRIPTS), ignore_errors=True)
    provided, mine = _modules_of(host), {dependency.name for dependency in found}
    for name in sorted(os.listdir(target)):
        fault = _fault(name, wheel, provided, mine)
        if fault is not None:
            raise NotInstalled(
                "dependencies",
                f"a dependency of '{wheel.file}' brings '{name[:80]}', which {fault}",
                "Do not install it.",
            )
    for parent, folders, names in os.walk(target):
        link = next(
            (name for name in (*folders, *names) if os.path.islink(os.path.join(parent, name))),
            None,
        )
        if link is not None:
            raise NotInstalled(
                "dependencies",
                f"a dependency of '{wheel.file}' brings the link '{link[:80]}'",
                "Do not install it.",
            )


def _fault(name: str, wheel: Wheel, provided: Mapping[str, set[str]], mine: set[str]) -> str | None:
    low = name.lower()
    module = name.partition("-")[0] if low.endswith(".dist-info") else name.partition(".")[0]
    if low.endswith(".pth") or module.lower() in _AT_START:
        return "would run whenever Python starts"
    if low.startswith("jackfield") or module.lower() == wheel.package:
        return "is not its own"
    if low.endswith(".dist-info"):
        return None
    if module in sys.stdlib_module_names:
        return "is a module of Python"
    if module in provided and not provided[module] & mine:
        return f"the host has from '{min(provided[module])}'"
    return None


def _modules_of(host: Iterable[str]) -> dict[str, set[str]]:
    """Return the modules of distributions with their owners; a folder without ``__init__`` is a
    namespace and has no owner.
    """
    found: dict[str, set[str]] = {}
    for name in host:
        try:
            files = distribution(name).files or ()
        except PackageNotFoundError:
            continue
        for path in files:
            is_module = len(path.parts) == 1 and path.suffix in {".py", ".so", ".pyd"}
            if is_module or (len(path.parts) == 2 and path.parts[1].startswith("__init__.")):
                found.setdefault(path.parts[0].partition(".")[0], set()).add(name)
    return found
