"""``docs/reference/errors.md``: every code, from the error tree itself, with what to do about
it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

from generated.markdown import NOTICE, table
from jackfield.kernel.errors import CODES, IdempotencyConflict, JackfieldError

_ADVICE = {
    "invalid_invocation": (
        "Correct the members that `details` names. The schema is `schemas/invocation.schema.json`."
    ),
    "unknown_connector": (
        "Check the name that the message suggests; `jackfield connectors list` lists the "
        "installed connectors."
    ),
    "unknown_action": "Check the name that the message suggests; the hint lists the connector's actions.",
    "unknown_connection": (
        "Check the name and `JACKFIELD_CONNECTIONS`; `jackfield connections list` lists the "
        "connections."
    ),
    "invalid_input": "Correct every input in `details`, then send it again.",
    "invalid_connection": (
        "Correct the connection's values at `details`, or make the secret that it refers to "
        "readable."
    ),
    "unauthenticated": (
        "Renew or correct the credentials; `jackfield connections test NAME` shows which "
        "step fails."
    ),
    "not_allowed": "Ask the workspace's administrator; `jackfield tokens explain` names the rule.",
    "approval_required": (
        "Call it where it can wait for a person: over a stored connection, by HTTP, MCP, the "
        "command line or the library."
    ),
    "forbidden": "Grant the permission that the hint names, or lift the pause.",
    "not_found": "Check the resource's name and the region.",
    "conflict": "Read the resource's state again, then decide.",
    "rejected": "Read `provider.message` and change the request. The same request is refused again.",
    "rate_limited": "Wait and send it again, or send more slowly.",
    "quota_exceeded": "Wait until the quota resets, or ask the provider for a higher one.",
    "unavailable": "Send it again later. If it persists, check network, proxy and certificates.",
    "timeout": "Send it again, with a larger `timeoutSeconds` if it happens often.",
    "in_doubt": "Check with the provider whether it took effect before you send it again.",
    "invalid_output": "Report it to the connector's author. The action itself was carried out.",
    "idempotency_conflict": "Use a new key for another request.",
    "cancelled": "Send it again if you still want it.",
    "internal": "Report it with the invocation ID; the log has the cause under this ID.",
}
_RUNNING = (
    "The request with this idempotency key is still running.",
    "yes",
    "409",
    "2",
    "Wait, then send it again.",
)
"""The case of ``idempotency_conflict`` that differs in everything but its code."""

_TEXT = """# Errors

A failure is a value: the `error` of a Result. Programs read `code`; people read `message`, `details` and `hint`. No member ever contains a
secret. `retryable` is true if the same invocation may be sent again later; jackfield has already retried it within the deadline if that was
safe ([effects and doubt](../concepts.md#effects-and-doubt)).

{table}

`in_doubt` comes with `"status": "in_doubt"`, every other code with `"status": "failed"`. The command line's exit code for a success is 0.

## Where `details` point

`details[].path` is a JSON Pointer (RFC 6901). A missing or unknown member has its own path (`/subject`).

| code | the path is relative to |
| --- | --- |
| `invalid_input` | the invocation's `inputs` |
| `invalid_connection` | the connection's values |
| `invalid_invocation` | the invocation itself |

## In Python

`Jackfield.invoke` does not raise; `result.error` is one of the classes below, which carry the same fields (`code`, `message`, `details`,
`hint`, `provider`, `retryable`), and `http_status`, the status in the table above, for an endpoint that hands the failure on;
`retry_after` (in JSON `retryAfterSeconds`), the seconds after which the provider wants to be asked again, for a queue that runs the
task later (None if it did not say); and `exit_code`.
`result.unwrap()` raises `InvocationFailed`, which holds the Result and comes out of pools, pickles and Celery's JSON.

{classes}

## Statuses of the HTTP API that differ

A more specific case of a code can have a status of its own:

{cases}

Requests that the API refuses before an invocation exists have [statuses of their own](http-errors.md#error-responses).
"""
_RUNTIME = Path(__file__).resolve().parents[2] / "runtime"


def _cases() -> Iterator[str]:
    """Each class that has a code of another class and a status of its own, wherever in the runtime
    it is declared.
    """
    for path in sorted(_RUNTIME.rglob("*.py")):
        if (
            "\n    http_status = " not in path.read_text(encoding="utf-8")
            or path.name == "errors.py"
        ):
            continue
        place = path.relative_to(_RUNTIME).with_suffix("").parts
        module = importlib.import_module(".".join(place if place[0] == "jackfield" else place[1:]))
        for kind in vars(module).values():
            if (
                isinstance(kind, type)
                and issubclass(kind, JackfieldError)
                and kind.__module__ == module.__name__
                and "http_status" in vars(kind)
            ):
                meaning = " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())
                yield f"- `{kind.code}`, {kind.http_status}: {meaning}"


def _rows(code: str, kind: type[JackfieldError]) -> Iterator[tuple[str, ...]]:
    meaning = (inspect.getdoc(kind) or "").partition(" (HTTP")[0].rstrip(".") + "."
    yield (
        f"`{code}`",
        meaning,
        "yes" if kind.retryable else "no",
        str(kind.http_status),
        str(kind.exit_code),
        _ADVICE[code],
    )
    if kind is IdempotencyConflict:
        yield f"`{code}`", *_RUNNING


def page() -> str:
    """The page. A code without advice, or advice without a code, is an error."""
    if set(_ADVICE) != set(CODES):
        raise KeyError(f"codes and advice differ: {sorted(set(_ADVICE) ^ set(CODES))}")
    rows = [row for code in _ADVICE for row in _rows(code, CODES[code])]
    codes = table(("Code", "What happened", "Retryable", "HTTP", "Exit", "What to do"), rows)
    classes = table(
        ("Class", "Code"), [(f"`{CODES[code].__name__}`", f"`{code}`") for code in _ADVICE]
    )
    return NOTICE + "\n\n" + _TEXT.format(table=codes, classes=classes, cases="\n".join(_cases()))
