"""Parts of pages that are made of a noun's declaration: its things for a visitor, one of them, and its list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from jackfield.callers import Scope
from jackfield.connections.named_connection import Origin
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, Node, codes
from jackfield_service.shell.pages.layout.components import at, badge, h
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.sorted_list import Sorts
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.shell.resource.resource import Field, Is, Resource
from jackfield_service.shell.resource.visits import opening

T = TypeVar("T")
Cell = Callable[[Any], Node]
_PAGE = 50


def things(request: PageRequest, resource: Resource[T], scope: Scope = "manage", home: str | None = None) -> T:
    """Open what the visitor may see of a noun; what is changed is audited in the visitor's name.

    :raises Problem: 403 without the scope, or for a token with rules that has no part in it; 503 without a database.
    """
    request.require(scope)
    origin: Origin = "operator" if request.operator else "remote"
    return opening(resource, request.http, request.server, request.identity, origin=origin, home=home)()


def find_one(request: PageRequest, resource: Resource[Any], scope: Scope = "manage", home: str | None = None) -> Any:
    """Return the one that the path names, as the noun's act ``show`` does.

    :raises Problem: 404 if there is none.
    """
    show = next(act.does for act in resource.acts if act.name == "show")
    try:
        return show(things(request, resource, scope, home), request.path(resource.key))
    except JackfieldError as error:
        raise Problem(resource.judged(error) or error.http_status, error.message) from None


def listing(
    request: PageRequest,
    resource: Resource[T],
    of: T,
    address: str,
    caption: str,
    *,
    empty: str,
    actions: Cell | None = None,
    **cells: Cell,
) -> Markup:
    """Render the list of the fields that have titles, a status beside the key, each by its ``cells`` or by its schema, with ``actions`` in a
    last column."""
    fields = sorted((one for one in resource.fields if one.title), key=lambda one: one.name not in (resource.argument[0], "status"))
    page = next(act.does for act in resource.acts if act.name == "list")
    sorts = Sorts({one.title: one.name for one in fields if _sorts(one)}, names=resource.argument[0])
    read = sorts.read(request, lambda cursor, limit: page(of, cursor, limit), _PAGE)

    def cell(field: Field, row: Mapping[str, Any]) -> Node:
        return cells[field.name](row) if field.name in cells else _cell(request, resource, address, field, row)

    heads, last = [one.title for one in fields], [actions] if actions else []
    rows = [[*(cell(field, row) for field in fields), *(act(row) for act in last)] for row in read.rows]
    return read.table(address, caption, [*heads, *("Actions" for _ in last)], rows, empty=empty)


def edit_link(request: PageRequest, address: str, row: Mapping[str, Any]) -> Node:
    """Render the link to the form that changes one, for those who may."""
    name = row["name"]
    return h.a("Edit", href=f"{address}/{name}/edit", aria_label=f"Edit {name}") if request.may("manage") else None


def _cell(request: PageRequest, resource: Resource[Any], address: str, field: Field, row: Mapping[str, Any]) -> Node:
    value = row.get(field.name)
    if field.schema.get("format") == "date-time":
        return at(value, request.now)
    if field.name == resource.argument[0] and any(act.name == "show" for act in resource.acts):
        return h.a(h.strong(value), href=f"{address}/{value}")
    return badge(str(value)) if "enum" in field.schema else codes(value) if isinstance(value, list) else value


def _sorts(field: Field) -> bool:
    kind = field.schema.get("type", "string" if "enum" in field.schema else "object")
    kinds = {kind} if isinstance(kind, str) else {*kind}
    return not field.part & Is.UNSORTED and kinds.isdisjoint(("object", "array"))
