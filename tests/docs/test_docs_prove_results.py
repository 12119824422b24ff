"""The page of what well-known software sends twice: each row has a version, what its documentation
says with an address, and a verdict.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from doc_pages import ROOT

_PAGE = (ROOT / "docs" / "prove-results.md").read_text(encoding="utf-8")
_VERDICT = re.compile(
    r"\*\*(sent twice|reported falsely|lost)\*\*: [a-z0-9-]+( answer)?(, [a-z0-9-]+( answer)?)*"
    r"|told as unknown|sent once|not sent, and told so"
)
_OURS = re.compile(
    r"not compared|`(once|[a-z-]+/\w+)`: (told as unknown|sent once|not sent, and told so)"
)
_LEAST = 50
"""Pieces of software: fewer are a run of which rows were left out."""
_MOST_WORDS = 30


def _rows() -> Iterator[list[str]]:
    lines = [line for line in _PAGE.splitlines() if line.startswith("| ")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("| ").split(" | ")]


def test_each_row_is_whole() -> None:
    """Software with an exact version, a promise with its address or none found, the request, and
    both verdicts.
    """
    rows = list(_rows())
    assert len(rows) >= _LEAST
    for software, promise, write, verdict, ours in rows:
        assert re.search(r" \d+(\.\d+)+[\w.]*( \(.+\))?$", software), software
        assert promise == "no promise found" or re.fullmatch(
            r"\[[^]]+\]\(https://[^ )]+\)", promise
        ), software
        assert re.fullmatch(r"`(POST|PUT|PATCH|DELETE) \S+`", write), software
        assert _VERDICT.fullmatch(verdict), software
        assert _OURS.fullmatch(ours), software


def test_the_numbers_above_the_table_are_those_of_the_table() -> None:
    """The day of the run, and how many sent the write twice."""
    rows = list(_rows())
    twice = sum(row[3].startswith("**sent twice**") for row in rows)
    beside = sum(row[4] != "not compared" for row in rows)
    said = re.search(
        r"On \d+ \w+ 20\d\d, (\d+) of (\d+) sent .*? Through jackfield, (\d+) of (\d+) went "
        r"wrong\.",
        _PAGE,
        re.DOTALL,
    )
    assert said is not None
    assert [int(number) for number in said.groups()] == [twice, len(rows), 0, beside]


def test_its_cells_are_short() -> None:
    """A row is read at one glance."""
    assert [cell for row in _rows() for cell in row if len(cell.split()) > _MOST_WORDS] == []
