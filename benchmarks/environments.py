"""Environments beside ``.venv`` in which the core's tests are run: other interpreters, the oldest
and the newest packages that are allowed.

``python -m benchmarks.environments interpreters`` runs them on each CPython that is on the machine
or can be had, from uv or Debian,
``... bounds`` with the lowest direct and the newest packages. An interpreter that cannot be had is
printed as not run. The environments lie in ``.cache``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.debian import inside
from benchmarks.measure import ROOT

UV = str(Path(sys.executable).with_name("uv"))
PROJECTS = [
    ROOT,
    *(
        path.parent
        for place in ("runtime", "connectors")
        for path in sorted(ROOT.glob(f"{place}/*/pyproject.toml"))
    ),
]
INTERPRETERS = ("3.11", "3.12", "3.13", "3.14", "3.14+freethreaded")
CORE = ("tests/jackfield", "connectors/http/tests")
"""Tests of the framework, and of the connector that its own tests call."""
_TESTED = sorted(
    path
    for place in ("tests/jackfield_*", "connectors/*/tests")
    for path in ROOT.glob(place)
    if path.is_dir()
)
ALL = ("tests/jackfield", *(str(path.relative_to(ROOT)) for path in _TESTED))
"""Tests of all distributions; those of the house judge the tree, and not the packages beside it."""
BOUNDS: Mapping[str, tuple[str, str, Sequence[str]]] = {
    "core-lowest": ("lowest-direct", "", CORE),
    "all-lowest": ("lowest-direct", "all", ALL),
    "all-highest": ("highest", "all", ALL),
}
"""Resolution, extras of the core, and tests; what our projects ask for is pinned so, tools are
those of ``constraints.txt``.
"""
_CONSTRAINTS = ROOT / "constraints.txt"
_MINUTES = 120


def _main(part: str) -> int:
    if part == "bounds":
        names = sys.argv[2:] or list(BOUNDS)
        outcomes = {name: _bound(name) for name in names}
        print(*(f"{name}: {outcome}" for name, outcome in outcomes.items()), sep="\n")
        return int(any(outcome != "passed" for outcome in outcomes.values()))
    outcomes = {version: _interpreter(version) for version in sys.argv[2:] or INTERPRETERS}
    print(*(f"CPython {version}: {outcome}" for version, outcome in outcomes.items()), sep="\n")
    return int(any(outcome.startswith("failed") for outcome in outcomes.values()))


def _interpreter(version: str) -> str:
    """Run the core's tests on one interpreter, with the packages that are shipped."""
    found = interpreter(version)
    within = () if found else inside(version)
    if not found and not within:
        return "not run: it is not on this machine and cannot be had"
    program = found or f"/usr/bin/python{version}"
    name = _run(*within, program, "-c", "import sys; print(sys.version.split()[0])").stdout.strip()
    python = environment(f"python-{version}", program, within=within)
    if python is None:
        return f"not run: the packages cannot be installed on {name}"
    code = core_tests(python, CORE, within)
    return f"failed ({code}) on {name}" if code else f"passed on {name}"


