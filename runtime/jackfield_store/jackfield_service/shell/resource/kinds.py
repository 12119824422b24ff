"""Kinds of objects that state files describe for a workspace: the functions of HTTP and of the
commands make, change and end each object.

A declared noun that is created and removed is a kind by its declaration. Others are written by
hand, as ``KINDS`` of their subject's ``kinds.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from jackfield.cli.session import every
from jackfield.kernel.dataclass import dataclass
from jackfield_service.shell.finding import surfaces
from jackfield_service.shell.resource.meanings import Meaning, meant
from jackfield_service.shell.resource.resource import Act, Is, Resource, Visit, document_of
from jackfield_store.connections.connection_rows import PLACEHOLDER

T = TypeVar("T")
Json = dict[str, Any]
Wanted = Callable[[str], bool]
_ENDS = ("remove", "revoke")
"""Acts that end an object; a revoked one stays in lists."""
_WORD = re.compile(r"-(\w)")


class KindRow(NamedTuple):
    """Existing object of a kind. Files name it by ``name``, and may state the ``stated`` members of
    its ``shown`` form; changes address it by ``key``.
    """

    name: str
    key: str
    stated: Json
    shown: Json
    twins: tuple[KindRow, ...] = ()
    """Further objects of this name."""


class Done(NamedTuple):
    """Created or changed object in its current form, its secrets, which are displayed once, and
    warnings about it; ``row`` is None if the object no longer exists.
    """

    row: KindRow | None
    secrets: Mapping[str, Any] = MappingProxyType({})
    warnings: Sequence[Mapping[str, str]] = ()


def _nothing(*_: Any) -> Any:
    return ()


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """Kind of objects in a workspace; ``schema`` describes the object's form in files.

    ``all`` returns the objects with the given names. ``ahead`` looks up the subject of a new object
    before the transaction, and ``make`` gets the result. ``hangs`` names the objects that end or
    stop with an object. ``person`` names the steps that a person still has to take, and ``after``
    the later steps of a process at the provider. Kinds of a lower ``rank`` are created first and
    removed last. Members of ``values`` among ``secrets`` are references that are resolved.
    ``operators`` are changed by the operator alone, ``platforms`` also by a platform's token.

    ``meanings`` return what the value of a member means, where several spellings mean the same.
    ``passed`` returns why a stated object is over, so that it is not made; an empty string
    otherwise. Objects of a kind that is ``permanent`` exist always, possibly without content.
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
    meanings: Mapping[str, Meaning] = MappingProxyType({})
    passed: Callable[[Json, Visit], str] | None = None
    permanent: bool = False

    def meaning(self, name: str, value: Any) -> Any:
        """Return what a member's value means, for comparisons."""
        return meant(self.meanings, name, value)

    def is_for(self, visit: Visit) -> bool:
        """Return whether a caller may change objects of the kind."""
        return visit.origin != "remote" or not (
            self.operators or (visit.actor.kind == "platform" and not self.platforms)
        )


def kinds() -> dict[str, Kind[Any]]:
    """Return all kinds by name, in the order in which their objects are created."""
    declared = (one for module in surfaces("subject") for one in module.RESOURCES)
    found = [kind_of(one) for one in declared if _is_stated({act.name for act in one.acts})]
    found += [one for module in surfaces("kinds") for one in module.KINDS]
    return {one.name: one for one in sorted(found, key=lambda kind: kind.rank)}


def _is_stated(acts: set[str]) -> bool:
    return "create" in acts and not acts.isdisjoint(_ENDS)


