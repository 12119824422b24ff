"""Marks of secrets: declared by a document or its overlay, or assumed from names and descriptions.

A mark changes the display of a value in records, logs and replays. It changes neither the effect of
an action nor who may call it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from jackfield.kernel.pointers import unescaped
from jackfield.kernel.secret_names import basis, may_hold
from jackfield_openapi.composition import COMBINING, Composition
from jackfield_openapi.report import Report

Json = dict[str, Any]
_MARK = {"format": "password", "writeOnly": True}
_REFUSED = {"secret": False}
_DEEPEST = 8
"""Maximum depth of nested branches of one member."""


class Secrets:
    """Detector of secrets among one document's members and parameters."""

    def __init__(self, composition: Composition, report: Report) -> None:
        self._composition = composition
        self._report = report

    def marked(
        self,
        name: str,
        node: object,
        at: str,
        made: Any,
        *,
        siblings: Collection[str] = (),
        about: str = "",
    ) -> Any:
        """Return the converted schema of the member or parameter ``name`` with its mark, if it
        needs one.

        ``secret`` in ``x-jackfield`` of the schema, or of the schema that it refers to, takes
        precedence.
        """
        if not isinstance(node, dict) or not isinstance(made, dict):
            return made
        declared = self._declared(node)
        if declared is not False and (declared or self._is_password(node)):
            return _with(made, _MARK)
        why = self._assumed(name, node, about, siblings)
        if declared is False:
            refused = (
                {"x-jackfield": {**made.get("x-jackfield", {}), **_REFUSED}}
                if why is not None
                else {}
            )
            return {**_unmarked(made), **refused}
        if why is None:
            return made
        text = (
            f"'{name[:80]}' is secret by its {why}: records, logs and replays show ***; "
            "'secret: false' in the overlay shows it"
        )
        self._report.assumed("secret", at, text)
        if self._is_text_list(node):
            items = made.get("items")
            return {**made, "items": _with(items if isinstance(items, dict) else {}, _MARK)}
        return _with(made, _MARK)

    def _assumed(self, name: str, node: Json, about: str, siblings: Collection[str]) -> str | None:
        several = self._is_text_list(node)
        text = about or self._description(node)
        return (
            basis(name, text, several=several, siblings=siblings)
            if several or self._is_text(node)
            else None
        )

    def _parts(self, node: object) -> list[Mapping[str, Any]]:
        return list(self._composition.parts(node))

    def _declared(self, node: Json) -> bool | None:
        for part in self._parts(node):
            own = part.get("x-jackfield")
            if isinstance(own, dict) and isinstance(own.get("secret"), bool):
                return bool(own["secret"])
        return None

    def _is_password(self, node: Json) -> bool:
        return any(
            part.get("format") == "password" and part.get("type", "string") == "string"
            for part in self._parts(node)
        )

    def _description(self, node: Json) -> str:
        return next(
            (
                part["description"]
                for part in self._parts(node)
                if isinstance(part.get("description"), str)
            ),
            "",
        )

    def _is_text(self, node: object, depth: int = 0) -> bool:
        """Return whether a schema accepts free text, and otherwise only null."""
        if not isinstance(node, dict) or depth > _DEEPEST:
            return False
        if isinstance(node.get("$ref"), str):
            return self._is_text(self._composition.target(node["$ref"]), depth + 1)
        if not may_hold(node):
            return False
        branches = [
            part for word in COMBINING if isinstance(node.get(word), list) for part in node[word]
        ]
        open_to_text = [
            part for part in branches if not (isinstance(part, dict) and part.get("type") == "null")
        ]
        return all(self._is_text(part, depth + 1) for part in open_to_text)

    def _is_text_list(self, node: object) -> bool:
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            node = self._composition.target(node["$ref"])
        return (
            isinstance(node, dict)
            and node.get("type") == "array"
            and self._is_text(node.get("items"))
        )


def _with(made: Json, mark: Json) -> Json:
    return {**{name: value for name, value in made.items() if name != "examples"}, **mark}


def without_paging(actions: list[Json], definitions: Json) -> None:
    """Remove the secret marks of page tokens: the caller returns them for the next page, and a
    replay must show them.
    """
    for action in actions:
        paging = action.get("pagination", {})
        token = paging.get("tokenInput")
        if isinstance(token, str) and token in action["inputs"]["properties"]:
            _bare(action["inputs"]["properties"], token)
        for place in (paging.get("tokenOutput"), *paging.get("pageMembers", ())):
            if isinstance(place, str):
                _unmark_output(action["output"], definitions, place.removeprefix("/").split("/"))


def _unmark_output(schema: Any, definitions: Json, steps: list[str]) -> None:
    waiting, seen = [schema], set[int]()
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict) or id(node) in seen:
            continue
        seen.add(id(node))
        waiting.append(
            definitions.get(unescaped(str(node.get("$ref", "")).removeprefix("#/$defs/")))
        )
        waiting.extend(part for word in COMBINING for part in node.get(word, ()))
        named = node.get("properties", {})
        if steps[0] in named and len(steps) == 1:
            _bare(named, steps[0])
        elif steps[0] in named:
            _unmark_output(named[steps[0]], definitions, steps[1:])


def _bare(properties: Json, name: str) -> None:
    found = properties[name]
    if isinstance(found, dict):
        properties[name] = _unmarked(found)


def _unmarked(made: Json) -> Json:
    return {word: value for word, value in made.items() if _MARK.get(word) != value}
