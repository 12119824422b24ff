"""Attachments: every form of a FILE, its name, its media type and its octets."""

import base64
import hashlib
import pickle
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackfield_aws_ses.addresses import parse_mailbox
from jackfield_aws_ses.attachments import Attachment, AttachmentError, parse_attachments
from jackfield_aws_ses.content_types import (
    clean_content_type,
    guess_content_type,
    simple_content_type,
)
from jackfield_aws_ses.file_names import (
    ascii_file_name,
    clean_file_name,
    disposition_words,
    is_refused,
)
from jackfield_aws_ses.mime import Message, write_message
from jackfield_aws_ses.sending import attachment_parts, is_simple

PROPERTY = settings(deadline=None, database=None)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def only(value: object) -> Attachment:
    """Return the one attachment that a value holds."""
    (attachment,) = parse_attachments(value)
    return attachment


@pytest.mark.parametrize(
    ("name", "file", "content_type", "data"),
    [
        ("a.txt", "Grüße", "text/plain; charset=utf-8", "Grüße".encode()),
        ("a.csv", "ä;b", "text/csv; charset=utf-8", "ä;b".encode()),
        ("README", "hi", "text/plain; charset=utf-8", b"hi"),
        ("a.json", "{}", "application/json", b"{}"),
        ("a.txt", "", "text/plain; charset=utf-8", b""),
        ("a.txt", "data: 1, 2", "text/plain; charset=utf-8", b"data: 1, 2"),
        ("a.txt", "data:", "text/plain; charset=utf-8", b"data:"),
        ("a.pdf", "data:application/pdf;base64,QUJD", "application/pdf", b"ABC"),
        ("a.pdf", "DATA:application/pdf;BASE64,QUJD", "application/pdf", b"ABC"),
        ("a.pdf", "data:application/pdf;name=x.pdf;base64,QU JD", "application/pdf", b"ABC"),
        ("a.pdf", "data:;base64,QUJD", "application/pdf", b"ABC"),
        ("a.bin", "data:;base64,QUJD%2B%2F8%3D", "application/octet-stream", b"ABC\xfb\xff"),
        ("a.bin", "data:,A%20b%00", "application/octet-stream", b"A b\0"),
        (
            "a.bin",
            "data:text/csv;charset=utf-8,ä%2Cb,c",
            "text/csv; charset=utf-8",
            "ä,b,c".encode(),
        ),
        ("a.bin", "data:;charset=latin-1,%E4", "text/plain; charset=latin-1", b"\xe4"),
        ("a.pdf", {"data": "QUJD"}, "application/pdf", b"ABC"),
        ("a.PDF", {"data": "QUJD", "contentType": None}, "application/pdf", b"ABC"),
        ("a.docx", {"data": ""}, DOCX, b""),
        ("unknown.zzz", {"data": "QUJD"}, "application/octet-stream", b"ABC"),
        ("a.txt", {"data": "QUJD"}, "text/plain", b"ABC"),
        (
            "a",
            {"data": "QUJD", "contentType": " Text/CSV ; Charset=utf-8; name=x "},
            "text/csv; charset=utf-8",
            b"ABC",
        ),
        (
            "a",
            {"data": "QUJD", "contentType": 'a/b; charset="d;e\\""; c=d'},
            'a/b; charset="d;e\\""',
            b"ABC",
        ),
        (
            "a.eml",
            {"data": "QUJD", "contentType": "message/rfc822"},
            "application/octet-stream",
            b"ABC",
        ),
        (
            "a",
            {"data": "QUJD", "contentType": "multipart/mixed; boundary=x"},
            "application/octet-stream",
            b"ABC",
        ),
        ("a", {"data": b"\0\xff"}, "application/octet-stream", b"\0\xff"),
    ],
)
def test_forms_of_a_file(name: str, file: object, content_type: str, data: bytes) -> None:
    """Text, data: URLs and base64 objects give their octets and a media type, from either shape of
    the input.
    """
    for value in ({name: file}, [{"key": name, "value": file}]):
        attachment = only(value)
        assert (attachment.name, attachment.content_type, attachment.data) == (
            name,
            content_type,
            data,
        )
        assert attachment.size == len(data)


def test_a_list_may_use_a_name_twice() -> None:
    """Two files of one name are two attachments, in the order of the list."""
    files = parse_attachments([{"key": "a.txt", "value": "1"}, {"key": "a.txt", "value": "2"}])
    assert [(file.name, file.data) for file in files] == [("a.txt", b"1"), ("a.txt", b"2")]
    assert parse_attachments({}) == parse_attachments([]) == ()


