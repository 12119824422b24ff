"""Command ``jackfield generate openapi``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from jackfield.cli.output import Output
from jackfield.cli.parsing import Parser
from jackfield.connector import InvalidInput
from jackfield.manifest.declared_reads import declared_reads
from jackfield_openapi.overlay import applied
from jackfield_openapi.reading import parsed
from jackfield_openapi.selection import Selection

if TYPE_CHECKING:
    from jackfield_openapi.conversion import Converted
    from jackfield_openapi.project import Lock

_KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_DIFFERS = 1
_MOST = 50
"""Maximum number of keys that the answer lists."""


def command(argv: list[str]) -> int:
    """Generate a connector with the arguments after the command's name; return 0, or 1 if
    ``--check`` or ``--strict`` finds a fault.

    :raises InvalidInput: if a document, an overlay or the lock cannot be read.
    """
    arguments = _parser().read(argv)
    from jackfield_openapi.conversion import key_in
    from jackfield_openapi.project import (
        LOCK,
        Lock,
        changed_files,
        changes,
        files_of,
        project_key,
        project_version,
        write,
    )
    from jackfield_openapi.sources import read

    document, content = read(arguments.document)
    folder = Path(arguments.out or arguments.key or key_in(document))
    lock = Lock.read(Path(arguments.lock) if arguments.lock else folder / LOCK)
    select = tuple(arguments.select) or lock.select
    idle = _overlaid(document, arguments.overlay, folder)
    selection = Selection(select)
    version = _version(arguments.connector_version) or project_version(folder)
    made = _converted(
        document,
        _key(arguments.key or project_key(folder)),
        lock,
        selection,
        version,
        arguments.document,
    )
    if select and not made.manifest["actions"]:
        raise InvalidInput(
            "the selection keeps no operation",
            hint="Select by tag:NAME, a key, a path or 'METHOD /path', with wildcards.",
        )
    files = files_of(made, arguments.document, content, select)
    difference = changes(folder, made.manifest)
    written = changed_files(folder, files) if arguments.check else write(folder, files)
    output = Output(one_line=arguments.json)
    output.value(
        {
            "key": made.manifest["key"],
            "folder": str(folder),
            "actions": len(made.manifest["actions"]),
            "difference": {name: _few(keys) for name, keys in difference.items()},
            "files": written,
            "report": made.report.counts(),
            "examples": made.report.examples,
            "idleOverlayTargets": idle,
        }
    )
    if not made.manifest["actions"] and not made.manifest.get("triggers"):
        sys.stderr.write(
            f"jackfield: the connector has no actions: {folder / 'openapi.report.json'} says "
            "what was left out\n"
        )
    for warning in declared_reads(made.manifest):
        sys.stderr.write(f"jackfield: {warning}\n")
    for target in idle:
        sys.stderr.write(f"jackfield: the overlay's target {target} selects nothing\n")
    for pattern in selection.idle:
        sys.stderr.write(f"jackfield: the pattern {pattern} selects nothing\n")
    if arguments.check:
        return _DIFFERS if written else 0
    return (
        _DIFFERS if arguments.strict and any(note.kind != "assumed" for note in made.report) else 0
    )


def _few(keys: list[str]) -> list[str]:
    return keys if len(keys) <= _MOST else [*keys[:_MOST], f"… {len(keys) - _MOST:,} more"]


def _parser() -> Parser:
    parser = Parser(
        "generate openapi",
        "Generate a connector from an OpenAPI 3.0 or 3.1 document, or one of Swagger 2.0 or of "
        "Google's discovery format. The connector is "
        "data: it contains no code.",
    )
    parser.add_argument("document", metavar="FILE|URL", help="the document, JSON or YAML")
    parser.add_argument(
        "--out", metavar="DIR", help="the project's folder (default: the connector's key)"
    )
    parser.add_argument(
        "--key",
        metavar="KEY",
        help="the connector's key (default: the project's, at first from the document's title)",
    )
    parser.add_argument(
        "--connector-version",
        metavar="VERSION",
        help="the connector's version (default: the project's, at first the document's)",
    )
    parser.add_argument(
        "--select",
        metavar="PATTERN",
        action="append",
        default=[],
        help=(
            "keep only these operations: tag:NAME, a key, a path or 'METHOD /path', with "
            "wildcards; !PATTERN excludes; repeatable"
        ),
    )
    parser.add_argument(
        "--overlay",
        metavar="FILE",
        action="append",
        default=[],
        help="an OpenAPI Overlay to apply; repeatable",
    )
    parser.add_argument(
        "--lock",
        metavar="FILE",
        help="the lock with the keys of earlier generations (default: in the folder)",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if a file would change"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit code 1 if a part of the document was left out or lost",
    )
    return parser


def _overlaid(document: dict[str, Any], given: list[str], folder: Path) -> list[str]:
    """Apply the project's own overlay, then the overlays of the command line; return the targets
    that select nothing.
    """
    from jackfield_openapi.project import OVERLAYS

    own = [str(folder / name) for name in OVERLAYS if (folder / name).is_file()]
    idle = []
    for name in [*(one for one in own if one not in given), *given]:
        try:
            content = Path(name).read_bytes()
        except OSError as error:
            raise InvalidInput(
                f"the overlay '{name[:200]}' cannot be read: {error.strerror}"
            ) from None
        idle += applied(document, parsed(content, name), name)
    return idle


def _version(given: str | None) -> str | None:
    try:
        return None if given is None else str(Version(given))
    except InvalidVersion:
        raise InvalidInput(
            f"'{str(given)[:80]}' is not a version", hint="Use a version such as 1.4.0."
        ) from None


def _key(given: str | None) -> str | None:
    if given is not None and not _KEY.fullmatch(given):
        raise InvalidInput(
            f"'{given[:80]}' is not a key in kebab-case",
            hint="Use lower-case letters, digits and single hyphens: acme-crm.",
        )
    return given


def _converted(
    document: dict[str, Any],
    key: str | None,
    lock: Lock,
    keep: Selection,
    version: str | None,
    source: str,
) -> Converted:
    from jackfield_openapi.conversion import Choices, converted

    return converted(document, Choices(key, version, keep, lock.actions, source))
