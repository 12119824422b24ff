"""Faults that an author's model finds in values, for modules that are loaded before any model is:
they import no pydantic.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from jackfield.kernel.errors import Detail
from jackfield.kernel.pointers import pointer


def model_faults(error: ValueError) -> list[Detail]:
    """Return the faults that an author's model found in values that passed their schema; no value
    is quoted.

    :raises ValueError: the error itself, if it is not pydantic's.
    """
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not isinstance(error, pydantic.ValidationError):
        raise error
    return [
        Detail(pointer(*item["loc"]), _sentence(item))
        for item in error.errors(include_url=False, include_input=False)
    ]


def _sentence(item: Mapping[str, Any]) -> str:
    if item["type"] == "missing":
        return "is missing"
    reason = item.get("ctx", {}).get("error")
    return str(reason) if isinstance(reason, ValueError) else "is not valid"
