"""Before anything is entered, a connect page says what is asked for, who keeps it, how long there
is for it, and whom else to ask.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.subjects.connect.connect_browser import Person

from http_stand import SETTINGS, Client, Stand, standing
from jackfield.kernel.clock import SystemClock

BASE = "/v1/workspaces/acme-1/connect-sessions"
SHOP = {"name": "The Shop"}
KEYS = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMIexample",
    "region": "eu-central-1",
}
USER = "arn:aws:iam::111122223333:user/shop"
ROLE = {
    "types": ["aws-ses/awsAssumeRole"],
    "connection": "mail",
    "principal": USER,
    "defaults": {"values": KEYS, "locked": [*KEYS]},
}
CLIENT = {"clientId": "c", "clientSecret": "a-secret-of-the-shop"}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with a tenant."""
    folder: Path = tmp_path_factory.mktemp("facts")
    with standing(folder, SETTINGS, clock=SystemClock()) as found:
        yield found


@pytest.fixture(scope="module")
def platform(stand: Stand) -> Client:
    """Its platform."""
    return stand.platform()


def seen(stand: Stand, platform: Client, **body: Any) -> Person:
    """Somebody who has opened the link of a session."""
    answer = platform.post(BASE, {"verify": "link", "theme": SHOP, **body})
    assert answer.status == 201, answer.body
    return Person(stand.port).go(answer.json["url"])


@pytest.mark.parametrize(
    ("lasts", "text"),
    [
        (60, "one minute"),
        (1800, "30 minutes"),
        (5400, "90 minutes"),
        (7200, "2 hours"),
        (86_400, "24 hours"),
    ],
)
@pytest.mark.parametrize(
    "types",
    [["stripe/secretKey"], ["stripe/secretKey", "slack/botToken"], ["github/oauth"]],
    ids=len,
)
def test_a_page_says_how_long_it_works(
    stand: Stand, platform: Client, types: list[str], lasts: int, text: str
) -> None:
    """On the first page, whichever that is."""
    values = {"values": CLIENT} if types == ["github/oauth"] else {}
    assert (
        f"You have {text} for this."
        in seen(stand, platform, types=types, expiresIn=lasts, defaults=values).said
    )


@pytest.mark.parametrize(
    ("asked", "rights", "asks"),
    [
        (
            {"actions": ["stripe/createCustomer", "createRefund"]},
            "It needs these rights: customers: write, refunds: write; and balance",
            False,
        ),
        (
            {"calls": [{"action": "stripe/getBalance"}]},
            "It needs these rights: balance: read.",
            False,
        ),
        ({"actions": ["stripe/*"]}, "To be tested here, it needs the right balance: read.", True),
        ({}, "To be tested here, it needs the right balance: read.", True),
    ],
    ids=["actions", "call", "pattern", "nothing"],
)
def test_the_rights_of_a_key_are_named(
    stand: Stand, platform: Client, asked: dict[str, Any], rights: str, *, asks: bool
) -> None:
    """Those of the calls that the platform names, and of the test; of others, the platform is who
    can tell. It keeps the key: no host.
    """
    person = seen(stand, platform, types=["stripe/secretKey"], **asked)
    assert (rights in person.said, "The Shop can tell you which rights" in person.said) == (
        True,
        asks,
    ), person.said
    assert (
        "The Shop stores what you enter encrypted" in person.said,
        "127.0.0.1" in person.said,
    ) == (True, False)


def test_no_rights_are_named_where_an_action_declares_none(stand: Stand, platform: Client) -> None:
    """The echo's say nothing of them; of a key of AWS, the policy is beside the fields."""
    assert "rights:" not in seen(stand, platform, types=["echo/token"], actions=["echo/say"]).said
    person = seen(
        stand, platform, types=["aws-ses/apiKeySecret"], actions=["aws-ses/sendEmail"]
    ).begin()
    assert (
        "Permissions that are needed" in person.said,
        "It needs these rights" in person.said,
    ) == (True, False)


