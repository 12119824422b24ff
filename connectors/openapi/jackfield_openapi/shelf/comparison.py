"""Comparison of a service's file with documents of its provider: each part that the file uses must
exist there and be equal.

Only operations in the file are compared. Prose, examples and parts that the file omits do not
count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from jackfield.connector import InvalidInput
from jackfield.kernel.secret_names import basis, may_hold
from jackfield_http.list_declarations import IN_ANSWER
from jackfield_openapi.discovery import is_discovery, openapi_of
from jackfield_openapi.operations import Operation, operations
from jackfield_openapi.pointing import Pointing
from jackfield_openapi.report import Report
from jackfield_openapi.shelf.services import Service
from jackfield_openapi.swagger import upgraded

_PLACE = re.compile(r"\{[^{}]*\}")
_DEPTH = 12
_DEEPEST = 4
"""Maximum depth of members that are searched for a secret."""
_VARIABLE = "\x00"
"""Placeholder for a variable of a server's address."""

Json = dict[str, Any]


def differences(service: Service, documents: Iterable[Json]) -> list[str]:
    """Return a sentence for each part of a file that is missing or different in the provider's
    documents.

    A file of GraphQL has no paths to compare.

    :raises InvalidInput: if nothing of the documents can be compared.
    """
    ours, theirs = _Document(service.document), [_document(given) for given in documents]
    mine = [
        one
        for one in ours.operations
        if "graphql" not in one.extension and not _is_elsewhere(one, theirs)
    ]
    if not mine or not any(one.operations for one in theirs):
        raise InvalidInput(
            f"'{service.file.name}' and the document have no operations to compare",
            hint="Name another document.",
        )
    found = list(_endpoint_faults(service, theirs))
    for operation in mine:
        paths = ours.paths(operation)
        pairs = (
            (one, other)
            for path in paths
            for one in theirs
            if (other := one.find(path, operation.method)) is not None
        )
        holder, other = next(pairs, (None, None))
        if holder is None or other is None:
            found.append(f"{operation.name}: the document has no such operation")
        else:
            faults = (
                *_operation_faults(ours, operation, holder, other),
                *_scope_faults(service, holder, other),
            )
            found += [f"{operation.name}: {text}" for text in faults]
    return found


def _document(given: Json) -> _Document:
    general = (
        frozenset(map(str, given.get("parameters", {})))
        if is_discovery(given)
        else frozenset[str]()
    )
    return _Document(_modern(given), general)


def _modern(given: Json) -> Json:
    if is_discovery(given):
        return openapi_of(given)
    return upgraded(given, Report()) if str(given.get("swagger", "")).startswith("2.") else given


def _hosts(servers: Any) -> set[str]:
    return {urlsplit(_PLACE.sub("x", str(row.get("url", "")))).netloc for row in servers or ()} - {
        "",
        "x",
    }


def _is_elsewhere(operation: Operation, theirs: Iterable[_Document]) -> bool:
    """Return whether an operation has a server of its own that none of the documents lists."""
    own = _hosts(operation.servers)
    return bool(own) and not any(own & _hosts(one.root.get("servers")) for one in theirs)


