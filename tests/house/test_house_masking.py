"""The places that mask secrets, or know what is masked: docs/paths-secrets.md lists all of them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.house.parsed import nodes

ROOT = Path(__file__).parents[2]
PACKAGES = [
    ROOT / "runtime" / "jackfield",
    *ROOT.glob("runtime/jackfield_*/jackfield_*"),
    *ROOT.glob("connectors/*/jackfield_*"),
]
MASKS = ("jackfield.redaction", "jackfield.call.masking")
NAMES = {"redactor", "output_mask", "without_password"}


def knows_masking(node: ast.AST) -> bool:
    """Whether a node imports from the packages that mask, uses what knows the secrets, under its
    name or as text, or writes a mask.
    """
    if isinstance(node, ast.ImportFrom):
        return f"{node.module}.".startswith(tuple(f"{name}." for name in MASKS))
    if isinstance(node, ast.Attribute):
        return node.attr in NAMES
    if isinstance(node, ast.Name):
        return node.id in NAMES
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    return text in NAMES or ("***" in text and " " not in text)  # else it tells people of masks


def places() -> set[str]:
    """The modules outside ``redaction`` that mask, as the page names them: without ``jackfield/``
    of the framework.
    """
    paths = [(package, path) for package in PACKAGES for path in package.rglob("*.py")]
    found = {
        path.relative_to(package.parent).with_suffix("")
        for package, path in paths
        if any(map(knows_masking, nodes(path)))
    }
    names = {place.as_posix().removeprefix("jackfield/") for place in found}
    return {name for name in names if not name.startswith("redaction/")}


def test_the_page_lists_all_places_that_mask() -> None:
    """A reader of the list can trust that it is complete: each module that masks is in it, and none
    that does not.
    """
    text = (
        (ROOT / "docs" / "paths-secrets.md")
        .read_text(encoding="utf-8")
        .partition("\n## A masked secret\n")[2]
        .partition("\n## ")[0]
    )
    listed = {
        name
        for row in re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }
    assert listed == places()