@pytest.mark.parametrize(
    ("scopes", "locale", "text"),
    [
        (
            "repo read:user",
            "en",
            (
                "GitHub will ask you to allow this: read and change your repositories, also "
                "private ones; read your profile."
            ),
        ),
        (
            "repo",
            "de",
            (
                "GitHub fragt Sie, ob Sie dies erlauben: Ihre Repositorys lesen und ändern, auch "
                "private."
            ),
        ),
        ("repo site_admin", "en", "also private ones; site_admin."),
        ("", "en", "GitHub shows you what it allows before you approve."),
    ],
)
def test_an_approval_names_its_scopes(
    stand: Stand, platform: Client, scopes: str, locale: str, text: str
) -> None:
    """In words, as far as there are any; with the host at which it is given, and without one of
    ours.
    """
    person = seen(
        stand,
        platform,
        types=["github/oauth"],
        locale=locale,
        defaults={"values": {**CLIENT, "scopes": scopes}},
    )
    assert text in person.said
    assert ("github.com" in person.said, "127.0.0.1" in person.said) == (True, False)


def test_an_oauth_client_brings_its_scopes(stand: Stand, platform: Client) -> None:
    """Those that the connection does not narrow; of OpenID Connect they have words, and one is
    always there.
    """
    url = "https://login.example.com"
    values = {
        "clientId": "c",
        "clientSecret": "a-secret-of-the-shop",
        "authorizationUrl": f"{url}/authorize",
        "tokenUrl": f"{url}/token",
        "issuer": url,
        "server": "https://api.example.com",
        "scopes": ["profile", "offline_access", "files.read"],
    }
    operator = stand.client("manage")
    made = operator.post("/v1/oauth-clients", {"name": "people", "values": values})
    assert made.status == 201, made.body
    person = seen(
        stand,
        platform,
        types=["http/openIdConnect"],
        defaults={"values": {"oauthClient": "people"}},
    )
    assert (
        "to allow this: see who you are; see your name and profile; stay connected while you "
        "are away; files.read."
    ) in person.said


def test_a_role_is_prepared_before_it_is_begun(stand: Stand, platform: Client) -> None:
    """What it takes, and for whom there is a text, stands on the first page."""
    person = seen(stand, platform, actions=["sendEmail"], **ROLE)
    for text in (
        "an AWS user who may create IAM roles",
        "five minutes",
        "has a text for somebody who has",
        "You have 30 minutes",
    ):
        assert text in person.said
    assert "The Shop keeps the role's ARN alone" in person.said


@pytest.mark.parametrize(
    ("locale", "begins", "ends"),
    [
        ("en", "The Shop asks us", "delete the stack."),
        ("de", "The Shop bittet uns", "lösche den Stack."),
    ],
)
def test_an_administrator_is_asked_by_a_text(
    stand: Stand, platform: Client, locale: str, begins: str, ends: str
) -> None:
    """It says what to do, in which region, and what to send back; it has no secret, and nothing
    that leads into the session.
    """
    person = seen(stand, platform, actions=["sendEmail"], locale=locale, **ROLE).begin()
    found = re.search(rf"<code>({begins}.*?)</code>", person.text, re.DOTALL)
    assert found is not None, person.said
    text = unescape(re.sub(r"<[^>]*>", "", found[1]))
    told = (
        "eu-central-1",
        "stacks/create/template",
        "The-Shop-mail.json",
        "RoleArn",
        USER,
        "ses:SendEmail, ses:SendRawEmail, ses:GetAccount",
    )
    assert ([part for part in told if part not in text], text.endswith(ends)) == ([], True)
    session = next(path for path in person.visited if "/session/" in path).rpartition("/")[2]
    kept = (
        KEYS["secretAccessKey"],
        KEYS["accessKeyId"],
        session,
        "/connect",
        *person.cookies.values(),
    )
    assert [part for part in kept if part in text] == []
