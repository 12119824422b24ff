"""Documents of providers that a shelf is compared with: fetched from the sources in
``sources.lock.yaml``, checked by digest, never committed.

A row names a ``package`` (``npm:NAME``, ``pypi:NAME`` or ``github:OWNER/NAME``) and its
``version``, of GitHub a commit. ``integrity`` is the digest of the fetched file (W3C Subresource
Integrity), ``path`` or ``paths`` its documents, and ``on`` the day of the fetch.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jackfield.connector import Guard, InvalidInput
from jackfield_openapi.reading import parsed
from jackfield_openapi.sources import fetched

_RAW = "https://raw.githubusercontent.com"
_NEWEST = "HEAD"
_SECONDS = 600
_USES = ("check", "source")
_FREE = frozenset({"Apache-2.0", "MIT", "BSD-3-Clause", "BSD-2-Clause", "CC-BY-4.0"})
"""Licences under which a document may be a source; documents under other licences serve for
comparison only.
"""
_MEMBERS = frozenset({"package", "version", "integrity", "path", "paths", "licence", "use", "on"})

Json = dict[str, Any]


def row_faults(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each fault of a row, such as a source under a licence that does not
    permit its use.
    """
    if missing := {"package", "version", "integrity", "licence", "use", "on"} - row.keys():
        yield f"it has no '{min(missing)}'"
    if unknown := row.keys() - _MEMBERS:
        yield f"it has an unknown member '{min(unknown)}'"
    if row.get("use") not in _USES:
        yield f"'use' is one of {', '.join(_USES)}"
    if row.get("use") == "source" and row.get("licence") not in _FREE:
        yield f"a document under '{row.get('licence')}' is no source"


def documents(row: Json, cache: Path, *, newest: bool = False) -> list[Json]:
    """Return the documents of a row; ``newest`` fetches the newest version and skips the digest.

    :raises InvalidInput: if they cannot be fetched, do not match the lock, or cannot be parsed.
    """
    kind, _, name = str(row["package"]).partition(":")
    fetch = _KINDS.get(kind)
    if fetch is None:
        raise InvalidInput(
            f"'{row['package']}' is not of {', '.join(_KINDS)}", hint="Correct sources.lock.yaml."
        )
    wanted = [str(path) for path in row.get("paths", [row.get("path")])]
    files = fetch(name, None if newest else str(row["version"]), wanted, cache)
    if not newest and (found := files.integrity(str(row["integrity"]))) != row["integrity"]:
        raise InvalidInput(
            f"'{row['package']}' {row['version']} has the integrity {found}",
            hint="It is not what the lock names: find out why.",
        )
    return [parsed(files.contents[path], path) for path in wanted]


class _Files:
    """Fetched documents: ``contents`` by path, and the whole file that the digest covers."""

    def __init__(self, whole: bytes, contents: Mapping[str, bytes]) -> None:
        self._whole = whole
        self.contents = contents

    def integrity(self, like: str) -> str:
        """Return the file's digest in the algorithm of ``like``; ``unknown`` if the algorithm is
        not supported.
        """
        algorithm = like.partition("-")[0]
        if algorithm not in ("sha256", "sha384", "sha512"):
            return "unknown"
        return f"{algorithm}-{b64encode(hashlib.new(algorithm, self._whole).digest()).decode()}"


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_SECONDS)
    if done.returncode:
        raise InvalidInput(
            f"'{' '.join(command[:4])}' has failed: {done.stderr.strip()[-300:]}",
            hint="The registry must be reachable.",
        )


def _packed(cache: Path, pattern: str, command: Callable[[str], tuple[str, ...]]) -> bytes:
    """Return the file that a command downloads into a folder; skip the download if the folder has
    the file.
    """
    cache.mkdir(parents=True, exist_ok=True)
    if not any(cache.glob(pattern)):
        _run(*command(str(cache)))
    return max(cache.glob(pattern)).read_bytes()


def _npm(name: str, version: str | None, paths: list[str], cache: Path) -> _Files:
    wanted = f"{name}@{version or 'latest'}"
    folder = cache / f"npm-{wanted.replace('/', '-')}"
    whole = _packed(
        folder,
        "*.tgz",
        lambda into: ("npm", "pack", "--silent", "--pack-destination", into, wanted),
    )
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        members = {path: archive.extractfile(path) for path in paths}
        return _Files(
            whole, {path: member.read() for path, member in members.items() if member is not None}
        )


def _pypi(name: str, version: str | None, paths: list[str], cache: Path) -> _Files:
    wanted = name if version is None else f"{name}=={version}"
    command = (
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--only-binary",
        ":all:",
        "-d",
    )
    whole = _packed(cache / f"pypi-{wanted}", "*.whl", lambda into: (*command, into, wanted))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return _Files(whole, {path: archive.read(path) for path in paths})


def _github(name: str, version: str | None, paths: list[str], cache: Path) -> _Files:
    contents = {}
    for path in paths:
        kept = cache / f"github-{name.replace('/', '-')}-{version or _NEWEST}" / path
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(
                fetched(f"{_RAW}/{name}/{version or _NEWEST}/{path.replace(' ', '%20')}", Guard())
            )
        contents[path] = kept.read_bytes()
    return _Files(b"".join(contents.values()), contents)


_KINDS = {"npm": _npm, "pypi": _pypi, "github": _github}