class _Document:
    """Document of a service or a provider. ``general`` are parameters that every operation accepts,
    including API keys in the query.
    """

    def __init__(self, root: Json, general: frozenset[str] = frozenset()) -> None:
        self.root = root
        schemes = ((root.get("components") or {}).get("securitySchemes") or {}).values()
        self.general = general | {
            str(one.get("name"))
            for one in schemes
            if isinstance(one, dict) and one.get("in") == "query"
        }
        self.pointing = Pointing(root)
        self.operations = list(operations(self.pointing, Report()))
        self._by_path = {
            (self.whole_path(one), one.method): one for one in reversed(self.operations)
        }

    def whole_path(self, operation: Operation) -> str:
        """Return the path with the server's prefix and with ``{}`` for each parameter."""
        return self._path(self._base(operation), operation)

    def paths(self, operation: Operation) -> list[str]:
        """Return the path with the server's prefix; if the prefix has a variable, also the path
        behind the variable.
        """
        base = self._base(operation)
        behind = [base.rpartition(_VARIABLE)[2]] if _VARIABLE in base else []
        return [self._path(one, operation) for one in (base, *behind)]

    def _base(self, operation: Operation) -> str:
        servers = operation.servers or self.root.get("servers") or [{}]
        return urlsplit(_PLACE.sub(_VARIABLE, str(servers[0].get("url", "")))).path.rstrip("/")

    def _path(self, base: str, operation: Operation) -> str:
        return _PLACE.sub(
            "{}", base.replace(_VARIABLE, "x") + operation.path.partition("#")[0].partition("?")[0]
        ).rstrip("/")

    def find(self, path: str, method: str) -> Operation | None:
        """Return the operation at a path with any parameter names, else at a path that covers it;
        None without one.
        """
        exact = self._by_path.get((path, method))
        if exact is not None:
            return exact
        wanted = path.split("/")
        return next(
            (
                one
                for (other, verb), one in self._by_path.items()
                if verb == method and _fits(wanted, other.split("/"))
            ),
            None,
        )

    def schema(self, node: Any) -> Json:
        """Return a schema merged with the members of its composed parts; empty if a reference has
        no target.
        """
        return self._merged(node, _DEPTH)

    def _merged(self, node: Any, depth: int) -> Json:
        if not isinstance(node, dict) or depth == 0:
            return {}
        try:
            whole, _ = self.pointing.resolved(node, "")
        except LookupError:
            return {}
        parts = [
            self._merged(part, depth - 1)
            for name in ("allOf", "anyOf", "oneOf")
            for part in whole.get(name, ())
        ]
        properties = _all_members(parts)
        chosen = any(name in whole for name in ("anyOf", "oneOf"))
        required = [] if chosen else [name for part in parts for name in part.get("required", ())]
        is_open = any(part.get("open") for part in parts) or whole.get(
            "additionalProperties"
        ) not in (None, False)
        merged = {**next((part for part in parts if part.get("items")), {}), **whole}
        merged["properties"] = {**properties, **(whole.get("properties") or {})}
        merged["required"] = [*required, *(whole.get("required") or ())]
        merged["open"] = is_open or (not merged["properties"] and "items" not in merged)
        return merged

    def body(self, operation: Operation) -> Json | None:
        """Return the schema of an operation's body; None if it has none."""
        try:
            about, _ = self.pointing.resolved(operation.raw.get("requestBody"), "")
        except LookupError:
            return None
        return self._content(about)

    def answer(self, operation: Operation) -> Json | None:
        """Return the schema of an operation's success response; None if the document has none."""
        for status, given in operation.raw.get("responses", {}).items():
            if str(status).startswith("2") or status == "default":
                try:
                    found = self._content(self.pointing.resolved(given, "")[0])
                except LookupError:
                    continue
                if found is not None:
                    return found
        return None

    def _content(self, about: Json) -> Json | None:
        contents = about.get("content")
        if not isinstance(contents, dict):
            return None
        found: Any = next(
            (contents[kind] for kind in contents if "json" in kind),
            next(iter(contents.values()), {}),
        )
        return (
            self.schema(found.get("schema"))
            if isinstance(found, dict) and "schema" in found
            else None
        )


def _all_members(parts: Iterable[Json]) -> Json:
    """Return the members of all parts; the enumerations of a repeated member are combined."""
    found: Json = {}
    for part in parts:
        for name, about in part.get("properties", {}).items():
            before, values = _values(found.get(name)), _values(about)
            found[name] = {**about, "enum": [*before, *values]} if before and values else about
    return found


def _values(node: Any) -> list[Any]:
    return list(node.get("enum", ())) if isinstance(node, dict) else []


def _fits(wanted: list[str], other: list[str]) -> bool:
    """Return whether a path template covers a path: ``/users/{}`` covers ``/users/me``."""
    return len(wanted) == len(other) and all(
        theirs in (mine, "{}") for mine, theirs in zip(wanted, other, strict=True)
    )


