"""Addresses with and without names, one and many."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from drawing import drawn
from jackfield.schema.formats import email_fault, mailbox_fault, mailbox_list_fault

ENCODED = (
    "has an encoded word (RFC 2047) before the '@', which a mail server could read as "
    "another address"
)
TWO = "holds two addresses without a comma between them"
SEVERAL = "holds several addresses, where one is expected"
DOTS = "has a dot at an end of its local part, or two in a row: write '\"{}\"' before the '@'"
NO_SMTPUTF8 = "has 'ö' before the '@': only ASCII local parts can be delivered (no SMTPUTF8)"


@pytest.mark.parametrize(
    "text",
    [
        "ada@example.com",
        " ada@example.com ",
        "<ada@x.io>",
        "Ada <ada@x.io>",
        "Ada<ada@x.io>",
        '"Ada, Countess" <ada@x.io>',
        "Ada, Countess <ada@x.io>",
        "Ada <the first> <ada@x.io>",
        'O"Brien <a@x.io>',
        "Smile :( <a@x.io>",
        "Jörg Müller <joerg@x.io>",
        "ada@x.io (Ada)",
        "ada@bücher.example",
        "ada@हिन्दी.भारत",
        "ada@例え。テスト",
        '"a b"@x.io',
        '"a@b"@x.io',
        "Ada < ada@x.io >",
        "=?utf-8?q?Ada?= <ada@x.io>",
        f"{'l' * 64}@x.io",
        f"a@{'d' * 63}.io",
        f"{'l' * 64}@{'.'.join(['d' * 36] * 5)}.io",
        "!#$%&'*+/=?^_`{|}~-@x.io",
        "a@x-1.y--2.museum",
        '"bob@x.io" <ada@x.io>',
        r'"a \" bob@x.io" <ada@x.io>',
        "Ada@X.io <ada@x.io>",
        "'ada@x.io' <ada@x.io>",
        "ada@bücher.example <ada@xn--bcher-kva.example>",
        "Tom @ Work <ada@x.io>",
        "a/b@x.io <a/b@x.io>",
    ],
)
def test_a_mailbox_that_can_be_delivered_to_is_taken(text: str) -> None:
    """RFC 5322 forms, unquoted commas and any script in the name, any letter in the domain; the
    longest allowed parts too.
    """
    assert mailbox_fault(text) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ada", "is not an email address"),
        ("", "is not an email address"),
        ("Ada <ada>", "is not an email address"),
        ("ada@x.io>", "is not an email address"),
        ("Ada <>", "is not an email address"),
        ("<ada@x.io> Ada", "is not an email address"),
        ("a@x.io, b@x.io", SEVERAL),
        ("a@x.io; Bob <b@x.io>", SEVERAL),
        ("a@x.io b@x.io", TWO),
        ("a@x.io|b@x.io", TWO),
        ("a@@x.io", "is not an email address"),
        ('"a@b c@d', "is not an email address"),
        ("aaa..b.@docomo.ne.jp", DOTS.format("aaa..b.")),
        (".a@x.io", DOTS.format(".a")),
        ("ada@localhost", "is not an email address (no dot in its domain)"),
        ("ada@192.0.2.1", "is not an email address"),
        (f"{'l' * 65}@x.io", "is not an email address (more than 64 characters before the '@')"),
        (f"a@{'d' * 64}.io", "is not an email address"),
        (
            f"{'l' * 64}@{'.'.join(['d' * 37] * 5)}.io",
            "is not an email address (more than 254 characters)",
        ),
        ("jörg@x.io", NO_SMTPUTF8),
        ("=?utf-8?q?y=40evil.com?=@example.com", ENCODED),
        ('"=?utf-8?q?y=40evil.com?="@example.com', ENCODED),
        ("x@exam\u00adple.com", "contains the invisible character U+00AD in its domain"),
        ("Ada <x@exam\u200bple.com>", "contains the invisible character U+200B in its domain"),
        ("x@example.com\ufe0f", "contains the invisible character U+FE0F in its domain"),
        ("Jörg <jörg@x.io>", NO_SMTPUTF8),
        ("jö rg@x.io", "is not an email address"),
        ("Ada\r\nBcc: eve@x.io <ada@x.io>", "contains the control character U+000D"),
        ("ada@x.io\x00@y.io", "contains the control character U+0000"),
        ("A\tda <ada@x.io>", "contains the control character U+0009"),
        ("Ada <ada@x.io> Bob <bob@x.io>", TWO),
        ("ada@x.io | Bob <bob@x.io>", TWO),
        ("ada@x.io <bob@x.io>", TWO),
        ("ada@x.io <ada@y.io>", TWO),
        ('6" ada@x.io <bob@x.io>', TWO),
        ("Ada\u2028 <ada@x.io>", "contains the control character U+2028"),
    ],
)
def test_what_is_no_mailbox_is_told_why(text: str, fault: str) -> None:
    """The phrase reads on after the value and says what is wrong, where more than the shape is."""
    assert mailbox_fault(text) == fault


@pytest.mark.parametrize(
    "text",
    [
        "ada@x.io",
        "ada@x.io,bob@x.io",
        "ada@x.io ; Bob <bob@x.io>,",
        ",ada@x.io,;",
        '"Ada, Countess" <ada@x.io>, bob@x.io',
        '"a;b"@x.io;bob@x.io',
        "Ada (one, two) <ada@x.io>, bob@x.io",
        "Ada, Countess <ada@x.io>",
        "ada@x.io; Lovelace, Ada <ada@x.io>",
        'O"Brien <a@x.io>, bob@x.io',
        r'"Ada \", x" <ada@x.io>',
        "ada@x.io\nbob@x.io",
        "Ada <ada@x.io>\r\n\r\nbob@x.io\r\n",
        "ada@x.io,\nbob@x.io",
        "Ada, Countess <ada@x.io>\nbob@x.io",
    ],
)
def test_lists_are_split_outside_quotes_and_brackets(text: str) -> None:
    """Commas, semicolons and line breaks separate, but not in quotes, brackets or comments; empty
    parts are allowed.
    """
    assert mailbox_list_fault(text) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "contains no email address"),
        (" ,; ", "contains no email address"),
        ("ada", "is not an email address"),
        ("ada, bob@x.io", "contains 'ada', which is not an email address"),
        ("bob@x.io, ada", "contains 'ada', which is not an email address"),
        ("ada; bob@x.io", "contains 'ada', which is not an email address"),
        ("a@x.io, jörg@x.io", f"contains 'jörg@x.io', which {NO_SMTPUTF8}"),
        ("a@x.io, b@x.io c@x.io", f"contains 'b@x.io c@x.io', which {TWO}"),
        ("a@x.io, b\n@x.io", "contains 'b', which is not an email address"),
        ("Doe,\nJane <a@x.io>", "contains 'Doe', which is not an email address"),
        ("a@x.io\r\nBcc: b@x.io", "contains 'Bcc: b@x.io', which is not an email address"),
        ('"a\nb" <a@x.io>', "contains the control character U+000A"),
    ],
)
def test_a_list_names_the_part_at_fault(text: str, fault: str) -> None:
    """Of many addresses the wrong one is quoted."""
    assert mailbox_list_fault(text) == fault


PARTS = st.sampled_from(
    [
        "ada@x.io",
        "Ada <a@x.io>",
        '"Ada, C" <a@x.io>',
        "b@bücher.example",
        "Ö, Ü <a@x.io>",
        "x@y.io (c, d)",
    ]
)


@drawn(
    st.lists(PARTS, min_size=1, max_size=5),
    st.sampled_from([",", ";", ", ", " ;;", ",,", "\n", "\r\n"]),
    few=80,
    many=300,
)
def test_a_list_of_mailboxes_is_a_mailbox_list(parts: list[str], separator: str) -> None:
    """Whatever passes alone passes in a list."""
    assert all(mailbox_fault(part) is None for part in parts)
    assert mailbox_list_fault(separator.join(parts)) is None


@drawn(
    st.from_regex(r"[a-z]{1,8}[.+]?[a-z0-9]{1,8}@([a-z0-9]{1,8}\.){1,3}[a-z]{2,6}", fullmatch=True),
    st.text(max_size=20),
    few=80,
    many=300,
)
def test_a_name_before_the_last_bracket_never_matters(address: str, name: str) -> None:
    """Any display name without control characters and other addresses leaves an address what it
    is.
    """
    assert email_fault(address) is None
    clean = "".join(letter for letter in name if letter.isprintable() and letter != "@")
    assert mailbox_fault(f"{clean} <{address}>") is None
