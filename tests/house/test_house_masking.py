"""The places that mask secrets, or know what is masked: docs/paths-events.md lists all of them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from parsed import nodes

ROOT = Path(__file__).parents[2]
PACKAGES = [ROOT / "runtime" / "jackfield", *ROOT.glob("runtime/jackfield_*/jackfield_*"), *ROOT.glob("connectors/*/jackfield_*")]
MASKS = ("jackfield.redaction", "jackfield.pipe.masking")
LITERALS = ("***", "'***'")


def knows_masking(node: ast.AST) -> bool:
    """Whether a node imports from the packages that mask, uses a redactor, or writes a mask itself."""
    if isinstance(node, ast.ImportFrom):
        return f"{node.module}.".startswith(tuple(f"{name}." for name in MASKS))
    if isinstance(node, ast.Attribute):
        return node.attr == "redactor"
    return isinstance(node, ast.Constant) and node.value in LITERALS


def places() -> set[str]:
    """The modules outside ``redaction`` that mask, as the page names them: without ``jackfield/`` of the framework."""
    paths = [(package, path) for package in PACKAGES for path in package.rglob("*.py")]
    found = {path.relative_to(package.parent).with_suffix("") for package, path in paths if any(map(knows_masking, nodes(path)))}
    names = {place.as_posix().removeprefix("jackfield/") for place in found}
    return {name for name in names if not name.startswith("redaction/")}


def test_the_page_lists_all_places_that_mask() -> None:
    """A reader of the list can trust that it is complete: each module that masks is in it, and none that does not."""
    text = (ROOT / "docs" / "paths-events.md").read_text(encoding="utf-8").partition("\n## A masked secret\n")[2].partition("\n## ")[0]
    listed = {name for row in re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}
    assert listed == places()
