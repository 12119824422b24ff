"""Connection tests: the request that proves that credentials are valid, and the place of the
account in its answer.
"""

from __future__ import annotations

import re
from typing import Any

from jackfield.connector import InvalidInput
from jackfield_http.accounts import OWN_PATH
from jackfield_openapi.operations import Operation

_DOUBTFUL = re.compile(
    r"/(|ping|test|[a-z]*\.?test|health|healthz|status|version|errors?|oembed|\.well-known/.*)/?$",
    re.IGNORECASE,
)
"""Regular expression of paths that many servers serve without credentials: a test of such a path
proves nothing.
"""
_MEMBERS = frozenset({"query", "body", "failed"})

Json = dict[str, Any]


def declared_probe(operation: Operation, connection: list[Json], server: int) -> str | Json | None:
    """Return the path or the manifest's object of a connection test that an operation declares by
    ``probe``; None if it declares none.

    :raises InvalidInput: if the request needs inputs, or may change data.
    """
    given = operation.extension.get("probe")
    if given is None or given is False:
        return None
    more: Json = given if isinstance(given, dict) else {}
    path, _, query = operation.path.partition("#")[0].partition("?")
    bound = {row["name"] for row in connection if row["in"] == "path"}
    if given is True and operation.method == "get" and "{" in path and not bound:
        return None
    method = operation.method.upper()
    left = [name for name in re.findall(r"\{([^{}]+)\}", path) if name not in bound]
    if left or more.keys() - _MEMBERS or not isinstance(given, bool | dict):
        raise InvalidInput(
            f"the 'probe' of {operation.name} is not valid: it is true, or has "
            f"{', '.join(sorted(_MEMBERS))}",
            hint="Choose a request without parameters, other than values of the connection.",
        )
    if method not in ("GET", "POST") or (
        method == "POST" and operation.extension.get("effect") != "read"
    ):
        raise InvalidInput(
            f"the 'probe' of {operation.name} may change something",
            hint="Declare 'effect: read' beside it, if it does not.",
        )
    if method == "GET" and not (more or connection or query or server):
        return path
    found: Json = {} if method == "GET" else {"method": method}
    found |= {
        "path": path,
        **({"query": query} if query else {}),
        **({"server": server} if server else {}),
    }
    return found | ({"connection": connection} if connection else {}) | more


def probe_of(row: Json, actions: list[Json]) -> str | None:
    """Return a path whose GET tests connections of a type; None if the document has no such path.

    The path is a read without required inputs that needs the type's credentials. A path of the
    person's own account is preferred.
    """
    served = frozenset(row["serves"]["actions"]) if "serves" in row else None
    names = [part["scheme"] for part in row["http"]["credentials"]]
    paths = [
        action["http"]["path"]
        for action in actions
        if action["effect"] == "read"
        and action["http"]["method"] == "GET"
        and not action["inputs"].get("required")
        and "deprecated" not in action
        and not action["http"].keys() & {"query", "server", "connection"}
        and (served is None or action["key"] in served)
        and (
            not names
            or sorted(names) in [sorted(one) for one in action["http"].get("security", ())]
        )
    ]
    usual = [path for path in paths if not _DOUBTFUL.search(path)]
    return next(filter(OWN_PATH.search, usual), usual[0] if usual else None)


def with_sign_ins(root: Json) -> Json:
    """Replace a document's security schemes by ``signIns``, if present; each scheme then serves
    every operation.

    :raises InvalidInput: if ``signIns`` is not an object of schemes by name.
    """
    extension = root.get("x-jackfield")
    given = extension.get("signIns") if isinstance(extension, dict) else None
    if given is None:
        return root
    if (
        not isinstance(given, dict)
        or not given
        or not all(isinstance(one, dict) and "type" in one for one in given.values())
    ):
        raise InvalidInput(
            "'signIns' has security schemes by name",
            hint="Write them as in components.securitySchemes.",
        )
    components = root.get("components")
    paths = root.get("paths")
    return {
        **root,
        "components": {
            **(components if isinstance(components, dict) else {}),
            "securitySchemes": given,
        },
        "security": [{name: []} for name in given],
        "paths": {path: _without_security(item) for path, item in paths.items()}
        if isinstance(paths, dict)
        else paths,
    }


def _without_security(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    return {
        name: {word: value for word, value in one.items() if word != "security"}
        if isinstance(one, dict)
        else one
        for name, one in item.items()
    }
