"""A session that manages connections is about those of its user: whoever else's there are, he
neither sees nor changes them.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.jackfield_service.subjects.connect.connect_attacked import BASE, Attacked
from tests.jackfield_service.subjects.connect.connect_browser import Person

pytest_plugins = ["tests.jackfield_service.subjects.connect.connect_place"]

LISTED = "/v1/workspaces/acme-1/connections"


def key_of(site: Attacked, user: str, name: str) -> None:
    """Connect an account with a key for a user, whose token is the user's name."""
    values = {"server": site.provider.url, "testPath": "/me"}
    session = site.begin(
        user=user, types=["http/bearer"], connection=name, defaults={"values": values}
    )
    person = (
        Person(site.stand.port)
        .go(session["url"])
        .begin()
        .press("Continue", token=f"{user}s-token")
        .press("Connect")
    )
    assert (
        site.confirm(session, parse_qs(urlsplit(person.onward()).query)["proof"][0], user).status
        == 200
    )


def managing(site: Attacked, user: str, **body: Any) -> Person:
    """Somebody who has opened the list."""
    session = site.begin(
        mode="manage", user=user, types=[], defaults={}, **{"connection": "", **body}
    )
    return Person(site.stand.port).go(session["url"]).begin()


def refused(site: Attacked, **body: Any) -> tuple[int, str]:
    """Status and place of the fault of a session that is not created."""
    answer = site.platform.post(BASE, {"returnTo": "https://shop.example/back", **body})
    return answer.status, answer.json["details"][0]["path"] if answer.status == 400 else ""


def test_a_user_sees_his_own(site: Attacked) -> None:
    """In the list, each user has what he has connected. All are shown where the platform asks for
    that.
    """
    for user in ("adas", "bobs"):
        key_of(site, user, f"of-{user}")
    site.stand.host.runtime("acme-1").connections.add(
        "ours", "http/bearer", {"server": site.provider.url, "token": "t"}, test=False
    )
    assert [managing(site, user).said.count("Disconnect") for user in ("adas", "bobs", "eves")] == [
        1,
        1,
        0,
    ]
    assert ("adass" in managing(site, "adas").said, "bobss" in managing(site, "adas").said) == (
        True,
        False,
    )
    assert managing(site, "adas", allConnections=True).said.count("Disconnect") == 3
    assert (
        "You have not connected an account yet. The Shop is where you connect one."
        in managing(site, "eves").said
    )
    rows = {row["name"]: row.get("user") for row in site.platform.get(LISTED).json["items"]}
    assert rows == {"of-adas": "adas", "of-bobs": "bobs", "ours": None}
    assert [row["name"] for row in site.platform.get(f"{LISTED}?user=bobs").json["items"]] == [
        "of-bobs"
    ]


@pytest.mark.parametrize("step", ["again", "remove"])
def test_a_form_of_ones_own_changes_no_other_users(site: Attacked, step: str) -> None:
    """Whoever posts another user's connection learns no more than whoever posts one that is not
    there: that no page has shown it.
    """
    key_of(site, "adas", "of-adas")
    key_of(site, "bobs", "of-bobs")
    person = managing(site, "adas")
    csrf = person.text.split('name="csrf" value="')[1].split('"')[0]
    address = next(path for path in person.visited if "/session/" in path)
    for name in ("of-bobs", "nothing"):
        person.send(address, {"csrf": csrf, "step": step, "connection": name})
        assert (
            "This has changed since its page was opened" in person.said,
            "bobs" in person.said,
        ) == (True, False)
    assert sorted(site.stored()) == ["of-adas", "of-bobs"]


def test_a_connection_of_another_user_is_not_named(site: Attacked) -> None:
    """A platform that names one by mistake, such as from an address, is refused, unless it says
    that all are meant.
    """
    key_of(site, "bobs", "of-bobs")
    for mode in ("reauth", "manage"):
        asked = {"mode": mode, "connection": "of-bobs"}
        assert refused(site, user="adas", **asked) == (400, "/connection")
        assert refused(site, verify="link", **asked) == (400, "/connection")
        assert refused(site, user="adas", allConnections=True, **asked) == (201, "")
        assert refused(site, user="bobs", **asked) == (201, "")
    assert refused(site, verify="link", mode="manage") == (400, "/user")
    assert refused(site, verify="link", mode="manage", allConnections=True) == (201, "")


def test_a_connection_of_nobody_becomes_the_users(site: Attacked) -> None:
    """One that the platform has made is connected again by name, and is that user's from then on; a
    session about all takes it from nobody, and gives it to nobody.
    """
    values = {"server": site.provider.url, "token": "old-token", "testPath": "/me"}
    site.stand.host.runtime("acme-1").connections.add("ours", "http/bearer", values, test=False)
    for user, all_, owner in (
        ("adas", True, None),
        ("adas", False, "adas"),
        ("bobs", True, "adas"),
    ):
        session = site.begin(
            mode="reauth",
            user=user,
            types=[],
            defaults={},
            connection="ours",
            allConnections=all_,
            allowOtherAccount=True,
        )
        person = (
            Person(site.stand.port)
            .go(session["url"])
            .begin()
            .press("Continue", token="new-token")
            .press("Connect")
        )
        assert (
            site.confirm(
                session, parse_qs(urlsplit(person.onward()).query)["proof"][0], user
            ).status
            == 200
        )
        assert site.platform.get(LISTED).json["items"][0].get("user") == owner


def test_a_name_that_is_another_users_by_now_is_not_changed(site: Attacked) -> None:
    """Between the list and its end, the connection was removed, and another user has connected one
    of that name.
    """
    key_of(site, "adas", "main")
    session = site.begin(mode="manage", user="adas", types=[], defaults={}, connection="")
    person = Person(site.stand.port).go(session["url"]).begin().press("Disconnect")
    site.stand.host.runtime("acme-1").connections.remove("main")
    key_of(site, "bobs", "main")
    assert "This has changed since its page was opened" in person.press("Disconnect").said
    assert "There is no connection" in person.press("Disconnect").said
    assert (site.stored(), site.platform.get(LISTED).json["items"][0]["user"]) == (["main"], "bobs")
