"""Doubts on the console: what was looked for, a look now, the decision with its reason, and the
doubts that are open.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import Answer, Client, Place, placed, token
from tests.jackfield_store.doubts.doubt_stage import Bureau, bureau

from clocks import StillClock
from jackfield.callers import Rules


@dataclass
class Office:
    """A console over the connector that declares evidence, which is shown and settles nothing until
    ``settle`` is on.
    """

    place: Place
    provider: Bureau
    clock: StillClock

    @property
    def client(self) -> Client:
        """Somebody who manages."""
        return self.place.signed_in(token(self.place, "manage"))

    def lost(
        self, step: str = "cut", action: str = "createTicket", subject: str = "The lamp is broken"
    ) -> str:
        """The ID of a call whose answer was lost."""
        self.provider.script(step)
        result = self.place.host.runtime("default").invoke(
            {
                "connector": "bureau",
                "action": action,
                "connection": "desk",
                "inputs": {"subject": subject},
            }
        )
        assert result.status == "in_doubt"
        return result.meta.invocation_id

    def settle(self, rule: str) -> None:
        """Set what becomes of evidence."""
        self.place.host.runtime("default").access.workspaces.set("default", {"settle": rule})

    def look(self, client: Client, identifier: str) -> Answer:
        """Press "Look now", and follow to the page."""
        answer = client.change(f"/invocations/{identifier}", f"/invocations/{identifier}/look")
        assert answer.status == 303
        return client.get(answer.headers["location"])


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """The console, with a connection of the connector."""
    clock = StillClock()
    with bureau(tmp_path) as provider:
        environment = {"JACKFIELD_SETTLE": "on", "BUREAU": str(provider.folder)}
        with placed(tmp_path, clock, environment=environment) as place:
            place.host.runtime("default").connections.add(
                "desk", "bureau/desk", {"token": "a-secret-of-the-desk"}
            )
            yield Office(place, provider, clock)


def test_a_look_now_shows_what_is_at_the_provider(office: Office) -> None:
    """The page says when the next look is due. A look now shows what was found, with a link to it;
    it settles nothing where that is only shown, and a person decides, with that look as reason.
    """
    office.settle("show")
    client, identifier = office.client, office.lost()
    before = client.get(f"/invocations/{identifier}").words
    assert "The provider was not asked yet." in before
    assert "The next look is due in" in before
    page = office.look(client, identifier)
    for words in (
        "The provider was asked.",
        "List Tickets look 1",
        "It took effect: exactly one thing",
        "Nobody looks by himself any more",
    ):
        assert words in page.words, words
    assert 'href="https://bureau.example/tickets/t-1"' in page.text
    assert page.words.count("Open at bureau.example") == 2  # at the look, and beside the decision
    assert "In doubt" in page.words
    fields = {"as": "succeeded", "note-succeeded": "seen there", "because-succeeded": "1"}
    client.change(f"/invocations/{identifier}", f"/invocations/{identifier}/resolve", **fields)
    page = client.get(f"/invocations/{identifier}")
    for words in ("Resolved manually", "Because of look 1", "seen there", "What was looked for"):
        assert words in page.words, words


def test_a_doubt_says_first_what_was_sent_to_whom(office: Office) -> None:
    """In a sentence and by the titles of its inputs, as far as they are kept; then what was found,
    the decision, and what engineers need, folded. What happened is told once, and no member of an
    invocation is named. A look that has found nothing leaves no column for it. The list of doubts
    has a section of its own.
    """
    office.place.host.runtime("default").access.workspaces.set(
        "default", {"settle": "show", "keepInputs": True}
    )
    client, identifier = office.client, office.lost("lost")
    office.look(client, identifier)
    page = client.get(f"/invocations/{identifier}")
    told = "Create Ticket was sent over desk , just now , and no clear answer came."
    order = (
        told,
        "Subject The lamp is broken What was looked for",
        "Did it take effect?",
        "Technical details What happened",
    )
    places = [page.words.find(words) for words in order]
    assert (places == sorted(places), -1 in places) == (True, False), places
    shown = page.words.partition("Entry as JSON")[0]
    assert [
        shown.count(words) for words in ("onDoubt", "and may have taken effect", "Result Found")
    ] == [0, 0, 0]
    listed = client.get("/doubts")
    assert (
        "Action Connection Since Last look Next look Create Ticket bureau The lamp is broken "
        "desk just now nothing found"
    ) in listed.words
    assert f'href="/invocations/{identifier}"' in listed.text
    assert 'href="/doubts" aria-current="page"' in listed.text
    client.change(
        f"/invocations/{identifier}", f"/invocations/{identifier}/resolve", **{"as": "failed"}
    )
    assert "Nothing is in doubt." in client.get("/doubts").words


def test_what_was_written_about_a_doubt_is_there_again(office: Office) -> None:
    """A decision on looks that are no longer all: it is not one, and its note and output are in the
    form of the page with the new look.
    """
    office.settle("show")
    client, identifier = office.client, office.lost()
    address = f"/invocations/{identifier}/resolve"
    before = client.get(f"/invocations/{identifier}").sent_of(address)
    office.look(client, identifier)
    typed = {"note-succeeded": "seen there", "output-succeeded": '{\r\n"id": "t-1"}'}
    answer = client.post(address, {**before, **typed, "as": "succeeded"})
    assert (answer.status, "It took effect: exactly one thing" in answer.words) == (409, True)
    again = answer.sent_of(address)
    assert {name: again[name] for name in typed} == {
        "note-succeeded": "seen there",
        "output-succeeded": '{\n"id": "t-1"}',
    }
    assert "In doubt" in client.get(f"/invocations/{identifier}").words
    client.post(address, {**again, "as": "succeeded"})
    assert "Resolved manually" in client.get(f"/invocations/{identifier}").words


def test_a_look_now_settles_where_that_is_wanted(office: Office) -> None:
    """With ``on``, the look settles the doubt: the page says by what, and offers no decision any
    more.
    """
    client, identifier = office.client, office.lost()
    page = office.look(client, identifier).words
    for words in (
        "Settled by what the provider shows",
        "bureau/listTickets",
        "What was looked for",
        "found",
    ):
        assert words in page, words
    assert "Check with the provider, then resolve it" not in page


def test_similar_things_stand_beside_what_was_sent(office: Office) -> None:
    """Something without the marker has the same subject: a person compares it with what was sent,
    member by member.
    """
    client = office.client
    office.provider.script("done")
    inputs = {"subject": "The lamp is broken", "externalId": "somebody-elses"}
    office.place.host.runtime("default").invoke(
        {"connector": "bureau", "action": "createTicket", "connection": "desk", "inputs": inputs}
    )
    page = office.look(client, office.lost("lost"))
    assert "There is something similar without the marker" in page.words
    assert "Member Sent There subject The lamp is broken The lamp is broken" in page.words
    assert "external_id not compared somebody-elses" in page.words


def test_a_contradiction_is_an_incident(office: Office) -> None:
    """A person had resolved it as failed; a look finds that it took effect: the page warns, and the
    outcome stays.
    """
    client, identifier = office.client, office.lost()
    client.change(
        f"/invocations/{identifier}", f"/invocations/{identifier}/resolve", **{"as": "failed"}
    )
    page = office.look(client, identifier).words
    assert "The provider shows otherwise: that it took effect" in page
    assert "it may have happened twice" in page
    assert "it did not take effect" in page


def test_what_cannot_be_looked_up_says_why(office: Office) -> None:
    """Without evidence there are no looks and no button; somebody who asks all the same learns
    why.
    """
    client, identifier = office.client, office.lost(action="plainTicket")
    page = client.get(f"/invocations/{identifier}")
    assert "What was looked for" not in page.words
    answer = client.post(f"/invocations/{identifier}/look", {"csrf": page.csrf})
    assert "Nothing can be looked up" in client.get(answer.headers["location"]).words
    office.settle("off")
    other = office.lost()
    assert (
        "Nothing can be looked up"
        in client.get(
            client.post(f"/invocations/{other}/look", {"csrf": page.csrf}).headers["location"]
        ).words
    )


def test_who_may_not_manage_sees_the_looks_only(office: Office) -> None:
    """The scope ``invoke`` sees what was found, and neither looks nor decides. Of others' calls, a
    token with rules sees no contents.
    """
    office.settle("show")
    identifier = office.lost()
    office.look(office.client, identifier)
    client = office.place.signed_in(token(office.place, "invoke"))
    page = client.get(f"/invocations/{identifier}")
    assert ("t-1" in page.words, "Look now" in page.words) == (True, False)
    assert client.post(f"/invocations/{identifier}/look", {"csrf": page.csrf}).status == 403
    office.settle("on")
    settled = office.lost()
    office.look(office.client, settled)
    bound = office.place.signed_in(token(office.place, "manage", rules=Rules(allow=("bureau/*",))))
    for one in (identifier, settled):
        assert "The lamp is broken" in office.client.get(f"/invocations/{one}").words
        page = bound.get(f"/invocations/{one}")
        assert (
            "found" in page.words,
            "The lamp is broken" in page.words,
            "bureau.example" in page.text,
        ) == (True, False, False)


def test_the_overview_lists_open_doubts(office: Office) -> None:
    """The newest ones, with what was found last and when the provider is asked next; those for a
    person say so. Without any, no list.
    """
    client = office.client
    assert "Last look" not in client.get("/").words
    looked, plain = office.lost("lost"), office.lost("lost", action="plainTicket")
    office.look(client, looked)
    page = client.get("/")
    assert f'href="/invocations/{looked}"' in page.text.partition("Last look")[2]
    assert f'href="/invocations/{plain}"' in page.text.partition("Last look")[2]
    listed = page.words.partition("Next look")[2]
    for words in ("nothing found in [23][0-9] s", "not looked for a person resolves it"):
        assert re.search(words, listed), words


def test_what_the_provider_shows_is_the_output(office: Office) -> None:
    """Who resolves a doubt as succeeded may give the output: a wrong one is told at its field,
    which keeps what was typed, and nothing is resolved; one that fits the action's schema is
    replayed from then on.
    """
    client, identifier = office.client, office.lost()
    address, journal = (
        f"/invocations/{identifier}/resolve",
        office.place.host.runtime("default").journal,
    )
    assert journal is not None
    for text, said in (
        ("{", "the output is not JSON"),
        ("[1]", "object"),
        ('{"id": 7}', "/output/id"),
    ):
        answer = client.change(
            f"/invocations/{identifier}",
            address,
            **{"as": "succeeded", "output-succeeded": text, "note-succeeded": "n1"},
        )
        below = answer.text.partition('id="output-succeeded"')[2]
        assert (
            answer.status in (400, 422),
            said in below.partition("<button")[0],
            journal.find(identifier).status,
        ) == (
            True,
            True,
            "in_doubt",
        ), (text, answer.status, answer.words)
        assert ('aria-invalid="true"' in answer.text, 'value="n1"' in answer.text) == (True, True)
        assert html.escape(text) in answer.text
    done = client.change(
        f"/invocations/{identifier}",
        address,
        **{"as": "succeeded", "output-succeeded": '{"id": "t-9"}'},
    )
    assert done.headers["location"] == f"/invocations/{identifier}?done=resolved"
    result = journal.find(identifier).result
    assert result is not None
    assert (result["output"], "t-9" in client.get(f"/invocations/{identifier}").text) == (
        {"id": "t-9"},
        True,
    )
