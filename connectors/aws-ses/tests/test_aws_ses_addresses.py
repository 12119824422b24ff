"""Mailboxes: what is read, what is refused and why, and how it is written."""

import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackfield_aws_ses.addresses import (
    AddressError,
    Mailbox,
    parse_mailbox,
    parse_mailboxes,
    unique_recipients,
)

PROPERTY = settings(deadline=None, database=None)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=120)
LOCALS = st.from_regex(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9+]{1,9}){0,2}", fullmatch=True
)
DOMAINS = st.sampled_from(
    ["x.io", "EXAMPLE.com", "a-b.example", "xn--strae-oqa.de", "bücher.example", "localhost"]
)


DOTS = "has a dot at an end of its local part, or two in a row: write '\"{}\"' before the '@'"
TWO = (
    "holds two addresses without a comma between them: separate them, or put a name that "
    "contains an address in quotes"
)
ENCODED = (
    "has an encoded word (RFC 2047) before the '@', which a mail server could read as "
    "another address"
)


@pytest.mark.parametrize(
    ("text", "name", "address", "header"),
    [
        ("a@x.io", "", "a@x.io", "a@x.io"),
        ("  <a@x.io> ", "", "a@x.io", "a@x.io"),
        ("Ada.Byron+tag@X.IO", "", "Ada.Byron+tag@x.io", "Ada.Byron+tag@x.io"),
        ("Ada Byron <a@x.io>", "Ada Byron", "a@x.io", "Ada Byron <a@x.io>"),
        ('"Doe, Jane" <j@x.io>', "Doe, Jane", "j@x.io", '"Doe, Jane" <j@x.io>'),
        ("Doe, Jane <j@x.io>", "Doe, Jane", "j@x.io", '"Doe, Jane" <j@x.io>'),
        (r'"a \"b\" \\ c" <j@x.io>', r'a "b" \ c', "j@x.io", r'"a \"b\" \\ c" <j@x.io>'),
        ('"Ada" Byron <a@x.io>', "Ada Byron", "a@x.io", "Ada Byron <a@x.io>"),
        ('6" pipe <a@x.io>', '6" pipe', "a@x.io", r'"6\" pipe" <a@x.io>'),
        ("John Q. Public <j@x.io>", "John Q. Public", "j@x.io", '"John Q. Public" <j@x.io>'),
        ("a <b> <c@x.io>", "a <b>", "c@x.io", '"a <b>" <c@x.io>'),
        ("a@x.io (Ada Byron)", "Ada Byron", "a@x.io", "Ada Byron <a@x.io>"),
        ("Ada (work) <a@x.io>", "Ada (work)", "a@x.io", '"Ada (work)" <a@x.io>'),
        ("<a@x.io> (Ada)", "Ada", "a@x.io", "Ada <a@x.io>"),
        ('"a b"@x.io', "", '"a b"@x.io', '"a b"@x.io'),
        (r'Ada <"a@\"b"@x.io>', "Ada", r'"a@\"b"@x.io', r'Ada <"a@\"b"@x.io>'),
        ("d@straße.de", "", "d@xn--strae-oqa.de", "d@xn--strae-oqa.de"),
        ("d@Bücher.Example", "", "d@xn--bcher-kva.example", "d@xn--bcher-kva.example"),
        ("d@例え。テスト", "", "d@xn--r8jz45g.xn--zckzah", "d@xn--r8jz45g.xn--zckzah"),
        ("Grüße, AG <a@x.io>", "Grüße, AG", "a@x.io", "=?utf-8?b?R3LDvMOfZSwgQUc=?= <a@x.io>"),
        (
            "Jörg Bly aus Neustadt <a@x.io>",
            "Jörg Bly aus Neustadt",
            "a@x.io",
            "=?utf-8?q?J=C3=B6rg_Bly_aus_Neustadt?= <a@x.io>",
        ),
        (
            "=?utf-8?q?J=C3=B6rg?= Bly <j@x.io>",
            "=?utf-8?q?J=C3=B6rg?= Bly",
            "j@x.io",
            "=?utf-8?q?J=C3=B6rg?= Bly <j@x.io>",
        ),
        (
            "=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?= <j@x.io>",
            None,
            "j@x.io",
            "=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?= <j@x.io>",
        ),
    ],
)
def test_mailbox_is_read_and_written(
    text: str, name: str | None, address: str, header: str
) -> None:
    """A mailbox in any usual form gives its name, its ASCII address and one RFC 5322 form."""
    mailbox = parse_mailbox(text)
    assert (mailbox.address, mailbox.header, mailbox.given) == (address, header, text.strip())
    assert name is None or mailbox.name == name


