"""Table of commands, built-in and plugged. Their modules are imported when called, so ``--help``
imports none of them.

To add a command: a line in ``BUILT_IN``, and ``VERBS`` in the module ``cli/NAME.py`` (each a
``parsing.Verb``; the key ``""`` if there are no verbs). If another module has its verbs, add a line
in ``_TABLES``; its section is in ``docs/reference/cli*.md``. Another package adds a command with an
entry point in the group ``jackfield.commands``: a function or ``VERBS``. The name of a command of
two words has a dot between them (``generate.openapi``), so that several packages can add verbs to
one noun. The summary of a command of this repository's packages stands in a topic of
``tool.jackfield.commands`` of their ``pyproject.toml``, from which ``kernel/packages`` is
generated.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would double the time of a cold --help
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jackfield.catalog import EntryPoint
    from jackfield.cli.parsing import Verb

BUILT_IN = {
    "invoke": "run an action from arguments or a file, or many from JSON Lines",
    "search": "search actions",
    "connectors": "list and show the installed connectors",
    "schema": "print the JSON Schema of an action or a connection type",
    "options": "list the choices for a form field",
    "offers": "offer services of AWS to workspaces",
    "completion": "print a completion script for bash, zsh or fish",
}
"""Summary of each built-in command."""

_ELSEWHERE = {"options": "make", "offers": "aws", "completion": "operate"}
"""Topics of built-in commands that do not belong to the topic ``call``."""

_TABLES = {
    "options": ("connectors", "OPTIONS"),
    "schema": ("connectors", "SCHEMA"),
    "search": ("connectors", "SEARCH"),
}
"""Module and name of a command's verbs, unless they are ``VERBS`` of
``jackfield.cli.<command>``.
"""

_GROUP = "jackfield.commands"


def of_packages() -> Mapping[str, tuple[str, str]]:
    """Return package and extra of the commands of jackfield's other packages, by name."""
    from jackfield.kernel.packages import DECLARED

    return DECLARED[_GROUP]


def topics() -> dict[str, dict[str, str]]:
    """Return the summaries of the available commands, by topic and name. Commands of other packages
    have the topic ``""``.
    """
    from jackfield.kernel.packages import TOPICS

    found: dict[str, dict[str, str]] = {topic: {} for topic in TOPICS}
    for name, summary in BUILT_IN.items():
        found[_ELSEWHERE.get(name, "call")][name] = summary
    others = plugged()
    for topic, commands in TOPICS.items():
        found[topic].update(
            {name: summary for name, summary in commands.items() if others.pop(name, None)}
        )
    found[""] = {
        name: f"(added by {points[0].distribution})" for name, points in sorted(others.items())
    }
    return found


def lacks_extra(name: str) -> bool:
    """Return whether a command's package is installed without the requirements that the command
    needs.
    """
    from jackfield.catalog.loading import lacks_extra as lacks

    return lacks(_GROUP, name)


def module_of(name: str) -> str:
    """Return the module of ``jackfield.cli`` that has a built-in command."""
    return _TABLES.get(name, (name, ""))[0]


def built_in(name: str) -> Mapping[str, Verb]:
    """Import the verbs of a built-in command."""
    import importlib

    _, table = _TABLES.get(name, (name, "VERBS"))
    verbs: Mapping[str, Verb] = getattr(
        importlib.import_module(f"jackfield.cli.{module_of(name)}"), table
    )
    return verbs


def plugged() -> dict[str, list[EntryPoint]]:
    """Return the commands of installed packages by name, with every package that declares them,
    without importing any.
    """
    from jackfield.catalog.discovery import entry_points

    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points().get(_GROUP, ()):
        if point.name not in BUILT_IN:
            found.setdefault(point.name, []).append(point)
    return found


def load_plugged(
    points: Sequence[EntryPoint],
) -> Callable[[list[str]], int | None] | Mapping[str, Verb]:
    """Import a plugged command: a function that receives the words after the command's name and
    returns the exit code, or ``VERBS``.

    :raises InvalidInvocation: if two packages declare the command, or it cannot be imported.
    """
    from jackfield.kernel.errors import InvalidInvocation
    from jackfield.kernel.failures import BrokenPart, loaded

    point, hint = points[0], "Reinstall, upgrade or remove the package that adds the command."
    if len(points) > 1:
        owners = " and ".join(other.distribution for other in points)
        raise InvalidInvocation(
            f"the command '{point.name}' is declared twice, by {owners}", hint=hint
        )
    try:
        command = loaded(point, "command")
    except BrokenPart as error:  # a traceback would not name its package
        text = f"the command '{point.name}' of {point.distribution} fails on import: {error.reason}"
        raise InvalidInvocation(text, hint=hint) from None
    if not callable(command) and not isinstance(command, dict):
        raise InvalidInvocation(
            f"the command '{point.name}' of {point.distribution} is neither a function nor a "
            f"table of verbs: {point.value}",
            hint=hint,
        )
    found: Callable[[list[str]], int | None] | Mapping[str, Verb] = command
    return found
