"""Actions that a manifest declares as reads, although the method of their requests changes data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CHANGING = ("POST", "PUT", "PATCH", "DELETE")
_SHOWN = 5


def declared_reads(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a warning with the number and names of the reads whose method changes data; an empty
    tuple if there are no such reads.

    The document's author has declared these actions as reads, so rules for changes do not apply. An
    operation with its own GraphQL document is ignored: the document itself says whether it reads.
    """
    found = [
        action["key"]
        for action in manifest.get("actions", ())
        if action.get("effect") == "read" and _changes(action)
    ]
    if not found:
        return ()
    noun = "1 operation that uses" if len(found) == 1 else f"{len(found):,} operations that use"
    verb = "is declared as a read" if len(found) == 1 else "are declared as reads"
    names = ", ".join(found[:_SHOWN]) + (
        f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    )
    pronoun = "it" if len(found) == 1 else "them"
    return (
        (
            f"{noun} POST, PUT, PATCH or DELETE {verb}: {names}; rules about effect:change do "
            f"not see {pronoun}"
        ),
    )


def _changes(action: Mapping[str, Any]) -> bool:
    binding = action.get("http")
    return (
        isinstance(binding, Mapping)
        and binding.get("method") in _CHANGING
        and "graphql" not in binding
    )
