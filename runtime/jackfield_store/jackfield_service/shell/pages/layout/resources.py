"""Parts of pages made from a noun's declaration: its objects for a visitor, a single object, and
its list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from jackfield.callers import Scope
from jackfield.connections.named_connection import Origin
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, Node, codes, terms
from jackfield_service.shell.pages.layout.components import at, badge, h
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.sorted_list import Sorts
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.shell.resource.resource import Field, Is, Resource
from jackfield_service.shell.resource.visits import opening

T = TypeVar("T")
Cell = Callable[[Any], Node]
Cells = Mapping[str, Cell]
Row = Callable[[Any], Mapping[str, Any]]
_PAGE = 50


def things(
    request: PageRequest, resource: Resource[T], scope: Scope = "manage", home: str | None = None
) -> T:
    """Open a noun's objects that the visitor may see; changes are audited in the visitor's name.

    :raises Problem: 403 without the scope, or for a token with rules that has no access to the
        objects; 503 without a database.
    """
    request.require(scope)
    origin: Origin = "operator" if request.operator else "remote"
    return opening(
        resource, request.http, request.server, request.identity, origin=origin, home=home
    )()


def find_one(
    request: PageRequest, resource: Resource[Any], scope: Scope = "manage", home: str | None = None
) -> Any:
    """Return the row of the object that the path names, by the noun's act ``show``.

    :raises Problem: 404 if there is no such object.
    """
    show = next(act.does for act in resource.acts if act.name == "show")
    try:
        return resource.row(
            show(things(request, resource, scope, home), request.path(resource.key))
        )
    except JackfieldError as error:
        raise Problem(resource.judged(error) or error.http_status, error.message) from None


def listing(
    request: PageRequest,
    resource: Resource[T],
    of: T,
    address: str,
    caption: str,
    cells: Cells,
    *,
    empty: str,
    actions: Cell | None = None,
    chosen: Mapping[str, str | None] = MappingProxyType({}),
    row: Row | None = None,
) -> Markup:
    """Render the list of a noun; ``chosen`` has further parameters of the list's act."""
    page, row = next(act.does for act in resource.acts if act.name == "list"), row or resource.row

    def rows(cursor: str | None, limit: int) -> tuple[list[Any], str | None]:
        found, following = page(of, cursor, limit, **chosen)
        return [row(one) for one in found], following

    fields = _fields_of_list(resource)
    sorts = Sorts(
        {one.title: one.name for one in fields if _sorts(one)}, names=resource.argument[0]
    )
    read = sorts.read(request, rows, _PAGE)
    heads, shown = columns(request, resource, address, read.rows, cells, actions)
    return read.table(address, caption, heads, shown, empty=empty, kept=chosen)


def columns(
    request: PageRequest,
    resource: Resource[Any],
    address: str,
    rows: Iterable[Any],
    cells: Cells,
    actions: Cell | None = None,
) -> tuple[list[str], list[list[Node]]]:
    """Return the heads and rows of a table of the listed members. A member's cell comes from
    ``cells`` or its schema; ``actions`` fills a last column.
    """
    fields, last = _fields_of_list(resource), [actions] if actions else []
    heads = [*(one.title for one in fields), *("Actions" for _ in last)]
    shown = [
        [
            *(_cell(request, resource, address, one, row, cells) for one in fields),
            *(act(row) for act in last),
        ]
        for row in rows
    ]
    return heads, shown


def facts(
    request: PageRequest,
    resource: Resource[Any],
    found: Mapping[str, Any],
    cells: Cells,
    *more: tuple[str, Node],
) -> Markup:
    """Render the titled members of a single object except its key, by ``cells`` or by their
    schemas; then ``more``.
    """
    fields = [
        one
        for one in resource.fields
        if one.title
        and one.name != resource.argument[0]
        and (one.name in found or one.name in cells)
    ]
    return terms(
        [*((one.title, _cell(request, resource, "", one, found, cells)) for one in fields), *more]
    )


def edit_link(request: PageRequest, address: str, row: Mapping[str, Any]) -> Node:
    """Render the link to the form that changes an object, for visitors who may change it."""
    name = row["name"]
    return (
        h.a("Edit", href=f"{address}/{name}/edit", aria_label=f"Edit {name}")
        if request.may("manage")
        else None
    )


def _fields_of_list(resource: Resource[Any]) -> list[Field]:
    named = {one.name: one for one in resource.fields}
    return [named[name] for name in resource.listed]


def _cell(
    request: PageRequest,
    resource: Resource[Any],
    address: str,
    field: Field,
    row: Mapping[str, Any],
    cells: Cells,
) -> Node:
    if field.name in cells:
        return cells[field.name](row)
    value = row.get(field.name)
    if field.words:
        return field.words.get(value, value)
    if field.schema.get("format") == "date-time":
        return at(value, request.now)
    if field.name == resource.argument[0] and any(act.name == "show" for act in resource.acts):
        return h.a(h.strong(value), href=f"{address}/{value}")
    return (
        badge(str(value))
        if "enum" in field.schema
        else codes(value)
        if isinstance(value, list)
        else value
    )


def _sorts(field: Field) -> bool:
    kind = field.schema.get("type", "string" if "enum" in field.schema else "object")
    kinds = {kind} if isinstance(kind, str) else {*kind}
    return not field.part & Is.UNSORTED and kinds.isdisjoint(("object", "array"))
