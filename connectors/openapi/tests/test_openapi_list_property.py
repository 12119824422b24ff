"""Lists of a made-up provider in many shapes, with faults: what is called complete is compared with
what the provider holds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.catalog import Catalog
from jackfield.retry import Backoff
from jackfield.testing import Answer, Provider, Request
from list_shapes import BASE, HARMLESS, SHAPES, Listed, drawn, listing_document, shown
from openapi_rig import generate
from plugboard import declare, make_connector, plugged

_AUTHORS = '''
from jackfield.connector import Connector, Field, Output
from jackfield_http import BearerToken, HttpClient, PageInputs, Pages

from list_shapes import SHAPES

_PAGES = Pages.link().pagination("items")


class Account(BearerToken):
    """An account."""

    key = "account"
    title = "Account"


class Asked(PageInputs):
    """Which list."""

    number: int = Field(title="Number")


class Page(Output):
    """A page."""

    items: list[dict]
    next_token: str | None = Field(None, alias="nextToken")


connector = Connector("authors", title="Authors", version="1.0.0", connections=[Account])


@connector.action("list", effect="read", pagination=_PAGES)
def fetch(asked: Asked, api: HttpClient) -> Page:
    """Return a list."""
    about = dict(SHAPES[asked.number].pages)
    kind, items = about.pop("kind"), about.pop("items", "")
    page = Pages(kind, items, **{"first": int(kind == "page"), **about}).fetch(api, f"/{asked.number}", asked)
    return Page(items=page.items, next_token=page.next)
'''
_SIZE = 100


@dataclass
class Stand:
    """A provider, another server to which nothing may go, and a runtime with three ways to ask for
    a list.
    """

    jackfield: Jackfield
    provider: Provider
    elsewhere: Provider
    listed: Listed | None = None

    def answer(self, request: Request) -> Any:
        """Answer for the list that is being tried."""
        assert self.listed is not None
        return self.listed.answer(request)


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """All lists as a generated connector, as an author's, and for ``http.request``; retries do not
    wait.
    """
    folder = tmp_path_factory.mktemp("lists")
    key = generate(folder, listing_document())["key"]
    declare(
        folder / "made",
        f"jackfield-{key}",
        "jackfield.connectors",
        {key: f"jackfield_{key.replace('-', '_')}:http"},
    )
    make_connector(folder / "own", "authors", _AUTHORS)
    stand: list[Stand] = []
    with (
        pytest.MonkeyPatch.context() as patch,
        Provider(lambda _, request: stand[0].answer(request)) as provider,
    ):
        patch.setattr(Backoff, "wait", lambda *_: 0.0)
        values = {"server": provider.url + BASE, "token": "t-4711"}
        kinds = {"acme": f"{key}/key", "authors": "authors/account", "http": "http/bearer"}
        connections = {name: {"type": kind, "values": values} for name, kind in kinds.items()}
        with (
            Provider([Answer({"data": [{"id": "elsewhere"}]})]) as elsewhere,
            plugged(folder / "made", folder / "own"),
            Jackfield(
                connections=[{"connections": connections}],
                catalog=Catalog.installed(),
                database_url="none",
            ) as jackfield,
        ):
            stand.append(Stand(jackfield, provider, elsewhere))
            yield stand[0]


def _called(way: str, listed: Listed) -> dict[str, Any]:
    shape, number = listed.shape, listed.number
    if way == "acme":
        return {"connector": "acme", "action": f"list{number}", "inputs": {}}
    if way == "authors":
        return {"connector": "authors", "action": "list", "inputs": {"number": number}}
    return {
        "connector": "http",
        "action": "request",
        "inputs": {"url": f"/{number}", "pages": dict(shape.pages)},
    }


def _read(stand: Stand, way: str, listed: Listed, *, whole: bool) -> tuple[Any, list[Any]]:
    """Read a list in one call or page by page; return the last result and all items."""
    call, found = _called(way, listed), list[Any]()
    inputs = {**call["inputs"], **({"fetchAll": True} if whole else {})}
    for _ in range(40):
        result = stand.jackfield.invoke({**call, "connection": way, "inputs": inputs})
        if result.status != "succeeded":
            return result, found
        output = result.unwrap()
        place = ("items" if way != "acme" else listed.shape.items.strip("/")) or "items"
        found += output.get(place) or []
        if whole or not result.meta.next:
            break
        inputs = {**inputs, **result.meta.next}
    return result, found


def _tried(stand: Stand, seed: int, turn: int) -> str | None:
    """Read one list; return what is wrong with the result."""
    choose = random.Random(f"{seed}/{turn}")
    listed = stand.listed = drawn(
        choose, stand.provider.url + BASE, stand.elsewhere.url, turn % len(SHAPES)
    )
    way = "acme" if listed.shape.by_post else choose.choice(["acme", "http", "authors"])
    result, found = _read(stand, way, listed, whole=choose.random() < 0.7)
    complete = result.status == "succeeded" and result.meta.complete is True
    if complete and found != listed.items:
        return f"{way} lacks items: {found} {shown(listed, result)}"
    if listed.astray or stand.elsewhere.requests:
        return f"{way} sent elsewhere: {shown(listed, result)}"
    if listed.fault in HARMLESS and listed.shape.ends_truly and not complete:
        return f"{way} is not complete: {found} {shown(listed, result)}"
    if (
        result.status == "succeeded"
        and result.meta.complete is not True
        and not result.meta.warnings
        and not result.meta.next
    ):
        return f"{way} gives no reason: {shown(listed, result)}"
    return None


@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=() if seed < 5 else pytest.mark.campaign) for seed in range(100)],
)
def test_a_complete_list_lacks_nothing(stand: Stand, seed: int) -> None:
    """What is called complete has all that the provider holds; no request goes elsewhere; a list
    without a lasting fault is complete; one that is not has a reason or a way on.
    """
    faults = [fault for turn in range(_SIZE) if (fault := _tried(stand, seed, turn)) is not None]
    assert not faults, "\n".join(faults)
