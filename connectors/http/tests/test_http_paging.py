"""Lists: each way to page, declared in one line, reaches the last item; and jobs that are polled
until they end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clocks import FakeClock, StillClock
from http_rig import Acme, attempt
from jackfield.connector import Field, InvalidInput, NotYet, Rejected, Unavailable
from jackfield.testing import Answer, Provider, Request
from jackfield_http import ApiKey, Job, PageInputs, Pages, links
from jackfield_http.headers import Headers
from jackfield_http.list_ends import ends_of
from jackfield_http.words import argument
from regex_steps import Steps

ITEMS = [{"id": f"i{number}"} for number in range(7)]


class Sized(PageInputs):
    """Part of a list, of a size."""

    page_size: int | None = Field(None)


def listing(style: str) -> Any:
    """A server that pages in one style, three items at a time at most."""

    def script(_number: int, request: Request) -> Answer:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        start = {
            "number": lambda: 3 * (int(query["page"]) - 1),
            "offset": lambda: int(query["skip"]),
            "lastId": lambda: 1 + int(query["after"][1:]) if "after" in query else 0,
        }.get(style, lambda: int(query.get("cursor", "0")))()
        found, more = ITEMS[start : start + 3], start + 3 < len(ITEMS)
        here = f"/v1/items?cursor={start + 3}&q=x&key=k1"
        if style == "token":
            return Answer({"data": found, "meta": {"next": start + 3 if more else ""}})
        if style == "url":
            return Answer({"data": found, "next": here if more else None})
        if style == "tokenUrl":
            return Answer(
                {
                    "data": found,
                    "meta": {"next": f"http://{request.headers['Host']}{here}" if more else None},
                }
            )
        if style == "link":
            return Answer(
                found,
                headers={"Link": f'</first>; rel="first", <{here}>; rel="next"'} if more else {},
            )
        if style == "linkToResults":
            about = f'rel="next"; results="{str(more).lower()}"'
            return Answer(
                found,
                headers={"Link": f'</first>; rel="previous"; results="true", <{here}>; {about}'},
            )
        return Answer({"data": found, "has_more": more} if style == "lastId" else {"data": found})

    return script


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        ("", ","),
        ("", " ,"),
        ("", '\\"'),
        ("", "<"),
        ("", "<a,"),
        ("", "a "),
        ("", "=, "),
        ("<a>", "; "),
        ("<a>", ';x="\\"'),
        ('<a>;x="', '\\"'),
        ("<a>;x=", '"\\",'),
        ("<a>,", "<a>;x"),
    ],
)
def test_a_link_that_says_nothing_costs_what_it_is_long(
    head: str, piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part of it is read a few times: nothing is read again from each character on. One that
    is too long is not read at all.
    """
    counted = [Steps(getattr(links, name)) for name in ("_TARGET", "_PARAMETER", "_REST")]
    for name, steps in zip(("_TARGET", "_PARAMETER", "_REST"), counted, strict=True):
        monkeypatch.setattr(links, name, steps)
    size = 2_000
    value = (head + piece * size)[:size] + "!"
    assert links.link_target(value, "next") is None
    assert sum(steps.taken for steps in counted) < 12 * size
    assert links.is_malformed(Headers([(b"Link", value.encode() * 5)]).get("link"))
    assert sum(steps.taken for steps in counted) < 12 * size


