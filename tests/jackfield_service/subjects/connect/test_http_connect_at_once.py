"""A link whose person enters one value asks for it at once: opening it spends nothing, and one
press begins and brings the value.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.subjects.connect.connect_browser import Person

from http_stand import SETTINGS, Client, Stand, standing
from jackfield.kernel.clock import SystemClock
from jackfield.testing import Answer, Provider
from jackfield_service.subjects.connect.operations import connecting

BASE = "/v1/workspaces/acme-1/connect-sessions"
KEY = "k-4711-of-the-hall"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with a tenant."""
    folder: Path = tmp_path_factory.mktemp("at-once")
    with standing(folder, SETTINGS, clock=SystemClock()) as found:
        yield found


@pytest.fixture(scope="module")
def platform(stand: Stand) -> Client:
    """Its platform."""
    return stand.platform()


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider that takes every key."""
    with Provider(lambda _number, _request: Answer({"id": "ada"}, 200)) as found:
        yield found


def begin(platform: Client, provider: Provider, **body: Any) -> dict[str, Any]:
    """Begin a session whose person enters an API key."""
    values = {"server": provider.url, "testPath": "/me"}
    answer = platform.post(
        BASE, {"verify": "link", "types": ["http/apiKey"], "defaults": {"values": values}, **body}
    )
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json
    return found


def test_one_press_begins_and_brings_the_value(
    stand: Stand, platform: Client, provider: Provider
) -> None:
    """Whoever opens the link before, a scanner of mail or a preview, leaves it as it was. The key
    is kept, and tried when the browser has come with the secret that the press has given it.
    """
    begun = begin(platform, provider)
    for _ in range(3):
        assert 'name="value.apiKey"' in Person(stand.port).go(begun["url"]).text
    assert platform.get(f"{BASE}/{begun['id']}").json["status"] == "pending"
    ada = Person(stand.port).go(begun["url"])
    assert (
        "Go on only if you came here" in ada.said,
        "enter encrypted" in ada.said,
        "Begin" in ada.said,
    ) == (True, True, False)
    ada.press("Continue", apiKey=KEY)
    assert (ada.visited[-1], provider.requests) == (f"/connect/session/{begun['id']}?onward=1", [])
    assert ("data-begins" in ada.text, KEY in ada.text) == (True, False)
    ada.press("Continue")
    assert "Signed in as " in ada.said
    ada.press("Connect")
    assert platform.get(f"{BASE}/{begun['id']}").json["status"] == "granted"


def test_the_press_is_the_browsers_that_saw_the_link(
    stand: Stand, platform: Client, provider: Provider
) -> None:
    """A form of somebody else's page, or without the page's token, brings nothing; who comes later
    than another is told.
    """
    begun = begin(platform, provider)
    eve = (
        Person(stand.port)
        .go(begun["url"])
        .send(
            f"/connect/{begun['url'].rpartition('/')[2]}",
            {"step": "submit", "value.apiKey": "eves"},
        )
    )
    assert connecting(stand.host, "acme-1").find(begun["id"]).values == {}
    ada, late = Person(stand.port).go(begun["url"]), Person(stand.port).go(begun["url"])
    ada.press("Continue", apiKey=KEY)
    late.press("Continue", apiKey="lates")
    assert "opened in another browser" in late.said
    assert connecting(stand.host, "acme-1").find(begun["id"]).values["apiKey"] == KEY
    assert "apiKey" not in eve.visited[-1]


def test_a_value_that_is_missing_is_asked_for_at_its_field(
    stand: Stand, platform: Client, provider: Provider
) -> None:
    """Once, and in the session that has begun by then."""
    begun = begin(platform, provider)
    ada = Person(stand.port).go(begun["url"]).press("Continue", apiKey="   ")
    assert (ada.said.count("Enter a value."), 'aria-invalid="true"' in ada.text) == (1, True)
    ada.press("Continue", apiKey=KEY)
    assert "Signed in as " in ada.said


@pytest.mark.parametrize(
    ("types", "more"),
    [
        (["http/basic"], {}),
        (["http/apiKey", "http/bearer"], {}),
        (["aws-ses/smtp"], {"values": {}}),
    ],
)
def test_where_there_is_more_to_do_a_press_begins(
    stand: Stand, platform: Client, provider: Provider, types: list[str], more: dict[str, Any]
) -> None:
    """Of several fields, or several systems, the link shows none."""
    person = Person(stand.port).go(
        begin(platform, provider, types=types, **({"defaults": more} if more else {}))["url"]
    )
    assert ('name="value.' in person.text, ">Begin<" in person.text) == (False, True)
