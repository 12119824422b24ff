"""Test support for connector authors, under the name that their tests import; ``jackfield_market.testing`` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackfield_market.testing import *  # noqa: F403 (the same names)


def __getattr__(name: str) -> Any:
    try:
        from jackfield_market import testing
    except ModuleNotFoundError as error:
        if error.name != "jackfield_market":
            raise
        text = "jackfield.testing is part of jackfield-market: pip install 'jackfield[testing]'"
        raise ModuleNotFoundError(text, name=error.name) from None
    return getattr(testing, name)
