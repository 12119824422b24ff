"""Checkouts of public test suites, fetched by git outside of the repository, each at one commit.
Nothing of them is in the repository.

They lie in ``~/.cache/jackfield/suites``, or where ``SUITES`` says. ``SUITES_FROM`` names another
place than GitHub, such as a mirror: ``/mirror/{owner}+{name}/repo``.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from jackfield.kernel.dataclass import dataclass

SKIPPED = 77
"""Exit code of a part that could not run; the reason is the last line that it prints."""
_GITHUB = "https://github.com/{owner}/{name}.git"
_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Source:
    """A repository and the commit that was looked at."""

    owner: str
    name: str
    commit: str


TUF = Source("theupdateframework", "tuf-conformance", "eec841c186f81f2d9d8d30460c7e7deefa615f9e")
WYCHEPROOF = Source("C2SP", "wycheproof", "dac1dd4729fd1f8dd9e1e9f3dce51d783da6c166")
BOTOCORE = Source("boto", "botocore", "0e6e2404b85dc336dd2889814e089bde7d1a4c55")
IS_EMAIL = Source("dominicsayers", "isemail", "cfeefc3f2f88cb195053f6a309fa4f640cd369b5")


class MissingSource(Exception):
    """A suite that cannot be fetched here, with the reason."""


def checkout(source: Source) -> Path:
    """Return the folder of a suite; fetch it if it is not there.

    :raises MissingSource: if it cannot be fetched.
    """
    root = Path(os.environ.get("SUITES") or Path.home() / ".cache" / "jackfield" / "suites")
    folder = root / f"{source.name}-{source.commit[:12]}"
    if (folder / ".git" / "complete").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    url = (os.environ.get("SUITES_FROM") or _GITHUB).format(owner=source.owner, name=source.name)
    _git(folder, "init", "--quiet")
    _git(folder, "fetch", "--quiet", "--depth", "1", url, source.commit)
    _git(folder, "-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", source.commit)
    (folder / ".git" / "complete").touch()
    return folder


def _git(folder: Path, *words: str) -> None:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingSource(f"git {words[0]}: {error}") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise MissingSource(f"git {words[0]}: {said[-1]}")