def _endpoint_faults(service: Service, theirs: Iterable[_Document]) -> Iterator[str]:
    roots = [one.root for one in theirs]
    hosts, mine = (
        {host for root in roots for host in _hosts(root.get("servers"))},
        _hosts(service.document.get("servers")),
    )
    if (
        hosts
        and mine
        and not hosts & mine
        and not any("x" in host.split(".") for host in hosts | mine)
    ):
        yield f"the server is {', '.join(sorted(hosts))[:200]}, not {', '.join(sorted(mine))}"
    schemes = [
        scheme
        for root in roots
        for scheme in ((root.get("components") or {}).get("securitySchemes") or {}).values()
    ]
    flows = [
        flow
        for scheme in schemes
        for flow in (scheme.get("flows") or {}).values()
        if isinstance(flow, dict)
    ]
    for name in ("authorizationUrl", "tokenUrl"):
        known = {str(flow[name]).partition("?")[0].rstrip("/") for flow in flows if flow.get(name)}
        for row in service.about["signIns"].values():
            if "seen" in row:
                continue  # a page or client of the provider contradicts its document
            mine_is = str(row.get(name, "")).partition("?")[0].rstrip("/")
            if (
                mine_is
                and row["kind"].startswith("oauth2")
                and known
                and not {mine_is, urlsplit(mine_is).path} & known
            ):
                yield f"{name} is {', '.join(sorted(known))[:300]}, not {row[name]}"


def _scope_faults(service: Service, theirs: _Document, other: Operation) -> Iterator[str]:
    """Yield a sentence for each sign-in that requests none of the scopes an operation needs.

    A sign-in whose scopes come from a page of the provider is not compared.
    """
    given = other.raw.get("security", theirs.root.get("security"))
    wanted = [set().union(*map(set, one.values())) for one in given or () if isinstance(one, dict)]
    for name, row in service.about["signIns"].items():
        asked, any_of = set(row.get("scopes", ())), set().union(*wanted)
        if (
            "seen" not in row
            and asked
            and all(wanted)
            and any_of & _scopes_of(theirs)
            and not any_of & asked
        ):
            yield (
                f"the sign-in '{name}' asks for none of its scopes: "
                f"{', '.join(sorted(any_of))[:300]}"
            )


def _scopes_of(document: _Document) -> set[str]:
    """Return the scopes that a document declares."""
    schemes = ((document.root.get("components") or {}).get("securitySchemes") or {}).values()
    flows = [
        flow
        for scheme in schemes
        for flow in (scheme.get("flows") or {}).values()
        if isinstance(flow, dict)
    ]
    return {str(scope) for flow in flows for scope in flow.get("scopes") or ()}


def _operation_faults(
    ours: _Document, mine: Operation, theirs: _Document, other: Operation
) -> Iterator[str]:
    if other.raw.get("deprecated") is True:
        yield "it is deprecated"
    yield from _parameter_faults(mine, theirs, other)
    wanted, known = ours.body(mine), theirs.body(other)
    if wanted is not None and known is None:
        yield "it takes no body"
    elif known is not None:
        places = [place.strip("/").split("/") for place in mine.extension.get("place", {}).values()]
        for names in places:
            if not _has(known, names, theirs):
                yield f"body has nothing at '/{'/'.join(names)}'"
        yield from _member_faults(
            "body", _unplaced(wanted or {}, mine, places), known, theirs, needed=True
        )
    answered, shown = ours.answer(mine), theirs.answer(other)
    if answered is not None and shown is not None:
        yield from _answer_faults(answered, shown, ours, theirs)
        yield from _paging_faults(mine, shown, theirs)
        if answered.get("format") != "binary":
            yield from _secret_faults(answered, shown, ours, theirs)


def _unplaced(wanted: Json, mine: Operation, places: Iterable[list[str]]) -> Json:
    """Return a body's schema as it is sent: without the inputs that have another place, and with
    the members at those places.
    """
    moved = {name.casefold() for name in mine.extension.get("place", {})}
    own = {
        name: about
        for name, about in wanted.get("properties", {}).items()
        if name.replace("_", "").casefold() not in moved
    }
    return {**wanted, "properties": {**own, **{names[0]: {} for names in places}}}


