"""What answers mean: each row of the lists is needed for an answer of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from jackfield.connector import meanings as m
from jackfield.connector.meanings import MISSING, Response, Sign


def _answer(body: Any = MISSING, status: int = 200, **fields: str) -> Response:
    content = b"" if body is MISSING else json.dumps(body).encode()
    named = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return Response(status, named, content, body)


_PAGE = b"\xef\xbb\xbf <!-- a gateway --><!DOCTYPE html><html>"
LISTS: dict[str, tuple[Sequence[Sign], list[Response]]] = {
    "cached": (
        m.FROM_CACHE,
        [
            _answer(age="7"),
            _answer(x_varnish="32 17"),
            _answer(x_proxy_cache="HIT, MISS"),
            _answer(x_cache_hits="0, 3"),
            _answer(server_timing="cdn-cache; desc=HIT, edge; dur=1"),
            _answer(warning='110 - "Response is Stale"'),
        ],
    ),
    "failed": (
        m.FAILED_SUCCESS,
        [
            _answer("done"),
            _answer({"title": "Gone"}, content_type="application/problem+json"),
            _answer({"Errors": ["gone"]}),
            _answer({"ok": False}),
            _answer({"statusCode": 503}),
            _answer({"status": "FAILED"}),
        ],
    ),
    "error": (m.ONLY_ERRORS, [_answer({"Error": "blocked", "message": "no"})]),
    "odd": (m.NOT_OK, [_answer({}, 203)]),
    "page": (m.PAGES, [Response(200, content=_PAGE)]),
    "text": (m.NOT_OF_AN_API, [Response(404, content=b"not here", body="not here")]),
}
"""Each list, with an answer for each of its rows."""
SOUND = [
    _answer({"id": 1, "ok": True, "error": None, "status": "open", "code": 200}),
    _answer([]),
    _answer(MISSING, age="0", x_varnish="32", cache_control="stale-if-error=60"),
    _answer({}, x_cache_hits="0, 0", server_timing="cdn-cache; desc=MISS", warning="299 - old"),
]


@pytest.mark.parametrize("name", LISTS)
def test_each_row_is_needed(name: str) -> None:
    """Each answer is found by its row alone."""
    rows, answers = LISTS[name]
    assert [m.meaning_of(one, rows) for one in answers] == list(rows)
    for number, answer in enumerate(answers):
        assert m.meaning_of(answer, [*rows[:number], *rows[number + 1 :]]) is None
        assert rows[number].meaning in m.MEANINGS


@pytest.mark.parametrize("answer", SOUND)
def test_a_sound_answer_meets_no_row(answer: Response) -> None:
    """A plain success, of whatever form, means none of these."""
    for rows in (m.UNSOUND, m.NOT_OK, m.PAGES, m.NOT_OF_AN_API, m.ONLY_ERRORS):
        assert m.meaning_of(answer, rows) is None
