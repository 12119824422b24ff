"""One value under one schema: every fault in it, worked out once for each part.

An engine has said that the value is not valid. This walk says why, in the words of JSON; it reads schema and value only, so the
text is the same whichever engine judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from jackfield.errors import Detail
from jackfield.schema.pointer import shown
from jackfield.schema.secrets import secret_places
from jackfield.schema.wording import may_quote, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jackfield.schema.kinds import Json, Node
    from jackfield.schema.known import Known

    Rule: TypeAlias = Callable[["Case", Mapping[str, Json], Json, str], Iterator[Detail]]

__all__ = ["Case"]


class Case:
    """The faults of one value, part by part. Not thread-safe: make one for each call."""

    def __init__(self, known: Known, rules: Mapping[str, Rule], value: Json) -> None:
        self.known = known
        self._rules = rules
        self._secrets = secret_places(known, value) if known.has_secrets else frozenset()
        self._found: dict[tuple[int, int, str], tuple[Detail, ...]] = {}

    def faults(self, node: Node, value: Json, path: str) -> tuple[Detail, ...]:
        """All faults of a value under a schema. Kept, for branches are asked more than once."""
        if isinstance(node, bool):
            return () if node else (Detail(shown(path), "is not allowed here"),)
        key = (id(node), id(value), path)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = tuple(self._collect(node, value, path))
        return found

    def fits(self, node: Node, value: Json, path: str) -> bool:
        """Whether a value is valid under a schema."""
        return not self.faults(node, value, path)

    def _collect(self, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
        wrong_type = tuple(self._rules["type"](self, node, value, path))
        if wrong_type:  # the rest would only repeat it
            yield from wrong_type
            return
        for keyword in node:  # "type" has been asked, and would find nothing
            rule = self._rules.get(keyword)
            if rule is not None:
                yield from rule(self, node, value, path)

    def shown_value(self, value: Json, path: str) -> str | None:
        """The value as a message may quote it, or None: it is long, a container, or marked as a secret at this place or above."""
        return quote(value) if may_quote(value) and not self.is_secret(path) else None

    def is_secret(self, path: str) -> bool:
        """Whether any schema that applies to this place or one above marks it."""
        if not self._secrets:
            return False
        while path not in self._secrets:
            if not path:
                return False
            path = path.rpartition("/")[0]
        return True