@pytest.mark.parametrize(
    "text", ["+/+/QUI=", "+/+/\r\nQUI=\n", " +/+/QUI", "-_-_QUI=", "-_-_\nQUI", "+/+/QUJ="]
)
def test_base64_in_the_usual_dialects(text: str) -> None:
    """Blanks, missing padding, the URL-safe alphabet and stray last bits are put right: the kept
    text is canonical.
    """
    attachment = only({"a": {"data": text}})
    assert attachment.content == "+/+/QUI="
    assert attachment.data == b"\xfb\xff\xbfAB"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("QUJ!", "is not base64: it contains '!' at position 3"),
        ("QUJDé", "is not base64: it contains 'é' at position 4"),
        ("QUJ\ud800", "is not base64: it contains '\\ud800' at position 3"),
        ("QUJD\0", "is not base64: it contains '\\x00' at position 4"),
        ("Q", "is not base64: its length is wrong, so part of it may be missing"),
        ("QUJDQ", "is not base64: its length is wrong, so part of it may be missing"),
        ("QUJD=", "is not base64: its length is wrong, so part of it may be missing"),
        ("Q===", "is not base64: its length is wrong, so part of it may be missing"),
        ("QQ==QQ==", "is not base64: it has a '=' before its end"),
        ("+_+_", "is not base64: it mixes the standard and the URL-safe alphabet"),
        ("====", "is not base64: its length is wrong, so part of it may be missing"),
    ],
)
def test_broken_base64_is_refused(text: str, reason: str) -> None:
    """What is not base64 is refused with the fault and the pointer to the member that holds it."""
    with pytest.raises(AttachmentError) as caught:
        parse_attachments(
            [{"key": "ok.txt", "value": ""}, {"key": "a.pdf", "value": {"data": text}}]
        )
    error = caught.value
    assert (error.reason, error.name, error.index, error.pointer) == (
        reason,
        "a.pdf",
        1,
        "/1/value/data",
    )


@pytest.mark.parametrize(
    ("value", "reason", "pointer"),
    [
        (5, "is neither an object nor a list of files", ""),
        ("a.txt", "is neither an object nor a list of files", ""),
        ([5], "is not an object with 'key' and 'value'", "/0"),
        ([{"key": "a"}], "is not an object with 'key' and 'value'", "/0"),
        ([{"key": 1, "value": ""}], "is not an object with 'key' and 'value'", "/0"),
        ({"a/b~": 5}, "is neither text nor an object with 'data'", "/a~1b~0"),
        ({"a": {"file": "id"}}, "is neither text nor an object with 'data'", "/a"),
        (
            {"a": {"data": "", "contentType": 5}},
            "has a content type that is not text",
            "/a/contentType",
        ),
        (
            {"a": {"data": "", "contentType": "application pdf"}},
            "has a content type that is not 'type/subtype', with parameters or without",
            "/a/contentType",
        ),
        (
            {"a": {"data": "", "contentType": "a/b\r\nX: y"}},
            "has a content type that is not 'type/subtype', with parameters or without",
            "/a/contentType",
        ),
        (
            {"a": {"data": "", "contentType": "a/" + "b" * 254}},
            "has a content type of more than 255 characters",
            "/a/contentType",
        ),
        ({"a.exe": ""}, "is of a type that Amazon SES does not accept ('.exe')", "/a.exe"),
        ({"a": "\ud800"}, "contains an unpaired surrogate, which is not valid Unicode", "/a"),
        ({"a": "data:,\ud800"}, "contains an unpaired surrogate, which is not valid Unicode", "/a"),
        ({"a": "data:image/png;base64"}, "is a data: URL without a ','", "/a"),
        ({"a": "data:image/png;base64,QUJ!"}, "is not base64: it contains '!' at position 3", "/a"),
    ],
)
def test_refusals_point_at_their_member(value: object, reason: str, pointer: str) -> None:
    """An attachment that cannot be sent is refused with a predicate and a JSON Pointer."""
    with pytest.raises(AttachmentError) as caught:
        parse_attachments(value)
    assert (caught.value.reason, caught.value.pointer) == (reason, pointer)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\report.pdf", "report.pdf"),
        ("../x", "x"),
        ("a\r\nContent-Type: x.pdf", "aContent-Type: x.pdf"),
        ("a\0b\x85c\u2028d.txt", "abcd.txt"),
        ("annex\u202efdp.txt", "annexfdp.txt"),
        ("\u2066a\u2069.txt", "a.txt"),
        ("a\ud800.txt", "a.txt"),
        ("  a.txt  ", "a.txt"),
        ("a.txt. .", "a.txt"),
        (".gitignore", ".gitignore"),
        ("", "attachment"),
        ("..", "attachment"),
        ("dir/", "attachment"),
        ("\r\n", "attachment"),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
        ("ü" * 300 + ".pdf", "ü" * 125 + ".pdf"),
        ("x." + "y" * 300, "x." + "y" * 253),
        ('Grüße "1".pdf', 'Grüße "1".pdf'),
        ("👩‍💻.txt", "👩‍💻.txt"),
    ],
)
def test_file_names_are_cleaned(given_name: str, name: str) -> None:
    """A name is a last path part without controls, of at most 255 octets, with its extension."""
    assert clean_file_name(given_name) == name
    assert only([{"key": given_name, "value": ""}]).name == name


