"""Display of a Result in a notebook: a table without values of the output, since a notebook is
saved with its displays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_MOST = 50
"""Maximum number of displayed members of an output, and of details of an error."""
_KINDS = {str: "text", bool: "true or false", int: "number", float: "number", type(None): "null"}


def table_of(result: Mapping[str, Any]) -> str:
    """Return the HTML of a Result's JSON. Members of the output appear by their kind and size,
    since only their schema says which are secret, and it may be wrong.
    """
    rows = [*_facts(result), *_output(result.get("output")), *_error(result.get("error"))]
    return f"<table>{''.join(f'<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>' for name, text in rows)}</table>"


def _facts(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    meta = result.get("meta", result)
    yield "status", result["status"]
    if "action" in meta:
        yield (
            "action",
            f"{meta['connector']}/{meta['action']}" + " (dry run)" * meta.get("dryRun", False),
        )
    yield "invocation", meta["invocationId"]
    if "progress" in result:
        yield "progress", f"{float(result['progress'].get('fraction') or 0):.0%}"
    if "durationMs" in meta:
        attempts = f"{meta['attempts']} attempt" + "s" * (meta["attempts"] != 1)
        yield "took", f"{meta['durationMs']:.0f} ms, {attempts}" + ", replayed" * meta["replayed"]
    yield from (
        ("warning", str(warning.get("message", ""))) for warning in meta.get("warnings", ())[:_MOST]
    )


def _output(output: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    members = list((output or {}).items())
    yield from ((f"output[{name!r}]", _kind(value)) for name, value in members[:_MOST])
    if len(members) > _MOST:
        yield "…", f"{len(members) - _MOST} more members"


def _error(error: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if error is not None:
        yield "error", f"{error['code']}: {error['message']}"
        yield from (
            (detail.get("path") or "/", str(detail.get("message", "")))
            for detail in error.get("details", ())[:_MOST]
        )
        if error.get("hint"):
            yield "what to do", str(error["hint"])


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"object of {len(value)}"
    if isinstance(value, list | tuple):
        return f"list of {len(value)}"
    known = _KINDS.get(type(value), type(value).__name__)
    return f"{known}, {len(value)} characters" if isinstance(value, str) else known
