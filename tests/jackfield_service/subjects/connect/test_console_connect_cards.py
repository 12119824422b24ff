"""The cards of a connect session: one for each connector, with an icon, a search where there are
many, and the platform's pictures.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.subjects.connect.connect_browser import Person

from http_stand import SETTINGS, Client, Stand, standing
from jackfield.kernel.clock import SystemClock
from jackfield_store.access.images import image_fault
from plugboard import plugged

BASE = "/v1/workspaces/acme-1/connect-sessions"
PICTURE = "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'>"
MANY = [f"made{letter}" for letter in "abcdefgh"]


def _make(packages: Path, key: str, **more: Any) -> None:
    """Write a connector without code, which has a type with one field, and ``more`` in its
    manifest.
    """
    package = packages / f"jackfield_{key}"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    schema = {
        "type": "object",
        "required": ["token"],
        "additionalProperties": False,
        "properties": {
            "token": {"type": "string", "title": "Token", "writeOnly": True, "format": "password"}
        },
    }
    kind = {
        "key": "token",
        "title": "Token",
        "description": "A token.",
        "auth": "bearer",
        "schema": schema,
        "setup": "",
    }
    manifest = {
        "manifestVersion": 1,
        "key": key,
        "title": f"System {key[-1].upper()}",
        "description": "A system.",
        "version": "1.0.0",
        "connectionTypes": [kind],
        "actions": [],
        "optionSources": [],
        **more,
    }
    (package / "connector.json").write_text(json.dumps(manifest))
    about = packages / f"jackfield_{key}-1.0.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: jackfield-{key}\nVersion: 1.0.0\n"
    )
    (about / "entry_points.txt").write_text(
        f"[jackfield.connectors]\n{key} = jackfield_{key}:connector\n"
    )


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with eight more systems, and a tenant."""
    folder: Path = tmp_path_factory.mktemp("cards")
    for key in MANY:
        _make(folder / "packages", key)
    for key, length in (("smalli", 1_400), ("largej", 2_000)):
        _make(folder / "packages", key, icon=f"{PICTURE}<path d='{'M0 0h8'.ljust(length)}'/></svg>")
    with plugged(folder / "packages"), standing(folder, SETTINGS, clock=SystemClock()) as found:
        yield found


@pytest.fixture(scope="module")
def platform(stand: Stand) -> Client:
    """Its platform."""
    return stand.platform()


def chosen(stand: Stand, platform: Client, **body: Any) -> Person:
    """Somebody at the choice of a system."""
    answer = platform.post(BASE, {"verify": "link", **body})
    assert answer.status == 201, answer.body
    return Person(stand.port).go(answer.json["url"]).begin()


def cards_of(person: Person) -> list[str]:
    """Texts of the cards of a page."""
    return [
        re.sub(r"<[^>]*>", "", card)
        for card in re.findall(r'<li class="card">.*?</h2>', person.text, re.DOTALL)
    ]


def test_a_connector_is_one_card(stand: Stand, platform: Client) -> None:
    """With its own icon, and a button for each way to sign in, the easiest first; one way is the
    card's own button.
    """
    person = chosen(
        stand,
        platform,
        types=["github/accessToken", "slack/botToken", "github/oauth"],
        defaults={"values": {"clientId": "c"}},
    )
    assert cards_of(person) == ["GitHub", "Slack"]
    assert person.text.count('<img src="data:image/svg+xml') == 2
    assert (
        'aria-label="GitHub: Access token"' in person.text,
        'aria-label="GitHub: Sign in with GitHub"' in person.text,
    ) == (True, True)
    assert "Connect Slack" in person.press("Slack").said


def test_a_connector_and_its_family_are_one_card(stand: Stand, platform: Client) -> None:
    """SES takes the accounts of AWS, and SMTP: one card, in whatever order and under which of their
    names a session has them.
    """
    for types in (["aws-ses/smtp", "aws/apiKeySecret"], ["aws/awsRolesAnywhere", "aws-ses/smtp"]):
        assert cards_of(chosen(stand, platform, types=types)) == ["AAmazon Web Services"]
    assert cards_of(chosen(stand, platform, types=["aws-ses/smtp", "aws-ses/apiKeySecret"])) == [
        "Amazon SES"
    ]


