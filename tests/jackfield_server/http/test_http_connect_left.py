"""A person who leaves half-way, and begins again: the platform asks for the same connection, and is not told that it exists."""

from __future__ import annotations

from tests.jackfield_server.http.connect_attacked import BASE, TYPE, Attacked

pytest_plugins = ["tests.jackfield_server.http.connect_place"]


def test_the_same_user_begins_again(site: Attacked) -> None:
    """The earlier session ends, with the connection that waited for its approval; the new one connects, and its link alone counts."""
    left = site.begin()
    _, state = site.at_provider(left)
    assert site.stored() == ["main"]
    again = site.begin()
    assert (site.status(left), site.status(again)) == ("failed", "pending")
    assert site.platform.get(f"{BASE}/{left['id']}").json["reason"] == "the same user has begun again"
    _, proof = site.approved(again)
    assert site.confirm(again, proof).status == 200
    assert site.connected() == "ada"
    assert site.answered(site.at_provider(site.begin(connection="other"))[0], state, "adas-code").page is not None
    assert site.status(left) == "failed"


def test_another_user_is_told_who_is_in_the_way(site: Attacked) -> None:
    """The name is not taken from under somebody else; the platform can end that session."""
    left = site.begin()
    site.at_provider(left)
    asked = {"user": "grace", "returnTo": "https://shop.example/back", "types": [TYPE], "connection": "main"}
    refused = site.platform.post(BASE, asked)
    assert (refused.status, refused.json["details"][0]["path"], left["id"] in refused.json["hint"]) == (409, "/connection", True)
    assert site.status(left) == "testing"


def test_a_connected_account_is_not_taken(site: Attacked) -> None:
    """What was approved and confirmed exists, whoever asks again."""
    begun = site.begin()
    _, proof = site.approved(begun)
    assert site.confirm(begun, proof).status == 200
    refused = site.platform.post(BASE, {"user": "ada", "returnTo": "https://shop.example/back", "types": [TYPE], "connection": "main"})
    assert (refused.status, "'reauth'" in refused.json["hint"]) == (409, True)
    assert site.connected() == "ada"
