"""The page of ``once``: its lines run as they stand, against a client and a server as the page
names them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from doc_pages import ROOT, blocks
from jackfield import Jackfield
from jackfield.boundary import bound
from own_functions import own_functions

__all__ = ["own_functions"]
PAGE = ROOT / "docs" / "tutorial" / "once.md"
MOST = 300


@dataclass
class Order:
    """An order of the reader's program."""

    id: str
    card: str = "card_1"
    charge: str = "ch_1"


class Stripe:
    """A client whose answer may be lost."""

    class CardError(Exception):
        """The card is declined."""

    def __init__(self) -> None:
        self.charges: list[SimpleNamespace] = []
        self.loses = False
        self.Charge = SimpleNamespace(create=self._create, list=self._list)

    def _create(self, **given: Any) -> SimpleNamespace:
        if given["amount"] < 0:
            raise self.CardError
        self.charges.append(SimpleNamespace(id=f"ch_{len(self.charges)}", **given))
        if self.loses:
            raise TimeoutError
        return self.charges[-1]

    def _list(self, limit: int) -> SimpleNamespace:
        return SimpleNamespace(data=self.charges[::-1][:limit])


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


@pytest.mark.usefixtures("own_functions")
def test_its_lines_run(runtime: Jackfield) -> None:
    """The function charges once, whatever is lost; the block posts once; the function with an
    effect is an action.
    """
    function, block, action = (block.body for block in blocks(PAGE) if block.language == "python")
    stripe, posted = Stripe(), list[Any]()

    def post(url: str, **given: Any) -> SimpleNamespace:
        posted.append((url, given))
        return SimpleNamespace(json=lambda: {"id": "re_1"})

    requests = SimpleNamespace(post=post)
    names: dict[str, Any] = {
        "stripe": stripe,
        "Order": Order,
        "requests": requests,
        "url": "u",
        "body": {},
        "find_refund": None,
    }
    exec(compile(function, str(PAGE), "exec"), names)
    order = Order("a")
    assert names["charge"](order, 5) == names["charge"](order, amount=5) == "ch_0"
    stripe.loses, lost = True, Order("b")
    with pytest.raises(Exception, match="may have taken effect"):
        names["charge"](lost, 5)
    assert names["charge"](lost, 5) == "ch_1"
    assert len(stripe.charges) == 2
    for _ in range(2):
        names["order"] = order
        exec(compile(block, str(PAGE), "exec"), names)
        assert names["call"].value == "re_1"
    assert len(posted) == 1
    exec(compile(action, str(PAGE), "exec"), names)
    asked = {"connector": "host", "action": "charge", "inputs": {"order": {"id": "c"}, "amount": 5}}
    assert runtime.invoke(asked).status == "succeeded"
    assert names["charge"](Order("c"), 5) is None
    assert sys.modules.get("stripe") is None
