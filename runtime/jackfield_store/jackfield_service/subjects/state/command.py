"""Commands ``jackfield plan``, ``apply`` and ``export``: the state of workspaces in files,
compared, applied, and written.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache, partial
from typing import Any

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.session import caller
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield.runtime import Jackfield
from jackfield_service.shell.resource.resource import Visit
from jackfield_service.subjects.state.documents import Stated, read_files
from jackfield_service.subjects.state.new_secrets import NewSecrets
from jackfield_service.subjects.state.operations import (
    How,
    Planned,
    State,
    refuse,
    require_seen,
    told,
)
from jackfield_store.access import Workspaces
from jackfield_store.commands.stored import actor, open_storage, workspaces_of
from jackfield_store.resources.storage import Storage
from jackfield_store.runtime import stored

_DIFFERS, _REFUSED = 1, 2
_OTHERS = ("person", "passed")
"""Acts of rows about objects that are as they are stated."""


def state_of(storage: Storage) -> State:
    """Return the state of all workspaces, with the operator's rights."""
    if not storage.enabled:
        raise InvalidInvocation(
            "files state what a database has, and there is none", hint="Set JACKFIELD_DATABASE_URL."
        )
    workspaces, clock = workspaces_of(storage), SystemClock()

    @cache
    def runtime(name: str) -> Any:
        return stored(Jackfield(name, storage=storage))

    def visit(name: str) -> Visit:
        base = partial(storage.shared.value, "publicUrl")
        return Visit(
            storage, name, clock, caller(), actor(), "operator", partial(runtime, name), base=base
        )

    return State(storage, visit, workspaces.find, workspaces.put)


def _declare(parser: Parser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="YAML or JSON, - for stdin; each is laid over those before it",
    )
    parser.add_argument(
        "--adopt",
        action="store_true",
        help="also change what was made by hand, or by files of another label",
    )
    parser.add_argument(
        "--prune",
        action="store_true",
        help="also end what files of this label have made, and state no more",
    )


def _declare_plan(parser: Parser) -> None:
    _declare(parser)
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit code 1 if anything would be made, changed or ended, or is left",
    )


def _declare_apply(parser: Parser) -> None:
    _declare(parser)
    parser.add_argument(
        "--plan",
        metavar="DIGEST",
        help="refuse if files or state are not those of the plan that printed this digest",
    )
    parser.add_argument(
        "--secrets-out",
        metavar="FILE",
        help="where tokens and other new secrets go, as JSON: a file with mode 0600, or a pipe",
    )


def _stated(state: State, given: Stated) -> dict[str, Mapping[str, Any]]:
    """Return the state of each workspace: an empty one where files of this label have made
    something, and state the workspace no more.
    """
    left_out = (name for name in state.marked(given.label) if name not in given.workspaces)
    return {**given.workspaces, **{name: {} for name in left_out}}


def _planned(
    state: State, workspaces: Mapping[str, Mapping[str, Any]], how: How
) -> dict[str, Planned]:
    return {name: state.plan(name, document, how) for name, document in workspaces.items()}


def _plan(arguments: Namespace, output: Output) -> int:
    given = read_files(arguments.files)
    with open_storage() as storage:
        state, how = state_of(storage), How(given.label, arguments.adopt, arguments.prune)
        planned = _planned(state, _stated(state, given), how)
    output.value(told(planned))
    rows = [row for one in planned.values() for row in one.rows]
    if any(row["act"] == "refused" for row in rows):
        return _REFUSED
    differs = any(row["act"] not in _OTHERS for row in rows)
    return _DIFFERS if arguments.check and differs else 0


def _apply(arguments: Namespace, output: Output) -> int:
    given = read_files(arguments.files)
    how = How(given.label, arguments.adopt, arguments.prune)

    with open_storage() as storage, ExitStack() as stack:
        state = state_of(storage)
        workspaces = _stated(state, given)
        planned = _planned(state, workspaces, how)
        require_seen(arguments.plan, planned)
        refuse(planned)
        gets = [name for name, one in planned.items() if one.secrets]
        if gets and arguments.secrets_out is None:
            text = f"the workspace '{gets[0]}' gets new secrets, and there is no file for them"
            raise UsageError(text, usage=arguments.usage, hint="Give --secrets-out FILE.")
        target = NewSecrets(arguments.secrets_out) if gets else None
        if target is not None:
            stack.callback(target.close)

        def keep(name: str, planned: Planned) -> None:
            if planned.secrets and target is not None:
                target.keep(name, planned.secrets)

        done = {
            name: state.apply(name, document, how, planned[name].digest, partial(keep, name))
            for name, document in workspaces.items()
        }
    output.value(told(done))
    return 0


def _declare_export(parser: Parser) -> None:
    parser.add_argument(
        "workspaces", nargs="*", metavar="WORKSPACE", help="only these (default: all)"
    )


def _export(arguments: Namespace, output: Output) -> int:
    with open_storage() as storage:
        state = state_of(storage)
        names = arguments.workspaces or all_names(workspaces_of(storage))
        found = {name: state.export(name) for name in names}
    output.value({"workspaces": found})
    return 0


def all_names(workspaces: Workspaces) -> list[str]:
    """Return the names of all workspaces."""
    found = [one.name for one in workspaces.list()]
    while page := workspaces.list(after=found[-1]):
        found += [one.name for one in page]
    return found


VERBS = {
    "": Verb(
        "Show what files would make, change and end in workspaces, and what a person has to do.",
        _declare_plan,
        _plan,
    )
}
APPLY = {
    "": Verb("Make workspaces what files state, each in one transaction.", _declare_apply, _apply)
}
EXPORT = {
    "": Verb(
        "Print what workspaces have as 'apply' takes it, without secrets.", _declare_export, _export
    )
}