@pytest.mark.parametrize(
    ("style", "pages"),
    [
        ("token", Pages.token("cursor", "/meta/next", "/data")),
        ("tokenUrl", Pages.token("cursor", "/meta/next", "/data")),
        ("number", Pages.number("page", "/data")),
        ("offset", Pages.offset("skip", "/data")),
        ("link", Pages.link()),
        ("linkToResults", Pages.link()),
        ("url", Pages.url("/next", "/data")),
        ("lastId", Pages.last_id("after", "/data", more="/has_more")),
    ],
)
def test_every_page(style: str, pages: Pages) -> None:
    """Each style reaches all items, three at a time although more were asked for, and no credential
    gets into a token.
    """
    kind = type("Q", (ApiKey,), {"location": "query", "name": "key"})
    found: list[Mapping[str, str]] = []
    tokens: list[str] = []
    with (
        Provider(listing(style)) as provider,
        attempt(f"{provider.url}/v1", kind, values={"apiKey": "k1"}) as (api, _),
    ):
        asked = PageInputs()
        while True:
            page = pages.fetch(api, "/items", asked, query={"q": "x"})
            found += page.items
            if page.next is None:
                break
            tokens.append(page.next)
            asked = PageInputs(next_token=page.next)
        assert all(request.path.count("key=k1") == 1 for request in provider.requests)
        assert all(
            parse_qs(urlsplit(request.path).query).get("q") == ["x"]
            for request in provider.requests
        )
    assert found == ITEMS
    assert "k1" not in "".join(tokens)


def test_page_sizes() -> None:
    """A size is sent where the list has a parameter for it."""
    pages = Pages.offset("skip", "", size="limit", largest=100)
    with Provider([Answer([])]) as provider, attempt(provider.url) as (api, _):
        pages.fetch(api, "/x", Sized(page_size=50))
        assert provider.requests[0].path == "/x?limit=50&skip=0"
    assert pages.pagination("items").max_size == 100
    assert Pages.link().pagination("items").size_input is None


def test_a_list_elsewhere() -> None:
    """``under`` allows pages below another path of the server."""
    pages = Pages.link(under="/repositories")
    with Provider([Answer([])]) as provider, attempt(provider.url) as (api, _):
        pages.fetch(
            api, "/repos/{o}", PageInputs(next_token="/repositories/17/issues?page=2"), {"o": "ada"}
        )
        assert provider.requests[0].path == "/repositories/17/issues?page=2"
        with pytest.raises(InvalidInput):
            pages.fetch(api, "/repos/{o}", PageInputs(next_token="/repositoriesX"), {"o": "ada"})


def test_tokens_of_other_lists() -> None:
    """A token that is no number, where pages are numbered, is refused."""
    with attempt("http://127.0.0.1:9") as (api, _), pytest.raises(InvalidInput):
        Pages.number("page", "").fetch(api, "/x", PageInputs(next_token="-1"))


def test_lists_that_are_none() -> None:
    """A missing list is empty, and anything else than a list is an error."""
    pages = Pages.token("t", "/next", "/data")
    script = [Answer({}), Answer({"data": {"a": 1}}), Answer({"data": [], "next": "http://["})]
    with Provider(script) as provider, attempt(provider.url) as (api, _):
        page = pages.fetch(api, "/x", PageInputs())
        assert (page.items, page.next) == ([], None)
        with pytest.raises(Unavailable, match="no list"):
            pages.fetch(api, "/x", PageInputs())
        with pytest.raises(Unavailable, match="next page is not a URL"):
            pages.fetch(api, "/x", PageInputs())


@pytest.mark.parametrize(
    ("kind", "following", "token"),
    [
        ("token", 1700000000.5, "1700000000.5"),
        ("token", 7, "7"),
        ("token", False, None),
        ("token", [], None),
        ("token", {}, None),
        ("token", {"href": "/x"}, Unavailable),
        ("token", True, Unavailable),
        ("url", ["/x"], Unavailable),
        ("url", "/x?\n", Unavailable),
        ("lastId", None, Unavailable),
    ],
)
def test_tokens_that_are_none(kind: Any, following: Any, token: Any) -> None:
    """A list is complete only if the server says so: what cannot name the next page is an error,
    not the end of the list.
    """
    pages = Pages(kind, "/data", "t", "/next")
    body = json.dumps({"data": [{"next": following}], "next": following}).encode()
    with Provider([Answer(content=body)]) as provider, attempt(provider.url) as (api, _):
        if token is Unavailable:
            with pytest.raises(Unavailable, match=r"next page|no ID"):
                pages.fetch(api, "/x", PageInputs())
        else:
            assert pages.fetch(api, "/x", PageInputs()).next == token


