"""The tutorials that lead to a published connector, run as they stand: files are written, edits applied, commands executed by a shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from doc_pages import ROOT, blocks

if TYPE_CHECKING:
    from tests.docs.reader import Reader

pytest_plugins = ["warm", "tests.docs.reader"]
PAGE = ROOT / "docs" / "tutorial" / "first-connector.md"
OPENAPI = ROOT / "docs" / "tutorial" / "publish-openapi.md"


def test_the_first_connector(reader: Reader, tmp_path: Path) -> None:
    """Every command of the page works as printed, and its answers are those of the page; no recording holds the key."""
    for block in blocks(PAGE):
        reader.follow(block)
    project = tmp_path / "empty" / "acme-shelf"
    recordings = sorted(path.name for path in (project / "tests" / "recordings").iterdir())
    assert recordings == ["example-createItem.json", "example-listItems.json"]
    assert not any("open-sesame" in path.read_text(encoding="utf-8") for path in (project / "tests").rglob("*.json"))
    assert (tmp_path / "empty" / "elsewhere" / "connectors" / "acme-shelf" / "0.1.0").is_dir()


def test_from_a_document_to_a_published_connector(reader: Reader, tmp_path: Path) -> None:
    """Every command of the page works as printed: a generated connector is curated, graded, published, installed and called."""
    for block in blocks(OPENAPI):
        reader.follow(block)
    assert (tmp_path / "empty" / "elsewhere" / "connectors" / "acme-tickets" / "0.1.0").is_dir()
    assert [row["id"] for row in json.loads(reader.answer)["output"]["tickets"]] == ["1", "2", "3", "4", "5"]
