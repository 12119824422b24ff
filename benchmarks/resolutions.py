"""Newest applications and libraries of others beside ours: a resolver must not go back to an older
release of theirs to fit ours in.

``python -m benchmarks.resolutions`` resolves each alone and beside all of ours, prints both
versions, and exits with 1 if one was pushed back or there is no solution. ``APART`` names what of
ours runs in a process of its own beside a host, and why; the part is left out of that host's row,
and the run fails when that is no longer necessary. Nothing is installed. Exit code 77: no index can
be asked.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from benchmarks.environments import PROJECTS, asked, compiled
from benchmarks.public_sources import SKIPPED

HOSTS = (
    "fastapi",
    "crewai",
    "langchain",
    "apache-airflow",
    "dagster",
    "prefect",
    "dbt-core",
    "litellm",
    "snowflake-connector-python",
)
PYTHONS = ("3.11", "3.13")
APART: Mapping[str, tuple[str, str]] = {
    "crewai": (
        "jackfield_service.subjects.mcp",
        "CrewAI asks for mcp<2, and our MCP endpoint is made of the low-level server of mcp 2",
    ),
}
"""By host, a folder of ours that cannot stand beside its newest release, and the reason."""


def _main() -> int:
    print(f"{'beside ours':28} {'CPython':8} {'alone':14} {'with ours':14}")
    outcomes = [_row(host, python) for host in HOSTS for python in PYTHONS]
    if not any(outcomes):
        print("no package could be resolved alone: no index can be asked here")
        return SKIPPED
    pushed, needless = outcomes.count("pushed back"), outcomes.count("needless")
    print(
        f"{pushed} of {len(outcomes)} pushed back; {needless} fit together, though APART names "
        f"them; {outcomes.count('')} not run"
    )
    return int(pushed + needless > 0)


def _row(host: str, python: str) -> str:
    """Print one row; return "fits", "pushed back", "needless" (a part is left out that fits), or
    nothing where the host has no solution.
    """
    alone = compiled(f"{host}\n", "--python-version", python)
    if isinstance(alone, str):
        print(f"{host:28} {python:8} not run: {alone.splitlines()[0]}")
        return ""
    part, reason = APART.get(host, ("", ""))
    both = _beside(host, python, without=part)
    version = "no solution" if isinstance(both, str) else both[host]
    print(
        (
            f"{host:28} {python:8} {alone[host]:14} {version:14} "
            f"{f'without {part}: {reason}' if part else ''}"
        ).rstrip(),
        flush=True,
    )
    if isinstance(both, str):
        print(both)
    if version != alone[host]:
        return "pushed back"
    whole = _beside(host, python) if part else ""
    return "needless" if not isinstance(whole, str) and whole[host] == alone[host] else "fits"


def _beside(host: str, python: str, without: str = "") -> dict[str, str] | str:
    """Resolve a host beside all of ours but one part; return the versions, or what the resolver
    says.
    """
    ours = "".join(
        f"{asked(project, 'server,postgres,otel,tables')} @ {project.as_uri()}\n"
        for project in PROJECTS
        if project.name != without
    )
    return compiled(f"{host}\n{ours}", "--python-version", python)


if __name__ == "__main__":
    sys.exit(_main())