@pytest.mark.parametrize(
    "declaration",
    [
        ("token", "/data", "t", "meta.next"),
        ("token", "data", "t", "/next"),
        ("token", "/data", "", "/next"),
        ("token", "/data", "t", ""),
        ("page", "/data"),
        ("offset", ""),
        ("lastId", ""),
        ("url", "/data"),
        ("page", "", "page", "", "has_more"),
    ],
)
def test_declarations_that_lose_pages(declaration: Any) -> None:
    """A declaration by which a list would end after its first page, or never, is refused at
    once.
    """
    with pytest.raises(ValueError, match=r"JSON Pointer|need|declare one"):
        Pages(*declaration)


@pytest.mark.parametrize(
    ("pages", "word"),
    [
        ({"kind": "token", "response": "/n", "absentEnds": True}, "absentEnds"),
        ({"kind": "token", "response": "/n", "emptyEnds": True}, "emptyEnds"),
        ({"kind": "page", "totalEnds": True, "total": "/n"}, "totalEnds"),
        ({"kind": "offset", "lastHeader": "X-Last"}, "lastHeader"),
        ({"kind": "page", "step": "/limit", "more": "/m"}, "step"),
        ({"kind": "page", "most": 5}, "most"),
        ({"kind": "token"}, "response"),
        ({"kind": "token", "response": "/n", "header": "X-Next"}, "header"),
        ({"kind": "page", "ends": [400]}, "ends"),
    ],
)
def test_words_that_pages_of_a_kind_do_not_have(pages: Any, word: str) -> None:
    """Manifests, overlays and code are judged by one rule; the message has the manifest's word."""
    with pytest.raises(ValueError, match=f"'{word}'"):
        Pages.bound({"items": "/data", "input": "at", **pages})
    options = {
        argument(name): value for name, value in pages.items() if name not in ("kind", "response")
    }
    with pytest.raises(ValueError, match=argument(word) if word != "response" else "next"):
        Pages(
            pages["kind"],
            "/data",
            "at",
            pages.get("response", ""),
            **{**options, "ends": ends_of(options.get("ends", ()))},
        )


JOB = Job("/state", done=("done",), failed=("failed",))


def test_a_job_is_polled() -> None:
    """A job is polled until it is done, at the pace that the server asks for."""
    clock = StillClock()
    busy = {"state": "busy"}
    script = [
        Answer({"id": "j1"}),
        Answer(busy),
        Answer(busy, headers={"Retry-After": "7"}),
        Answer({"state": "done"}),
    ]
    with (
        Provider(script) as provider,
        attempt(provider.url, clock=clock, seconds=60) as (api, call),
    ):
        handle = api.post("/jobs").json("/id")
        assert JOB.wait(api, "/jobs/{id}", {"id": handle}).json("/state") == "done"
        assert call.deadline.remaining() == pytest.approx(60 - 1 - 7, abs=0.1)


def test_a_job_that_fails() -> None:
    """The reason of a job that failed is in its error."""
    script = [Answer({"state": "failed", "message": "out of paper"})]
    with (
        Provider(script) as provider,
        attempt(provider.url) as (api, _),
        pytest.raises(Rejected, match="'failed': out of paper"),
    ):
        JOB.wait(api, "/jobs/{id}", {"id": "j1"})


def test_a_job_outlives_the_deadline(clock: FakeClock) -> None:
    """Shortly before the deadline the job is left alone; a queued invocation goes on later."""
    with (
        Provider([Answer({"state": "busy"})]) as provider,
        attempt(provider.url, Acme, clock=clock, seconds=5) as (api, _),
    ):
        with pytest.raises(NotYet) as found:
            JOB.wait(api, "/jobs/{id}", {"id": "j1"})
        assert 2 <= len(provider.requests) <= 4
    assert found.value.within == 86_400
