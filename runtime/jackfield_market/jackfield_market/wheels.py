"""Defensive reading of a connector's wheel: every rule is checked on bytes in memory, and no code
of the package is imported.

A wheel comes from a third party. It is read once, so that the checked bytes are used, and refused
at the first broken rule.
"""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import io
import json
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from typing import Any

from packaging.metadata import InvalidMetadata, Metadata
from packaging.tags import parse_tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from jackfield.call.offered_hosts import inner_hosts
from jackfield.kernel.errors import Detail, InvalidInvocation, UnknownConnector
from jackfield.kernel.pointers import pointer
from jackfield.manifest.manifest import Manifest
from jackfield.manifest.parts import too_long
from jackfield.manifest.reading import ManifestError
from jackfield.schema.cache import check_schemas
from jackfield_market.names import is_host
from jackfield_market.source_text import source_fault
from jackfield_market.zip_layout import data_places, unpacked

MAX_BYTES = 32 * 1024 * 1024
"""Maximum size of a wheel file, in bytes."""
MAX_FILES = 5_000
"""Maximum number of entries in a wheel."""
MAX_UNPACKED = 128 * 1024 * 1024
"""Maximum total size of the unpacked files of a wheel, in bytes."""
MAX_RATIO = 200
"""Maximum ratio of unpacked to compressed size, for files above ``_SMALL``; text rarely exceeds
20.
"""
MAX_MANIFEST_RATIO = 40
"""Maximum ratio of unpacked to compressed size for a ``connector.json`` above 64 KiB. Its schemas
take 4 s for each MiB; shipped connectors have ratios of 6 to 13.
"""
MAX_PARSED = 8 * 1024 * 1024
"""Maximum size in bytes of ``connector.json``, and of each parsed text file in the metadata
folder.
"""
_SMALL = 1024 * 1024
_SMALL_MANIFEST = 64 * 1024
_MAX_PATH = 240
_GROUP = "jackfield.connectors"
_GROUPS = frozenset({_GROUP, "jackfield.commands"})
_PARSED = ("METADATA", "WHEEL", "RECORD", "entry_points.txt")
_RESERVED = frozenset({"jackfield", "jackfield-aws", "jackfield-http"})


class WheelRefused(InvalidInvocation):
    """Refusal of a wheel that breaks a rule. ``rule`` is the rule's name, for programs, and the
    ``keyword`` of the only detail.
    """

    def __init__(self, file: str, rule: str, message: str, member: str = "") -> None:
        where = pointer(*member.split("/")) if member else ""
        super().__init__(
            f"the wheel '{file}' is refused: {message} (rule '{rule}')",
            details=[Detail(where, message, rule)],
            hint=(
                "If it is yours, correct the project and pack it again; else ask its "
                "publisher for a correct one."
            ),
        )
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Wheel:
    """Connector's wheel that satisfies every rule. ``files`` has the content of each file by its
    path in the wheel.
    """

    file: str
    """Name of the file, without folders."""
    sha256: str
    size: int
    name: str
    """Distribution's name, normalised (``jackfield-acme-crm``)."""
    version: str
    package: str
    """Name of the only import package (``jackfield_acme_crm``)."""
    dist_info: str
    """Folder of the metadata (``jackfield_acme_crm-1.0.0.dist-info``)."""
    manifest: Manifest
    metadata: Metadata
    entry_points: Mapping[str, Mapping[str, str]]
    """Entry points by group: ``jackfield.connectors``, and optionally ``jackfield.commands``."""
    files: Mapping[str, bytes]

    @property
    def raw_metadata(self) -> bytes:
        """Return the bytes of ``METADATA``, which an index serves next to the wheel (PEP 658)."""
        return self.files[f"{self.dist_info}/METADATA"]

    def info(self, name: str) -> bytes | None:
        """Return a file of the metadata folder, such as ``sboms/bom.cdx.json``; None if the wheel
        has no such file.
        """
        return self.files.get(f"{self.dist_info}/{name}")


