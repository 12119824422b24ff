"""Test support for connector authors, under the name that their tests import. The package that
implements it declares it as the part ``testing`` of the entry points ``jackfield.parts``;
``testing.pyi`` next to this file has the types.
"""

from __future__ import annotations

from typing import Any

from jackfield.catalog.loading import PARTS, package_of, part


def __getattr__(name: str) -> Any:
    suite = part("testing")
    if suite is None:
        package, command = package_of(PARTS, "testing")
        raise ModuleNotFoundError(
            f"jackfield.testing is part of {package}: {command}", name=package.replace("-", "_")
        )
    return getattr(suite, name)
