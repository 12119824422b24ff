"""Masks in a form's returned values: a mask is no secret, so the secrets of a changed value must be
entered again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.kernel.errors import Detail, InvalidInput
from jackfield.kernel.pointers import child
from jackfield.redaction.marks import MASK


def refuse_masks(value: Any, path: str = "") -> None:
    """Refuse a changed value with a mask in place of a secret: the secret must not reach another
    action or address.

    :raises InvalidInput: for a changed value with a mask, with the places of all masks.
    """
    masks = _masks(value, path)
    if masks:
        details = [
            Detail(place, "is masked: enter it again, since what it belongs to was changed")
            for place in masks
        ]
        raise InvalidInput(
            "secrets must be entered again", details=details, hint="Enter what is shown as ***."
        )


def _masks(value: Any, path: str) -> list[str]:
    if value == MASK:
        return [path]
    members = (
        value.items()
        if isinstance(value, Mapping)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [found for name, member in members for found in _masks(member, child(path, name))]