def read_wheel(path: str) -> Wheel:
    """Read and check the wheel at ``path``.

    :raises InvalidInvocation: if the file cannot be read.
    :raises WheelRefused: if the wheel breaks a rule.
    """
    return parse_wheel(os.path.basename(path), read_bounded(path))


def read_bounded(path: str, limit: int = MAX_BYTES) -> bytes:
    """Read a regular file of at most ``limit`` bytes.

    :raises InvalidInvocation: if the file cannot be read, is no regular file, or is larger.
    """
    try:
        with open(path, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InvalidInvocation(f"'{path}' is not a regular file")
            content = file.read(limit + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidInvocation(
            f"the file '{path}' cannot be read: {reason}",
            hint="Check the path and its permissions.",
        ) from None
    if len(content) > limit:
        raise InvalidInvocation(f"the file '{path}' has more than {limit:,} bytes")
    return content


def is_canonical(version: str) -> bool:
    """Return whether a version has its canonical spelling, the only accepted one: ``1.0``, not
    ``v1.0`` or ``01.0``.
    """
    try:
        return str(Version(version)) == version
    except InvalidVersion:
        return False


def parse_wheel(file: str, content: bytes) -> Wheel:
    """Parse and check a wheel's ``content``; ``file`` is its file name, which states name and
    version.

    :raises WheelRefused: if the wheel breaks a rule.
    """
    return _Reading(file).wheel(content)


class _Reading:
    """Reading of one wheel. ``refused`` builds the error of a broken rule."""

    def __init__(self, file: str) -> None:
        self.file = file

    def refused(self, rule: str, message: str, member: str = "") -> WheelRefused:
        return WheelRefused(self.file, rule, message, member)

    def wheel(self, content: bytes) -> Wheel:
        if len(content) > MAX_BYTES:
            raise self.refused("size", f"it has more than {MAX_BYTES:,} bytes")
        name, version, tags = self._name_parts()
        files = self._unpacked(content)
        info = self._dist_info(files, name, version)
        self._check_sizes(files, info)
        self._check_record(files, f"{info}/RECORD")
        metadata = self._metadata(files, info, name, version)
        self._check_tags(files[f"{info}/WHEEL"], tags)
        points = self._entry_points(files, info)
        key, package = self._connector(points, name)
        self._check_places(files, package, info)
        manifest = self._manifest(files, package, key, version)
        digest = hashlib.sha256(content).hexdigest()
        return Wheel(
            self.file,
            digest,
            len(content),
            name,
            str(version),
            package,
            info,
            manifest,
            metadata,
            points,
            files,
        )

    def _name_parts(self) -> tuple[str, Any, frozenset[Any]]:
        if not self.file.endswith(".whl"):
            raise self.refused(
                "wheel-only",
                "it is not a .whl file; source distributions run code when they are installed",
            )
        try:
            name, version, build, tags = parse_wheel_filename(self.file)
        except InvalidWheelFilename as error:
            raise self.refused("file-name", str(error)) from None
        if build or self.file.split("-")[1] != str(version):
            # otherwise one version could have several wheels, with other contents
            raise self.refused(
                "file-name", f"its name must state the version as '{version}', and no build number"
            )
        if name in _RESERVED:
            raise self.refused("reserved-name", f"the name '{name}' belongs to jackfield itself")
        return str(name), version, tags

    def _unpacked(self, content: bytes) -> dict[str, bytes]:
        if not content.startswith(b"PK\x03\x04"):
            raise self.refused("zip", "it is not a zip archive, or has data before the archive")
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return self._members(archive, content)
        except (
            zipfile.BadZipFile,
            zlib.error,
            NotImplementedError,
            EOFError,
            RuntimeError,
            ValueError,
            OSError,
        ) as error:
            raise self.refused("zip", f"its archive is broken: {error}") from None

    def _members(self, archive: zipfile.ZipFile, content: bytes) -> dict[str, bytes]:
        entries = archive.infolist()
        if len(entries) > MAX_FILES:
            raise self.refused(
                "entries", f"it has {len(entries):,} entries; at most {MAX_FILES:,} are allowed"
            )
        if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
            raise self.refused(
                "zip-bomb", f"its files have more than {MAX_UNPACKED:,} bytes together"
            )
        places = data_places(content, entries)
        seen: dict[str, str] = {}
        for entry in entries:
            self._check_entry(entry)
            twin = seen.setdefault(entry.filename.rstrip("/").casefold(), entry.filename)
            if twin is not entry.filename:
                raise self.refused(
                    "duplicate",
                    f"it has '{entry.filename}' twice, or in two spellings",
                    entry.filename,
                )
        contents = {
            entry.filename: unpacked(content, entry, places[entry.header_offset])
            for entry in entries
        }
        return {path: found for path, found in contents.items() if not path.endswith("/")}

    def _check_entry(self, entry: zipfile.ZipInfo) -> None:
        name = entry.filename
        if (
            entry.orig_filename != name
            or (fault := _path_fault(name.removesuffix("/"))) is not None
        ):
            raise self.refused(
                "path",
                f"the path {name[:200]!r} "
                f"{'has a null character' if entry.orig_filename != name else fault}",
            )
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in {0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG}:
            raise self.refused("symlink", f"'{name}' is a link or device, not a regular file", name)
        if entry.flag_bits & 0x1 or entry.compress_type not in {
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        }:
            raise self.refused(
                "zip", f"'{name}' is encrypted, or compressed by another method than deflate", name
            )
        small, ratio = (
            (_SMALL_MANIFEST, MAX_MANIFEST_RATIO)
            if name.endswith("/connector.json")
            else (_SMALL, MAX_RATIO)
        )
        if entry.file_size > small and entry.file_size > ratio * max(entry.compress_size, 1):
            raise self.refused(
                "zip-bomb", f"'{name}' unpacks to more than {ratio} times its size", name
            )
        if entry.is_dir() and entry.file_size:
            raise self.refused("zip", f"'{name}' is a folder with content", name)
        if name.lower().endswith(".pth"):
            raise self.refused("pth", f"'{name}' would run code whenever Python starts", name)
        if name.lower().endswith((".pyc", ".pyo")):
            raise self.refused(
                "bytecode",
                f"'{name}' is bytecode, which can differ from the source beside it",
                name,
            )

    def _dist_info(self, files: Mapping[str, bytes], name: str, version: object) -> str:
        found = sorted(
            {top for path in files if (top := path.partition("/")[0]).endswith(".dist-info")}
        )
        if len(found) != 1:
            raise self.refused("dist-info", f"it must have one .dist-info folder, not {len(found)}")
        stated, _, number = found[0].removesuffix(".dist-info").rpartition("-")
        if canonicalize_name(stated) != name or number != str(version):
            raise self.refused("dist-info", f"its folder '{found[0]}' does not match the file name")
        for needed in _PARSED:
            if f"{found[0]}/{needed}" not in files:
                raise self.refused("dist-info", f"'{found[0]}/{needed}' is missing")
        return found[0]

    def _check_sizes(self, files: Mapping[str, bytes], info: str) -> None:
        """Check sizes before parsing, which needs a multiple of the size in memory.

        :raises WheelRefused: if a file is too large.
        """
        parsed = (
            path
            for path in files
            if path.endswith("/connector.json") or path in {f"{info}/{name}" for name in _PARSED}
        )
        large = next((path for path in parsed if len(files[path]) > MAX_PARSED), None)
        if large is not None:
            raise self.refused("size", f"'{large}' has more than {MAX_PARSED:,} bytes", large)
        fault = source_fault(files)
        if fault is not None:
            raise self.refused("source-size", f"'{fault[0]}' {fault[1]}", fault[0])

    def _check_record(self, files: Mapping[str, bytes], record: str) -> None:
        listed = dict(self._record_rows(self._text(files, record), record))
        for path, content in files.items():
            if path == record:
                continue
            if path not in listed:
                raise self.refused("record", f"'{path}' is not listed in RECORD", path)
            digest, size = listed.pop(path)
            if digest != record_hash(content) or (size and size != str(len(content))):
                raise self.refused("record", f"'{path}' does not match its hash in RECORD", path)
        missing = next((path for path in listed if path != record), None)
        if missing is not None:
            raise self.refused(
                "record", f"RECORD lists '{missing[:200]}', which is not in the wheel"
            )

    def _record_rows(self, text: str, record: str) -> Iterator[tuple[str, tuple[str, str]]]:
        seen: set[str] = set()
        try:
            for row in csv.reader(io.StringIO(text), strict=True):
                if len(row) != 3 or row[0] in seen:
                    raise self.refused(
                        "record",
                        "RECORD has a line that is not path, hash and size, or lists a file twice",
                        record,
                    )
                seen.add(row[0])
                yield row[0], (row[1], row[2])
        except csv.Error as error:
            raise self.refused("record", f"RECORD is not valid: {error}", record) from None

    def _metadata(
        self, files: Mapping[str, bytes], info: str, name: str, version: object
    ) -> Metadata:
        path = f"{info}/METADATA"
        try:
            found = Metadata.from_email(files[path])
        except (InvalidMetadata, ExceptionGroup) as error:
            causes = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
            raise self.refused(
                "metadata",
                f"METADATA is not valid: {'; '.join(str(cause) for cause in causes)[:300]}",
                path,
            ) from None
        if canonicalize_name(found.name) != name or found.version != version:
            raise self.refused(
                "metadata",
                f"METADATA states {found.name} {found.version}, the file name {name} {version}",
                path,
            )
        direct = next((need for need in found.requires_dist or () if need.url), None)
        if direct is not None:
            raise self.refused(
                "direct-url",
                f"it requires '{direct.name}' from a URL, which no index vouches for",
                path,
            )
        return found

    def _check_tags(self, text: bytes, tags: frozenset[Any]) -> None:
        fields = BytesHeaderParser().parsebytes(text)
        stated = {tag for line in fields.get_all("Tag", []) for tag in parse_tag(str(line))}
        if not str(fields.get("Wheel-Version", "")).startswith("1.") or stated != tags:
            raise self.refused(
                "tags", "WHEEL is of another version than 1, or its tags differ from the file name"
            )

    def _entry_points(
        self, files: Mapping[str, bytes], info: str
    ) -> Mapping[str, Mapping[str, str]]:
        path = f"{info}/entry_points.txt"
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=True)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        try:
            parser.read_string(self._text(files, path))
        except configparser.Error as error:
            raise self.refused(
                "entry-point", f"entry_points.txt is not valid: {error}", path
            ) from None
        found = {group: dict(parser.items(group)) for group in parser.sections()}
        foreign = sorted(found.keys() - _GROUPS)
        if foreign or parser.defaults():
            raise self.refused(
                "entry-point",
                f"it declares entry points of the group '{[*foreign, 'DEFAULT'][0][:80]}'",
                path,
            )
        return found

    def _connector(self, points: Mapping[str, Mapping[str, str]], name: str) -> tuple[str, str]:
        found = points.get(_GROUP, {})
        if len(found) != 1:
            raise self.refused(
                "entry-point",
                f"it must declare one entry point of the group '{_GROUP}', not {len(found)}",
            )
        key, value = next(iter(found.items()))
        module, _, attribute = value.partition(":")
        package = module.strip().partition(".")[0]
        dotted = [*module.strip().split("."), *attribute.strip().split(".")]
        if not all(part.isidentifier() for part in dotted):
            raise self.refused(
                "entry-point", f"'{value[:200]}' is not of the form package.module:object"
            )
        if name != f"jackfield-{key}" or package != name.replace("-", "_"):
            # one name for all three: who owns the distribution's name in an index owns key and
            # package, and can shadow no other one's
            expected = (
                f"distribution 'jackfield-{key}' and package "
                f"'{f'jackfield-{key}'.replace('-', '_')}'"
            )
            raise self.refused(
                "names",
                f"the connector '{key}' must have the {expected}, not '{name}' and '{package}'",
            )
        return key, package

    def _check_places(self, files: Mapping[str, bytes], package: str, info: str) -> None:
        foreign = next(
            (
                path
                for path in files
                if path.partition("/")[0] not in {package, info} or "/" not in path
            ),
            None,
        )
        if foreign is not None:
            raise self.refused(
                "places",
                f"'{foreign}' lies outside of the package '{package}' and '{info}'",
                foreign,
            )

    def _manifest(
        self, files: Mapping[str, bytes], package: str, key: str, version: object
    ) -> Manifest:
        path = f"{package}/connector.json"
        if path not in files:
            raise self.refused("manifest", f"'{path}' is missing", path)
        try:
            found = Manifest.from_json(json.loads(self._text(files, path)))
            check_schemas(found)
            long = too_long(found.raw)
        except (ManifestError, UnknownConnector, ValueError, RecursionError) as error:
            said = error.message if isinstance(error, UnknownConnector) else str(error)
            raise self.refused(
                "manifest", f"'{path}' is not a valid manifest: {said}", path
            ) from None
        if long is not None:
            raise self.refused("manifest", f"'{path}' is not a valid manifest: {long}", path)
        wide = next((host for host in found.hosts if not is_host(host)), None)
        if wide is not None:
            raise self.refused(
                "hosts",
                f"'{path}' names the host '{wide[:80]}'; a wildcard needs a domain of one owner, "
                "as '*.example.com'",
                path,
            )
        offered = next(
            (
                text
                for about in found.connection_types.values()
                for text in inner_hosts(about.schema)
            ),
            None,
        )
        if offered is not None:
            raise self.refused(
                "hosts",
                f"'{path}' offers '{offered[:80]}' for a connection, which is no public host; "
                "who needs it writes it",
                path,
            )
        if found.key != key or found.version != str(version):
            stated = f"{found.key} {found.version}"
            text = (
                f"'{path}' describes {stated}, the wheel declares {key} {version}: after a "
                "change, 'jackfield check . --write-manifest'"
            )
            raise self.refused("manifest", f"{text} writes it again", path)
        return found

    def _text(self, files: Mapping[str, bytes], path: str) -> str:
        try:
            return files[path].decode("utf-8")
        except UnicodeDecodeError:
            raise self.refused("encoding", f"'{path}' is not UTF-8", path) from None


_PATH_FAULTS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda name: name.startswith("/") or name[1:2] == ":", "is absolute"),
    (lambda name: "\\" in name, "has a backslash"),
    (
        lambda name: any(part in {"", ".", ".."} for part in name.split("/")),
        "leaves its folder, or has an empty part",
    ),
    (
        lambda name: not (name.isascii() and name.isprintable()),
        "has characters other than printable ASCII",
    ),
    (
        lambda name: any(part.endswith((".", " ")) for part in name.split("/")),
        "has a part that ends with a dot or space",
    ),
    (lambda name: len(name) > _MAX_PATH, f"is longer than {_MAX_PATH} characters"),
)


def _path_fault(name: str) -> str | None:
    return next((fault for is_bad, fault in _PATH_FAULTS if is_bad(name)), None)


def record_hash(content: bytes) -> str:
    """Return the hash of a file in the form of RECORD: ``sha256=`` and URL-safe base64 without
    padding.
    """
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(
        b"="
    ).decode("ascii")
