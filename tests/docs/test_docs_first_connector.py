"""The tutorials that lead to a published connector, run as they stand: files are written, edits
applied, commands executed by a shell.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from doc_pages import ROOT, blocks

if TYPE_CHECKING:
    from tests.docs.reader import Reader

pytest_plugins = ["warm", "tests.docs.reader"]
PAGE = ROOT / "docs" / "tutorial" / "first-connector.md"
AGENT = ROOT / "docs" / "tutorial" / "first-agent.md"
OPENAPI = ROOT / "docs" / "tutorial" / "publish-openapi.md"


def test_the_first_connector(reader: Reader, tmp_path: Path) -> None:
    """Every command of the page works as printed, and its answers are those of the page; what it
    shows of the project is on the disk.
    """
    for block in blocks(PAGE):
        reader.follow(block)
        if block.title == "excerpt":
            module = tmp_path / "empty" / "acme-shelf" / "jackfield_acme_shelf" / "__init__.py"
            assert block.body in module.read_text(encoding="utf-8")
            assert "has 65 lines" in PAGE.read_text(encoding="utf-8")
            assert len(module.read_text(encoding="utf-8").splitlines()) == 65


@pytest.mark.skipif(
    shutil.which("jq") is None or shutil.which("curl") is None,
    reason="curl and jq are not installed",
)
def test_the_first_agent(reader: Reader) -> None:
    """After the first connector: its write gets a key, an agent calls it with a token over HTTP and
    MCP, and a person approves.
    """
    for page in (PAGE, AGENT):
        for block in blocks(page):
            reader.follow(block)
    called = {"AGENT", "ADA", "CALL"}
    assert {name for name in called if reader.get(name) in ("", "null")} == set()


def test_from_a_document_to_a_published_connector(reader: Reader, tmp_path: Path) -> None:
    """Every command of the page works as printed: a generated connector is curated, graded,
    published, installed and called.
    """
    reader.take(ROOT / "examples" / "tickets")
    for block in blocks(OPENAPI):
        reader.follow(block)
    assert (tmp_path / "empty" / "elsewhere" / "connectors" / "acme-tickets" / "0.1.0").is_dir()
    assert [row["id"] for row in json.loads(reader.answer)["output"]["tickets"]] == [
        "1",
        "2",
        "3",
        "4",
        "5",
    ]
