"""What an auditor asks for: a bill of materials, licences, known advisories, hashes, and wheels
that are built alike and signed.

``python .ci/audit.py`` writes ``bom.cdx.json`` and ``licences.json`` to ``--out``, builds each
wheel twice and compares them, signs them with ``--key`` (a private key file of ``jackfield
publisher new``), and compares the packages with ``advisories.json`` beside this file and with
``--advisories`` (files of OSV records, or folders of them). It exits with 1 if wheels differ, an
advisory fits a package, or ``constraints-hashed.txt`` does not fit ``constraints.txt``. ``--hash``
writes that file anew, which asks the package index.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from jackfield_market.attestations import SUFFIX, attest
from jackfield_market.publishers import read_signing_key
from jackfield_market.wheels import Wheel

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS, HASHED = ROOT / "constraints.txt", ROOT / "constraints-hashed.txt"
ADVISORIES = Path(__file__).with_name("advisories.json")
"""ID and affected releases of what is known of the packages that ours ask for: no floor of ours may
be one of them.
"""
PROJECTS = [
    ROOT,
    *sorted(ROOT.glob("runtime/jackfield_*")),
    *(one.parent for one in sorted(ROOT.glob("connectors/*/pyproject.toml"))),
]
HOSTS = sorted(one.parent for one in ROOT.glob("hosts/*/pyproject.toml"))
"""Packages for programs of others, such as Airflow. They are shipped as wheels, and installed
beside what these programs pin, not here.
"""


def shipped(names: Iterable[str]) -> dict[str, Distribution]:
    """Return the installed distributions that ours need, with all of their extras but ``dev``, and
    ours, by canonical name.
    """
    found: dict[str, Distribution] = {}
    left = [Requirement(f"{name}[all]") for name in names]
    seen: set[tuple[str, frozenset[str]]] = set()
    while left:
        wanted = left.pop()
        key = str(canonicalize_name(wanted.name)), frozenset(wanted.extras)
        if key in seen:
            continue
        seen.add(key)
        try:
            one = found[key[0]] = distribution(wanted.name)
        except PackageNotFoundError:  # for another platform, or an extra that is not installed here
            continue
        left += [
            need for need in map(Requirement, one.requires or ()) if _applies(need, wanted.extras)
        ]
    return dict(sorted(found.items()))


def _applies(need: Requirement, extras: Iterable[str]) -> bool:
    return need.marker is None or any(
        need.marker.evaluate({"extra": extra}) for extra in ("", *extras)
    )


def licence(one: Distribution) -> str:
    """Return what a distribution says of its licence: an SPDX expression, a classifier, or the
    text's first line.
    """
    about = one.metadata
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or ()
        if line.startswith("License :: ")
    ]
    text = (about.get_all("License") or [""])[0].strip().splitlines()
    expression = (about.get_all("License-Expression") or [""])[0]
    return (
        expression
        or " OR ".join(classifiers)
        or (text[0][:100] if text else "")
        or _first_line(one)
    )


def _first_line(one: Distribution) -> str:
    """Return the first line of the licence that a distribution brings along, for one that only does
    that.
    """
    for name in one.metadata.get_all("License-File") or ():
        if text := (one.read_text(f"licenses/{name}") or "").strip():
            return text.splitlines()[0][:100]
    return ""


def hashes(path: Path = HASHED) -> dict[tuple[str, str], list[str]]:
    """Return the SHA-256 digests by canonical name and version, of a file of hashed constraints."""
    found: dict[tuple[str, str], list[str]] = {}
    for entry in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        if entry and not entry.startswith("#"):
            pinned, *rest = entry.split()
            name, _, version = pinned.partition("==")
            digests = [
                one.removeprefix("--hash=sha256:") for one in rest if one.startswith("--hash=")
            ]
            found[str(canonicalize_name(name)), version] = digests
    return found


def bill(
    parts: Mapping[str, Distribution], digests: Mapping[tuple[str, str], list[str]]
) -> dict[str, Any]:
    """Return the CycloneDX 1.6 document of what is installed with everything."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "name": "jackfield",
                "version": parts["jackfield"].version,
            }
        },
        "components": [
            *(
                _component(name, one.version, licence(one), digests.get((name, one.version), []))
                for name, one in parts.items()
            ),
            *(
                _component(name, about["version"], about["license"], [])
                for name, about in hosted().items()
            ),
        ],
    }


