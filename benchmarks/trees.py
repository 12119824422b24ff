"""Trees of sources whose code is measured: this repository, and beside it the commit that the file
``baseline`` names.

A process of a tree has that tree's packages on PYTHONPATH, which comes before the packages that the
virtual environment has installed as editable, and before them the entry points that the tree's
projects declare: those of the environment name modules that another tree may not have. What it
measures with (``benchmarks``) and the third parties are the same in both.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREE = Path(os.environ.get("BENCH_TREE", ROOT))
"""The tree of this process."""
_DECLARED = ".declared"
_NEEDED = (
    "pyproject.toml",
    "runtime",
    "connectors",
    "tests/support",
    "tests/connectors",
    ":(glob)tests/*isolation/connectors/**",
)

OF_TESTS = (
    "tests/support",
    "tests/campaigns",
    *(f"connectors/{name}/tests" for name in ("aws", "aws-ses", "http", "mcp", "openapi")),
)
"""Folders with servers, stages and measurements that benchmarks share with tests."""

sys.path[:0] = [str(TREE / folder) for folder in OF_TESTS]


def commit() -> str:
    """Return the baseline's commit."""
    return Path(__file__).with_name("baseline").read_text(encoding="ascii").strip()


@cache
def baseline() -> Path | None:
    """Return the baseline's tree, extracted on first use; None if this clone does not have its
    commit.
    """
    tree = ROOT / ".cache" / "baseline" / commit()
    if not tree.is_dir():
        try:
            _extract(_git("archive", commit(), *_NEEDED), tree)
        except subprocess.CalledProcessError as error:
            print(f"no baseline: {error.stderr.decode().strip()}", file=sys.stderr)
            return None
    return tree


def extracted() -> Path:
    """Extract this repository as it is, uncommitted changes included, as the baseline is extracted.

    Its packages are installed as editable where they are. At another path, they add the same
    entries to ``sys.path`` as the baseline's, which takes 7 % of a cold ``jackfield --help``.
    """
    with tempfile.TemporaryDirectory() as folder:
        index = str(Path(folder, "index"))
        _git("add", "--", *_NEEDED, index=index)
        found = _git("write-tree", index=index).decode().strip()
    trees = ROOT / ".cache" / "ours"
    tree = trees / found
    if not tree.is_dir():
        shutil.rmtree(trees, ignore_errors=True)
        _extract(_git("archive", found), tree)
    return tree


def _git(*words: str, index: str | None = None) -> bytes:
    own = {} if index is None else {"GIT_INDEX_FILE": index}
    return subprocess.run(
        ["git", *words], check=True, capture_output=True, cwd=ROOT, env={**os.environ, **own}
    ).stdout


def _extract(archived: bytes, tree: Path) -> None:
    part = tree.with_suffix(f".{os.getpid()}")
    with tarfile.open(fileobj=io.BytesIO(archived)) as archive:
        archive.extractall(part, filter="data")
    _declare(part)
    part.rename(tree)


def _declare(tree: Path) -> None:
    """Write the entry points of a tree's projects as installed distributions have them; projects
    that it lacks declare none.
    """
    found = dict.fromkeys((name for name, _ in _projects(ROOT)), "") | dict(_projects(tree))
    for name, text in found.items():
        folder = tree / _DECLARED / f"{name.replace('-', '_')}-0.dist-info"
        folder.mkdir(parents=True)
        (folder / "entry_points.txt").write_text(text, encoding="utf-8")


def _pyprojects(tree: Path) -> list[Path]:
    return sorted(
        [*tree.glob("runtime/*/pyproject.toml"), *tree.glob("connectors/*/pyproject.toml")]
    )


def _projects(tree: Path) -> Iterator[tuple[str, str]]:
    for path in (tree / "pyproject.toml", *_pyprojects(tree)):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        groups = project.get("entry-points", {})
        yield (
            project["name"],
            "".join(
                f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
                for group, points in groups.items()
            ),
        )


def environment(tree: Path = TREE, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a process of ``tree``: without settings of AWS and of jackfield but
    these, and without a journal.

    PYTHONPATH in ``settings`` comes after the tree's.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "JACKFIELD_", "PYTHONDONTWRITE"))
    }
    more = dict(settings or {})
    paths = [
        str(tree / _DECLARED),
        str(tree / "runtime"),
        *(str(path.parent) for path in _pyprojects(tree)),
        *filter(None, [more.pop("PYTHONPATH", None)]),
    ]
    return {
        **kept,
        "AWS_EC2_METADATA_DISABLED": "true",
        "BENCH_TREE": str(tree),
        "JACKFIELD_DATABASE_URL": "none",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(paths),
        **more,
    }
