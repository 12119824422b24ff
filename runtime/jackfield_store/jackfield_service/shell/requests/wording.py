"""Rewording of hints that were stored as text, for the caller of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.kernel.hints import restored, worded


def reworded(found: Any, surface: str) -> Any:
    """Return a document of an entry or a connection, or a page of documents, with the hints of its
    error and of its last test worded for ``surface``.
    """
    if not isinstance(found, Mapping):
        return found
    if isinstance(found.get("items"), list):
        return {**found, "items": [reworded(one, surface) for one in found["items"]]}
    made = dict(found)
    if isinstance(found.get("error"), Mapping):
        made["error"] = _with_hint(found["error"], surface)
    test = found.get("lastTest")
    if isinstance(test, Mapping):
        made["lastTest"] = {
            **test,
            "steps": [_with_hint(step, surface) for step in test.get("steps", ())],
        }
    return made


def _with_hint(about: Mapping[str, Any], surface: str) -> Mapping[str, Any]:
    hint = about.get("hint")
    return {**about, "hint": worded(restored(hint), surface)} if isinstance(hint, str) else about