@pytest.mark.parametrize(
    "name",
    [
        "a.exe",
        "A.EXE",
        "a.pdf.js",
        "a.exe.",
        "a.exe ",
        "a.e\u202exe",
        "x/a.vbs",
        ".bat",
        "a.ps1xml",
        "a.mdb",
        "a.xnk",
        "a.crt",
    ],
)
def test_extensions_that_ses_refuses(name: str) -> None:
    """Names that Amazon SES refuses are refused before anything is sent, tricks with case, blanks
    and marks included.
    """
    with pytest.raises(AttachmentError, match="Amazon SES does not accept"):
        parse_attachments({name: ""})


@pytest.mark.parametrize("name", ["exe", "a.exe.zip", "a.pdf", "a.json", "com", "js.txt"])
def test_extensions_that_ses_takes(name: str) -> None:
    """Only the last extension counts, and a name without one is no extension."""
    assert not is_refused(name)
    assert only({name: ""}).name == name


@pytest.mark.parametrize(
    "size",
    [
        0,
        1,
        2,
        3,
        56,
        57,
        58,
        114,
        58367,
        58368,
        58369,
        1024 * 1024,
        pytest.param(8 * 1024 * 1024, marks=pytest.mark.campaign),
    ],
)
def test_octets_arrive_however_they_were_given(size: int) -> None:
    """Octets and base64 text fold to the same lines of the announced size, and decode to the same
    SHA-256.
    """
    data = random.Random(size).randbytes(size)
    text = base64.b64encode(data).decode()
    forms = [
        Attachment("a", "a/b", data),
        Attachment("a", "a/b", text),
        only({"a": {"data": text.rstrip("=")}}),
    ]
    digests = {hashlib.sha256(b"".join(form.encoded())).hexdigest() for form in forms}
    assert len(digests) == 1
    folded = b"".join(forms[1].encoded())
    assert (
        hashlib.sha256(base64.b64decode(folded)).digest()
        == hashlib.sha256(data).digest()
        == hashlib.sha256(forms[1].data).digest()
    )
    assert all(len(line) == 76 for line in folded.split(b"\r\n")[:-1])
    assert {form.encoded_size for form in forms} == {len(folded)}
    assert {form.size for form in forms} == {size}


def test_clean_base64_is_kept_without_a_copy() -> None:
    """Base64 text that needs no repair is kept as the very object that came in, undecoded."""
    text = base64.b64encode(random.Random(1).randbytes(100_000)).decode()
    attachment = only({"a.bin": {"data": text}})
    assert attachment.content is text


def test_content_is_not_shown() -> None:
    """The repr of an attachment holds its name, never its content."""
    assert (
        repr(Attachment("a.txt", "text/plain", b"secret"))
        == "Attachment(name='a.txt', content_type='text/plain')"
    )


@PROPERTY
@given(st.binary(max_size=300), st.booleans(), st.booleans(), st.booleans())
def test_base64_round_trip(data: bytes, url_safe: bool, padded: bool, folded: bool) -> None:
    """Any octets in any dialect of base64 come back."""
    raw = (
        base64.urlsafe_b64encode(data)
        if url_safe
        else base64.encodebytes(data)
        if folded
        else base64.b64encode(data)
    )
    text = raw.decode() if padded else raw.decode().rstrip("=\n")
    assert only({"a": {"data": text}}).data == data


@PROPERTY
@given(ANY_TEXT)
def test_any_text_as_a_file_name(name: str) -> None:
    """Whatever the name, what is written of it is printable ASCII of a bounded length, and cleaning
    is final.
    """
    cleaned = clean_file_name(name)
    assert clean_file_name(cleaned) == cleaned != ""
    assert len(cleaned.encode()) <= 255
    fallback = ascii_file_name(cleaned)
    assert fallback.isascii()
    assert fallback.isprintable()
    assert not {'"', "\\"} & set(fallback)
    assert all(word.isascii() and word.isprintable() for word in disposition_words(cleaned))


WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (f'{WORD}; name="Quarterly report 2026.docx"', WORD),
        (f"{WORD}; charset=utf-8", f"{WORD}; charset=utf-8"),
        (f'multipart/x; profile="{"a" * 900}"', "application/octet-stream"),
        (f'image/png; profile="{"a" * 900}"', "image/png"),
        ("image/png; name*=utf-8''a.png", "image/png"),
        ('image/png;\r\n\tname="a b.png";\r\n x-unix-mode=0644', "image/png"),
        (
            "text/calendar; method=REQUEST; charset=UTF-8; name=i.ics",
            "text/calendar; method=REQUEST; charset=UTF-8",
        ),
        (
            "text/plain; charset=utf-8; format=flowed; delsp=yes;",
            "text/plain; charset=utf-8; format=flowed; delsp=yes",
        ),
        ("text/plain; charset=utf-8; Charset=latin1", "text/plain; charset=utf-8"),
        ("application/pdf; name=Grüße.pdf; x-mac-type=50", "application/pdf"),
        ("application/pdf; name=a b.pdf", "application/pdf"),
        ('text/plain; name="a; charset=x.txt"; charset=utf-8', "text/plain; charset=utf-8"),
        ("image/jpeg;", "image/jpeg"),
        ("IMAGE / JPEG (a picture)", "image/jpeg"),
        ('text/plain; charset = "utf-8" (comment)', 'text/plain; charset="utf-8"'),
        (
            "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m",
            "application/pkcs7-mime; smime-type=signed-data",
        ),
        ("*/*", "application/octet-stream"),
    ],
)
def test_content_types_of_real_mail_are_read(given: str, sent: str) -> None:
    """The type and the parameters that matter are kept, names and what cannot be read are dropped,
    and all if they are too long.
    """
    assert clean_content_type(given) == sent
    assert clean_content_type(sent) == sent


@pytest.mark.parametrize(
    "given", ["pdf", "application/", "PDF; name=a.pdf", "file;\r\n\tname=Grüße.pdf"]
)
@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.pdf", "application/pdf"), ("a.csv", "text/csv"), ("a", "application/octet-stream")],
)
def test_half_a_content_type_leaves_it_to_the_name(given: str, name: str, kind: str) -> None:
    """Mail has values such as ``pdf``, which no receiver can read: what the file's name says is
    sent.
    """
    (file,) = parse_attachments({name: {"data": "QUJD", "contentType": given}})
    assert file.content_type == kind


def test_a_content_type_of_more_than_78_characters_is_sent_where_it_may_be() -> None:
    """API v2 takes 78: a longer one makes the message Raw, which has no such limit; beside a
    template, where there is no Raw, the type alone is sent.
    """
    content_type = f"{WORD}; charset=utf-8"
    (file,) = parse_attachments({"a.docx": {"data": "QUJD", "contentType": content_type}})
    message = Message(
        parse_mailbox("n@x.io"),
        (parse_mailbox("a@x.io"),),
        subject="s",
        text="t",
        attachments=(file,),
    )
    assert not is_simple(message)
    assert content_type.encode() in write_message(message)
    assert [part["ContentType"] for part in attachment_parts(message)] == [WORD]
    assert simple_content_type(f"a/{'b' * 200}") == "application/octet-stream"


@PROPERTY
@given(
    ANY_TEXT
    | st.builds("{0}/{1}".format, ANY_TEXT, ANY_TEXT)
    | st.builds("a/b;c={0}".format, ANY_TEXT)
)
def test_any_text_as_a_content_type(text: str) -> None:
    """A content type is printable ASCII that reads back as it is, or it is refused."""
    try:
        cleaned = clean_content_type(text)
    except ValueError as error:
        assert str(error).startswith("has a content type")
    else:
        assert cleaned.isascii()
        assert cleaned.isprintable()
        assert clean_content_type(cleaned) == cleaned


@PROPERTY
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | ANY_TEXT,
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["key", "value", "data", "contentType", "a.txt"]), inner
            )
        ),
    )
)
def test_any_json_is_read_or_refused(value: Any) -> None:
    """No JSON value makes reading fail in another way than with an AttachmentError."""
    try:
        files = parse_attachments(value)
    except AttachmentError as error:
        assert error.reason
    else:
        assert all(file.size == len(file.data) for file in files)


def test_guessing_needs_a_known_extension() -> None:
    """Only an extension tells a media type: not a bare word, and an unknown one falls back."""
    assert [guess_content_type(name) for name in ("x.tar.gz", "pdf", ".pdf", "a.unknown")] == [
        "application/gzip",
        "application/octet-stream",
        "application/octet-stream",
        "application/octet-stream",
    ]
