"""Reading of a manifest's ``listing``: everyday tasks, the connector's proof, and the provider's
demands on applications.

Manifests come from third parties: a member of another type than the schema's counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.manifest.parts import PROOFS

_TASKS, _SIGN_INS = 3, 6
"""Maximum numbers of tasks and of sign-ins in a list's entry."""
_LONGEST = 100

Json = Mapping[str, Any]


def listing_of(raw: Json) -> Json:
    """Return the member ``listing`` of a manifest; an empty object if it is missing."""
    return _object(raw.get("listing"))


def proof_of(raw: Json) -> Json:
    """Return the proof of the connector: its tier, and the lists ``facts`` and ``known``. Return an
    empty object if the manifest states none.
    """
    found = _object(listing_of(raw).get("proof"))
    if found.get("tier") not in PROOFS:
        return {}
    facts = [row for row in _list(found.get("facts")) if isinstance(row, dict)]
    return {**found, "facts": facts, "known": [str(text) for text in _list(found.get("known"))]}


def tasks_of(raw: Json) -> dict[str, str]:
    """Return the keys of actions by the names of everyday tasks."""
    return {
        str(words): str(action) for words, action in _object(listing_of(raw).get("tasks")).items()
    }


def review_of(raw: Json) -> str | None:
    """Return the provider's demands on applications before their users may approve; None if the
    manifest states none.
    """
    found = listing_of(raw).get("review")
    return found if isinstance(found, str) else None


def no_account_of(raw: Json) -> str | None:
    """Return the reason why connections do not name their account; None if the manifest states
    none.
    """
    found = listing_of(raw).get("noAccount")
    return found if isinstance(found, str) else None


def summary(raw: Json) -> dict[str, Any] | None:
    """Return the facts for lists: sign-ins, triggers, tasks, tier of the proof, and whether
    applications are reviewed. Return None without a listing.
    """
    if not listing_of(raw):
        return None
    proof = proof_of(raw)
    titles = [
        str(row.get("title", row["key"]))[:_LONGEST] for row in raw.get("connectionTypes", ())
    ]
    found: dict[str, Any] = {
        "signIns": titles[:_SIGN_INS],
        "tasks": [task[:_LONGEST] for task in tasks_of(raw)][:_TASKS],
    }
    if triggers := [
        str(row.get("title", row["key"]))[:_LONGEST] for row in raw.get("triggers", ())
    ]:
        found["triggers"] = triggers[:_TASKS]
    if proof:
        found["proof"] = (
            f"{proof['tier']} on {proof['on']}"
            if isinstance(proof.get("on"), str)
            else proof["tier"]
        )
    return {**found, "review": True} if review_of(raw) is not None else found


def _object(found: Any) -> Json:
    return found if isinstance(found, dict) else {}


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []
