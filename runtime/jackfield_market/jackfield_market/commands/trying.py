"""``jackfield try``: a first read of an installed connector, without an account."""

from __future__ import annotations

from pathlib import Path

from jackfield.catalog import Catalog
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.kernel.errors import UnknownConnector
from jackfield.manifest.manifest import Manifest
from jackfield.manifest.parts import package_of

_FAILED = 1
_SHELF = Path("shelf")


def _declare(parser: Parser) -> None:
    parser.add_argument(
        "connector",
        metavar="CONNECTOR",
        help="the key of an installed connector without code, such as airtable",
    )
    parser.add_argument(
        "--type", metavar="KEY", help="the connection type to try (default: the simplest)"
    )
    parser.add_argument(
        "--action", metavar="KEY", help="the action to call (default: a list, or another read)"
    )


def _run(arguments: Namespace, output: Output) -> int:
    from jackfield_market.trying import tried

    found = tried(_installed(arguments.connector), arguments.type, arguments.action)
    output.value(found)
    return 0 if "error" not in found["result"] else _FAILED


def _installed(key: str) -> Manifest:
    """Return the manifest of an installed connector.

    :raises UnknownConnector: if it is not installed; the hint says how to install it, also from a
        shelf in the current folder.
    """
    try:
        return Catalog.installed().find(key)
    except UnknownConnector as error:
        if "is installed:" in error.message:  # it is there, and broken: that has a hint of its own
            raise
        wheel = f"{package_of(key)}-*.whl"
        if any((_SHELF / "build" / "dist").glob(wheel)):
            error.hint = f"Its wheel is built: 'pip install {_SHELF}/build/dist/{wheel}'."
        elif (_SHELF / "services" / f"{key}.yaml").is_file():
            error.hint = (
                f"It is on the shelf: 'jackfield shelf build {key} --pack', then 'pip "
                f"install {_SHELF}/build/dist/{wheel}'."
            )
        elif "did you mean" not in error.message:
            error.hint = (
                f"Install it first: 'jackfield install {key[:80]} --from CATALOGUE', or 'pip "
                "install' of its wheel."
            )
        raise


VERBS = {
    "": Verb(
        "Call an installed connector without an account, against a fake of its provider.",
        _declare,
        _run,
    )
}
