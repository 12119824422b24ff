"""Kinds of things that files state of a workspace: each is made, changed and ended by the functions that serve HTTP and commands.

A declared noun that is created and removed is a kind by its declaration. Others are written by hand, as ``KINDS`` of their subject's
``kinds.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from jackfield.cli.session import every
from jackfield.kernel.dataclass import dataclass
from jackfield_service.shell.finding import surfaces
from jackfield_service.shell.resource.resource import Act, Is, Resource, Visit
from jackfield_store.connections.connection_rows import PLACEHOLDER

T = TypeVar("T")
Json = dict[str, Any]
Wanted = Callable[[str], bool]
_WORD = re.compile(r"-(\w)")


class KindRow(NamedTuple):
    """Thing of a kind that is there. Files name it by ``name``, and may state what is ``stated`` of all that is ``shown``; it is changed by
    its ``key``."""

    name: str
    key: str
    stated: Json
    shown: Json


class Done(NamedTuple):
    """Thing that was made or changed, as it is now, and its secrets that are shown once; ``row`` is None if nothing of it is there."""

    row: KindRow | None
    secrets: Mapping[str, Any] = MappingProxyType({})


def _nothing(*_: Any) -> Any:
    return ()


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """Kind of things of a workspace; ``schema`` is that of what a file states of one.

    ``all`` returns those whose names are asked for. ``ahead`` asks whom a new one is about before the transaction, and ``make`` gets the
    answer. ``hangs`` names what ends or stops with one, ``person`` what a person has yet to do, and ``after`` says what a
    process does at the provider afterwards. Kinds of a lower ``rank`` are made first and ended last. Members of ``values`` among
    ``secrets`` are references that are resolved. ``operators`` are changed by the operator alone, and those of ``platforms`` by a
    platform's token, too.
    """

    name: str
    schema: Json
    opens: Callable[[Visit], T]
    all: Callable[[T, Wanted], Iterable[KindRow]]
    make: Callable[..., Done]
    change: Callable[..., Done]
    end: Callable[[T, KindRow], object]
    rank: int = 5
    ahead: Callable[[Visit, str, Json], Any] | None = None
    hangs: Callable[[T, KindRow], Iterable[str]] = _nothing
    person: Callable[[KindRow], Iterable[str]] | None = None
    after: str = ""
    secrets: frozenset[str] = frozenset()
    operators: bool = False
    platforms: bool = False

    def is_for(self, visit: Visit) -> bool:
        """Return whether a caller changes things of the kind."""
        return visit.origin != "remote" or not (self.operators or (visit.actor.kind == "platform" and not self.platforms))


def kinds() -> dict[str, Kind[Any]]:
    """Return all kinds by name, in the order in which they are made."""
    declared = (one for module in surfaces("subject") for one in module.RESOURCES)
    found = [kind_of(one) for one in declared if {"create", "remove"} <= {act.name for act in one.acts}]
    found += [one for module in surfaces("kinds") for one in module.KINDS]
    return {one.name: one for one in sorted(found, key=lambda kind: kind.rank)}


def kind_of(resource: Resource[Any]) -> Kind[Any]:
    """Return the kind of a declared noun."""
    acts: Mapping[str, Act] = {act.name: act for act in resource.acts}
    told, key, named = resource.stated, resource.argument[0], resource.stated.named
    fields = {
        one.name: one for one in resource.fields
        if one.part & (Is.NEEDED | Is.GIVEN) and not one.part & Is.UNSEEN and one.name not in (named, *told.without)
    }  # fmt: skip
    once = {one.name for one in resource.fields if one.part & Is.ONCE} | {"secret"}

    def show(things: Any, identifier: str) -> KindRow:
        shown = resource.row(acts["show"].does(things, identifier))
        return KindRow(shown[named], shown[key], {name: shown[name] for name in fields if name in shown}, shown)

    def all_(things: Any, wanted: Wanted) -> Iterator[KindRow]:
        for row in every(lambda cursor, limit: acts["list"].does(things, cursor, limit)):
            if not (listed := resource.row(row)).get("inherited") and wanted(listed[named]):
                yield show(things, listed[key])

    def make(things: Any, name: str, spec: Json, *ahead: Any) -> Done:
        made = acts["create"].does(things, {named: name, **spec}, *ahead)
        document = made if isinstance(made, dict) else made.to_json()
        return Done(show(things, document[key]), {name: document[name] for name in once if name in document})

    def end(things: Any, found: KindRow) -> object:
        return acts["remove"].does(things, found.key)

    def change(things: Any, found: KindRow, spec: Json, *ahead: Any) -> Done:
        differing = {name for name in spec if spec[name] != found.stated.get(name)}
        if "change" not in acts or any(not fields[name].part & Is.CHANGED for name in differing):
            end(things, found)
            return make(things, found.name, {**found.stated, **spec}, *ahead)
        given = {name: spec[name] for name in differing}
        if differing & {*told.together}:
            given |= together(spec, found.stated)
        for name in told.merged & given.keys():
            gone = [one for one, value in found.stated.get(name, {}).items() if value != PLACEHOLDER and one not in given[name]]
            given[name] = {**dict.fromkeys(gone), **given[name]}
        acts["change"].does(things, found.key, given)
        return Done(show(things, found.key))

    def together(spec: Json, stated: Json) -> Json:
        """Return the members that are replaced as a whole: those that are not stated stay beside those of their kind."""
        names = [name for name in told.together if spec.get(name) is not None]
        stay = {name: stated[name] for name in told.together if stated.get(name) is not None}
        return {**(stay if stay.keys() >= {*names} else {}), **{name: spec[name] for name in names}}

    schema = {
        "type": "object", "additionalProperties": False,
        "required": [one.name for one in fields.values() if one.part & Is.NEEDED],
        "properties": {one.name: one.schema if one.given is None else one.given for one in fields.values()},
    }  # fmt: skip
    name = _WORD.sub(lambda found: found[1].upper(), resource.path.rpartition("/")[2])
    return Kind(name, schema, resource.opens, all_, make, change, end, told.rank, told.ahead, after=told.after, secrets=told.secrets)
