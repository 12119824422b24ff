"""Inputs that several actions share."""

from __future__ import annotations

from typing import Any

from jackfield.connector import Field

NAME = {"minLength": 1, "maxLength": 255}


def queue_field() -> Any:
    """Declare the input for a queue's name."""
    return Field(title="Queue", description="The queue's name.", examples=["orders"], schema=NAME)


def exchange_field(default: Any, description: str) -> Any:
    """Declare the input for an exchange's name."""
    return Field(
        default,
        title="Exchange",
        description=description,
        examples=["shop"],
        schema={"maxLength": 255},
    )
