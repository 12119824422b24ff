"""Commands ``jackfield connections import --from`` and ``export-grants``: transfer of approved
grants from and to other systems.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from jackfield.cli.local_files import LocalFiles
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError
from jackfield.cli.session import open_jackfield
from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.commands.stored import actor
from jackfield_store.runtime import stored

_NOT_VALID = 2
_REFUSED, _MOST_SHOWN = "refused", 20


def declare_import(parser: Parser) -> None:
    """Declare the options of ``connections import --from``."""
    parser.add_argument(
        "--from",
        dest="form",
        metavar="FORMAT",
        help="take grants from an export of another system: nango, apideck, csv, jsonl",
    )
    parser.add_argument(
        "--map",
        action="append",
        metavar="PROVIDER=TYPE",
        help="the connection type of the export's provider; repeatable",
    )
    parser.add_argument(
        "--client",
        action="append",
        metavar="PROVIDER=NAME",
        help="the registered OAuth client of the export's provider; repeatable",
    )
    parser.add_argument(
        "--names",
        default="{id}",
        metavar="TEMPLATE",
        help="names of the connections, from {id}, {user} and {provider} (default {id})",
    )
    parser.add_argument(
        "--replace-grants",
        action="store_true",
        help="replace grants that were approved, used or refreshed here since, too",
    )


def import_grants(
    arguments: Namespace, output: Output, values_in: Callable[[str], Mapping[str, Any]]
) -> int:
    """Store the grants of an export.

    :raises InvalidInvocation: if the export cannot be read.
    """
    if arguments.replace or arguments.force:
        text = "--from takes neither --replace nor --force"
        raise UsageError(
            text, usage=arguments.usage, hint="To replace grants, give --replace-grants."
        )
    values = values_in(arguments.values) if arguments.values is not None else {}
    text = LocalFiles().read_text(arguments.file)
    chosen = (
        _pairs(arguments, "map"),
        _pairs(arguments, "client"),
        arguments.names,
        values,
        arguments.form,
    )
    with stored(open_jackfield(arguments)) as jackfield:
        moving = jackfield.connections.acting_as(actor()).moving_in()
        found = list(moving.take(text, moving.choices(*chosen, replaces=arguments.replace_grants)))
    if not found:
        raise InvalidInvocation(
            "the export has no connections", hint="Look at the file, and at its format."
        )
    output.rows(found, ("name", "type", "result", "status"))
    refused = [row for row in found if row["result"] == _REFUSED]
    for row in refused[:_MOST_SHOWN]:
        sys.stderr.write(
            f"jackfield: {row['place']}: {row['error']['message']}. "
            f"{row['error'].get('hint', '')}\n"
        )
    counts = ", ".join(
        f"{sum(row['result'] == word for row in found):,} {word}"
        for word in ("added", "replaced", "kept", _REFUSED)
    )
    sys.stderr.write(f"jackfield: {counts}\n")
    return _NOT_VALID if refused else 0


def _pairs(arguments: Namespace, option: str) -> dict[str, str]:
    given: Sequence[str] = getattr(arguments, option) or ()
    found = {left: right for left, _, right in (text.partition("=") for text in given)}
    if not all(found) or not all(found.values()):
        raise UsageError(
            f"--{option} takes PROVIDER={'TYPE' if option == 'map' else 'NAME'}",
            usage=arguments.usage,
        )
    return found


def declare_export(parser: Parser) -> None:
    """Declare the options of ``connections export-grants``."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="the connections (default: all with a grant in use)",
    )
    parser.add_argument(
        "--recipient",
        required=True,
        metavar="KEY",
        help="the age public key that the export is encrypted to (age1…)",
    )
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="the new file for the encrypted export"
    )


def export_grants(arguments: Namespace, output: Output) -> int:
    """Write the encrypted grants to a new file."""
    # completion must not load what opens connections
    moving_out: Any = import_module("jackfield_store.management.moving_out")
    with stored(open_jackfield(arguments)) as jackfield:
        content, names = moving_out.exported_grants(
            jackfield.connections,
            jackfield.storage,
            actor(),
            arguments.recipient,
            arguments.names or None,
        )
    try:
        with open(
            os.open(arguments.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        ) as file:
            file.write(content)
    except OSError as error:
        raise InvalidInvocation(
            f"'{arguments.out[:200]}' cannot be written: {error.strerror}", hint="Name a new file."
        ) from None
    output.value(
        {
            "file": arguments.out,
            "grants": len(names),
            "connections": names,
            "recipient": arguments.recipient,
        }
    )
    return 0