def test_a_heavy_icon_stands_alone(stand: Stand, platform: Client) -> None:
    """Among many cards a connector with one has its letter; its own page has the icon."""
    for key, letter in (("smalli", ""), ("largej", "S")):
        person = chosen(stand, platform, types=[f"{key}/token", "echo/token"])
        assert cards_of(person)[0] == f"{letter}System {key[-1].upper()}"
        assert 'src="data:image/svg+xml' in person.press(f"System {key[-1].upper()}").text


def test_many_systems_are_searched(stand: Stand, platform: Client) -> None:
    """Above eight cards there is a search by names and by what is said of them."""
    few = chosen(stand, platform, types=[f"{key}/token" for key in MANY])
    assert (len(cards_of(few)), 'type="search"' in few.text) == (8, False)
    many = chosen(stand, platform)
    assert len(cards_of(many)) > 8
    assert 'type="search"' in many.text
    session = many.visited[-1]
    for words, found in (
        ("system c", ["SSystem C"]),
        ("amazon role", ["AAmazon Web Services"]),
        ("nothing-like-it", []),
    ):
        assert cards_of(many.go(f"{session}?q={words.replace(' ', '+')}")) == found
    assert "No system matches." in many.said


def test_a_platform_brings_pictures(stand: Stand, platform: Client) -> None:
    """By connector, on its card and on its form; the page's policy lets no image load anything
    else.
    """
    picture = "data:image/png;base64,iVBORw0KGgo="
    person = chosen(
        stand, platform, types=["slack/botToken", "aws/apiKeySecret"], icons={"slack": picture}
    )
    assert (person.text.count(picture), "icon letters" in person.text) == (1, True), (
        "a family has no icon of its own"
    )
    assert picture in person.press("Slack").text
    assert person.page is not None
    assert "img-src 'self' data:;" in person.page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("icons", "path"),
    [
        ([], "/icons"),
        ({"slack": "https://shop.example/logo.png"}, "/icons/slack"),
        ({"slack": "data:image/gif;base64,AAAA"}, "/icons/slack"),
        ({"slack": 1}, "/icons/slack"),
        ({"slack": f"data:image/png;base64,{'A' * 12_000}"}, "/icons/slack"),
        ({f"c{number}": f"data:image/png;base64,{'A' * 11_000}" for number in range(11)}, "/icons"),
        ({f"c{number}": "data:image/png;base64,AAAA" for number in range(51)}, "/icons"),
    ],
)
def test_pictures_are_bounded(platform: Client, icons: Any, path: str) -> None:
    """In their number, their size, and their kind."""
    answer = platform.post(BASE, {"verify": "link", "icons": icons})
    assert (answer.status, path in [item["path"] for item in answer.json["details"]]) == (400, True)


def _svg(inner: str) -> str:
    text = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 8 8">{inner}</svg>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    "inner",
    [
        "<script>alert(1)</script>",
        "<svg:script/>",
        '<path onload="x()"/>',
        "<path\nonclick = 'x()'/>",
        '<a href="javascript:x()"/>',
        '<image href="https://evil.example/x"/>',
        "<use xlink:href = '//evil.example/x#y'/>",
        "<foreignObject/>",
        "<animate attributeName='x'/>",
        "<style>@import 'x';</style>",
        "<rect fill='url(https://evil.example/x)'/>",
        "<a href='&#106;avascript:x()'/>",
        "<style>rect { background: u\\72l(//evil.example) }</style>",
    ],
)
def test_an_svg_that_does_something_is_refused(platform: Client, inner: str) -> None:
    """As a picture of a session and as the logo of a theme."""
    answer = platform.post(
        BASE, {"verify": "link", "icons": {"slack": _svg(inner)}, "theme": {"logo": _svg(inner)}}
    )
    assert [item["path"] for item in answer.json["details"]] == ["/icons/slack", "/theme/logo"]


@pytest.mark.parametrize(
    "inner",
    [
        "<path d='M0 0h8v8z'/>",
        "<defs><g id='a'/></defs><use href='#a'/>",
        "<rect fill='url(#a)'/>",
        "<style>rect { fill: red }</style>",
    ],
)
def test_an_svg_that_only_draws_is_taken(inner: str) -> None:
    """With references to its own parts."""
    assert image_fault(_svg(inner), 12_000) is None
    assert image_fault("data:image/svg+xml;base64,/w==", 12_000) is not None  # no UTF-8
