"""Actions are found by words, best first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield.catalog import Catalog, search
from jackfield.catalog.index import ActionIndex
from jackfield.catalog.words import Words
from jackfield.manifest.manifest import Manifest

pytestmark = pytest.mark.tree_only


def manifest(
    key: str, title: str, *actions: tuple[str, str, str, str], description: str = ""
) -> Manifest:
    """A manifest of actions: key, title, description, effect."""
    rows = [
        dict(zip(("key", "title", "description", "effect"), row, strict=True)) for row in actions
    ]
    return Manifest.from_json(
        {
            "manifestVersion": 1,
            "key": key,
            "title": title,
            "version": "1",
            "description": description,
            "actions": rows,
        }
    )


MANIFESTS = [
    manifest(
        "aws-ses",
        "Amazon SES",
        (
            "sendEmail",
            "Send Email",
            "Send an email through Amazon SES.\nWith attachments.",
            "write",
        ),
        ("listIdentities", "List Identities", "List the verified addresses of an account.", "read"),
        description="Mail by the cloud.",
    ),
    manifest(
        "notes",
        "Notes",
        ("addNote", "Add a Note", "Write a note down.", "write"),
        ("listNotes", "List Notes", "Email them later.", "read"),
    ),
]


def found(words: str, effect: str | None = None) -> list[str]:
    """The keys of what is found, in order."""
    return [row.action for row in search(MANIFESTS, words, effect=effect)]


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("", ["listIdentities", "sendEmail", "addNote", "listNotes"]),
        ("   ", ["listIdentities", "sendEmail", "addNote", "listNotes"]),
        ("email", ["sendEmail", "listNotes"]),
        ("EMAIL", ["sendEmail", "listNotes"]),
        ("send em", ["sendEmail"]),
        ("sendemail", ["sendEmail"]),
        ("list", ["listIdentities", "listNotes"]),
        ("list notes", ["listNotes"]),
        ("notes", ["listNotes", "addNote"]),
        ("aws", ["listIdentities", "sendEmail"]),
        ("ses list", ["listIdentities"]),
        ("cloud", ["listIdentities", "sendEmail"]),
        ("verified", ["listIdentities"]),
        ("mail", ["sendEmail", "listIdentities", "listNotes"]),
        ("dentities", ["listIdentities"]),
        ("zebra", []),
        ("listing the notes", ["listNotes"]),
        ("sending emails", ["sendEmail"]),
        ("an address, verified", ["listIdentities"]),
    ],
)
def test_every_word_must_fit(words: str, keys: list[str]) -> None:
    """All words that say something must occur in the action or its connector, in any of their
    forms; keys and beginnings of words count most, ties go by name.
    """
    assert found(words) == keys


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("send an email to a customer", ["sendEmail", "listNotes"]),
        ("list zebra", ["listIdentities", "listNotes"]),
        ("Please notify the customers by email!", ["sendEmail", "listNotes"]),
        ("emial", ["sendEmail", "listNotes"]),
        ("sned emails", ["sendEmail", "listNotes"]),
    ],
)
def test_h31_the_nearest_are_given_where_nothing_has_every_word(
    words: str, keys: list[str]
) -> None:
    """A sentence finds the actions with the largest share of its words, marked as not exact; a slip
    of the keyboard finds its word.
    """
    rows = search(MANIFESTS, words)
    assert [row.action for row in rows] == keys
    assert {row.exact for row in rows} == {False}
    assert rows[0].to_json()["exact"] is False


def test_h31_a_sentence_is_not_hidden_by_a_row_that_has_its_words_by_chance() -> None:
    """Partial matches follow the exact ones of a sentence, and of a sentence only."""
    assert not any(row.exact for row in search(MANIFESTS, "email them later to the account"))
    assert [(row.action, row.exact) for row in search(MANIFESTS, "send an email, amazon")] == [
        ("sendEmail", True),
        ("listIdentities", False),
        ("listNotes", False),
    ]
    assert found("list notes") == ["listNotes"]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "send note",
        "send",
        "sned",
        "sedn notes",
        "down the note",
        "write a note down today",
        "list verified",
        "list mail down",
        "lits down",
        "zebra",
    ],
)
def test_rows_that_are_hidden_count_for_nothing(words: str) -> None:
    """Whoever may see the notes alone finds what there would be if nothing else was installed,
    marked as exact or near in the same way, also if a hidden connector has every word, or the very
    typing error.
    """
    hidden = [
        MANIFESTS[0],
        manifest(
            "sned",
            "Sned",
            ("sendNote", "Send Note", "Send a note; write it down today.", "write"),
            ("sedn", "Sedn", "Lits.", "read"),
        ),
    ]
    whole, alone = Words(), Words()
    for one in (*hidden, MANIFESTS[1]):
        whole.add(one)
    alone.add(MANIFESTS[1])
    expected = {(row.action, row.exact) for row in alone.find(words, limit=20)[0]}
    rows, more = whole.find(
        words, limit=20, keep=lambda connector, _action, _effect: connector == "notes"
    )
    assert ({(row.action, row.exact) for row in rows}, more) == (expected, False)


def test_nearest_rows_are_looked_for_behind_hidden_ones() -> None:
    """Neither the number of near matches nor the rows with rarer words are used up by rows that the
    caller may not see.
    """
    index = Words()
    index.add(
        manifest(
            "many",
            "Many",
            *((f"payFee{number}", "Pay", "Pay a fee.", "write") for number in range(3_000)),
        )
    )
    index.add(manifest("shop", "Shop", ("listGoods", "List Goods", "List the goods.", "read")))
    for number in range(4):
        index.add(
            manifest(
                f"more-{number}",
                "More",
                *((f"listItem{item}", "List", "List one.", "read") for item in range(1_000)),
            )
        )
    rows, _ = index.find(
        "pay list", limit=5, keep=lambda connector, _action, _effect: connector == "shop"
    )
    assert [(row.action, row.exact) for row in rows] == [("listGoods", False)]


def test_near_matches_cost_nothing_where_the_caller_sees_exact_ones() -> None:
    """Whether a row may be seen is asked about the rows of the page only, however many match."""
    index, asked = Words(), list[str]()
    index.add(
        manifest(
            "many",
            "Many",
            *((f"payFee{number}", "Pay", "Pay a fee.", "write") for number in range(3_000)),
        )
    )

    def keep(_connector: str, action: str, _effect: str) -> bool:
        asked.append(action)
        return True

    rows, more = index.find("pay fee", limit=5, keep=keep)
    assert ([row.exact for row in rows], more, len(asked)) == ([True] * 5, True, 6)


def test_effects_narrow_the_search() -> None:
    """``effect`` keeps the actions of that effect only."""
    assert found("", "read") == ["listIdentities", "listNotes"]
    assert found("email", "read") == ["listNotes"]
    assert found("", "idempotent") == []


def test_a_row_as_json() -> None:
    """A row names connector, action, title and effect, and the first line of the description."""
    assert search(MANIFESTS, "sendEmail")[0].to_json() == {
        "connector": "aws-ses",
        "action": "sendEmail",
        "title": "Send Email",
        "description": "Send an email through Amazon SES.",
        "effect": "write",
    }


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("bounce", "aws-ses/mailEvents"),
        ("who bounced", "aws-ses/mailEvents"),
        ("account paused", "aws-ses/accountStatus"),
        ("domain verified", "aws-ses/identityStatus"),
        ("pull request", "github/repositoryEvents"),
        ("invoice paid", "stripe/accountEvents"),
        ("zebra crossing", None),
        ("", None),
    ],
)
def test_triggers_are_found_by_what_they_tell(words: str, first: str | None) -> None:
    """A trigger is found by its texts and the types of its events, if it has every word."""
    found = ActionIndex(Catalog.installed()).triggers(words)
    assert next((f"{row.connector}/{row.trigger}" for row in found), None) == first


def test_who_verifies_an_address_creates_an_identity() -> None:
    """The first action for "verify email" is the one that starts the verification."""
    rows, _ = ActionIndex(Catalog.installed()).find("verify email", limit=1)
    assert [row.action for row in rows] == ["createIdentity"]


_MANY = [
    manifest(
        f"c{number}",
        f"{noun} Service",
        *(
            (f"{verb}{noun}{extra}", f"{verb} {noun}", f"About {noun} and mail.", "read")
            for verb in ("get", "list", "send", "delete")
            for extra in ("", "Item", "Status")
        ),
    )
    for number, noun in enumerate(("Email", "Note", "Bucket", "Category", "Policies", "Status"))
]
_QUERY = st.lists(
    st.sampled_from(
        [
            "email",
            "emails",
            "get",
            "list",
            "note",
            "policy",
            "categories",
            "categ",
            "mail",
            "item",
            "statuses",
            "xyz",
        ]
    ),
    min_size=1,
    max_size=4,
).map(" ".join)


@given(st.lists(_QUERY, min_size=1, max_size=8), st.sampled_from([1, 150, 400, 300_000]))
def test_what_earlier_queries_asked_changes_no_answer(queries: list[str], rows: int) -> None:
    """An index that has answered other queries, and keeps as many rows of them as may be, finds
    what a new one finds.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jackfield.catalog.words._REMEMBERED", rows)
        asked = Words()
        for each in _MANY:
            asked.add(each)
        for query in queries:
            new = Words(asked.table)
            assert asked.find(query, limit=7) == new.find(query, limit=7)
            assert asked._remembered._rows <= max(rows, 1_000)  # one word alone may have more
