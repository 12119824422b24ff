"""Facts that a child reports about its connector, checked before use: a connector can make its
child report anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StrictBool, StrictInt

from jackfield_isolation.shapes import JsonObject, Shape

_T = TypeVar("_T")
_LONGEST = 200
_Name = Annotated[str, Field(max_length=_LONGEST)]
_Names = Annotated[tuple[_Name, ...], Field(max_length=1000)]
_Members = Annotated[dict[_Name, _T], Field(max_length=1000)]
_Step = Literal["enable", "renew", "disable", "fetch"]
"""Name of a step of a webhook at its provider."""
_Number = Annotated[StrictInt, Field(ge=0, le=100)]
"""Number of tests, or of functions that add documents."""


@dataclass(frozen=True, slots=True)
class ActionFacts:
    """Facts about an action that its manifest leaves out."""

    takes_client: StrictBool
    budget: _Name | None = None
    defaults: Mapping[Any, Any] = field(default_factory=dict)
    pace_by: _Names = ()


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """Facts about a connection type that its manifest leaves out."""

    reports_begin: StrictBool
    permission_system: _Name | None
    fields: _Names
    policies: StrictBool


@dataclass(frozen=True, slots=True)
class Hello:
    """Child's description of a connector. ``layers`` are the layers of isolation that hold,
    reported before the connector was imported.
    """

    layers: Mapping[str, bool | str]
    description: JsonObject
    actions: _Members[ActionFacts]
    connections: _Members[TypeFacts]
    sources: _Members[StrictBool]
    tests: _Number
    test_permissions: _Members[_Names]
    documents: _Number
    triggers: _Members[tuple[_Step, ...]] = field(default_factory=dict)


LAYERS = Shape("a description", _Members[StrictBool | _Name])
"""Shape of the layers in a child's first frame."""
HELLO = Shape("a description", Hello)