def interpreter(version: str) -> str | None:
    """Return the program of a CPython, from pyenv, the path, or uv, which may have to fetch it;
    None if it cannot be had.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    number, _, is_free = version.partition("+")
    # pyenv names a free-threaded build 3.14.0t
    wanted = re.compile(rf"{re.escape(number)}\.\d+{'t' if is_free else ''}")
    here = [
        path / "bin" / "python"
        for path in sorted(pyenv.glob("*"), reverse=True)
        if wanted.fullmatch(path.name)
    ]
    if here:
        return str(here[0])
    for words in (
        ("find", "--no-python-downloads", "--system"),
        ("install",),
        ("find", "--managed-python"),
    ):
        done = _run(UV, "python", *words, version)
        if not done.returncode and done.stdout.strip():
            return done.stdout.strip()
    return None


def environment(
    name: str, python: str, overrides: Path | None = None, within: Sequence[str] = ()
) -> Path | None:
    """Make an environment with all of ours, editable, and the tools of tests; return its Python,
    None if packages cannot be installed. ``within`` are words before each command.
    """
    folder = ROOT / ".cache" / "environments" / name
    program = folder / "bin" / "python"
    _run(*within, UV, "venv", "--quiet", "--clear", "--python", python, str(folder), check=True)
    projects = [
        word
        for project in PROJECTS
        for word in ("-e", f"{project}[all,dev]" if project == ROOT else str(project))
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        free = _names(overrides) if overrides else set()
        constraints.writelines(
            f"{line}\n"
            for line in _CONSTRAINTS.read_text("utf-8").splitlines()
            if _name(line) not in free
        )
        constraints.flush()
        also = ["--override", str(overrides)] if overrides else []
        done = _run(
            *within,
            UV,
            "pip",
            "install",
            "--quiet",
            "--python",
            str(program),
            "-c",
            constraints.name,
            *also,
            *projects,
        )
    print(done.stderr, end="", flush=True)
    return None if done.returncode else program


def _bound(name: str) -> str:
    """Run tests with the packages that a resolution gives for what the core, or all of ours, ask
    for.
    """
    resolution, extras, tests = BOUNDS[name]
    projects = PROJECTS if extras else [ROOT, ROOT / "connectors" / "http"]
    folder = ROOT / ".cache" / "environments"
    folder.mkdir(parents=True, exist_ok=True)
    pins = folder / f"{name}.txt"
    found = compiled(
        "".join(f"{asked(project, extras)} @ {project.as_uri()}\n" for project in projects),
        "--resolution",
        resolution,
    )
    if isinstance(found, str):
        return f"failed: {found}"
    extras_of = _wanted_extras()
    pins.write_text(
        "".join(
            f"{package}{extras_of.get(package, '')}=={version}\n"
            for package, version in found.items()
        ),
        "utf-8",
    )
    print(f"{name}: {' '.join(pins.read_text('utf-8').split())}", flush=True)
    python = environment(name, sys.executable, pins)
    if python is None:
        return "failed: the packages cannot be installed"
    code = core_tests(python, tests)
    return f"failed ({code})" if code else "passed"


def compiled(wanted: str, *options: str) -> dict[str, str] | str:
    """Resolve requirements with uv; return the version of each package from an index, or what uv
    says where there is no solution.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".in") as source:
        source.write(wanted)
        source.flush()
        done = _run(
            UV, "pip", "compile", "--quiet", "--no-annotate", "--no-header", *options, source.name
        )
    if done.returncode:
        return done.stderr.strip()
    lines = (line.partition(";")[0].strip() for line in done.stdout.splitlines())
    return {_name(line): line.partition("==")[2] for line in lines if "==" in line}


def asked(project: Path, extras: str = "all") -> str:
    """Return the name of a project's distribution; that of the core with extras."""
    return (
        f"jackfield[{extras}]".replace("[]", "")
        if project == ROOT
        else f"jackfield-{project.name.removeprefix('jackfield_')}"
    )


def core_tests(python: Path, paths: Sequence[str], within: Sequence[str] = ()) -> int:
    """Run tests in an environment, with compiled modules of its own; return the exit code."""
    variables = {**os.environ, "PYTHONPYCACHEPREFIX": str(python.parents[1] / "pycache")}
    command = [
        *within,
        str(python),
        "-m",
        "pytest",
        "-q",
        "--workers",
        "2",
        "-p",
        "no:cacheprovider",
        *paths,
    ]
    return subprocess.run(
        command, cwd=ROOT, env=variables, timeout=_MINUTES * 60, check=False
    ).returncode


def _wanted_extras() -> dict[str, str]:
    """Return the extras that our projects and the tools of tests ask for, by package: an override
    without them would take them away.
    """
    found: dict[str, set[str]] = {}
    for path in PROJECTS:
        project = tomllib.loads((path / "pyproject.toml").read_text("utf-8"))["project"]
        optional = project.get("optional-dependencies", {}).values()
        for requirement in map(Requirement, chain(project.get("dependencies", ()), *optional)):
            found.setdefault(canonicalize_name(requirement.name), set()).update(requirement.extras)
    return {name: f"[{','.join(sorted(extras))}]" for name, extras in found.items() if extras}


def _names(pins: Path) -> set[str]:
    return {_name(line) for line in pins.read_text("utf-8").splitlines()}


def _name(line: str) -> str:
    return line.partition("==")[0].partition("[")[0].strip().lower().replace("_", "-")


def _run(*command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=check)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