def kind_of(resource: Resource[Any]) -> Kind[Any]:
    """Return the kind of a declared noun."""
    noun, told = _Noun(resource), resource.stated
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": [one.name for one in noun.fields.values() if one.part & Is.NEEDED],
        "properties": {
            one.name: one.schema if one.given is None else one.given for one in noun.fields.values()
        },
    }
    name = _WORD.sub(lambda found: found[1].upper(), resource.path.rpartition("/")[2])
    return Kind(
        name,
        schema,
        resource.opens,
        noun.all,
        noun.make,
        noun.change,
        noun.end,
        told.rank,
        told.ahead,
        hangs=told.hangs,
        after=told.after,
        secrets=told.secrets,
        platforms=told.platforms,
        meanings=told.meanings,
        passed=told.passed,
    )


class _Noun:
    """Adapter that offers a declared resource as a kind of state files. ``fields`` are the members
    that a state file may set.
    """

    def __init__(self, resource: Resource[Any]) -> None:
        self._resource, self._told, self._key = resource, resource.stated, resource.argument[0]
        self._acts: Mapping[str, Act] = {act.name: act for act in resource.acts}
        self.fields = {
            one.name: one
            for one in resource.fields
            if one.part & (Is.NEEDED | Is.GIVEN)
            and not one.part & Is.UNSEEN
            and one.name not in (self._told.named, *self._told.without)
        }
        once = {one.name for one in resource.fields if one.part & Is.ONCE}
        self._once = (once | {"secret"}) - {*self._told.without}

    def all(self, things: Any, wanted: Wanted) -> Iterator[KindRow]:
        for row in every(lambda cursor, limit: self._acts["list"].does(things, cursor, limit)):
            listed = self._resource.row(row)
            if self._told.shows(listed) and wanted(listed[self._told.named]):
                yield self._row(things, listed)

    def make(self, things: Any, name: str, spec: Json, *ahead: Any) -> Done:
        made = document_of(
            self._acts["create"].does(things, {self._told.named: name, **spec}, *ahead)
        )
        secrets = {name: made[name] for name in self._once if name in made}
        shown = {name: value for name, value in made.items() if name not in secrets}
        return Done(self._row(things, shown), secrets, made.get("warnings", ()))

    def end(self, things: Any, found: KindRow) -> object:
        end = next(self._acts[name] for name in _ENDS if name in self._acts)
        return end.does(things, found.key)

    def change(self, things: Any, found: KindRow, spec: Json, *ahead: Any) -> Done:
        meanings = self._told.meanings
        differing = {
            name
            for name in spec
            if meant(meanings, name, spec[name]) != meant(meanings, name, found.stated.get(name))
        }
        if "change" not in self._acts or any(
            not self.fields[name].part & Is.CHANGED for name in differing
        ):
            self.end(things, found)
            unread = {name: found.shown[name] for name in self._told.unread}
            return self.make(things, found.name, {**unread, **found.stated, **spec}, *ahead)
        given = {name: spec[name] for name in differing}
        if differing & {*self._told.together}:
            given |= self._together(spec, found.stated)
        for name in self._told.merged & given.keys():
            gone = [
                one
                for one, value in found.stated.get(name, {}).items()
                if value != PLACEHOLDER and one not in given[name]
            ]
            given[name] = {**dict.fromkeys(gone), **given[name]}
        self._acts["change"].does(things, found.key, given)
        return Done(self._row(things, found.shown))

    def _row(self, things: Any, listed: Json) -> KindRow:
        """Return an object as it is now, by its act ``show`` if there is one."""
        show = self._acts.get("show")
        shown = self._resource.row(show.does(things, listed[self._key])) if show else listed
        stated = {
            name: shown[name]
            for name in self.fields
            if name in shown and name not in self._told.unread
        }
        return KindRow(shown[self._told.named], shown[self._key], stated, shown)

    def _together(self, spec: Json, stated: Json) -> Json:
        """Return the members that are replaced together: unstated members keep their current values
        only if all given members have one.
        """
        given = {name: spec[name] for name in self._told.together if spec.get(name) is not None}
        stay = {name: stated[name] for name in self._told.together if stated.get(name) is not None}
        return {**(stay if stay.keys() >= given.keys() else {}), **given}
