"""``jackfield install``, ``upgrade``, ``uninstall`` and ``outdated``: connectors from catalogues,
verified before their code runs.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.kernel.local import home

if TYPE_CHECKING:
    from jackfield_market.installing.operations import Operations

_FAILED = 1
_COLUMNS = ("connector", "version", "latest", "status", "source")
_HINT = "See 'jackfield install --help'."


def _declare_common(parser: Parser) -> None:
    """Add the options that 'install' and 'upgrade' share."""
    parser.add_argument(
        "--policy",
        metavar="FILE",
        help="policy file (default: install-policy.toml in the data folder, if it exists)",
    )
    parser.add_argument(
        "--find-links",
        metavar="DIR",
        action="append",
        default=[],
        help="folder with wheels of dependencies; repeatable, adds to the policy's",
    )
    parser.add_argument("--lock", metavar="FILE", help="lock file to update")
    parser.add_argument(
        "--allow-name",
        metavar="KEY",
        action="append",
        default=[],
        help="accept a connector whose key looks like another's; repeatable",
    )


def _operations(arguments: Namespace) -> Operations:
    from jackfield_market.installing.operations import Operations, Options

    def warn(text: str) -> None:
        sys.stderr.write(f"jackfield: {text}\n")

    given = vars(arguments)
    names = ("policy", "root", "find_links", "allow_name")
    policy, root, links, allowed = (given.get(name) for name in names)
    return Operations(home(os.environ), Options(policy, root, links or (), allowed or (), warn))


def _declare_install(parser: Parser) -> None:
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        help="connector, with a version if wanted: NAME, NAME==1.2.0 or 'NAME>=1,<2'",
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="SOURCE",
        help="catalogue: http(s) URL, or the folder of a site",
    )
    parser.add_argument(
        "--root",
        metavar="FILE",
        help="trusted root.json of the catalogue; needed at most once for each source",
    )
    parser.add_argument(
        "--pin",
        action="store_true",
        help="make this version the default one, even if a higher one is installed",
    )
    parser.add_argument(
        "--frozen", action="store_true", help="install exactly what the lock file lists, or refuse"
    )
    _declare_common(parser)


def _install(arguments: Namespace, output: Output) -> int:
    if arguments.frozen:
        if arguments.lock is None or arguments.name is not None or arguments.pin:
            raise UsageError(
                "--frozen takes --lock FILE, and neither NAME nor --pin",
                usage=arguments.usage,
                hint=_HINT,
            )
        done = _operations(arguments).install_locked(arguments.lock, arguments.source)
        output.value({"lock": arguments.lock, "installed": [one.to_json() for one in done]})
        return 0
    if arguments.name is None:
        raise UsageError(
            "NAME is missing; only --frozen installs without one", usage=arguments.usage, hint=_HINT
        )
    one = _operations(arguments).install(
        arguments.name, arguments.source, lock=arguments.lock, pin=arguments.pin
    )
    output.value(one.to_json())
    return 0


def _declare_upgrade(parser: Parser) -> None:
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="connectors (default: all that are not pinned)"
    )
    parser.add_argument(
        "--allow-breaking", action="store_true", help="upgrade although callers break"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="verify and compare, but install nothing"
    )
    _declare_common(parser)


def _upgrade(arguments: Namespace, output: Output) -> int:
    found = _operations(arguments).upgrade(
        arguments.names,
        breaking=arguments.allow_breaking,
        dry_run=arguments.dry_run,
        lock=arguments.lock,
    )
    output.value(found)
    return _FAILED if found["refused"] else 0


def _declare_uninstall(parser: Parser) -> None:
    parser.add_argument(
        "name", metavar="NAME", help="connector, perhaps with a version: NAME==1.2.0"
    )


def _uninstall(arguments: Namespace, output: Output) -> int:
    output.value({"uninstalled": _operations(arguments).uninstall(arguments.name)})
    return 0


def _declare_outdated(parser: Parser) -> None:
    parser.add_argument(
        "--policy",
        metavar="FILE",
        help="policy file (default: install-policy.toml in the data folder, if it exists)",
    )


def _outdated(arguments: Namespace, output: Output) -> int:
    rows = _operations(arguments).outdated()
    output.rows(rows, (*_COLUMNS, "error") if any("error" in row for row in rows) else _COLUMNS)
    return 0


INSTALL = {
    "": Verb(
        "Install a connector from a catalogue, verified before any of its code runs.",
        _declare_install,
        _install,
    )
}
UPGRADE = {
    "": Verb(
        "Install newer releases of connectors, unless they break callers; exit code 1 if one is "
        "refused.",
        _declare_upgrade,
        _upgrade,
    )
}
UNINSTALL = {
    "": Verb(
        "Remove a connector that 'jackfield install' has installed; its connections stay.",
        _declare_uninstall,
        _uninstall,
    )
}
OUTDATED = {
    "": Verb(
        "List installed connectors that have a newer release or a revoked key.",
        _declare_outdated,
        _outdated,
    )
}
