"""Signs of the success of a change: what of its output only the provider's answer has.

The output of an action declares them, or the action names one as its ``sign``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jackfield.connector.evidence_places import nodes
from jackfield.connector.meanings import (
    DONE,
    EMPTY,
    FLAGS,
    MISSING,
    ONLY_ERRORS,
    UNSIGNED,
    WORDS_OF_ERRORS,
    Response,
    Sign,
    When,
    member,
)
from jackfield.connector.proofs import Values, fits
from jackfield.kernel.pointers import follow, names

Shown = str | Values
"""Sign of a success: a JSON Pointer into the output, values by pointers, or ``NO_CONTENT``."""
NO_CONTENT = "none"
"""Sign of a success that has no content: an answer with content is not the provider's."""
_VALUE = {"type": ["string", "number", "boolean", "null"]}
SIGN: Mapping[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": "^/"},
        {"const": NO_CONTENT},
        {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {
                "anyOf": [_VALUE, {"type": "array", "items": _VALUE, "minItems": 1}]
            },
        },
    ],
    "description": (
        "What of the output only the provider's success has: a JSON Pointer to a member that is "
        "there and not empty, values by such pointers, or 'none' for an answer without content. "
        "Without it, a declared member that is no word of errors."
    ),
}
"""JSON Schema of the member ``sign`` of an action."""
_ONE_FAULT = ("error", "fault")
"""Members of an answer that is an error as a whole, whatever else it has; a list of errors may
stand beside what was done.
"""
_BLANKS = frozenset({b"", b"null", b"{}", b"[]", b'""'})
"""Bodies without content; PHP sends an empty list for an object without members."""
_MOST_NAMED = 3
"""Maximum number of members that the reason of a missing sign names."""
_ANY: frozenset[str] = frozenset()
"""Types of a member that may have any value."""
_COMPOSED = frozenset({"$ref", "allOf", "anyOf", "oneOf"})
_CLASSES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int, float),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def is_blank(body: Any) -> bool:
    """Return whether a body has no content: it is null, a blank string, or has no members."""
    return body is None or (not body.strip() if isinstance(body, str) else body in ({}, []))


def success_signs(
    sign: Shown | None, output: Mapping[str, Any], is_declared: When
) -> tuple[Sign, ...]:
    """Return the signs by which the output of a change shows its success. One of them always fits.

    ``sign`` is what the action names as its sign. ``output`` is the schema of its output, with the
    definitions to which it refers. ``is_declared`` is the condition that the action declares the
    answer's status; it decides where no member is declared.
    """
    if sign == NO_CONTENT:
        return (
            Sign(_is_blank, DONE, "it has no content, as declared"),
            Sign(_always, UNSIGNED, "it has content, and the provider's has none"),
        )
    if sign is not None:
        text = f"it does not show {shown(sign)}"
        return (
            Sign(lambda response: shows(sign, response.body), DONE, "it shows the action's sign"),
            *_unsigned(text),
        )
    declared, wanted = _members(output), showing_members(output)
    if not declared:
        return (
            Sign(_is_blank, DONE, "it has no content, and none is declared"),
            *ONLY_ERRORS,
            Sign(is_declared, DONE, "its status is declared"),
            Sign(_always, UNSIGNED, "its status is not one that the action declares"),
        )
    some = ", ".join(f"'{name}'" for name in [*wanted][:_MOST_NAMED])
    text = f"it has none of the members that show a success{f', such as {some}' if some else ''}"
    alien = [name for name in _ONE_FAULT if name not in {one.lower() for one in declared}]
    return (
        Sign(member(alien, bool), UNSIGNED, "it reports an error"),
        Sign(lambda response: _has_one(wanted, response.body), DONE, "it has a declared member"),
        *_unsigned(text),
    )


def shows(sign: Shown, output: Any) -> bool:
    """Return whether an output shows the sign that its action names."""
    if not isinstance(sign, str):
        return fits(output, sign)
    if sign == NO_CONTENT:
        return is_blank(output)
    try:
        found = follow(output, sign)
    except (LookupError, ValueError):
        return False
    return _shows(names(sign)[-1], found)


def shown(sign: Shown) -> str:
    """Return a sign as a text."""
    if isinstance(sign, str):
        return f"'{sign}'"
    return " and ".join(f"'{at}' with {json.dumps(value)}" for at, value in sign.items())


def showing_members(output: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the declared members by which an output shows a success, each with its types. Words of
    errors show none. If the output requires some of the others, only those count.
    """
    found = {
        name: kinds
        for name, kinds in _members(output).items()
        if name.lower() not in WORDS_OF_ERRORS
    }
    required = found.keys() & _required(output)
    return {name: found[name] for name in found if name in required} if required else found


def _always(_response: Response) -> bool:
    return True


def _is_blank(response: Response) -> bool:
    content, body = response.content, response.body
    if body is MISSING:
        return content.strip() in _BLANKS
    return is_blank(body) or (bool(content) and content.strip() in _BLANKS)


def _unsigned(text: str) -> tuple[Sign, ...]:
    return Sign(_is_blank, EMPTY, "it has no content"), Sign(_always, UNSIGNED, text)


def _shows(name: str, value: Any) -> bool:
    """Return whether a member shows a success: a flag is true, any other has content."""
    if name.lower() in FLAGS:
        return value is True
    return value is not None and (not isinstance(value, str) or bool(value.strip()))


def _has_one(wanted: Mapping[str, frozenset[str]], body: Any) -> bool:
    return isinstance(body, dict) and any(
        name in body and _shows(name, body[name]) and _is_of(kinds, body[name])
        for name, kinds in wanted.items()
    )


def _is_of(kinds: frozenset[str], value: Any) -> bool:
    """Return whether a value has one of these types of JSON Schema; any value has one of none."""
    if isinstance(value, bool):
        return not kinds or "boolean" in kinds
    return not kinds or any(isinstance(value, _CLASSES.get(kind, ())) for kind in kinds)


def _members(output: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the declared members of an output, each with its types. Two alternatives may declare
    one member differently.
    """
    found: dict[str, list[frozenset[str]]] = {}
    for node in nodes(output, output):
        for name, schema in node.get("properties", {}).items():
            found.setdefault(name, []).append(_types(output, schema))
    return {
        name: frozenset().union(*kinds) if all(kinds) else _ANY for name, kinds in found.items()
    }


def _required(output: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for node in nodes(output, output) for name in node.get("required", ()))


def _types(root: Mapping[str, Any], schema: Any) -> frozenset[str]:
    """Return the types that a schema admits, as JSON Schema names them; empty if it admits all."""
    found: set[str] = set()
    for node in nodes(root, schema):
        if "type" in node:
            found |= {node["type"]} if isinstance(node["type"], str) else {*node["type"]}
        elif "properties" in node or "items" in node:
            found.add("object" if "properties" in node else "array")
        elif node.keys().isdisjoint(_COMPOSED):
            return _ANY
    return frozenset(found)
