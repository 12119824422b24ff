"""The threat model names a test for each threat to the product, and each of them exists."""

from __future__ import annotations

import re

from doc_pages import ROOT

PAGE = ROOT / "docs" / "threat-model.md"


def test_each_threat_has_a_test_that_exists() -> None:
    """Each row of the product's table ends with names of tests, all of which are functions of this
    repository.
    """
    product = PAGE.read_text(encoding="utf-8").partition("## The product")[2].partition("\n## ")[0]
    rows = [
        line
        for line in product.splitlines()
        if line.startswith("| ") and not line.startswith("| part")
    ]
    assert len(rows) > 20
    named = {row: re.findall(r"`(test_\w+)`", row) for row in rows}
    assert [row for row, tests in named.items() if not tests] == []
    texts = [
        path.read_text(encoding="utf-8")
        for folder in ("tests", "connectors", "shelf")
        for path in (ROOT / folder).rglob("test_*.py")
    ]
    there = {name for text in texts for name in re.findall(r"def (test_\w+)\(", text)}
    assert {name for tests in named.values() for name in tests} - there == set()
