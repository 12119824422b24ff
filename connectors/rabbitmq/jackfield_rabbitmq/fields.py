"""Inputs that several actions share."""

from __future__ import annotations

from typing import Any

from jackfield.connector import Field

NAME = {"minLength": 1, "maxLength": 255}


def queue_field() -> Any:
    """Declare the name of a queue."""
    return Field(title="Queue", description="The queue's name.", examples=["orders"], schema=NAME)


def exchange_field(default: Any, description: str) -> Any:
    """Declare the name of an exchange."""
    return Field(default, title="Exchange", description=description, examples=["shop"], schema={"maxLength": 255})
