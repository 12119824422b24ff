"""Command ``jackfield doctor``: faults that prevent a connection, or this installation, from
working.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from jackfield.catalog.discovery import entry_points
from jackfield.catalog.loading import broken_parts
from jackfield.cli.arguments import read_inputs
from jackfield.cli.local_files import LocalFiles
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import caller, in_workspace, open_jackfield
from jackfield_store.commands.stored import actor
from jackfield_store.keys.key_usage import key_faults
from jackfield_store.management.conditions import Condition, FoundCondition, examine
from jackfield_store.queue.engine import broker_warning
from jackfield_store.runtime import stored

if TYPE_CHECKING:
    from jackfield_store.runtime import Jackfield

_FAILED = 1


def _declare(parser: Parser) -> None:
    parser.usage = "jackfield doctor [CONNECTION [key=value …]]"
    parser.add_argument(
        "connection",
        metavar="CONNECTION",
        nargs="?",
        help=(
            "a connection; without one, show what keeps servers and workers from serving, "
            "broken packages, and what others warn of"
        ),
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="key=value",
        help="an input of the connector's action 'doctor', such as sender=a@example.com",
    )


def _run(arguments: Namespace, output: Output) -> int:
    with stored(open_jackfield(arguments)) as jackfield:
        if arguments.connection is None:
            found = _installation(jackfield)
        else:
            found = jackfield.diagnose(
                arguments.connection,
                read_inputs(arguments.words, {}, LocalFiles()),
                caller=caller(),
                actor=actor(),
            )
    output.value(found)
    return 0 if found["healthy"] else _FAILED


def _installation(jackfield: Jackfield) -> dict[str, Any]:
    """Check the parts that every call of a server or a worker on this host needs, and all installed
    packages.
    """
    condition, broken, known = (
        _condition(jackfield),
        _broken_parts(jackfield),
        jackfield.plugins.broken(),
    )
    usable = condition.fault is None or condition.fault.kind == "key_service"
    services = _key_services(jackfield) if usable else []
    warnings = [
        *(one.text for one in condition.warnings),
        *(text for text in jackfield.plugins.warn() if text not in known),
    ]
    healthy = condition.fault is None and all(row["healthy"] for row in services) and not broken
    found: dict[str, Any] = {"healthy": healthy, "warnings": warnings}
    if condition.fault is not None:
        found["notReady"] = _fault_members(condition.fault)
    return found | {
        name: rows for name, rows in (("broken", broken), ("keyServices", services)) if rows
    }


def _fault_members(fault: FoundCondition) -> dict[str, str]:
    found = {"kind": fault.kind, "message": fault.text, "hint": fault.hint}
    return {name: text for name, text in found.items() if text}


def _condition(jackfield: Jackfield) -> Condition:
    """Return the condition of an existing database, without creating one."""
    storage = jackfield.storage
    if not storage.enabled or storage.is_new:
        return Condition()
    return examine(storage, jackfield.clock, lambda: broker_warning(os.environ))


def _broken_parts(jackfield: Jackfield) -> list[str]:
    """Import every declared object of installed packages, and return the objects that cannot be
    loaded, each with its distribution.
    """
    connectors = [
        f"{about}: {reason}" for about, reason in jackfield.catalog.whole.broken(load=True).items()
    ]
    return [*jackfield.plugins.broken(whole=True), *broken_parts(entry_points()), *connectors]


def _key_services(jackfield: Jackfield) -> list[dict[str, Any]]:
    """Check the key services; return the state of each with its URI, an empty list if no database
    uses key services.
    """
    if not (jackfield.storage.enabled and jackfield.storage.asks_key_services):
        return []
    return [{"id": uri, **about} for uri, about in key_faults(jackfield.storage.vault).items()]


VERBS = in_workspace(
    {
        "": Verb(
            "Test a connection and examine its setup; exit code 1 if a finding is an error.",
            _declare,
            _run,
        )
    }
)
