"""Declaration of a noun: its members, its operations, and the opening of its objects for a caller.

Operations with their shapes (``http.resources``), verbs (``resource.verbs``) and parts of pages
(``layout.resources``) are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Flag, auto
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import InvalidInvocation, JackfieldError

if TYPE_CHECKING:
    from jackfield.callers import Caller, Scope
    from jackfield.callers.actor import Actor
    from jackfield.connections.named_connection import Origin
    from jackfield.kernel.clock import Clock
    from jackfield.wire.guard import Guard
    from jackfield_store.resources.storage import Storage
    from jackfield_store.runtime import Jackfield

T = TypeVar("T")
Json = dict[str, Any]
Judge = Callable[[JackfieldError], int | None]
Waits = Literal["briefly", "slowly", "asking"]


class Is(Flag):
    """Role of a member in the documents of a noun."""

    SHOWN = 0
    ALWAYS = auto()
    """Field of every row."""
    NEEDED = auto()
    """Field that a new row requires."""
    GIVEN = auto()
    """Field that a new row may have."""
    CHANGED = auto()
    """Field that a change may have."""
    ONCE = auto()
    """Field that only the answer of the creation has."""
    UNSEEN = auto()
    """Field that no answer has."""
    DETAIL = auto()
    """Field of answers with a single object, but not of a list's rows."""
    UNSORTED = auto()
    """Field whose column cannot sort the console's lists."""


@dataclass(frozen=True, slots=True)
class Field:
    """Member of a noun. ``given`` is the schema for creating or changing it, if that differs from
    its displayed form; ``title`` names it in the console, ``words`` its values.
    """

    name: str
    schema: Json
    part: Is = Is.SHOWN
    given: Json | None = None
    title: str = ""
    words: Mapping[Any, str] | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """Operation on a noun: ``list``, ``show``, ``create``, ``change``, ``remove``, ``revoke``, or a
    further operation on one object.

    ``does`` gets the opened objects, an object's key unless it creates one, the members of the body
    if there is one, and ``query`` by name. ``verb`` is the summary of the command's verb if that
    differs; an empty string means no verb, or a hand-written one. ``operation``, ``body`` and
    ``answers`` belong to the HTTP API where they do not follow from the noun. A list has its
    ``query`` in addition to the noun's filters. An act that ``reads`` is a GET.
    """

    name: str
    does: Callable[..., Any]
    summary: str
    scope: Scope = "manage"
    problems: tuple[int, ...] = ()
    verb: str | None = None
    operation: str = ""
    body: str | None = None
    answers: Mapping[int, str] | None = None
    query: Mapping[str, Mapping[str, Any]] | None = None
    reads: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """Caller who works with a workspace's objects, over HTTP, on a page, or on the command line as
    the operator.

    ``guard`` and ``outgoing`` limit the hosts that connections and callbacks reach; None: no limit.
    """

    storage: Storage
    workspace: str
    clock: Clock
    caller: Caller
    actor: Actor
    origin: Origin
    find: Callable[[], Jackfield]
    guard: Guard | None = None
    outgoing: Guard | None = None
    base: Callable[[], str] = str

    @property
    def runtime(self) -> Jackfield:
        """Runtime of the workspace."""
        return self.find()


@dataclass(frozen=True, slots=True)
class InFiles:
    """Rules for a noun's objects in files (``resource.kinds``).

    ``named`` is the member that names an object, and ``without`` are members that files do not
    state. Members in ``together`` are replaced as a whole. A change of a ``merged`` member
    preserves the parts that the change does not name. Files may state ``unread`` members, which are
    not compared with the object. ``shows`` returns whether a listed object is one of the files'.
    The other attributes have the same meaning as in ``Kind``.
    """

    named: str = "name"
    without: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    merged: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    rank: int = 9
    ahead: Callable[[Visit, str, Json], Any] | None = None
    after: str = ""
    meanings: Mapping[str, Callable[[Any], Any]] = MappingProxyType({})
    passed: Callable[[Json, Visit], str] | None = None
    unread: tuple[str, ...] = ()
    shows: Callable[[Json], bool] = lambda row: not row.get("inherited")
    hangs: Callable[[Any, Any], Iterable[str]] = lambda *_: ()
    platforms: bool = False


