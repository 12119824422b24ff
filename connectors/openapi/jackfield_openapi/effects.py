"""Effect of an operation: derived from its HTTP method, unless its name contradicts the method."""

from __future__ import annotations

from jackfield.connector import InvalidInput
from jackfield.manifest.manifest import Effect
from jackfield_openapi.naming import words
from jackfield_openapi.operations import Operation
from jackfield_openapi.report import Report

_SAFE = ("get", "head", "options", "trace")
_WRITING = frozenset(
    [
        "accept",
        "activate",
        "add",
        "approve",
        "archive",
        "cancel",
        "clear",
        "clone",
        "close",
        "confirm",
        "copy",
        "create",
        "deactivate",
        "delete",
        "disable",
        "enable",
        "execute",
        "import",
        "invite",
        "invoke",
        "log",
        "lock",
        "logout",
        "merge",
        "pause",
        "post",
        "publish",
        "purge",
        "reboot",
        "regenerate",
        "reject",
        "remove",
        "rename",
        "reset",
        "restart",
        "restore",
        "resume",
        "revoke",
        "rotate",
        "run",
        "send",
        "start",
        "stop",
        "submit",
        "subscribe",
        "sync",
        "terminate",
        "trigger",
        "unlock",
        "unsubscribe",
        "update",
        "upload",
    ]
)
_ANEW = frozenset(
    [
        "add",
        "append",
        "create",
        "enqueue",
        "export",
        "post",
        "publish",
        "run",
        "send",
        "start",
        "submit",
        "trigger",
    ]
)
_READING = frozenset(
    [
        "batchget",
        "check",
        "compute",
        "count",
        "describe",
        "fetch",
        "find",
        "get",
        "has",
        "is",
        "list",
        "lookup",
        "preview",
        "query",
        "read",
        "retrieve",
        "search",
        "show",
        "validate",
        "verify",
        "view",
    ]
)


def effect_of(operation: Operation, report: Report) -> Effect:
    """Return the effect that the overlay declares, else the effect of the HTTP method.

    A GET or PUT whose name says that it writes anew is a ``write``.

    :raises InvalidInput: if the overlay's effect is not valid.
    """
    given = operation.extension.get("effect")
    curated: Effect | None = given if given in ("read", "idempotent", "write") else None
    if curated is not None:
        return curated
    if given is not None:
        hint = "It is 'read', 'idempotent' (the same again changes nothing more) or 'write'."
        raise InvalidInput(
            f"the effect of {operation.name} is not valid: {str(given)[:80]!r}", hint=hint
        )
    method, names = operation.method, {operation.verb, _last_word(operation.path)}
    if method in _SAFE:
        if method == "get" and (
            operation.verb in _WRITING
            or (not operation.verb and _last_word(operation.path) in _WRITING)
        ):
            report.assumed(
                "GET that seems to write",
                operation.at,
                f"'{operation.name}' is never repeated; an overlay may set its effect",
            )
            return "write"
        return "read"
    if method == "put":
        if names & _ANEW:
            report.assumed(
                "PUT that seems to create",
                operation.at,
                f"'{operation.name}' is never repeated; an overlay may set its effect",
            )
            return "write"
        return "idempotent"
    return "idempotent" if method == "delete" else "write"


def seems_to_read(operation: Operation) -> bool:
    """Return whether a POST has a name of a read. The caller only suggests the effect: a third of
    such names mislead.
    """
    return operation.method == "post" and (
        operation.verb in _READING or _last_word(operation.path) in ("search", "query", "lookup")
    )


def _last_word(path: str) -> str:
    segment = path.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2]
    if "{" in segment and ":" not in segment:
        return ""
    found = words(segment.rpartition(":")[2])
    return found[-1].lower() if len(found) == 1 else (found[0].lower() if found else "")