_REFUSED = [
    ("=?utf-8?q?y=40evil.com?=@example.com", ENCODED),
    ("Ada <=?utf-8?q?y=40evil.com?=@example.com>", ENCODED),
    ("x@exam\u00adple.com", "contains the invisible character U+00AD in its domain"),
    ("x@exam\u2060ple.com", "contains the invisible character U+2060 in its domain"),
    ("", "is not an email address"),
    ("ada", "is not an email address"),
    ("<>", "is not an email address"),
    ("@x.io", "is not an email address"),
    ("a@", "is not an email address"),
    ("a b@x.io", "is not an email address"),
    ("a@x.io (b", "has a domain that is not valid: labels are letters, digits and inner hyphens"),
    ("(a@x.io)", "is not an email address"),
    ("a..b@x.io", DOTS.format("a..b")),
    ("a.@x.io", DOTS.format("a.")),
    ("Jörg j@x.io", "is not an email address"),
    ("a@x.io b@x.io", TWO),
    ("Ada <a@x.io> Byron", "is not an email address"),
    ("mailto:a@x.io", "is not an email address"),
    (
        "dörte@x.io",
        "has 'ö' before the '@': Amazon SES delivers only to ASCII local parts (no SMTPUTF8)",
    ),
    ("a" * 65 + "@x.io", "has more than 64 characters before the '@' (RFC 5321)"),
    (
        "a@" + "x" * 64 + ".io",
        "has a domain that is not valid: a label has more than 63 characters",
    ),
    ("a@" + "x.io" * 80, "has a domain that is not valid: more than 253 characters"),
    ("a@" + "ü" * 70 + ".de", "has a domain that is not valid: Label too long"),
    ("abc@" + ".".join(["x" * 62] * 4), "is an address of more than 254 characters (RFC 5321)"),
    ("a@-x.io", "has a domain that is not valid: labels are letters, digits and inner hyphens"),
    ("a@x_y.io", "has a domain that is not valid: labels are letters, digits and inner hyphens"),
    (
        "a@[127.0.0.1]",
        "has a domain that is not valid: labels are letters, digits and inner hyphens",
    ),
    ("a@x..io", "has a domain that is not valid: it has an empty label"),
    ("a@x.io.", "has a domain that is not valid: it has an empty label"),
    ("a@ü..io", "has a domain that is not valid: Empty Label"),
    ("a@☃.io", "has a domain that is not valid: Codepoint U+2603 at position 1 of '☃' not allowed"),
    ("a@x.io\r\nBcc: b@x.io", "contains U+000D, which is not allowed in an address"),
    ("A\0da <a@x.io>", "contains U+0000, which is not allowed in an address"),
    ("A\u2028 <a@x.io>", "contains U+2028, which is not allowed in an address"),
    ("\ud83d <a@x.io>", "contains U+D83D, which is not allowed in an address"),
    ("a@\ud800.io", "contains U+D800, which is not allowed in an address"),
    ("A" * 1400 + " <a@x.io>", "is longer than 1300 characters"),
]


def test_refusal_says_why(subtests: pytest.Subtests) -> None:
    """What cannot be delivered is refused with a predicate that says why."""
    for text, reason in _REFUSED:
        with subtests.test(text=text, reason=reason):
            with pytest.raises(AddressError) as caught:
                parse_mailbox(text)
            assert caught.value.reason == reason
            assert caught.value.given == text
            assert caught.value.index is None
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        ('"Doe, Jane" <j@x.io>, b@x.io', ['"Doe, Jane" <j@x.io>', "b@x.io"]),
        ("a@x;b@x", ["a@x", "b@x"]),
        (" a@x.io ,, b@x.io ; ", ["a@x.io", "b@x.io"]),
        ("a@x.io,\n b@x.io\n", ["a@x.io", "b@x.io"]),
        ("a@x.io\nAda <b@x.io>\r\nc@x.io\r\n", ["a@x.io", "Ada <b@x.io>", "c@x.io"]),
        (["a@x.io\nb@x.io"], ["a@x.io", "b@x.io"]),
        ('"a@x.io" <b@x.io>', ['"a@x.io" <b@x.io>']),
        ("Ada@X.io <ada@x.io>", ['"Ada@X.io" <ada@x.io>']),
        ("'ada@x.io' <ada@x.io>", ["\"'ada@x.io'\" <ada@x.io>"]),
        ("d@straße.de <d@xn--strae-oqa.de>", ["=?utf-8?b?ZEBzdHJhw59lLmRl?= <d@xn--strae-oqa.de>"]),
        ("Tom @ Work <a@x.io>", ['"Tom @ Work" <a@x.io>']),
        (
            r'"a \", b" <a@x.io>; c@x.io (one, (two; three) four)',
            [r'"a \", b" <a@x.io>', '"one, (two; three) four" <c@x.io>'],
        ),
        ('<"a,b"@x.io>, "a;b"@x.io', ['"a,b"@x.io', '"a;b"@x.io']),
        ('<"a>,b"@x.io>', ['"a>,b"@x.io']),
        ("", []),
        (" , ; ", []),
        ([], []),
        (["", "  "], []),
        (["Ada, Countess <ada@x.io>"], ['"Ada, Countess" <ada@x.io>']),
        (
            ["Doe, Jane <j@x.io>, Roe, Rick <r@x.io>; c@x.io"],
            ['"Doe, Jane" <j@x.io>', '"Roe, Rick" <r@x.io>', "c@x.io"],
        ),
        (["a@x.io, b@x.io", "c@x.io"], ["a@x.io", "b@x.io", "c@x.io"]),
        (["Smile :(, really <a@x.io>"], ['"Smile :(, really" <a@x.io>']),
        (("a@x.io",), ["a@x.io"]),
    ],
)
def test_lists_in_every_usual_form(value: str | list[str], headers: list[str]) -> None:
    """Lists and strings give the mailboxes that were meant; quotes, brackets and comments protect
    separators.
    """
    assert [mailbox.header for mailbox in parse_mailboxes(value)] == headers


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (r"a@x.io (Ada)", "Ada"),
        (r"a@x.io (Ada (the Countess))", "Ada (the Countess)"),
        (r"a@x.io (Ada \) x)", "Ada ) x"),
        (r"a@x.io (Ada \(x\))", "Ada (x)"),
        (r"a@x.io (Ada \\)", "Ada \\"),
        (r"a@x.io (Ada \)", None),
        (r"a@x.io (\)", None),
        (r"a@x.io (Ada (x)", None),
        (r"a@x.io \)", None),
    ],
)
def test_a_comment_ends_at_a_parenthesis_that_is_not_quoted(text: str, name: str | None) -> None:
    """A quoted pair in a comment is its second character and no border (RFC 5322 §3.2.2); a comment
    without an end is refused.
    """
    if name is not None:
        assert (parse_mailbox(text).name, parse_mailbox(text).address) == (name, "a@x.io")
        return
    with pytest.raises(AddressError):
        parse_mailbox(text)


@pytest.mark.parametrize(
    ("value", "given", "index"),
    [
        (["a@x.io", "", "ada"], "ada", 2),
        (["a@x.io, bob"], "bob", 0),
        (["ada,"], "ada", 0),
        (["dörte@x.io, Ada <ada@x.io>"], "dörte@x.io", 0),
        (["ada; Bob <b@x.io>"], "ada", 0),
        ("a@x.io, ada", "ada", None),
        ("Doe, Jane <j@x.io>", "Doe", None),
        ('"Doe, Jane <j@x.io>, b@x.io', '"Doe, Jane <j@x.io>, b@x.io', None),
        ("Ada <a@x.io, b@x.io", "Ada <a@x.io, b@x.io", None),
    ],
)
def test_first_wrong_part_is_named(value: str | list[str], given: str, index: int | None) -> None:
    """The error names the part that is wrong, and the element of the list; no recipient vanishes
    into a name.
    """
    with pytest.raises(AddressError) as caught:
        parse_mailboxes(value)
    assert (caught.value.given, caught.value.index) == (given, index)


ONE, OTHER = "ada@x.io", "bob@y.io"
JOINED = [
    "Ada <{a}> Bob <{b}>",
    "Ada <{a}> <{b}>",
    "<{a}><{b}>",
    "<{a}> <{b}>",
    "{a} <{b}>",
    "{a}<{b}>",
    "{a} {b}",
    "{a} | {b}",
    "{a} / {b}",
    "{a}/{b}",
    "{a}|{b}",
    "{a}\t{b}",
    "Ada {a} Bob <{b}>",
    "Ada <{a}> Bob {b}",
    '"Ada" <{a}> "Bob" <{b}>',
    "'{a}' <{b}>",
    "({a}) {b}",
    "{a} (Bob <{b}>)",
    "<{a}> ({b})",
    "Ada ({a}) <{b}>",
    "ada @ x.io <{b}>",
    "mailto:{a} <{b}>",
    "{a} and {b}",
    "{a} & <{b}>",
    "[{a}] <{b}>",
    '6" pipe <{a}> 7" pipe <{b}>',
    "ada\uff20x.io <{b}>",
    "{a}\u3000{b}",
    "{a}\u00a0<{b}>",
    "=?utf-8?q?Ada?= <{a}> Bob <{b}>",
]


@pytest.mark.parametrize("joined", JOINED)
def test_no_recipient_hides_in_the_name_of_another(joined: str) -> None:
    """Two mailboxes without a comma are refused, in one string, in an element of a list and as one
    mailbox.
    """
    text = joined.format(a=ONE, b=OTHER)
    for read in (
        parse_mailbox,
        parse_mailboxes,
        lambda value: parse_mailboxes([value]),
        lambda value: parse_mailboxes(["c@z.io", value]),
    ):
        with pytest.raises(AddressError) as caught:
            read(text)
        assert caught.value.index in {None, 0, 1}


@PROPERTY
@given(
    st.text(alphabet='ab<>()"\\,;:|/ \n', max_size=6),
    st.text(alphabet='ab<>()"\\,;:|/ \n', min_size=1, max_size=6),
    st.text(alphabet='ab<>()"\\,;:|/ \n', max_size=6),
)
def test_whatever_stands_between_two_addresses_loses_none(
    before: str, between: str, after: str
) -> None:
    """Both addresses are recipients, or the text is refused, or the first stands within quotes."""
    text = f"{before}ada@x.io{between}bob@y.io{after}"
    for value in (text, [text]):
        try:
            found = {mailbox.domain[:4] for mailbox in parse_mailboxes(value)}
        except AddressError as error:
            assert error.reason
        else:
            assert found == {"x.io", "y.io"} or '"' in text


def test_each_address_counts_once_where_it_came_first() -> None:
    """An address is kept in the first list that has it; the domain's case and script do not matter,
    the local part's case does.
    """
    to = parse_mailboxes(["Ada <a@x.io>", "a@X.io", "d@straße.de"])
    cc = parse_mailboxes(["A@x.io", "a@x.io", "d@xn--strae-oqa.de"])
    bcc = parse_mailboxes(["b@x.io", "A@X.IO"])
    first, second, third = unique_recipients(to, cc, bcc)
    assert [mailbox.given for mailbox in first] == ["Ada <a@x.io>", "d@straße.de"]
    assert [mailbox.address for mailbox in second] == ["A@x.io"]
    assert [mailbox.address for mailbox in third] == ["b@x.io"]


@pytest.mark.parametrize(
    "parts",
    [
        ("A\r\nBcc: b@x.io", "a", "x.io"),
        ("", "a\r\nX: y", "x.io"),
        ("", "a", "x.io\r\nX: y"),
        ("", "a>, b", "x.io"),
        ("", "a", ""),
    ],
)
def test_mailbox_made_by_hand_is_checked_too(parts: tuple[str, str, str]) -> None:
    """No Mailbox exists that could break a header, however it was made."""
    with pytest.raises(AddressError):
        Mailbox(*parts)


def test_values_compare_and_travel() -> None:
    """Mailboxes are equal by what is delivered; mailboxes and errors survive pickling."""
    mailbox = parse_mailbox("Ada <a@X.io>")
    assert mailbox == Mailbox("Ada", "a", "x.io")
    assert pickle.loads(pickle.dumps(mailbox)) == mailbox
    error = AddressError("is not an email address", "ada", 3)
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "'ada' is not an email address"


@PROPERTY
@given(
    ANY_TEXT | st.builds("{0} <a@x.io>".format, ANY_TEXT) | st.builds("a@{0}.io".format, ANY_TEXT)
)
def test_any_text_is_a_safe_mailbox_or_refused(text: str) -> None:
    """Whatever is given, the result is one line of printable ASCII, or an AddressError."""
    try:
        mailbox = parse_mailbox(text)
    except AddressError as error:
        assert error.reason
    else:
        assert re.fullmatch("[ -~]+", mailbox.header)
        assert re.fullmatch("[ -~]+@[a-z0-9.-]+", mailbox.address)
        assert max(map(len, mailbox.words[:-1]), default=0) <= 75


@PROPERTY
@given(NAMES, LOCALS, DOMAINS)
def test_written_mailbox_reads_back(name: str, local: str, domain: str) -> None:
    """Reading what was written gives the same address, and the same text again."""
    mailbox = Mailbox(name, local, domain)
    again = parse_mailbox(mailbox.header)
    assert again.address == mailbox.address
    assert again.header == mailbox.header


@PROPERTY
@given(
    st.lists(st.builds(Mailbox, NAMES, LOCALS, DOMAINS), max_size=8),
    st.sampled_from([", ", ",", ";", " ; "]),
)
def test_joined_mailboxes_split_again(mailboxes: list[Mailbox], separator: str) -> None:
    """No display name makes two recipients of one or swallows its neighbour, in a string or in a
    list's element.
    """
    text = separator.join(mailbox.header for mailbox in mailboxes)
    expected = [mailbox.address for mailbox in mailboxes]
    assert [mailbox.address for mailbox in parse_mailboxes(text)] == expected
    assert [mailbox.address for mailbox in parse_mailboxes([text])] == expected


@PROPERTY
@given(st.text(alphabet='ab@.,;<>()"\\ é', max_size=40))
def test_any_list_is_read_or_refused(text: str) -> None:
    """A string of punctuation is read into safe mailboxes or refused, and never fails in another
    way.
    """
    for value in (text, [text]):
        try:
            mailboxes = parse_mailboxes(value)
        except AddressError as error:
            assert error.reason
        else:
            assert all(mailbox.header.isascii() for mailbox in mailboxes)