@dataclass(frozen=True, slots=True)
class Resource(Generic[T]):
    """Noun of a subject. ``one`` names it in operations and shapes, ``kept`` in refusals, by
    default as the path does.

    ``opens`` opens the objects of a workspace, in a thread of the kind ``waits``. ``unruled`` is
    the refusal of a token with rules. ``row`` makes a document from an act's result, which has
    further members unless it is ``closed``. ``judged`` returns the status of an error where it
    differs from the error's own. ``argument`` is the key on the command line, with its placeholder.
    ``of`` precedes the noun in the names of operations. ``columns`` are the command line's columns,
    ``listed`` the console's; a page of a single object shows all titled members in their order.
    """

    one: str
    path: str
    opens: Callable[[Visit], T]
    fields: tuple[Field, ...]
    acts: tuple[Act, ...]
    cursor: str
    key: str = "name"
    argument: tuple[str, str] = ("name", "NAME")
    filters: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    shapes: Mapping[str, Json] | None = None
    row: Callable[[Any], Any] = lambda found: found
    closed: bool = True
    of: str = ""
    kept: str = ""
    unruled: str = ""
    waits: Waits = "slowly"
    judged: Judge = lambda _: None
    stated: InFiles = InFiles()

    def described(self) -> dict[str, Json]:
        """Return the shapes of the operations' requests and responses, by name."""
        bodies = {act.name: act.body for act in self.acts}
        seen = tuple(one for one in self.fields if not one.part & (Is.ONCE | Is.UNSEEN | Is.DETAIL))
        found: dict[str, Json] = {}
        if "create" in bodies:
            found[f"New{self.one}"] = _object(self._of(Is.NEEDED | Is.GIVEN), Is.NEEDED, given=True)
        if "change" in bodies:
            found[bodies["change"] or f"{self.one}Change"] = _object(
                self._of(Is.CHANGED), given=True
            )
        found[self.one] = {**_object(seen, Is.ALWAYS), "additionalProperties": not self.closed}
        for name, part in ((self.shown, Is.DETAIL), (self.created, Is.ONCE)):
            if further := self._of(part):
                found[name] = _object((*seen, *further), Is.ALWAYS)
        return {**found, **(self.shapes or {})}

    @property
    def shown(self) -> str:
        """Name of the shape of an object."""
        return f"{self.one}Detail" if self._of(Is.DETAIL) else self.one

    @property
    def created(self) -> str:
        """Name of the shape of a new object."""
        return f"Created{self.one}" if self._of(Is.ONCE) else self.shown

    def choices(self) -> dict[str, list[str]]:
        """Return the values of the filters with a fixed set of values."""
        return {
            one.name: one.schema["enum"]
            for one in self.fields
            if one.name in self.filters and "enum" in one.schema
        }

    def _of(self, part: Is) -> tuple[Field, ...]:
        return tuple(one for one in self.fields if one.part & part)


def document_of(found: Any) -> Any:
    """Return an object with ``to_json`` as a document."""
    return found if isinstance(found, dict) else found.to_json()


def invalid_or_unknown(error: JackfieldError) -> int | None:
    """Return the status of an invalid request: 422 with details, 404 without, for an unknown name;
    None for other errors.
    """
    is_plain = (
        isinstance(error, InvalidInvocation) and error.http_status == InvalidInvocation.http_status
    )
    return (422 if error.details else 404) if is_plain else None


def _object(fields: tuple[Field, ...], needed: Is = Is.SHOWN, *, given: bool = False) -> Json:
    properties = {
        one.name: one.given if given and one.given is not None else one.schema for one in fields
    }
    required = [one.name for one in fields if one.part & needed]
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }
