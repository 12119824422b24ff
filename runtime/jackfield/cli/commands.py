"""Table of commands, built-in and plugged. Their modules are imported when called, so ``--help`` imports none of them.

To add a command: a line in ``BUILT_IN``, and ``VERBS`` in the module ``cli/NAME.py`` (each a ``parsing.Verb``; the key ``""`` if there are
no verbs). Its table stands in the module of its noun, with a line in ``_TABLES``, and its section in ``docs/reference/cli*.md``. Another
package adds one with an entry point in the group ``jackfield.commands``: a function or ``VERBS``. The name of a command of two words has a
dot between them (``generate.openapi``), so that several packages can add verbs to one noun.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would double the time of a cold --help
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jackfield.catalog import EntryPoint
    from jackfield.cli.parsing import Verb

BUILT_IN = {
    "invoke": "run an action from arguments or a file, or many from JSON Lines",
    "connectors": "list and show the installed connectors",
    "schema": "print the JSON Schema of an action or a connection type",
    "search": "search actions",
    "options": "list the choices for a form field",
    "offers": "offer services of AWS to workspaces",
    "completion": "print a completion script for bash, zsh or fish",
}
"""Summary of each built-in command."""

_TABLES = {
    "options": ("connectors", "OPTIONS"),
    "schema": ("connectors", "SCHEMA"),
    "search": ("connectors", "SEARCH"),
}
"""Module and name of the verbs of a command, unless they are ``VERBS`` of ``jackfield.cli.<command>``."""

_OURS = {
    "convert": "convert other providers' requests and SMTP settings",
    "demo": "run the guided tour on a local AWS simulator",
    "generate.aws": "freeze a service of AWS into a connector",
    "generate.openapi": "generate a connector from an OpenAPI document",
    "generate.mcp": "make a connector from an MCP server",
    "shelf": "list and build the connectors of a shelf",
}
"""Summaries of the commands of connectors' packages."""

_PACKAGES: dict[tuple[str, str], dict[str, str]] = {
    ("jackfield-market", "market"): {
        "new": "create the project for a new connector",
        "dev": "serve a connector's project, and restart after each change",
        "check": "grade a connector: rules, evidence, fixes",
        "stubs": "write typed functions for the actions of connectors",
        "try": "call a connector without an account, against a fake of its provider",
        "diff": "classify the changes between two versions of a connector",
        "pack": "build a connector's wheel, reproducibly",
        "catalogue": "build and serve a catalogue of signed connectors",
        "install": "install a connector from a catalogue",
        "upgrade": "upgrade installed connectors",
        "uninstall": "remove installed connectors",
        "outdated": "list installed connectors with newer releases",
        "publisher": "make a publisher's signing key",
        "sign": "attest a connector's wheel with a publisher's key",
        "verify": "check a connector's wheel against its attestation",
    },
    ("jackfield-dapr", "dapr"): {
        "dapr": "serve Dapr's bindings API for a folder of components",
    },
    ("jackfield-dapr", "workflow"): {
        "run": "run a workflow file (Thand's formats)",
    },
    ("jackfield-store", "store"): {
        "connections": "manage connections",
        "oauth-clients": "register OAuth clients for all connections",
        "mcp-servers": "add MCP servers as connectors, and accept their tools",
        "doctor": "find what keeps a connection or a server from working",
        "files": "store, list, download and delete files",
        "invocations": "view the journal, resolve invocations in doubt",
        "approvals": "approve and decline calls that wait for a person",
        "queue": "show the queue, queue dead invocations again",
        "roles": "give people who sign in at the identity provider their roles",
        "suppressions": "list recipients to whom nothing more is sent, and remove them",
        "settings": "show and set what all processes on a database share",
        "tokens": "manage access tokens",
        "keys": "list, rotate and assign the keys that encrypt what is stored",
        "db": "upgrade, check, back up and restore the database",
    },
    ("jackfield-platform", "platform"): {
        "connect-sessions": "make links on which people connect accounts",
        "events": "list and follow events",
        "callbacks": "send events to URLs",
        "deliveries": "list what was sent to callbacks, send it again",
        "schedules": "run invocations at given times",
        "triggers": "list what connectors can watch",
        "subscriptions": "watch for what happens at providers",
        "workspaces": "manage workspaces (tenants) and their settings",
        "audit": "list, verify and export the audit log",
    },
    ("jackfield-server", "server"): {
        "serve": "serve the HTTP API and the console",
        "worker": "run queued invocations",
    },
    ("jackfield-mcp-server", "mcp"): {
        "mcp": "serve MCP over stdio",
    },
    ("jackfield-isolation", "isolation"): {
        "isolation": "show which layers of isolation hold on this machine",
    },
}
"""Summaries of the commands of jackfield's other packages, by package and the extra that installs it."""

ADDED_BY = {name: package for package, commands in _PACKAGES.items() for name in commands}
"""Package of a command and the extra that installs it, for who types the command without it."""
SUMMARIES = {**_OURS, **{name: text for commands in _PACKAGES.values() for name, text in commands.items()}}
"""Summary of each command of jackfield's other packages, since an entry point cannot carry one."""
_GROUP = "jackfield.commands"


def module_of(name: str) -> str:
    """Return the module of ``jackfield.cli`` that has a built-in command."""
    return _TABLES.get(name, (name, ""))[0]


def built_in(name: str) -> Mapping[str, Verb]:
    """Import a built-in command."""
    import importlib

    _, table = _TABLES.get(name, (name, "VERBS"))
    verbs: Mapping[str, Verb] = getattr(importlib.import_module(f"jackfield.cli.{module_of(name)}"), table)
    return verbs


def plugged() -> Mapping[str, Sequence[EntryPoint]]:
    """Return the commands of installed packages by name, with every package that declares them, without importing any."""
    from jackfield.catalog.discovery import entry_points

    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points().get(_GROUP, ()):
        if point.name not in BUILT_IN:
            found.setdefault(point.name, []).append(point)
    return found


def load_plugged(points: Sequence[EntryPoint]) -> Callable[[list[str]], int | None] | Mapping[str, Verb]:
    """Import a plugged command: a function that takes the words after the command's name and returns the exit code, or ``VERBS``.

    :raises InvalidInvocation: if two packages declare the command, or it cannot be imported.
    """
    from jackfield.kernel.errors import InvalidInvocation
    from jackfield.kernel.failures import BrokenPart, loaded

    point, hint = points[0], "Reinstall, upgrade or remove the package that adds the command."
    if len(points) > 1:
        owners = " and ".join(other.distribution for other in points)
        raise InvalidInvocation(f"the command '{point.name}' is declared twice, by {owners}", hint=hint)
    try:
        command = loaded(point, "command")
    except BrokenPart as error:  # a traceback would not name its package
        text = f"the command '{point.name}' of {point.distribution} fails on import: {error.reason}"
        raise InvalidInvocation(text, hint=hint) from None
    if not callable(command) and not isinstance(command, dict):
        raise InvalidInvocation(
            f"the command '{point.name}' of {point.distribution} is neither a function nor a table of verbs: {point.value}", hint=hint
        )
    found: Callable[[list[str]], int | None] | Mapping[str, Verb] = command
    return found
