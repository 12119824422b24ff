"""The account that a person is about to connect: it is named before anything is finished, where the
person is, and one step leads on.
"""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.jackfield_service.subjects.connect.connect_attacked import (
    BASE,
    Attacked,
    begun_by,
    code_of,
    nonce_of,
    sent,
    start_of,
    state_at,
)
from tests.jackfield_service.subjects.connect.connect_browser import Person

from jackfield.kernel.errors import Unavailable
from jackfield_store.management.authorizing import Authorizing

pytest_plugins = ["tests.jackfield_service.subjects.connect.connect_place"]

OWNED: dict[str, Any] = {"types": ["owners/approved"]}
FRAMED = {"origins": ["https://shop.example"]}
ADA = "Connect ada to The Shop?"


def leading(person: Person) -> int:
    """How many buttons and links of a page are its main one, those that are hidden left out."""
    return sum(
        "hidden" not in tag
        for tag in re.findall(r"<(?:a|button)\b[^>]*\bclass=\"[^\"]*\bprimary\b[^>]*>", person.text)
    )


def test_a_page_names_the_account_before_it_is_finished(site: Attacked) -> None:
    """The browser that came back sees whose account it is, with one button that leads on; nobody is
    connected yet.
    """
    begun = site.begin(**OWNED)
    ada, state = site.at_provider(begun)
    ada = site.answered(ada, state, "adas-code")
    ada.go(ada.onward())
    assert (ADA in ada.said, leading(ada), site.codes(), site.status(begun)) == (
        True,
        1,
        1,
        "testing",
    )
    ada.press("Connect")
    assert leading(ada) == 1
    assert site.confirm(begun, parse_qs(urlsplit(ada.onward()).query)["proof"][0]).status == 200
    assert (site.connected("owners"), site.codes()) == ("ada", 1)


def test_a_frame_names_the_account_that_its_window_has_approved(site: Attacked) -> None:
    """Both name it; the window finishes, and what the frame offers instead is no second main
    button. The state that the frame follows changes when the account is known.
    """
    begun, frame, start = begun_by(site, **OWNED, **FRAMED)
    window = sent(Person(site.stand.port).go(start), nonce=nonce_of(frame))
    back = site.answered(window, state_at(window), "adas-code")
    back.go(back.onward())
    frame.go(f"/connect/session/{begun['id']}")
    assert [
        (words in person.said, leading(person))
        for words, person in ((ADA, back), ("Signed in as ada.", frame))
    ] == [
        (True, 1),
        (True, 0),
    ]
    assert ("Finish there" in frame.said, "-met" in frame.text) == (True, True)


def test_only_the_device_that_approved_sees_whose_account_it_is(site: Attacked) -> None:
    """Whoever has got another person to type the code does not learn that person's account, in a
    frame as on a page.
    """
    for more in ({}, FRAMED):
        begun, ada, _ = begun_by(site, **OWNED, **more)
        ada.press("Use another device")
        start, code = start_of(ada), code_of(ada)
        bob = Person(site.stand.port).go(start)
        sent(bob, code=code)
        bob = site.answered(bob, state_at(bob), "bobs-code")
        bob.go(bob.onward())
        ada.go(f"/connect/session/{begun['id']}")
        assert (
            "Connect bob to The Shop?" in bob.said,
            "bob" in ada.said,
            "Finish there" in ada.said,
        ) == (True, False, True), more
        site.platform.call("DELETE", f"{BASE}/{begun['id']}")


def test_an_account_that_nobody_knows_is_not_named(site: Attacked) -> None:
    """Where the type's test does not say whose the account is, the page says only what is
    connected.
    """
    begun = site.begin()
    ada, state = site.at_provider(begun)
    ada = site.answered(ada, state, "adas-code")
    ada.go(ada.onward())
    assert ("Signed in as " in ada.said, "Connect 127.0.0.1 to The Shop?" in ada.said) == (
        False,
        True,
    )


@pytest.mark.parametrize(
    ("error", "side"),
    [("invalid_grant", "The approval failed"), ("invalid_client", "The Shop has a problem")],
)
def test_an_answer_that_the_provider_does_not_take_can_be_given_again(
    site: Attacked, error: str, side: str
) -> None:
    """What fails when the person is back is said there to whoever can mend it, and not at the
    confirmation: the person starts again.
    """
    begun = site.begin()
    ada, state = site.at_provider(begun)
    site.authority.refused["old-code"] = error
    ada = site.answered(ada, state, "old-code")
    ada.go(ada.onward())
    assert (
        side in ada.said,
        "You have approved at" in ada.said,
        leading(ada),
        site.status(begun),
    ) == (True, False, 1, "testing")
    assert ("blocked" in site.platform.get(f"{BASE}/{begun['id']}").json) is (
        error == "invalid_client"
    )
    assert "Continue to 127.0.0.1" in ada.press("Start again").said


def test_a_refused_confirmation_has_the_reference_of_the_page(
    site: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only the platform can mend comes with the reference that the person quotes; what is
    nobody's fault of these has none.
    """
    begun = site.begin()
    ada, proof = site.approved(begun)
    assert "reference" not in site.confirm(begun, "made-up").json
    with monkeypatch.context() as patched:
        patched.setattr(
            Authorizing, "complete", Mock(side_effect=Unavailable("the database is away"))
        )
        refused = site.confirm(begun, proof)
    reference = site.platform.get(f"{BASE}/{begun['id']}").json["blocked"]["reference"]
    assert (refused.status, refused.json["code"], refused.json["reference"]) == (
        503,
        "unavailable",
        reference,
    )
    assert f"Reference: {reference}" in ada.go(f"/connect/session/{begun['id']}").said
