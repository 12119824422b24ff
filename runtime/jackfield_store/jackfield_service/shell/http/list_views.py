"""Sorting and choice of members of every list of the API: ``sort=-createdAt`` and
``fields=name,status``, by one function for all of them.

An unsorted list has its own order and cursors. A sorted list is read to its end, up to a bound. Its
cursors name the row before the page, so that added and removed rows shift nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from jackfield.kernel.errors import did_you_mean
from jackfield.kernel.exact import read_float
from jackfield_service.shell.http.parameters import limit_of
from jackfield_service.shell.http.shapes import shapes
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.shell.requests.row_order import (
    CURSOR,
    MOST,
    MOST_PAGES,
    PAGE,
    Key,
    RowOrder,
    key_of,
)

Json = Mapping[str, Any]
_SCALARS = {"string", "integer", "number", "boolean", "null"}
_REFUSED = 400
_DROPPED = ("content-length", "content-type", "etag")


@dataclass(frozen=True, slots=True)
class ListView:
    """Members of a list's rows: sortable members, members of every row, and members that ``fields``
    chooses. ``optional`` is None if the endpoint itself has the parameter ``fields``.
    """

    sortable: tuple[str, ...]
    required: tuple[str, ...]
    optional: tuple[str, ...] | None

    async def answered(
        self, operation: Operation, request: Request, server: ServerContext, identity: Identity
    ) -> Response:
        """Answer a request for the list, sorted and with the requested members."""
        sort, fields = request.query_params.get("sort"), self._chosen(request)
        if sort is None and fields is None:
            return await operation.endpoint(request, server, identity)
        if sort is None:
            response = await operation.endpoint(_inner(request), server, identity)
            return (
                response
                if not _is_page(response)
                else _like(
                    response, {**_page(response), "items": _cut(_page(response)["items"], fields)}
                )
            )
        first, rows = await self._read_whole_list(
            operation, request, server, identity, sort.removeprefix("-")
        )
        if not _is_page(first):
            if first.status_code < _REFUSED:
                raise Problem(
                    400, "'sort' is for lists as JSON: an export has the list's own order"
                )
            return first
        found, cursor = self._page(request, rows, sort)
        return _like(first, {**_page(first), "items": _cut(found, fields), "nextCursor": cursor})

    def _chosen(self, request: Request) -> Collection[str] | None:
        """Return the requested members of the rows; None for all.

        :raises Problem: 400 if one of them is unknown.
        """
        text = request.query_params.get("fields")
        if text is None or self.optional is None:
            return None
        asked = [name.strip() for name in text.split(",") if name.strip()]
        known = {*self.required, *self.optional}
        for name in asked:
            if name not in known:
                raise Problem(
                    400,
                    f"'fields' names '{name[:80]}', which no row has{did_you_mean(name, known)}",
                )
        return {*asked, *self.required}

    async def _read_whole_list(
        self,
        operation: Operation,
        request: Request,
        server: ServerContext,
        identity: Identity,
        member: str,
    ) -> tuple[Response, list[Json]]:
        """Read the whole list; return its first answer and all rows. An answer that is no page is
        returned instead, without rows.

        :raises Problem: 400 if it has too many rows.
        """
        rows: list[Json] = []
        cursor, first = None, None
        for _ in range(MOST_PAGES):
            asked = _inner(request, member, cursor, pages="limit" in operation.query)
            response = await operation.endpoint(asked, server, identity)
            first = first or response
            if not _is_page(response):
                return response, []
            page = _page(response)
            rows, cursor = rows + page["items"], page.get("nextCursor")
            if cursor is None:
                return first, rows
            if len(rows) >= MOST:
                break
        raise Problem(
            400,
            f"more than {MOST:,} rows match, which is the limit of a sorted list: choose fewer "
            "by filters, or leave 'sort' out",
        )

    def _page(
        self, request: Request, rows: Sequence[Json], sort: str
    ) -> tuple[list[Json], str | None]:
        order = RowOrder(sort)
        keys = [self._key(row, order.member) for row in rows]
        places, cursor = order.page(keys, request.query_params.get("cursor"), limit_of(request))
        return [rows[place] for place in places], cursor

    def _key(self, row: Json, member: str) -> Key:
        return key_of(
            row.get(member),
            "\0".join(
                str(row.get(name)) for name in self.required if isinstance(row.get(name), str | int)
            ),
        )


def with_views(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the operations, each list with sorting and choice of members."""
    known = shapes(operations)
    return tuple(_viewed(one, known) for one in operations)


def _viewed(operation: Operation, known: Json) -> Operation:
    shape = operation.answers.get(200, "")
    view = (
        _view(known, shape, own="fields" in operation.query)
        if operation.method == "GET" and shape.endswith("List")
        else None
    )
    if view is None:
        return operation
    query = {**operation.query}
    if view.sortable and "after" not in query:  # events have one order
        query["sort"] = {
            "type": "string",
            "enum": [text for name in view.sortable for text in (name, f"-{name}")],
            "description": (
                "The member by which rows are sorted, downwards with '-': of a list of up "
                f"to {MOST:,} rows."
            ),
        }
    if "cursor" in query and "sort" in query:
        before = query["cursor"]["pattern"]
        query["cursor"] = {
            **query["cursor"],
            "pattern": f"^({before.removeprefix('^').removesuffix('$')}|{CURSOR})$",
        }
    if view.optional:
        text = (
            "Optional members that rows are to have, separated by commas: "
            f"{', '.join(view.optional)}. Without it, all."
        )
        query["fields"] = {"type": "string", "maxLength": 1_000, "description": text}

    own = operation.query.get("cursor", {}).get("pattern", "")

    async def endpoint(request: Request, server: ServerContext, identity: Identity) -> Response:
        cursor = request.query_params.get("cursor")
        if cursor is not None and "sort" not in request.query_params and not re.search(own, cursor):
            raise Problem(
                400,
                "the parameter 'cursor' must be a cursor that a list returned: this one is of a "
                "sorted list",
            )
        return await view.answered(operation, request, server, identity)

    return replace(operation, query=query, endpoint=endpoint)


def _view(known: Json, shape: str, *, own: bool) -> ListView | None:
    """Return the view of the list that has a shape; None if the members of its rows are unknown."""
    items = known[shape]["properties"]["items"]["items"] if shape in known else {}
    row = known.get(str(items.get("$ref", "")).rpartition("/")[2], {})
    members: Json = row.get("properties", {})
    if not members:
        return None
    required = tuple(row.get("required", ()))
    optional = None if own else tuple(sorted(members.keys() - {*required}))
    return ListView(tuple(_sortable(members)), required, optional)


def _sortable(members: Json) -> Iterator[str]:
    for name, schema in sorted(members.items()):
        kind = schema.get("type", "string" if "enum" in schema else ())
        kinds = {kind} if isinstance(kind, str) else {*kind}
        if kinds and kinds <= _SCALARS:
            yield name


def _inner(
    request: Request, member: str | None = None, cursor: str | None = None, *, pages: bool = False
) -> Request:
    """Return the request for a page of the original list; ``member`` is a member that its rows must
    have.
    """
    given = {name: value for name, value in request.query_params.items() if name != "sort"}
    if member is not None:
        given = {name: value for name, value in given.items() if name not in ("cursor", "limit")}
        if "fields" in given and member not in given["fields"].split(","):
            given["fields"] += f",{member}"
        given |= ({"limit": str(PAGE)} if pages else {}) | (
            {} if cursor is None else {"cursor": cursor}
        )
    return Request({**request.scope, "query_string": urlencode(given).encode()}, request.receive)


def _is_page(response: Response) -> bool:
    return response.status_code == 200 and response.media_type == "application/json"


def _page(response: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(response.body), parse_float=read_float)
    return found


def _like(response: Response, page: Json) -> Response:
    headers = {name: value for name, value in response.headers.items() if name not in _DROPPED}
    return answer(page, headers=headers)


def _cut(rows: Sequence[Json], fields: Collection[str] | None) -> list[Json]:
    return [
        row if fields is None else {name: value for name, value in row.items() if name in fields}
        for row in rows
    ]
