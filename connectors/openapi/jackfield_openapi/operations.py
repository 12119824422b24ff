"""Operations of a document: its paths with their methods, each with the place, the server and the
parameters that apply to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from jackfield.connector import InvalidInput, pointer
from jackfield.kernel.errors import did_you_mean
from jackfield_http.headers import folded, is_token
from jackfield_openapi.naming import words
from jackfield_openapi.pointing import Pointing
from jackfield_openapi.report import Report
from jackfield_openapi.swagger import METHODS

Json = dict[str, Any]


CURATED = frozenset(
    {
        "key",
        "title",
        "keywords",
        "effect",
        "pagination",
        "open",
        "flatten",
        "idempotencyHeader",
        "idempotencyInput",
        "idempotentBy",
        "keyKept",
        "sign",
        "rateLimit",
        "failed",
        "graphql",
        "files",
        "file",
        "place",
        "before",
        "job",
        "probe",
        "ignore",
        "marker",
        "evidence",
        "noEvidence",
        "permissions",
        "secret",
        "handsOutCredentials",
        "examples",
        "headers",
        "atomic",
    }
)
"""Members of an operation's ``x-jackfield``."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Operation of a document: its JSON, its place, and the parameters of the operation and its
    path, references resolved.
    """

    method: str
    path: str
    at: str
    raw: Json
    parameters: tuple[tuple[Json, str], ...]
    servers: Any = None
    extension: Mapping[str, Any] = field(default_factory=dict)
    """Member ``x-jackfield`` of the operation, which overlays set."""

    @property
    def name(self) -> str:
        """Name of the operation in the lock, such as ``GET /items/{id}``."""
        return f"{self.method.upper()} {self.path}"

    @property
    def verb(self) -> str:
        """First word of the operation's id, in lower case; without an id, the first word of a path
        such as ``/getMonitors``; an empty string for any other path.
        """
        given = self.raw.get("operationId")
        if isinstance(given, str):
            found = words(given)
            return found[0].lower() if found else ""
        last = words(self.path.rstrip("/").rpartition("/")[2])
        return last[0].lower() if len(last) > 1 else ""


def operations(pointing: Pointing, report: Report) -> Iterator[Operation]:
    """Yield the operations in the order of the document."""
    paths = pointing.root.get("paths")
    repeated = _repeated_ids(paths)
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
                found = _referred(pointing, report, item[method], f"{place}/{method}")
                if found is not None and _is_socket(found[0]):
                    report.left_out(
                        "websocket",
                        found[1],
                        "the response switches the protocol: an action is one request over HTTP",
                    )
                elif found is not None:
                    raw = _without_repeated_id(found[0], repeated, report, found[1])
                    yield _operation(
                        pointing, report, path, method, {**item, method: raw}, place, found[1]
                    )
        if isinstance(item.get("query"), dict):
            report.left_out("method", f"{place}/query", "the method QUERY is not supported")


def _repeated_ids(paths: Any) -> Counter[Any]:
    """Return the number of operations with each id, which must be unique (OpenAPI, Operation
    Object).
    """
    items = (
        [item for item in paths.values() if isinstance(item, dict)]
        if isinstance(paths, dict)
        else []
    )
    ids = (
        item[method].get("operationId")
        for item in items
        for method in METHODS
        if isinstance(item.get(method), dict)
    )
    return Counter(one for one in ids if isinstance(one, str))


def _without_repeated_id(raw: Json, repeated: Mapping[Any, int], report: Report, at: str) -> Json:
    count = repeated.get(raw.get("operationId"), 0)
    if count <= 1:
        return raw
    text = (
        f"'{raw['operationId']}' is the id of {count} operations, so that it names none of "
        "them: the key is made of the path"
    )
    report.assumed("id repeated", at, text)
    return {name: value for name, value in raw.items() if name != "operationId"}


def find_operation(pointing: Pointing, method: str, path: str) -> Operation | None:
    """Return the operation of a path, without its parameters; None if the document does not have
    it.
    """
    paths = pointing.root.get("paths")
    try:
        item, place = (
            pointing.resolved(paths[path], pointer("paths", path))
            if isinstance(paths, dict)
            else ({}, "")
        )
    except LookupError:
        return None
    if not isinstance(item.get(method), dict):
        return None
    with suppress(LookupError):
        raw, at = pointing.resolved(item[method], f"{place}/{method}")
        return Operation(method, path, at, raw, ())
    return None


def _is_socket(raw: Json) -> bool:
    """Return whether an operation only opens a connection of another protocol, such as a
    WebSocket.
    """
    responses = raw.get("responses")
    statuses = [str(status) for status in responses] if isinstance(responses, dict) else []
    return "101" in statuses and not any(status[:1] == "2" for status in statuses)


def _referred(pointing: Pointing, report: Report, given: Json, at: str) -> tuple[Json, str] | None:
    """Return an operation with its place, its reference followed; None, with an entry in the
    report, if the target is missing.
    """
    try:
        return pointing.resolved(given, at)
    except LookupError:
        report.left_out("broken reference", at, "this operation points to nothing")
        return None


def _operation(
    pointing: Pointing, report: Report, path: str, method: str, item: Json, at: str, place: str
) -> Operation:
    raw = item[method]
    shared = _parameters(pointing, report, item.get("parameters"), f"{at}/parameters")
    own = _parameters(pointing, report, raw.get("parameters"), f"{place}/parameters")
    named = {(found["in"], found["name"]): (found, where) for found, where in (*shared, *own)}
    extension = raw.get("x-jackfield")
    if isinstance(extension, dict) and (unknown := extension.keys() - CURATED):
        text = (
            f"'x-jackfield' of {method.upper()} {path} has no member "
            f"'{min(unknown)}'{did_you_mean(min(unknown), CURATED)}"
        )
        raise InvalidInput(text, hint="docs/tutorial/openapi.md lists the members.")
    return Operation(
        method,
        path,
        place,
        raw,
        tuple(named.values()),
        raw.get("servers") or item.get("servers"),
        extension if isinstance(extension, dict) else {},
    )


def is_name(name: object, place: str) -> bool:
    """Return whether a parameter or API key of this name can be sent: a header or cookie needs a
    token (RFC 9110 §5.6.2).
    """
    if not isinstance(name, str) or not name or not name.isprintable():
        return False
    return place not in ("header", "cookie") or is_token(name)


def _credentials(root: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return place and name of each API key of a document, which the connection sends."""
    components = root.get("components")
    listed = components.get("securitySchemes") if isinstance(components, dict) else None
    schemes = [
        scheme
        for scheme in (listed.values() if isinstance(listed, dict) else ())
        if isinstance(scheme, dict)
    ]
    keys = [scheme for scheme in schemes if scheme.get("type") == "apiKey"]
    return {
        (str(scheme.get("in")), folded(scheme["name"]))
        for scheme in keys
        if isinstance(scheme.get("name"), str)
    }


def _parameters(pointing: Pointing, report: Report, listed: Any, at: str) -> list[tuple[Json, str]]:
    found = []
    for number, given in enumerate(listed if isinstance(listed, list) else ()):
        try:
            parameter, place = pointing.resolved(given, f"{at}/{number}")
        except LookupError:
            report.lossy("broken reference", f"{at}/{number}", "this parameter is left out")
            continue
        name, where = parameter.get("name"), parameter.get("in")
        if where not in ("path", "query", "header", "cookie") or not is_name(name, where):
            text = (
                "a parameter needs 'in' of path, query, header or cookie, and a 'name' that "
                "can be sent there"
            )
            report.lossy("parameter without a place", place, text)
        elif (where, folded(str(name))) in _credentials(pointing.root):
            report.assumed(
                "parameter of a credential", place, f"the connection sends '{str(name)[:80]}'"
            )
        else:
            found.append((parameter, place))
    return found
