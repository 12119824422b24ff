"""Diagnosis of a connection: its test, and the action ``doctor`` of each connector that it serves.

A connector's action ``doctor`` is a ``read`` whose output has ``findings`` (``code``, ``severity``,
``message``, ``evidence``, ``cure``) and ``checked``: the keys of the test's steps that the action
examines more closely.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import JackfieldError
from jackfield_store.management.connection_test import unasked
from jackfield_store.management.platform_part import platform_part
from jackfield_store.management.weak_secrets import finding

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.invocation import Result
    from jackfield.kernel.clock import Clock
    from jackfield_store.resources.storage import Storage

DOCTOR = "doctor"
"""Key of the action that examines a connection's setup."""
_TEXTS = ("code", "severity", "message", "evidence", "cure")
_REFUSED = frozenset({"invalid_input", "invalid_invocation", "invalid_connection", "not_allowed"})
"""Codes of errors that the caller must fix before anything can be examined."""
_NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def doctors(catalog: Catalog, kind: str) -> list[str]:
    """Return the keys of the connectors that accept connections of a type and have an action
    ``doctor`` that reads.
    """
    found = unasked(catalog, kind)
    return [
        manifest.key
        for manifest in found
        if DOCTOR in manifest.actions and manifest.actions[DOCTOR].rule_effect == "read"
    ]


def diagnosed(
    catalog: Catalog,
    tested: Mapping[str, Any],
    inputs: Mapping[str, Any],
    invoke: Callable[[Mapping[str, Any]], Result],
    place: tuple[Storage, str, Clock],
) -> dict[str, Any]:
    """Run the doctors of a connection that was ``tested``, and return its ``diagnosis``. ``place``
    is its storage, workspace and clock.
    """
    about = {"action": DOCTOR, "connection": tested["name"], "inputs": dict(inputs)}
    results = [invoke({"connector": key, **about}) for key in doctors(catalog, tested["type"])]
    return diagnosis(tested, results, platform_part().findings(*place, tested))


def diagnosis(
    tested: Mapping[str, Any], results: Iterable[Result], more: Iterable[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Merge a connection's test, ``more`` findings and the Results of its connectors' doctors:
    ``connection``, ``healthy`` and ``findings``.

    :raises JackfieldError: if a doctor was refused because of its inputs or the rules.
    """
    findings: list[dict[str, Any]] = []
    covered: set[str] = set()
    for result in results:
        if result.error is not None:
            failed = _of_error(result.error)
            # else a failed step has reported it
            findings += [failed] if tested["status"] != "failing" else []
            continue
        output = result.output or {}
        covered |= {name for name in _items_of(output, "checked") if isinstance(name, str)}
        findings += [item for item in _items_of(output, "findings") if _is_finding(item)]
    steps = [
        step
        for step in tested["lastTest"]["steps"]
        if not step["passed"] and step["key"] not in covered
    ]
    findings = [
        *map(_of_step, steps),
        *map(dict, more),
        *map(finding, tested["lastTest"].get("warnings", ())),
        *findings,
    ]
    return {
        "connection": tested["name"],
        "type": tested["type"],
        "healthy": all(item["severity"] != "error" for item in findings),
        "findings": findings,
    }


def _items_of(output: Mapping[str, Any], name: str) -> list[Any]:
    found = output.get(name)
    return found if isinstance(found, list) else []


def _is_finding(item: object) -> bool:
    """Return whether an item of a connector's list has the texts of a finding."""
    return isinstance(item, Mapping) and all(isinstance(item.get(name), str) for name in _TEXTS)


def _of_step(step: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "code": _NEW_WORD.sub("_", step["key"]).lower(),
        "severity": "error" if step["mandatory"] else "warning",
        "message": step["message"],
        "evidence": f"The step '{step['title']}' of the connection's test failed.",
        "cure": step.get("hint") or "Correct the connection's values.",
    }


def _of_error(error: JackfieldError) -> dict[str, Any]:
    if error.code in _REFUSED:
        raise error
    said = error.provider.message if error.provider is not None else None
    return {
        "code": error.code,
        "severity": "error",
        "message": error.message,
        "evidence": said or "The examination could not be completed.",
        "cure": str(error.hint or "Run the doctor again."),
    }
