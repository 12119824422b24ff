"""Operations of a document: its paths with their methods, each with the place, the server and the parameters that apply to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jackfield.connector import pointer
from jackfield_http.openapi.naming import words
from jackfield_http.openapi.pointing import Pointing
from jackfield_http.openapi.report import Report
from jackfield_http.openapi.swagger import METHODS

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its own JSON, its place, and the parameters of it and its path, references resolved."""

    method: str
    path: str
    at: str
    raw: Json
    parameters: tuple[tuple[Json, str], ...]
    servers: Any = None
    extension: Mapping[str, Any] = field(default_factory=dict)
    """Member ``x-jackfield``, by which overlays curate."""

    @property
    def name(self) -> str:
        """Name of the operation in the lock, such as ``GET /items/{id}``."""
        return f"{self.method.upper()} {self.path}"

    @property
    def verb(self) -> str:
        """First word of the operation's id, or the last word of its path, in lower case."""
        given = self.raw.get("operationId")
        found = words(given) if isinstance(given, str) else []
        return found[0].lower() if found else ""


def operations(pointing: Pointing, report: Report) -> Iterator[Operation]:
    """Yield the operations in the order of the document."""
    paths = pointing.root.get("paths")
    for path, given in paths.items() if isinstance(paths, dict) else ():
        at = pointer("paths", path)
        if not path.startswith("/"):
            if not path.startswith("x-"):
                report.left_out("path without a slash", at, "a path begins with a slash")
            continue
        try:
            item, place = pointing.resolved(given, at)
        except LookupError:
            report.left_out("broken reference", at, "this path points to nothing")
            continue
        for method in METHODS:
            if isinstance(item.get(method), dict):
                yield _operation(pointing, report, path, method, item, place)
        if isinstance(item.get("query"), dict):
            report.left_out("method", f"{place}/query", "the method QUERY is not supported")


def _operation(pointing: Pointing, report: Report, path: str, method: str, item: Json, at: str) -> Operation:
    raw = item[method]
    place = f"{at}/{method}"
    shared = _parameters(pointing, report, item.get("parameters"), f"{at}/parameters")
    own = _parameters(pointing, report, raw.get("parameters"), f"{place}/parameters")
    named = {(found["in"], found["name"]): (found, where) for found, where in (*shared, *own)}
    extension = raw.get("x-jackfield")
    return Operation(
        method,
        path,
        place,
        raw,
        tuple(named.values()),
        raw.get("servers") or item.get("servers"),
        extension if isinstance(extension, dict) else {},
    )


def _parameters(pointing: Pointing, report: Report, listed: Any, at: str) -> list[tuple[Json, str]]:
    found = []
    for number, given in enumerate(listed if isinstance(listed, list) else ()):
        try:
            parameter, place = pointing.resolved(given, f"{at}/{number}")
        except LookupError:
            report.lossy("broken reference", f"{at}/{number}", "this parameter is left out")
            continue
        if isinstance(parameter.get("name"), str) and parameter["name"] and parameter.get("in") in ("path", "query", "header", "cookie"):
            found.append((parameter, place))
        else:
            report.lossy("parameter without a place", place, "a parameter needs 'name', and 'in' of path, query, header or cookie")
    return found
