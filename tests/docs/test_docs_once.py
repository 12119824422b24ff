"""The page of ``once``: its lines run as they stand, against a client and a server as the page
names them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from doc_pages import ROOT, blocks
from jackfield import InvocationFailed, Jackfield
from jackfield.boundary import bound

PAGE = ROOT / "docs" / "tutorial" / "once.md"
MOST = 300


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jackfield]:
    """A database in the place of the environment's."""
    with Jackfield(connections=[], database_url=f"sqlite:///{tmp_path}/jackfield.db") as found:
        monkeypatch.setattr(bound, "_FOUND", [found.function_calls])
        yield found


def test_the_page_is_short() -> None:
    """300 words with its lines, which are read before anything else, and two sections: an effect,
    and what nobody can know.
    """
    first, *sections = PAGE.read_text(encoding="utf-8").split("\n## ")
    assert len(first.split()) <= MOST
    assert [section.partition("\n")[0] for section in sections] == [
        "Open a function to others",
        "What it cannot know",
    ]


def test_its_lines_run(runtime: Jackfield, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function charges once, whatever is lost; the block posts once; the function with an
    effect is an action.
    """
    function, block, action = (block.body for block in blocks(PAGE) if block.language == "python")
    monkeypatch.chdir(tmp_path)
    posted = list[Any]()

    def post(url: str, **given: Any) -> SimpleNamespace:
        posted.append((url, given))
        return SimpleNamespace(json=lambda: {"id": "re_1"})

    requests = SimpleNamespace(post=post)
    names: dict[str, Any] = {"requests": requests, "url": "u", "body": {}, "find_refund": None}
    exec(compile(function, str(PAGE), "exec"), names)
    with pytest.raises(InvocationFailed, match="may have taken effect"):
        names["charge"]("4711", 5)
    assert names["charge"]("4711", 5) == names["charge"]("4711", amount=5) == "ch_4711"
    assert names["SENT"].read_text() == "4711"
    for _ in range(2):
        exec(compile(block, str(PAGE), "exec"), names)
        assert names["call"].value == "re_1"
    assert len(posted) == 1
    first = names.pop("charge")
    del first
    gc.collect()
    exec(compile(action, str(PAGE), "exec"), names)
    asked = {"connector": "host", "action": "charge", "inputs": {"order": "c", "amount": 5}}
    assert runtime.invoke(asked).status == "succeeded"
    assert names["charge"]("c", 5) is None
