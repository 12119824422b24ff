"""The written message, read back by the standard library and, octet by octet, by a small reader of
its own.
"""

import binascii
import email
import email.policy
import hashlib
import quopri
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import EmailMessage
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jackfield_aws_ses.addresses import AddressError, Mailbox, parse_mailbox, parse_mailboxes
from jackfield_aws_ses.attachments import Attachment, AttachmentError, parse_attachments
from jackfield_aws_ses.headers import HeaderError
from jackfield_aws_ses.mime import (
    MAX_MESSAGE_SIZE,
    Message,
    MessageError,
    encoded_size,
    write_message,
)
from jackfield_aws_ses.transfer import encode_text

PROPERTY = settings(deadline=None, database=None)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=120)
TEXT = st.text(st.characters(codec="utf-8"), max_size=400)
LINES = st.lists(
    st.sampled_from(
        [
            "",
            ".",
            "..",
            "From x",
            "--=_jackfield_mixed",
            "=",
            "a" * 90,
            "ü" * 40,
            "b ",
            "\t",
            "=_",
            "日本語",
        ]
    ),
    max_size=12,
)
LINE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=120)
FIELDS = st.from_regex(r"X-[!-9;-~]{1,20}", fullmatch=True)
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=90)
SENDER = parse_mailbox("Ada <ada@x.io>")
ADA = parse_mailboxes("bob@x.io")