def _parameter_faults(mine: Operation, theirs: _Document, other: Operation) -> Iterator[str]:
    known = {
        (row.get("in"), str(row.get("name")).partition("[")[0]): row for row, _ in other.parameters
    }
    used = {
        (row.get("in"), str(row.get("name")).partition("[")[0]): row for row, _ in mine.parameters
    }
    for (place, name), row in used.items():
        if place != "query" or name in theirs.general:
            continue
        if (place, name) not in known:
            yield f"it has no parameter '{name}'"
        else:
            yield from _enum_faults(
                f"parameter '{name}'",
                row.get("schema", {}),
                theirs.schema(known[place, name].get("schema", {})),
            )
    fixed = mine.path.partition("?")[2]
    for (place, name), row in known.items():
        if (
            row.get("required") is True
            and place == "query"
            and (place, name) not in used
            and f"{name}=" not in fixed
        ):
            yield f"the parameter '{name}' is required"


def _enum_faults(what: str, wanted: Json, known: Json) -> Iterator[str]:
    if "enum" in wanted and known.get("enum"):
        gone = [value for value in wanted["enum"] if value not in known["enum"]]
        if gone:
            yield f"{what} cannot be {', '.join(map(str, gone))}"


def _member_faults(
    what: str, wanted: Json, known: Json, theirs: _Document, *, needed: bool
) -> Iterator[str]:
    mine = wanted.get("properties", {})
    if not known.get("open"):
        for name in mine.keys() - known["properties"].keys():
            yield f"{what} has no member '{name}'"
    for name in mine.keys() & known["properties"].keys():
        yield from _enum_faults(
            f"{what} member '{name}'", mine[name], theirs.schema(known["properties"][name])
        )
    if needed and mine and not wanted.get("open"):
        for name in dict.fromkeys(known.get("required", ())):
            if (
                name not in mine
                and theirs.schema(known["properties"].get(name)).get("readOnly") is not True
            ):
                yield f"{what} needs the member '{name}'"


def _answer_faults(
    answered: Json, shown: Json, ours: _Document, theirs: _Document
) -> Iterator[str]:
    if "items" in answered or "items" in shown:
        if ("items" in answered) != ("items" in shown) and not shown.get("open"):
            yield "the answer is a list" if "items" in shown else "the answer is no list"
        answered, shown = ours.schema(answered.get("items")), theirs.schema(shown.get("items"))
    if answered and shown:
        yield from _member_faults("the answer", answered, shown, theirs, needed=False)


def _secret_faults(
    answered: Json, shown: Json, ours: _Document, theirs: _Document, at: str = ""
) -> Iterator[str]:
    """Yield a sentence for each credential in a response that the file does not declare: records
    would store it unmasked.
    """
    mine, known = _item(answered, ours), _item(shown, theirs)
    declared, members = mine.get("properties", {}), known.get("properties", {})
    for name, node in members.items() if at.count("/") < _DEEPEST else ():
        about, place = theirs.schema(node), f"{at}/{name}"
        if (
            name not in declared
            and may_hold(about)
            and basis(name, str(about.get("description", "")), siblings=members)
        ):
            yield f"the answer has a secret at '{place}', which the file does not declare"
        elif about.get("properties") or "items" in about:
            yield from _secret_faults(ours.schema(declared.get(name)), about, ours, theirs, place)


def _item(schema: Json, document: _Document) -> Json:
    """Return the schema of a list's item; any other schema unchanged."""
    return document.schema(schema["items"]) if "items" in schema else schema


def _paging_faults(mine: Operation, shown: Json, theirs: _Document) -> Iterator[str]:
    given = mine.extension.get("pagination")
    rule = given if isinstance(given, dict) else {}
    for name in IN_ANSWER:
        # a member of the last item
        place = None if name == "response" and rule.get("kind") == "lastId" else rule.get(name)
        if (
            isinstance(place, str)
            and place.startswith("/")
            and not _has(shown, place.strip("/").split("/"), theirs)
        ):
            yield f"the answer has nothing at '{place}', where paging looks for it"


def _has(shown: Json, names: Iterable[str], theirs: _Document) -> bool:
    for name in names:
        if shown.get("open"):
            return True
        if "items" in shown:
            shown = theirs.schema(shown["items"])
            continue
        if name not in shown.get("properties", {}):
            return False
        shown = theirs.schema(shown["properties"][name])
    return True
