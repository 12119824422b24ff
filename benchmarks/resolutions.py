"""Newest applications and libraries of others beside ours: a resolver must not go back to an older release of theirs to fit ours in.

``python -m benchmarks.resolutions`` resolves each alone and beside all of ours, prints both versions, and exits with 1 if one was pushed
back or there is no solution. Nothing is installed. Exit code 77: no index can be asked.
"""

from __future__ import annotations

import sys

from benchmarks.environments import PROJECTS, asked, compiled
from benchmarks.public_sources import SKIPPED

HOSTS = ("fastapi", "crewai", "langchain", "apache-airflow", "dagster", "prefect", "dbt-core", "litellm", "snowflake-connector-python")
PYTHONS = ("3.11", "3.13")
_OURS = "".join(f"{asked(project, 'server,postgres,otel,tables')} @ {project.as_uri()}\n" for project in PROJECTS)


def _main() -> int:
    print(f"{'beside ours':28} {'CPython':8} {'alone':14} {'with ours':14}")
    outcomes = [_row(host, python) for host in HOSTS for python in PYTHONS]
    if not any(outcomes):
        print("no package could be resolved alone: no index can be asked here")
        return SKIPPED
    pushed = outcomes.count("pushed back")
    print(f"{pushed} of {len(outcomes)} pushed back; {outcomes.count('')} not run")
    return int(pushed > 0)


def _row(host: str, python: str) -> str:
    """Print one row; return "fits", "pushed back", or nothing where the host alone cannot be resolved."""
    alone = compiled(f"{host}\n", "--python-version", python)
    if isinstance(alone, str):
        print(f"{host:28} {python:8} not run: {alone.splitlines()[0]}")
        return ""
    both = compiled(f"{host}\n{_OURS}", "--python-version", python)
    version = "no solution" if isinstance(both, str) else both[host]
    print(f"{host:28} {python:8} {alone[host]:14} {version:14}", flush=True)
    if isinstance(both, str):
        print(both)
    return "fits" if version == alone[host] else "pushed back"


if __name__ == "__main__":
    sys.exit(_main())
