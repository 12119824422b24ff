"""Where lists end whose provider tells the number of all items, or shows no more of a longer
list.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield.testing import Answer, Provider, Request
from shelved import manifest_of, put, running, services

Json = dict[str, Any]


def _lists(name: str) -> Iterator[Any]:
    """Yield each list whose pages declare a member."""
    for key in services():
        for row in manifest_of(key)["actions"]:
            pages = row["http"].get("paging") or {}
            if name in pages:
                yield pytest.param(key, row, pages, id=f"{key}-{row['key']}")


def _page(pages: Json, total: int, count: int) -> Answer:
    body: Json = {}
    put(body, pages["items"], [{"id": str(number)} for number in range(count)])
    put(body, pages["total"], total)
    if "step" in pages:
        put(body, pages["step"], count)
    return Answer(body)


def _call(tmp_path: Path, key: str, row: Json, answers: list[Answer]) -> tuple[Json, int]:
    """Return the result of fetching all of a list, and the number of requests."""
    inputs = (
        {**row["examples"][0]["invocation"]["inputs"], "fetchAll": True}
        if row["examples"]
        else {"fetchAll": True}
    )
    with Provider(answers) as provider, running(tmp_path, key, provider.url) as jackfield:
        result = jackfield.invoke(
            {"connector": key, "action": row["key"], "connection": "main", "inputs": inputs}
        ).to_json()
        return result, len(provider.requests)


_TOTALS, _CUTS = [*_lists("totalEnds")], [*_lists("cuts")]
assert len(_TOTALS) > 4
assert len(_CUTS) > 3


@pytest.mark.parametrize(("key", "row", "pages"), _TOTALS)
def test_a_list_ends_at_its_total(tmp_path: Path, key: str, row: Json, pages: Json) -> None:
    """Two pages of two and one items are all of three: nothing asks for an empty page."""
    result, requests = _call(
        tmp_path, key, row, [_page(pages, 3, 2), _page(pages, 3, 1), Answer({}, 500)]
    )
    assert (result["status"], result["meta"]["complete"], requests) == ("succeeded", True, 2), (
        result
    )


@pytest.mark.parametrize(
    ("key", "row", "pages"), [one for one in _TOTALS if "step" not in one.values[2]]
)
def test_an_empty_page_before_the_total_is_no_end(
    tmp_path: Path, key: str, row: Json, pages: Json
) -> None:
    """Of five items two were read: the caller learns that three are missing."""
    result, requests = _call(tmp_path, key, row, [_page(pages, 5, 2), _page(pages, 5, 0)])
    assert (result["status"], result["meta"]["complete"], requests) == ("succeeded", False, 2), (
        result
    )
    assert pages["total"] in result["meta"]["warnings"][0]["message"]


@pytest.mark.parametrize(("key", "row", "pages"), _CUTS)
def test_a_list_of_which_a_provider_shows_no_more_is_not_complete(
    tmp_path: Path, key: str, row: Json, pages: Json
) -> None:
    """The first page is kept, and the caller learns that there is more."""
    status = pages["cuts"][0] if isinstance(pages["cuts"][0], int) else pages["cuts"][0]["status"]
    body: Json = {}
    put(body, pages["items"], [{"id": "1"}])
    if pages["kind"] in ("token", "url"):
        put(body, pages["response"], "/next?after=2")
    if "total" in pages:
        put(body, pages["total"], 20_000)
    first = (
        Answer(body["items"], headers={"Link": '</next?page=2>; rel="next"'})
        if pages["kind"] == "linkHeader"
        else Answer(body)
    )
    result, _ = _call(tmp_path, key, row, [first, Answer({"message": "no more"}, status)])
    assert (result["status"], result["meta"]["complete"]) == ("succeeded", False), result


def test_a_search_whose_cache_is_cold_is_sent_after_an_empty_one(tmp_path: Path) -> None:
    """Google finds a contact of today only after a search for nothing, which brings the cache up to
    date.
    """
    warm = False

    def google(_number: int, request: Request) -> Answer:
        nonlocal warm
        found = [{"person": {"resourceName": "people/c1"}}] if warm else []
        warm = warm or "query=&" in request.path
        return Answer({"results": found})

    asked = {"query": "Ada", "readMask": "names"}
    call = {
        "connector": "google-contacts",
        "action": "searchContacts",
        "connection": "main",
        "inputs": asked,
    }
    with (
        Provider(google) as provider,
        running(tmp_path, "google-contacts", provider.url) as jackfield,
    ):
        output = jackfield.invoke(call).to_json()["output"]
    assert [one["person"]["resourceName"] for one in output["results"]] == ["people/c1"]


@pytest.mark.parametrize("action", ["listRows", "listColumns"])
def test_a_page_of_excel_that_names_no_next_one_is_not_the_end(tmp_path: Path, action: str) -> None:
    """A table is read by ``$top`` and ``$skip``: no answer has a link, and a page ends where the
    caller's size cuts it.
    """
    row = next(one for one in manifest_of("excel")["actions"] if one["key"] == action)
    asked = {**row["examples"][0]["invocation"]["inputs"], "fetchAll": True, "top": 1}
    pages = [Answer({"value": [{"index": number}]}) for number in range(2)]
    call = {"connector": "excel", "action": action, "connection": "main", "inputs": asked}
    with (
        Provider([*pages, Answer({"value": []})]) as provider,
        running(tmp_path, "excel", provider.url) as jackfield,
    ):
        result = jackfield.invoke(call)
    assert (result.meta.complete, [one["index"] for one in (result.output or {})["value"]]) == (
        True,
        [0, 1],
    )
