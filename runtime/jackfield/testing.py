"""Test support for connector authors, under the name that their tests import. The package that brings it declares it as the part
``testing`` of the entry points ``jackfield.parts``; ``testing.pyi`` beside it has the types."""

from __future__ import annotations

from typing import Any

from jackfield.catalog.loading import part


def __getattr__(name: str) -> Any:
    suite = part("testing")
    if suite is None:
        text = "jackfield.testing is part of jackfield-market: pip install 'jackfield[testing]'"
        raise ModuleNotFoundError(text, name="jackfield_market")
    return getattr(suite, name)
