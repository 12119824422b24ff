"""Command ``jackfield generate aws``, which freezes a service into a connector of its own."""

from __future__ import annotations

import re
from pathlib import Path

from jackfield.cli.output import Output
from jackfield.cli.parsing import Parser
from jackfield.connector import InvalidInput
from jackfield_aws.virtual.freeze import files_of, frozen
from jackfield_aws.virtual.index import Index
from jackfield_aws.virtual.manifests import types_for

_KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_DIFFERS = 1
_OWNED = ("pyproject.toml", "README.md", "tests/")
"""Path prefixes of files that are written only once, since their author edits them afterwards."""


def command(argv: list[str]) -> int:
    """Freeze a service with the arguments after the command's name; return 0, or 1 if ``--check``
    finds a difference.

    :raises InvalidInput: for an unknown service, an invalid key, a selection that matches nothing,
        or a file that cannot be written.
    """
    arguments = _parser().read(argv)
    key = arguments.key or f"aws-{arguments.service}"
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            f"'{key[:80]}' is not a key in kebab-case",
            hint="Use lower-case letters, digits and single hyphens: acme-s3.",
        )
    manifest = frozen(
        arguments.service,
        key,
        arguments.connector_version,
        arguments.select,
        types_for(arguments.service, Index().connection_types),
    )
    folder = Path(arguments.out or key)
    files = files_of(manifest)
    changed = [name for name, text in files.items() if _differs(folder, name, text)]
    if not arguments.check:
        for name in changed:
            _write(folder / name, files[name])
    Output(one_line=arguments.json).value(
        {"key": key, "folder": str(folder), "actions": len(manifest["actions"]), "files": changed}
    )
    return _DIFFERS if arguments.check and changed else 0


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(
            f"'{path}' cannot be written: {error.strerror}",
            hint="Choose another folder with '--out'.",
        ) from None


def _differs(folder: Path, name: str, text: str) -> bool:
    try:
        found = (folder / name).read_text(encoding="utf-8")
    except (OSError, ValueError):  # not there, or no text
        return True
    return not name.startswith(_OWNED) and found != text


def _parser() -> Parser:
    parser = Parser(
        "generate aws",
        "Freeze a service of AWS into a connector of its own. The connector is data: it contains "
        "no code, and stays as it is.",
    )
    parser.add_argument(
        "service", metavar="SERVICE", help="the service's name in botocore, such as s3"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="the project's folder (default: the connector's key)"
    )
    parser.add_argument("--key", metavar="KEY", help="the connector's key (default: aws-SERVICE)")
    parser.add_argument(
        "--connector-version",
        metavar="VERSION",
        default="0.1.0",
        help="the connector's version (default: 0.1.0)",
    )
    parser.add_argument(
        "--select",
        metavar="PATTERN",
        action="append",
        default=[],
        help="keep only actions whose keys match, such as get*; repeatable",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if a file would change"
    )
    return parser