def hosted() -> dict[str, dict[str, Any]]:
    """Return what the projects of ``hosts`` say of themselves, by canonical name."""
    found = [
        tomllib.loads((one / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for one in HOSTS
    ]
    return {str(canonicalize_name(about["name"])): about for about in found}


def _component(name: str, version: str, words: str, digests: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
    }
    if words:
        found["licenses"] = [{"license": {"name": words}}]
    if digests:
        found["externalReferences"] = [
            {
                "type": "distribution",
                "url": f"pkg:pypi/{name}@{version}",
                "hashes": [{"alg": "SHA-256", "content": one_digest}],
            }
            for one_digest in digests
        ]
    return found


def advisories(paths: Iterable[Path]) -> Iterator[Mapping[str, Any]]:
    """Yield the OSV records of files and folders; a file may hold one, a list of them, or
    ``{"vulns": [...]}``.
    """
    for path in paths:
        for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
            data = json.loads(file.read_text(encoding="utf-8"))
            records = data if isinstance(data, list) else data.get("vulns", [data])
            yield from (record for record in records if not record.get("withdrawn"))


def affected(
    records: Iterable[Mapping[str, Any]], versions: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    """Return ID, package and version of each advisory that fits a package (OSV schema 1.6,
    ``affected``).
    """
    found = []
    for record in records:
        for part in record.get("affected", ()):
            package = part.get("package", {})
            name = str(canonicalize_name(package.get("name", "")))
            if (
                package.get("ecosystem") == "PyPI"
                and name in versions
                and _fits(part, versions[name])
            ):
                found.append((str(record["id"]), name, versions[name]))
    return sorted(set(found))


def _fits(part: Mapping[str, Any], text: str) -> bool:
    if text in part.get("versions", ()):
        return True
    version = Version(text)
    return any(
        _within(entry.get("events", ()), version)
        for entry in part.get("ranges", ())
        if entry.get("type") == "ECOSYSTEM"
    )


def _within(events: Iterable[Mapping[str, str]], version: Version) -> bool:
    """Return whether a version lies in a range, whose events are in order."""
    inside = False
    for event in events:
        ((kind, text),) = event.items()
        try:
            at = Version("0" if text == "0" else text)
        except InvalidVersion:
            return True  # somebody has to look
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            inside = False
    return inside


def built(out: Path) -> list[Path]:
    """Build the wheel of each project, and return the files."""
    for project in [*PROJECTS, *HOSTS]:
        command = [
            str(Path(sys.executable).with_name("uv")),
            "build",
            "--quiet",
            "--wheel",
            "--out-dir",
            str(out),
            str(project),
        ]
        subprocess.run(command, check=True, capture_output=True)
    return sorted(out.glob("*.whl"))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sign(wheel: Path, key: str) -> None:
    """Write the attestation of a wheel beside it, as ``jackfield sign`` does for connectors;
    ``jackfield verify`` reads it.
    """
    name, version = wheel.name.split("-")[:2]
    about = SimpleNamespace(
        name=str(canonicalize_name(name)), version=version, file=wheel.name, sha256=digest(wheel)
    )
    text = json.dumps(attest(cast(Wheel, about), read_signing_key(key)), indent=2)
    wheel.with_name(wheel.name + SUFFIX).write_text(text + "\n", encoding="utf-8")


def unlike_hashes() -> list[str]:
    """Return the pins of ``constraints.txt`` that ``constraints-hashed.txt`` does not have with a
    hash.
    """
    known = hashes()
    pins = [
        line.partition(";")[0].strip()
        for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines()
        if "==" in line
    ]
    parted = [
        (str(canonicalize_name(name)), version, line)
        for line in pins
        for name, _, version in [line.partition("==")]
    ]
    return [line for name, version, line in parted if not known.get((name, version))]


def write_hashes() -> None:
    """Write ``constraints-hashed.txt``: pip refuses editable installs beside hashes, so
    ``constraints.txt`` stays.
    """
    uv = str(Path(sys.executable).with_name("uv"))
    command = [
        uv,
        "pip",
        "compile",
        "--quiet",
        "--no-deps",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--universal",
        "--no-emit-index-url",
        str(CONSTRAINTS),
        "--output-file",
        str(HASHED),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _wheels(out: Path, key: str | None) -> list[str]:
    """Build all wheels twice, keep and sign the first ones, and return the names of those that
    differ.
    """
    first = built(out)
    with tempfile.TemporaryDirectory() as again:
        second = {path.name: digest(path) for path in built(Path(again))}
    for wheel in first if key else ():
        sign(wheel, cast("str", key))
    return [path.name for path in first if second.get(path.name) != digest(path)]


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="audit")
    parser.add_argument("--out", type=Path, default=ROOT / ".venv" / "audit")
    parser.add_argument("--advisories", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--key", metavar="KEYFILE")
    parser.add_argument("--hash", action="store_true")
    return parser.parse_args()


def main() -> int:
    """Write everything, and print what is wrong."""
    asked = _asked()
    if asked.hash:
        write_hashes()
    asked.out.mkdir(parents=True, exist_ok=True)
    for old in asked.out.glob("*.whl*"):
        old.unlink()
    names = [
        entry.name if entry != ROOT else "jackfield"
        for entry in PROJECTS
        if entry.parent.name != "connectors"
    ]
    parts = shipped(
        [
            *names,
            *(f"jackfield-{entry.name}" for entry in PROJECTS if entry.parent.name == "connectors"),
        ]
    )
    (asked.out / "bom.cdx.json").write_text(
        json.dumps(bill(parts, hashes()), indent=2) + "\n", encoding="utf-8"
    )
    licences = {name: licence(one) or "not stated" for name, one in parts.items()}
    licences |= {name: about["license"] for name, about in hosted().items()}
    (asked.out / "licences.json").write_text(
        json.dumps(licences, indent=2) + "\n", encoding="utf-8"
    )
    wrong = [
        f"{line}: not in constraints-hashed.txt, run 'make audit HASH=1'"
        for line in unlike_hashes()
    ]
    versions = {name: one.version for name, one in parts.items()}
    found = affected(advisories([ADVISORIES, *asked.advisories]), versions)
    wrong += [f"{name} {version}: {identifier}" for identifier, name, version in found]
    wrong += [f"{name}: two builds differ" for name in _wheels(asked.out, asked.key)]
    unstated = [name for name, words in licences.items() if words == "not stated"]
    print(f"{len(licences)} packages; licence not stated: {', '.join(unstated) or 'none'}")
    print(f"advisories: {len(found)} fit")
    print(f"wheels: {len(PROJECTS) + len(HOSTS)} built twice{', signed' if asked.key else ''}")
    print("\n".join(wrong) or "nothing is wrong", file=sys.stderr if wrong else sys.stdout)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
