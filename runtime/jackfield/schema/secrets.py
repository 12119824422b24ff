"""Which places of a value are secret: marked by any schema that applies there, be it beside the one that finds a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.json_pointer import names
from jackfield.schema_walk import item_schemas, member_schemas

if TYPE_CHECKING:
    from jackfield.schema.facts import SchemaFacts
    from jackfield.schema.json_types import Json

__all__ = ["is_secret_place"]


def is_secret_place(facts: SchemaFacts, value: Json, path: str) -> bool:
    """Return True if any schema that applies to the place or to one above it marks it; branches that do not apply count too."""
    applying, marked = facts.applying((facts.root,))
    for token in names(path):
        if marked:
            return True
        if isinstance(value, list):
            starts = [sub for node in applying for sub in item_schemas(node, int(token))]
            value = value[int(token)]
        elif isinstance(value, dict) and token in value:
            starts = [sub for node in applying for sub in member_schemas(node, token)]
            value = value[token]
        else:
            return False
        applying, marked = facts.applying(tuple(starts))
    return marked
