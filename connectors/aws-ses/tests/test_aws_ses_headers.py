"""Header fields that callers add: which, with what in them, and how they are written."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackfield_aws_ses.encoded_words import encode_words, is_encoded
from jackfield_aws_ses.headers import (
    HeaderError,
    check_header_name,
    check_header_value,
    field_words,
    fold,
    list_unsubscribe_headers,
    unstructured,
)

PROPERTY = settings(deadline=None, database=None)
POST = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")


@pytest.mark.parametrize(
    "name", ["X-Campaign", "In-Reply-To", "List-Id", "Auto-Submitted", "x!#$%", "To-Do", "X" * 126]
)
def test_free_names_pass(name: str) -> None:
    """A field that nothing else writes may be added under any legal name."""
    assert check_header_name(name) == name


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("From", "use 'sender'"),
        ("Apparently-To", "use 'to'"),
        ("Errors-To", "names a return path"),
        ("Return-Receipt-To", "names a return path"),
        ("Disposition-Notification-To", "configuration set's events"),
        ("SENDER", "use 'sender'"),
        ("to", "use 'to'"),
        ("Cc", "use 'cc'"),
        ("bCC", "use 'bcc'"),
        ("Reply-To", "use 'replyTo'"),
        ("Subject", "use 'subject'"),
        ("MIME-Version", "'attachments'"),
        ("Content-Type", "'attachments'"),
        ("content-disposition", "'attachments'"),
        ("Message-ID", "written by Amazon SES"),
        ("Date", "written by Amazon SES"),
        ("DKIM-Signature", "written by Amazon SES"),
        ("Return-Path", "written by the receiving server"),
        ("Received-SPF", "written by the receiving server"),
        ("Delivered-To", "came back"),
        ("Received", "written by the servers"),
        ("Resent-Bcc", "for messages that are resent"),
        ("X-SES-CONFIGURATION-SET", "use the action's own inputs"),
        ("x-ses-source-arn", "use the action's own inputs"),
    ],
)
def test_fields_written_elsewhere_are_refused(name: str, instead: str) -> None:
    """A field that the message or Amazon SES writes is refused, with what to use instead."""
    with pytest.raises(HeaderError) as caught:
        check_header_name(name)
    assert instead in caught.value.reason
    assert caught.value.name == name


@pytest.mark.parametrize(
    "name", ["", "X A", "X:", "X-A: 1\r\nBcc", "X\n", "X\r", "Ü", "X\0", "X\ud800", "X" * 127]
)
def test_illegal_names_are_refused(name: str) -> None:
    """A name that could end its line, hold a colon or not be written in ASCII is refused."""
    with pytest.raises(HeaderError, match=r"is (?:not )?a header name") as caught:
        check_header_name(name)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "value",
    ["a\r\nBcc: b@x.io", "a\nb", "a\rb", "\0", "\x7f", "\x85", "\u2028", "\ud800", "x" * 8001],
)
def test_illegal_values_are_refused(value: str) -> None:
    """A value of two lines, with a control character, half a character or without end is
    refused.
    """
    with pytest.raises(HeaderError, match=r"^'X-A' has a value"):
        check_header_value("X-A", value)


def test_error_survives_pickling() -> None:
    """A HeaderError crosses process borders whole."""
    error = HeaderError("is given twice", "X-A")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.name) == ("'X-A' is given twice", "X-A")


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        ("https://x.io/u?a=1,2", (("List-Unsubscribe", "<https://x.io/u?a=1,2>"), POST)),
        (" <https://x.io/u> ", (("List-Unsubscribe", "<https://x.io/u>"), POST)),
        ("mailto:u@x.io?subject=stop", (("List-Unsubscribe", "<mailto:u@x.io?subject=stop>"),)),
        (
            "<mailto:u@x.io>,<HTTPS://x.io/u>",
            (("List-Unsubscribe", "<mailto:u@x.io>, <HTTPS://x.io/u>"), POST),
        ),
        (
            "<https://x.io/?next=a,https://y.io>",
            (("List-Unsubscribe", "<https://x.io/?next=a,https://y.io>"), POST),
        ),
        (
            "https://x.io/u, mailto:u@x.io",
            (("List-Unsubscribe", "<https://x.io/u>, <mailto:u@x.io>"), POST),
        ),
        (
            ["https://x.io/u", "<mailto:u@x.io>"],
            (("List-Unsubscribe", "<https://x.io/u>, <mailto:u@x.io>"), POST),
        ),
    ],
)
def test_unsubscribe_forms(value: str | list[str], headers: tuple[tuple[str, str], ...]) -> None:
    """A link, a mail address or both become List-Unsubscribe; a link adds the one-click field of
    RFC 8058.
    """
    assert list_unsubscribe_headers(value) == headers


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "takes one https address"),
        ("", "expected an https or mailto URI"),
        ("http://x.io/u", "expected an https or mailto URI"),
        ("javascript:x", "expected an https or mailto URI"),
        ("https://x.io, https://y.io", "takes one https address"),
        ("https:///path", "has no host"),
        ("https://[x/", "is not a URI"),
        ("https://x.io/é", "expected an ASCII URI"),
        ("https://x.io/\u212a", "expected an ASCII URI"),
        ("https://x.io/a b", "expected an ASCII URI"),
        ("https://x.io/" + "a" * 900, "expected an ASCII URI of at most"),
        ("https://x.io/\r\nBcc: b@x.io", "control character"),
        ("mailto:u", "is not an email address"),
        ("<https://x.io>x", "expected an https or mailto URI"),
    ],
)
def test_unsubscribe_refusals(value: str | list[str], reason: str) -> None:
    """What no receiver could use for unsubscribing is refused with the reason."""
    with pytest.raises(HeaderError, match=reason):
        list_unsubscribe_headers(value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", ()),
        ("Hello  Ada", ("Hello", "", "Ada")),
        ('Re: [x] <y>, "z"', ("Re:", "[x]", "<y>,", '"z"')),
        ("Grüße und mehr aus Neustadt", ("=?utf-8?q?Gr=C3=BC=C3=9Fe_und_mehr_aus_Neustadt?=",)),
        ("日本語", ("=?utf-8?b?5pel5pys6Kqe?=",)),
        ("Ada\tBly", ("=?utf-8?q?Ada=09Bly?=",)),
        (" a ", ("=?utf-8?q?_a_?=",)),
        ("=?utf-8?q?x?=", ("=?utf-8?b?PT91dGYtOD9xP3g/PQ==?=",)),
    ],
)
def test_free_text_as_words(value: str, words: tuple[str, ...]) -> None:
    """ASCII stays as it is; all else, and all that would not come back alike, becomes encoded
    words.
    """
    assert unstructured(value) == words


def test_very_long_words_do_not_break_the_line_limit() -> None:
    """A word that no line can hold is encoded, a merely long one is left for machines to read."""
    assert unstructured("x" * 870) == ("x" * 870,)
    assert len(unstructured("x" * 871)) > 1
    assert max(map(len, fold("X" * 126, ["y" * 870]).split(b"\r\n"))) <= 998


@PROPERTY
@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_encoded_words_keep_every_limit(text: str) -> None:
    """Each word is ASCII, at most 75 long, whole in itself, and is recognised as encoded."""
    words = encode_words(text)
    assert all(len(word) <= 75 and word.isascii() and " " not in word for word in words)
    if not {"\0", "\r", "\n"} & set(text) and text:
        assert is_encoded(" ".join(words))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ada",
        "=?utf-8?q?a,b?=",
        "=?utf-8?q?a=0Ab?=",
        "=?utf-8?b?Cg==?=",
        "=?utf-8?b?Q?=",
        "=?utf-16?b?AAo=?=",
        f"=?utf-8?q?{'a' * 70}?=",
        "=?utf-8?q?a?=b",
        "=?utf-8?q?a?= <",
    ],
)
def test_what_is_not_encoded_for_a_name(text: str) -> None:
    """Text without encoded words, or with ones that are broken, too long or hide a line break, does
    not count as encoded.
    """
    assert not is_encoded(text)


@PROPERTY
@given(
    st.from_regex("[!-9;-~]{1,126}", fullmatch=True),
    st.text(st.characters(codec="utf-8"), max_size=2000),
)
def test_folded_field_unfolds_to_itself(name: str, value: str) -> None:
    """Folding adds only CRLFs, before a blank and never an empty line; lines stay within 76, and
    998 for long words.
    """
    words = unstructured(value)
    raw = fold(name, words)
    lines = raw.decode("ascii").split("\r\n")
    assert "".join(lines) == " ".join([f"{name}:", *words])
    assert lines.pop() == ""
    assert all(line.startswith(" ") and line.strip() for line in lines[1:])
    assert all(
        len(line) <= max(76, 1 + len(name), 2 + max(map(len, words), default=0) + len(name))
        for line in lines
    )
    assert all(len(line) <= 998 for line in lines)


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("List-ID", "Grüße <news.example.com>", "=?utf-8?b?R3LDvMOfZQ==?= <news.example.com>"),
        ("list-id", "News, and more <news.example.com>", "News, and more <news.example.com>"),
        ("Keywords", "Grüße, sale", "=?utf-8?b?R3LDvMOfZQ==?=, sale"),
        (
            "References",
            f"<{'a' * 60}@x.io>  <{'b' * 60}@x.io>",
            f"<{'a' * 60}@x.io> <{'b' * 60}@x.io>",
        ),
        ("Mail-Followup-To", "Jörg <j@x.io>, a@x.io", "=?utf-8?b?SsO2cmc=?= <j@x.io>, a@x.io"),
        ("X-Campaign", "Grüße <a>", "=?utf-8?b?R3LDvMOfZSA8YT4=?="),
        ("X-Original-To", "Grüße <a>", "=?utf-8?b?R3LDvMOfZSA8YT4=?="),
    ],
)
def test_fields_keep_the_syntax_that_they_have(name: str, value: str, sent: str) -> None:
    """An encoded word replaces the phrase of a structured field, never its identifier or address
    (RFC 2047 §5).
    """
    assert " ".join(field_words(name, check_header_value(name, value))) == sent


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("List-ID", "News <grüße.example.com>"),
        ("References", "<grüße@x.io>"),
        ("In-Reply-To", f"<{'a' * 900}@x.io>"),
        ("Latest-Delivery-Time", "Grüße"),
        ("Solicitation", "grüße"),
        ("Jabber-ID", "grüße@x.io"),
        ("List-Help", "<https://bücher.example/>"),
        ("Auto-Submitted", "ja, automatisch für dich"),
        ("Expires", "morgen früh"),
        ("Mail-Followup-To", "a@x.io b@x.io"),
        ("Original-From", "a@x.io b@x.io"),
        ("Obsoletes", "<grüße@x.io>"),
        ("TLS-Required", "nö"),
    ],
)
def test_text_where_a_syntax_has_none_is_refused(name: str, value: str) -> None:
    """A character beyond ASCII in an identifier, a URI, a date or a keyword is refused, since
    encoded it would be another.
    """
    with pytest.raises(HeaderError, match=r"syntax|addresses") as caught:
        check_header_value(name, value)
    assert caught.value.name == name