@dataclass(frozen=True)
class Part:
    """A part as the reader of this file sees it: header fields by lower-cased name, body octets,
    inner parts.
    """

    fields: dict[str, str]
    body: bytes
    parts: tuple["Part", ...] = ()

    @property
    def kind(self) -> str:
        """The media type without parameters."""
        return self.fields["content-type"].partition(";")[0]

    def leaves(self) -> Iterator["Part"]:
        """Yield the parts that hold content."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


def read(raw: bytes) -> Part:
    """Read a message or part by the letter of RFC 5322, 2045 and 2046."""
    head, blank, body = raw.partition(b"\r\n\r\n")
    assert blank
    lines = re.sub(rb"\r\n(?=[ \t])", b"", head).decode("ascii").split("\r\n")
    pairs = [line.split(":", 1) for line in lines]
    fields = {name.lower(): value.removeprefix(" ") for name, value in pairs}
    assert len(fields) == len(pairs), "a field came twice"
    boundary = re.search('boundary="([^"]+)"', fields.get("content-type", ""))
    if boundary:
        delimiter = b"\r\n--" + boundary[1].encode()
        preamble, *parts, closing = (b"\r\n" + body).split(delimiter)
        assert (preamble, closing) == (b"", b"--\r\n")
        assert all(part.startswith(b"\r\n") for part in parts)
        return Part(fields, b"", tuple(read(part[2:]) for part in parts))
    return Part(fields, decode_body(fields.get("content-transfer-encoding", "7bit"), body))


def decode_body(encoding: str, body: bytes) -> bytes:
    """Undo a transfer encoding."""
    if encoding == "base64":
        return binascii.a2b_base64(body.replace(b"\r\n", b""), strict_mode=True)
    return quopri.decodestring(body) if encoding == "quoted-printable" else body


def decode_words(value: str) -> str:
    """Decode encoded words by RFC 2047: blanks between two of them vanish, words in quotes are left
    alone.
    """
    joined = re.sub(r"(\?=) (?==\?utf-8\?)", r"\1", value)

    def decode(match: re.Match[str]) -> bytes:
        if match[1] == "b":
            return binascii.a2b_base64(match[2], strict_mode=True)
        return unquote(match[2].replace("_", " ").replace("%", "%25").replace("=", "%")).encode()

    return re.sub(r"=\?utf-8\?([qb])\?([^?]*)\?=", lambda match: decode(match).decode(), joined)


def read_both(message: Message) -> tuple[Part, EmailMessage]:
    """Write a message, check what every message must keep, and read it in both ways."""
    raw = write_message(message)
    assert len(raw) == encoded_size(message)
    assert raw.isascii()
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert not re.search(rb"(?im)^bcc\s*:", raw.partition(b"\r\n\r\n")[0])
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert all(not part.defects for part in parsed.walk())
    return read(raw), parsed


def crlf(text: str) -> bytes:
    """Return a text as the octets of a canonical text part."""
    return re.sub("\r\n|\r|\n", "\r\n", text).encode()


def test_plain_text_is_as_small_as_can_be() -> None:
    """A short ASCII text is one 7bit part with the fields in order, and neither Date nor
    Message-ID.
    """
    message = Message(SENDER, ADA, subject="Hello", text="Hello\nBob")
    assert write_message(message) == (
        b"From: Ada <ada@x.io>\r\nTo: bob@x.io\r\nSubject: Hello\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
        b"7bit\r\n\r\nHello\r\nBob"
    )
    assert write_message(message) == write_message(message)


@pytest.mark.parametrize(
    ("text", "html", "files", "kinds"),
    [
        ("t", None, 0, ["text/plain"]),
        (None, "h", 0, ["text/html"]),
        (None, None, 0, ["text/plain"]),
        ("", "", 0, ["multipart/alternative", "text/plain", "text/html"]),
        ("t", "h", 0, ["multipart/alternative", "text/plain", "text/html"]),
        ("t", None, 2, ["multipart/mixed", "text/plain", "a/b", "a/b"]),
        (None, "h", 1, ["multipart/mixed", "text/html", "a/b"]),
        (
            "t",
            "h",
            1,
            ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "a/b"],
        ),
    ],
)
def test_structure(text: str | None, html: str | None, files: int, kinds: list[str]) -> None:
    """Text comes before HTML in an alternative, attachments stand around it in a mixed, and nothing
    is wrapped in vain.
    """
    message = Message(
        SENDER, ADA, text=text, html=html, attachments=(Attachment("a", "a/b", b"x"),) * files
    )
    part, parsed = read_both(message)
    assert [leaf.get_content_type() for leaf in parsed.walk()] == kinds
    assert [leaf.kind for leaf in part.leaves()] == [
        kind for kind in kinds if not kind.startswith("multipart/")
    ]


def test_hidden_recipients_have_no_place() -> None:
    """A message to nobody visible has no To and no Cc field, and Message has no member that could
    hold a Bcc.
    """
    part, _ = read_both(Message(SENDER, subject="x", text="x"))
    assert set(part.fields) == {
        "from",
        "subject",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
    }
    assert not [name for name in Message.__dataclass_fields__ if "bcc" in name]


def test_address_fields() -> None:
    """From is one mailbox even with a comma in its name; To, Cc and Reply-To keep every address in
    order.
    """
    to = parse_mailboxes(
        ['"Doe, Jane" <j@x.io>', "d@straße.de"] + [f"Grüße {n} <n{n}@x.io>" for n in range(48)]
    )
    message = Message(
        parse_mailbox("Grüße, AG <a@x.io>"), to, ADA, parse_mailboxes("r@x.io, s@x.io"), "x", "x"
    )
    part, parsed = read_both(message)
    assert [(one.display_name, one.addr_spec) for one in parsed["From"].addresses] == [
        ("Grüße, AG", "a@x.io")
    ]
    assert [one.addr_spec for one in parsed["To"].addresses] == [mailbox.address for mailbox in to]
    assert [one.display_name for one in parsed["To"].addresses] == [mailbox.name for mailbox in to]
    assert (part.fields["cc"], part.fields["reply-to"]) == ("bob@x.io", "r@x.io, s@x.io")
    assert [mailbox.address for mailbox in parse_mailboxes(part.fields["to"])] == [
        mailbox.address for mailbox in to
    ]


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "Hello",
        '🎉 Grüße, "AG" <x>',
        "=?utf-8?q?x?=",
        " a  b\t",
        "日本語" * 60,
        "é" * 500,
        "a" * 900,
        "🏳️‍🌈" * 30,
    ],
)
def test_subjects_arrive(subject: str) -> None:
    """Any subject comes back character by character from octets that keep RFC 2047, and as before
    without folding.
    """
    part, parsed = read_both(Message(SENDER, ADA, subject=subject, text="x"))
    assert decode_words(part.fields["subject"]) == subject
    assert "".join(str(parsed["Subject"]).split()) == "".join(subject.split())


@pytest.mark.parametrize("field", ["subject", "text", "html"])
def test_half_a_character_is_refused_by_field(field: str) -> None:
    """A lone surrogate raises a MessageError that names the field, when the message is measured and
    when it is written.
    """
    texts = {"subject": "x", "text": "x", "html": "x", field: "a\ud800b"}
    message = Message(SENDER, ADA, subject=texts["subject"], text=texts["text"], html=texts["html"])
    for function in (encoded_size, write_message):
        with pytest.raises(MessageError) as caught:
            function(message)
        assert caught.value.field == field
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "subject", ["a\r\nBcc: b@x.io", "a\nb", "a\rb", "a\0", "a\x85b", "a\u2028b"]
)
def test_second_line_in_a_subject_is_refused(subject: str) -> None:
    """A subject of two lines, by any character that some receiver takes for a line end, is
    refused.
    """
    with pytest.raises(MessageError, match=r"^'subject' contains the control character U"):
        write_message(Message(SENDER, ADA, subject=subject, text="x"))


def test_header_fields_are_written_and_checked() -> None:
    """Further fields come after the subject, non-ASCII encoded; forbidden ones are refused once
    more when writing.
    """
    headers = (
        ("X-Campaign", "a1"),
        ("List-Unsubscribe", f"<https://x.io/{'u' * 300}>"),
        ("X-Name", "Größe"),
    )
    part, _ = read_both(Message(SENDER, ADA, text="x", headers=headers))
    assert [(name, decode_words(part.fields[name.lower()])) for name, _ in headers] == list(headers)
    for pair in (("Bcc", "b@x.io"), ("X-A: 1\r\nBcc", "b@x.io"), ("X-A", "1\r\nBcc: b@x.io")):
        with pytest.raises(HeaderError):
            write_message(Message(SENDER, ADA, text="x", headers=(pair,)))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("", "7bit"),
        ("short\r\nlines\rof ASCII\n", "7bit"),
        ("a" * 78, "7bit"),
        ("a" * 79, "quoted-printable"),
        ("long " * 500, "quoted-printable"),
        ("Grüße aus Neustadt an der Weinstraße", "quoted-printable"),
        ("--=_jackfield_mixed--", "quoted-printable"),
        ("trailing blank \nnext\t\n", "7bit"),
        ("form\x0cfeed in a longer text", "quoted-printable"),
        ("日本語のテキスト", "base64"),
        ("\0\1\2", "base64"),
    ],
)
def test_bodies_take_the_shorter_encoding(text: str, encoding: str) -> None:
    """Short ASCII lines travel as they are, the rest in whichever encoding is shorter; the text
    comes back.
    """
    part, _ = read_both(Message(SENDER, ADA, text=text))
    assert part.fields["content-transfer-encoding"] == encoding
    assert part.body == crlf(text)


@pytest.mark.parametrize(
    "size", [0, 1, 57, 1024 * 1024, pytest.param(8 * 1024 * 1024, marks=pytest.mark.campaign)]
)
def test_attached_octets_arrive(size: int) -> None:
    """A file of any size, given as octets or base64, has the same SHA-256 after both readers."""
    data = random.Random(size).randbytes(size)
    text = binascii.b2a_base64(data, newline=False).decode()
    for value in ({"a.bin": {"data": text}}, {"a.bin": {"data": data}}):
        part, parsed = read_both(
            Message(SENDER, ADA, text="x", attachments=parse_attachments(value))
        )
        (file,) = parsed.iter_attachments()
        digests = {
            hashlib.sha256(octets).hexdigest()
            for octets in (data, file.get_content(), list(part.leaves())[1].body)
        }
        assert len(digests) == 1


@pytest.mark.parametrize(
    ("name", "disposition", "fallback"),
    [
        ("a.pdf", 'attachment; filename="a.pdf"', "a.pdf"),
        ('a "b".pdf', r'attachment; filename="a \"b\".pdf"', "a _b_.pdf"),
        ("Grüße.pdf", "attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe.pdf", "Gru_e.pdf"),
        (
            "日本語.pdf",
            "attachment; filename*=UTF-8''%E6%97%A5%E6%9C%AC%E8%AA%9E.pdf",
            "attachment.pdf",
        ),
        (
            "=?utf-8?q?x?=.txt",
            "attachment; filename*=UTF-8''%3D%3Futf-8%3Fq%3Fx%3F%3D.txt",
            "__utf-8_q_x__.txt",
        ),
        ("a  b.txt", "attachment; filename*=UTF-8''a%20%20b.txt", "a _b.txt"),
    ],
)
def test_file_names_are_written_for_old_and_new_receivers(
    name: str, disposition: str, fallback: str
) -> None:
    """A plain name is quoted, any other written by RFC 2231, with an ASCII fallback as the
    parameter ``name``.
    """
    part, parsed = read_both(
        Message(SENDER, ADA, text="x", attachments=parse_attachments({name: ""}))
    )
    file = list(part.leaves())[1]
    assert file.fields["content-disposition"] == disposition
    assert file.fields["content-type"].endswith(f'; name="{fallback}"')
    assert [one.get_filename() for one in parsed.iter_attachments()] == [name]


def test_a_message_of_exactly_the_limit_is_known_without_encoding_it() -> None:
    """The size is known to the octet: filler can bring a message to the limit and one octet over
    it.
    """
    attachments = (Attachment("a.bin", "a/b", bytes(30_000_000)),)
    message = Message(SENDER, ADA, text="x", attachments=attachments)
    room = MAX_MESSAGE_SIZE - encoded_size(message)
    lines = "x" * 70 + "\n"  # 72 octets with its CRLF
    text = lines * (room // 72) + "y" * (room % 72) + "x"
    assert encoded_size(replace(message, text=text)) == MAX_MESSAGE_SIZE
    assert encoded_size(replace(message, text=text + "z")) == MAX_MESSAGE_SIZE + 1


def test_content_is_not_shown() -> None:
    """The repr of a message holds no subject, no body and no further header field."""
    message = Message(
        SENDER, subject="secret", text="secret", html="secret", headers=(("X-A", "secret"),)
    )
    assert "secret" not in repr(message)


@PROPERTY
@given(TEXT | LINES.map("\n".join), TEXT | LINES.map("\r\n".join) | st.none(), st.booleans())
def test_any_text_arrives_in_any_structure(text: str, html: str | None, attached: bool) -> None:
    """Any text and HTML come back as they were, line ends made CRLF, even if they hold boundaries
    or dots.
    """
    files = parse_attachments({"a.txt": text}) if attached else ()
    part, parsed = read_both(Message(SENDER, ADA, text=text, html=html, attachments=files))
    bodies = [leaf.body for leaf in part.leaves()]
    assert bodies == [
        crlf(text),
        *([] if html is None else [crlf(html)]),
        *([text.encode()] if attached else []),
    ]
    leaves = [leaf for leaf in parsed.walk() if not leaf.is_multipart()]
    assert [leaf.get_payload(decode=True) for leaf in leaves] == bodies


@PROPERTY
@given(TEXT | LINES.map("\n".join))
def test_encoded_text_keeps_every_limit(text: str) -> None:
    """Encoded text has lines of at most 78 octets, no blank at a line's end but in 7bit, and never
    an "=_".
    """
    encoding, body = encode_text(text)
    lines = body.split(b"\r\n")
    assert max(map(len, lines)) <= (78 if encoding == "7bit" else 76)
    assert b"=_" not in body
    assert encoding == "7bit" or not any(line.endswith((b" ", b"\t")) for line in lines)
    assert decode_body(encoding, body) == crlf(text)


@PROPERTY
@given(ANY_TEXT | LINE, ANY_TEXT | LINE, ANY_TEXT | FIELDS, ANY_TEXT | LINE, ANY_TEXT)
def test_no_text_injects_a_line(name: str, subject: str, field: str, value: str, file: str) -> None:
    """Whatever stands in names, subject, header fields and file names: it is refused, or the fields
    are just the expected ones.
    """
    try:
        message = Message(
            Mailbox(name, "a", "x.io"),
            (Mailbox(name, "b", "x.io"),),
            (),
            (),
            subject,
            "x",
            None,
            ((field, value),),
            parse_attachments({file: "x"}),
        )
        part, parsed = read_both(message)
    except (AddressError, HeaderError, MessageError, AttachmentError) as error:
        assert str(error)
        return
    assert list(part.fields) == [
        "from",
        "to",
        "subject",
        field.lower(),
        "mime-version",
        "content-type",
    ]
    assert [name.lower() for name in parsed] == list(part.fields)
    assert [list(leaf.fields) for leaf in part.leaves()] == [
        ["content-type", "content-transfer-encoding"],
        ["content-type", "content-transfer-encoding", "content-disposition"],
    ]


def file_names(parsed: EmailMessage) -> list[str]:
    """The names of the attached files. ``get_filename`` would unquote them twice, and return
    nothing for ``"<>"`` (email.utils.unquote).
    """
    return [one["Content-Disposition"].params["filename"] for one in parsed.iter_attachments()]


@PROPERTY
@example("<>")
@example('"a"')
@given(st.text(r"""<>"'\a=?*;%. """, min_size=1, max_size=6))
def test_file_names_of_special_characters_arrive(file: str) -> None:
    """A file name of characters that mean something in a header comes back as it was given: in
    brackets or quotes, too.
    """
    files = parse_attachments({file: ""})
    _, parsed = read_both(Message(SENDER, text="x", attachments=files))
    assert file_names(parsed) == [one.name for one in files]


@PROPERTY
@given(
    NAMES, st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=200), NAMES
)
def test_names_and_subjects_arrive(name: str, subject: str, file: str) -> None:
    """Any display name, subject and file name comes back from the octets as it was given."""
    try:
        files = parse_attachments({file: ""})
    except AttachmentError:
        files = ()
    part, parsed = read_both(
        Message(Mailbox(name, "a", "x.io"), subject=subject, text="x", attachments=files)
    )
    assert decode_words(part.fields["subject"]) == subject
    phrase = part.fields["from"].removesuffix("<a@x.io>").removesuffix(" ")
    shown = (
        re.sub(r"\\(.)", r"\1", phrase[1:-1]) if phrase.startswith('"') else decode_words(phrase)
    )
    assert shown == name or not name
    assert [one.addr_spec for one in parsed["From"].addresses] == ["a@x.io"]
    assert file_names(parsed) == [one.name for one in files]
