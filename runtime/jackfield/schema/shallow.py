"""The form of a schema for explanations: one level of branches.

The engine's error for ``anyOf`` or ``oneOf`` holds the errors of every branch, of the branches
inside it, and so on: exponential in the depth of the value. So is the number of errors if two parts
of ``allOf`` refer to one recursive schema. Here unions and recursive references become ``not not``,
whose error holds nothing; the branch or target worth explaining is explained separately. The
original schema, whose verdicts the engine caches, judges them.

The form is a flat list of parts: the root, the targets of references, branches, and the schemas of
members and items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from jackfield.kernel.pointers import child, names, pointer
from jackfield.schema.engine import NAME
from jackfield.schema.references import SUBSCHEMA, SUBSCHEMA_LISTS, SUBSCHEMA_MAPS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from jackfield.schema.json_types import Json, Node

SHALLOW = "jackfield:///shallow"
"""URI of the form for explanations; ``NAME`` is the schema's."""
UNIONS = ("anyOf", "oneOf")
JUDGED = (*UNIONS, "$ref", "$dynamicRef")
"""Keywords that the form only judges: unions, and references that lead back to an enclosing
schema.
"""
_IN_PLACE = frozenset({"allOf", "dependentSchemas", "else", "if", "not", "then"})
"""Keywords whose schemas stay in place; others become parts, which can be explained separately."""
_NAMING = frozenset({"$anchor", "$defs", "$dynamicAnchor", "$id", "$schema", "definitions"})


class Shallow:
    """Shallow form of one schema: ``document``, known to its parts as ``uri``, and the places of
    its parts in the schema.
    """

    uri = SHALLOW

    def __init__(
        self,
        root: Node,
        targets: Mapping[str, Node],
        places: Mapping[int, str],
        again: Collection[int],
        *,
        annotated: bool,
    ) -> None:
        self._targets = targets
        self._places = places
        self._again = again
        self._annotated = annotated
        self._numbers: dict[str, int] = {}
        self._waiting: list[tuple[Node, str]] = []
        self._unions: dict[str, tuple[str, str]] = {}
        parts: dict[str, Json] = {}
        self._number(root, "")
        while self._waiting:
            node, place = self._waiting.pop()
            parts[str(self._numbers[place])] = self._form(node, place)
        self.document: Json = {"$defs": parts}
        self._places_of = {str(number): place for place, number in self._numbers.items()}

    def reference(self, place: str) -> str:
        """Return the URI of the part that explains the schema at ``place``. The schemas true and
        false have no parts, and stay in place.
        """
        number = self._numbers.get(place)
        return f"{NAME}#{quote(place)}" if number is None else f"{SHALLOW}#/$defs/{number}"

    def keyword_at(self, location: str) -> str:
        """Return the pointer to the schema's keyword for an error's location."""
        uri, _, fragment = location.partition("#")
        place = unquote(fragment)
        if uri == SHALLOW:
            _, number, *rest = names(place)
            place = self._places_of[number] + pointer(*rest)
            keyword, parent = self._unions.get(place.rpartition("/")[0], ("", ""))
            place = child(parent, keyword) if keyword else place
        return place

    def _number(self, node: Node, place: str) -> int:
        number = self._numbers.get(place)
        if number is None:
            number = self._numbers[place] = len(self._numbers)
            self._waiting.append((node, place))
        return number

    def _reference(self, node: Json, place: str) -> Json:
        return {"$ref": f"#/$defs/{self._number(node, place)}"} if isinstance(node, dict) else node

    def _form(self, node: Json, place: str) -> Json:
        if not isinstance(node, dict):
            return node
        made: dict[str, Json] = {}
        for keyword, value in node.items():
            if keyword in ("$ref", "$dynamicRef"):
                target, number = (
                    self._targets[value],
                    self._number(self._targets[value], self.place_of(value)),
                )
                if id(target) not in self._again:
                    made[keyword] = f"#/$defs/{number}"
            elif keyword not in _NAMING and keyword not in UNIONS:
                made[keyword] = self._keyword(keyword, value, child(place, keyword))
        judged = [keyword for keyword in JUDGED if keyword in node and keyword not in made]
        if judged:
            made["allOf"] = [*made.get("allOf", ()), *self._judged(node, place, judged)]
        return made

    def place_of(self, reference: str) -> str:
        """Return the place of a reference's target."""
        place = self._places.get(id(self._targets[reference]))
        return unquote(reference.partition("#")[2]) if place is None else place

    def _keyword(self, keyword: str, value: Json, place: str) -> Json:
        part = self._form if keyword in _IN_PLACE else self._reference
        if keyword in SUBSCHEMA:
            return part(value, place)
        if keyword in SUBSCHEMA_LISTS:
            return [part(sub, child(place, index)) for index, sub in enumerate(value)]
        if keyword in SUBSCHEMA_MAPS:
            return {name: part(sub, child(place, name)) for name, sub in value.items()}
        return value

    def _judged(self, node: Mapping[str, Json], place: str, judged: Iterable[str]) -> list[Json]:
        """Return the parts of a node's ``allOf`` that are only judged, and record their places in
        the form.
        """
        parts: list[Json] = []
        for keyword in judged:
            if keyword in UNIONS:
                branches = [
                    child(child(place, keyword), index) for index in range(len(node[keyword]))
                ]
                for sub, branch in zip(node[keyword], branches, strict=True):
                    self._number(sub, branch)
                given: Json = {
                    keyword: [{"$ref": f"{NAME}#{quote(branch)}"} for branch in branches]
                }
            else:
                given = {"$ref": f"{NAME}#{quote(self.place_of(node[keyword]))}"}
            self._unions[child(child(place, "allOf"), len(node.get("allOf", ())) + len(parts))] = (
                keyword,
                place,
            )
            parts.append({"not": {"not": given}})
            # what the branches have looked at, for unevaluatedItems and unevaluatedProperties
            if self._annotated:
                parts.append({"if": given})
        return parts
