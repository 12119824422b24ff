"""Packing: an author's folder becomes a reproducible wheel with the manifest, a page of
documentation and an SBOM.

The bytes depend only on the folder's content: entries are sorted, times and modes are fixed, and
the name of the build tool is left out.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jackfield.catalog.comparing import difference
from jackfield.kernel.errors import InvalidInvocation
from jackfield.manifest.manifest import Manifest
from jackfield_market.author_process import build_wheel, describe_code, describe_data
from jackfield_market.documents import page, sbom
from jackfield_market.files import write_file
from jackfield_market.manifest_changes import compare, read_described, refuse_step
from jackfield_market.wheels import Wheel, parse_wheel, read_bounded, record_hash

_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_UNIX = 3
_CODE = (".py", ".so", ".pyd")
"""Suffixes of files that Python imports."""
_REGENERATE = "Write connector.json anew from the code, look at the difference, and pack again."
PAGE = "docs/connector.md"
"""Path of the page of documentation, in the metadata folder."""
SBOM = "sboms/bom.cdx.json"
"""Path of the CycloneDX document, in the metadata folder where PEP 770 expects it."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Wheel in memory, checked by the rules of ``read_wheel``, and the manifest that its code
    describes.
    """

    wheel: Wheel
    content: bytes

    def write(self, folder: str) -> str:
        """Write the wheel into ``folder`` and return its path.

        :raises InvalidInvocation: if the wheel cannot be written.
        """
        path = os.path.join(folder, self.wheel.file)
        write_file(path, self.content)
        return path


def pack(folder: str) -> Packed:
    """Pack the connector in ``folder``.

    :raises InvalidInvocation: if the folder is no connector's, its build fails, or its code differs
        from ``connector.json``.
    :raises WheelRefused: if the wheel breaks a rule.
    """
    _check_project(folder)
    with tempfile.TemporaryDirectory(prefix="jackfield-") as scratch:
        path = build_wheel(folder, scratch)
        built = read_bounded(path)
        file = os.path.basename(path)
    plain = parse_wheel(file, built)
    content = _archived(plain, _completed(plain))
    wheel = parse_wheel(file, content)
    _check_manifest(wheel)
    return Packed(wheel, content)


def check_step(folder: str, previous: str, manifest: Manifest) -> None:
    """Check that the version of the connector in ``folder`` is high enough for its changes since
    ``previous``.

    :raises InvalidInvocation: if the version is too low, or a breaking change has no section in
        CHANGELOG.md.
    """
    path = os.path.join(folder, "CHANGELOG.md")
    changelog = read_bounded(path).decode("utf-8", "replace") if os.path.isfile(path) else None
    refuse_step(compare(read_described(previous), manifest), changelog)


def _check_project(folder: str) -> None:
    path = os.path.join(folder, "pyproject.toml")
    if not os.path.isdir(folder):
        raise InvalidInvocation(
            f"'{folder}' is not a folder",
            hint="Name the folder that contains the connector's pyproject.toml.",
        )
    try:
        project = tomllib.loads(read_bounded(path).decode("utf-8"))
    except ValueError as error:
        raise InvalidInvocation(f"'{path}' is not valid TOML: {error}") from None
    backend = project.get("build-system", {}).get("build-backend")
    if backend != "hatchling.build":
        raise InvalidInvocation(
            f"'{path}' names the build backend {json.dumps(backend)}; a connector is packed with "
            "hatchling",
            hint=(
                'Set [build-system] requires = ["hatchling>=1.27"], build-backend = '
                '"hatchling.build".'
            ),
        )


def _completed(wheel: Wheel) -> Mapping[str, bytes]:
    """Return the files of the final wheel by path, without RECORD."""
    info = wheel.dist_info
    lines = wheel.files[f"{info}/WHEEL"].decode("utf-8").splitlines()
    stated = ["Generator: jackfield" if line.startswith("Generator:") else line for line in lines]
    made = {
        f"{info}/WHEEL": "\n".join(stated) + "\n",
        f"{info}/{PAGE}": page(wheel),
        f"{info}/{SBOM}": sbom(wheel),
    }
    files = {path: content for path, content in wheel.files.items() if path != f"{info}/RECORD"}
    return {**files, **{path: text.encode("utf-8") for path, text in made.items()}}


def _archived(wheel: Wheel, files: Mapping[str, bytes]) -> bytes:
    record = f"{wheel.dist_info}/RECORD"
    paths = sorted(files, key=lambda path: (path.startswith(f"{wheel.dist_info}/"), path))
    rows = [f"{_quoted(path)},{record_hash(files[path])},{len(files[path])}\n" for path in paths]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, content in [
            *((path, files[path]) for path in paths),
            (record, ("".join(rows) + f"{record},,\n").encode()),
        ]:
            entry = zipfile.ZipInfo(path, _TIME)
            entry.create_system, entry.external_attr = _UNIX, _MODE
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)
    return stream.getvalue()


def _quoted(path: str) -> str:
    return '"' + path.replace('"', '""') + '"' if set(path) & set(',"') else path


def _check_manifest(wheel: Wheel) -> None:
    value = next(iter(wheel.entry_points["jackfield.connectors"].values()))
    module, _, attribute = (part.strip() for part in value.partition(":"))
    has_code = module != wheel.package or any(path.endswith(_CODE) for path in wheel.files)
    described = (
        _described(wheel, module, attribute)
        if has_code
        else describe_data(wheel.manifest.raw, attribute)
    )
    refuse_difference(wheel.manifest.raw, described)


def _described(wheel: Wheel, module: str, attribute: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="jackfield-") as root:
        for path, content in wheel.files.items():
            if path.startswith(f"{wheel.package}/"):
                target = os.path.join(root, *path.split("/"))
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(target, "wb") as file:
                    file.write(content)
        return describe_code(root, module, attribute)


def refuse_difference(committed: Mapping[str, Any], described: Mapping[str, Any]) -> None:
    """Compare ``connector.json`` with the manifest that the code describes.

    :raises InvalidInvocation: if they differ; the error names the first difference.
    """
    if committed == described:
        return
    found = (
        difference(committed, described, prose=True)
        or "differs from its manifest in the order or form of its members"
    )
    raise InvalidInvocation(f"the connector '{committed.get('key')}' {found}", hint=_REGENERATE)
