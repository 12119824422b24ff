"""Form of the examples that an author declares, checked before any rule reads them, so that a
mistake is named with its cure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield.connector.models import DeclarationError

_ACTION = (
    'a pair ({inputs}, {output}), or {"title": …, "invocation": {"connector": …, "action": '
    '…, "inputs": {…}}, "result": {"output": {…}}}'
)
_REQUEST = '{"title": …, "request": {"body": {…}}, "events": [{…}]}'
_SOURCE = (
    '{"title": …, "source": {"item": {…}, "id": "/id", "at": "/openedAt", "items": '
    '"/tickets"}, "events": [{…}]}'
)
_LONGEST_SHOWN = 60


def require_examples(manifest: Mapping[str, Any]) -> None:
    """Check the examples of a connector's actions and triggers.

    :raises DeclarationError: for the first malformed example, with its number, the missing part and
        a correct form.
    """
    for kind, faults in (("action", _action_faults), ("trigger", _trigger_faults)):
        for row in manifest.get(f"{kind}s", ()):
            for number, example in enumerate(row.get("examples", ()), 1):
                fault = next(faults(example), None)
                if fault is not None:
                    polls = (
                        kind == "trigger" and isinstance(example, Mapping) and "source" in example
                    )
                    written = _ACTION if kind == "action" else _SOURCE if polls else _REQUEST
                    raise DeclarationError(
                        f"example {number} of the {kind} '{row['key']}': {fault}. Write {written}"
                    )


def _action_faults(example: Any) -> Iterator[str]:
    yield from _lacking(example, "", {"title": str, "invocation": Mapping, "result": Mapping})
    yield from _lacking(
        example["invocation"], "/invocation", {"connector": str, "action": str, "inputs": Mapping}
    )
    yield from _lacking(example["result"], "/result", {"output": Mapping})


def _trigger_faults(example: Any) -> Iterator[str]:
    yield from _lacking(example, "", {"title": str})
    yield from _others(
        example,
        {
            "events": Sequence,
            "inputs": Mapping,
            "request": Mapping,
            "source": Mapping,
            "registrations": str,
        },
    )
    if "request" in example:
        yield from _lacking(example["request"], "/request", {"body": object})
        yield from _others(example["request"], {"headers": Mapping}, "/request")
    if "source" in example:
        yield from _lacking(example["source"], "/source", {"item": Mapping, "id": str, "at": str})
        for name in ("id", "at"):
            found: Any = example["source"]["item"]
            for part in example["source"][name].split("/")[1:]:
                found = found.get(part) if isinstance(found, Mapping) else None
            if found is None:
                yield (
                    f"'/source/{name}' is '{example['source'][name][:_LONGEST_SHOWN]}', "
                    "which is nowhere in '/source/item'"
                )
    if isinstance(example.get("registrations"), str) and example["registrations"][:1] not in (
        "",
        "/",
    ):
        yield (
            "'/registrations' must be a JSON Pointer such as '/hooks': where the list is in "
            "the provider's response"
        )


def _lacking(value: Any, place: str, members: Mapping[str, Any]) -> Iterator[str]:
    """Yield a fault for each member that a value lacks, or that has another type."""
    if not isinstance(value, Mapping):
        yield f"'{place or '/'}' is no object"
        return
    yield from (f"'{place}/{name}' is missing" for name in members if name not in value)
    yield from _others(value, members, place)


def _others(value: Mapping[str, Any], members: Mapping[str, Any], place: str = "") -> Iterator[str]:
    for name, kind in members.items():
        if name in value and (
            not isinstance(value[name], kind) or (kind is Sequence and isinstance(value[name], str))
        ):
            yield f"'{place}/{name}' is no {_NAMES[kind]}"


_NAMES = {str: "text", Mapping: "object", Sequence: "list"}
