"""Shapes of the messages between the two processes, as pydantic models: both processes validate a
value by the same shape.
"""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from jackfield.schema.wording import escaped
from jackfield_isolation.wire import Garbage

_LONGEST_PLACE = 100
JsonObject = dict[Any, Any]


class Shape:
    """Form of a value: a type, of which dataclasses are objects with members in camelCase.

    ``what`` names the value in errors. No text in the value is longer than ``longest`` characters,
    except within ``Any``.
    """

    def __init__(self, what: str, kind: Any, longest: int | None = None) -> None:
        self._what = what
        settings = ConfigDict(
            alias_generator=to_camel,
            allow_inf_nan=False,
            coerce_numbers_to_str=True,
            defer_build=True,
            revalidate_instances="always",  # an author's dataclass may hold anything
            validate_by_name=True,  # its members have the names of Python
        )
        if longest is not None:
            settings["str_max_length"] = longest
        # which pydantic passes on to dataclasses within
        self._model: TypeAdapter[Any] = TypeAdapter(tuple[kind], config=settings)

    def read(self, value: Any) -> Any:
        """Convert ``value`` to the shape's type.

        :raises Garbage: if the value has another shape. The message names the place, and no value.
        """
        try:
            return self._model.validate_python((value,))[0]
        except ValidationError as error:
            fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = escaped("/".join(map(str, fault["loc"][1:]))[:_LONGEST_PLACE])
        raise Garbage(f"{self._what} that is none (/{place}: {fault['msg']})")
