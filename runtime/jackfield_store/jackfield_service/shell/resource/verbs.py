"""Verbs of the command line made from a noun's declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import Noun, caller, declare_pages, open_jackfield, pages
from jackfield.kernel.clock import SystemClock
from jackfield_service.shell.resource.resource import Act, Resource, Visit
from jackfield_store.commands.stored import actor, open_storage, selected_workspace
from jackfield_store.runtime import stored

if TYPE_CHECKING:
    from jackfield_store.runtime import Jackfield

T = TypeVar("T")
_NAMES = {"create": "add", "change": "update", "enable": "resume", "disable": "pause"}
"""Names of acts' verbs that differ from HTTP."""
_BY_HAND = ("create", "change")
"""Acts whose verbs declare their own arguments."""


def noun(resource: Resource[T]) -> Noun[T]:
    """Return the functions that run a noun's verbs, also for hand-written verbs."""

    @contextmanager
    def opened(arguments: Namespace) -> Iterator[T]:
        with ExitStack() as stack:
            storage = stack.enter_context(open_storage())

            @cache
            def runtime() -> Jackfield:
                jackfield = open_jackfield(arguments if "workspace" in arguments else None)
                return stored(stack.enter_context(jackfield))

            yield resource.opens(
                Visit(
                    storage,
                    selected_workspace(arguments, storage),
                    SystemClock(),
                    caller(),
                    actor(),
                    "operator",
                    runtime,
                    base=partial(storage.shared.value, "publicUrl"),
                )
            )

    return Noun(opened)


def verbs(resource: Resource[T], runs: Noun[T] | None = None, **own: Verb) -> dict[str, Verb]:
    """Return the verbs of the acts in their order: generated verbs for acts that need only a key,
    and ``own`` verbs for others.
    """
    runs = runs or noun(resource)
    plain = (
        act
        for act in resource.acts
        if act.verb != ""
        and not (act.body or act.name in _BY_HAND or (act.query and act.name != "list"))
    )
    found = {**{act.name: _verb(resource, act, runs) for act in plain}, **own}
    return {
        _NAMES.get(act.name, act.name): found[act.name]
        for act in resource.acts
        if act.name in found
    }


def declare_key(resource: Resource[Any]) -> Callable[[Parser], None]:
    """Return the function that adds the argument for an object's key."""

    def declare(parser: Parser) -> None:
        parser.add_argument(resource.argument[0], metavar=resource.argument[1])

    return declare


def _verb(resource: Resource[T], act: Act, runs: Noun[T]) -> Verb:
    def run(things: T, arguments: Namespace) -> Any:
        key = getattr(arguments, resource.argument[0])
        found = act.does(things, key)
        return {"removed": key} if found is None else resource.row(found)

    query = act.query or {}

    def rows(things: T, arguments: Namespace) -> list[Any]:
        wanted = {name: getattr(arguments, name) for name in query}
        return [
            resource.row(item) for item in pages(arguments, partial(act.does, things, **wanted))
        ]

    def declare(parser: Parser) -> None:
        for name, schema in query.items():
            parser.add_argument(f"--{name}", choices=schema.get("enum"), help=schema["description"])
        declare_pages(parser)

    words = act.summary if act.verb is None else act.verb
    if act.name == "list":
        return Verb(words, declare, runs.rows(rows, resource.columns))
    return Verb(words, declare_key(resource), runs.value(run))
