"""Inline pictures and calendar invitations: as composed, over the API and SMTP, as two readers of
mail see them.
"""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackfield import Result
from jackfield_aws_ses.addresses import parse_mailbox
from jackfield_aws_ses.attachments import Attachment
from jackfield_aws_ses.calendars import Calendar
from jackfield_aws_ses.content_ids import clean_content_id, linked_ids
from jackfield_aws_ses.mime import Message, encoded_size, write_message
from rig import Rig, key_values
from smtp_rig import rig as smtp_rig

ROOT = Path(__file__).resolve().parents[3]
NODE, READER = (
    ROOT / ".venv" / "node" / "node_modules",
    ROOT / "tests" / "clients" / "read-mail.mjs",
)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PICTURE = {
    "data": base64.b64encode(PNG).decode(),
    "contentType": "image/png",
    "contentId": "logo@example.com",
}
NOTES = {"data": base64.b64encode(b"\x00notes").decode()}
HTML = '<p>Grüße <img alt="" src="cid:logo@example.com"></p>'
EVENT = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:Überblick\r\nEND:VEVENT\r\nEND:VCALENDAR"
FILES = [{"key": "logo.png", "value": PICTURE}, {"key": "notes.bin", "value": NOTES}]
SHOWN = ["related", "text/html", "image/png"]
PARTS: dict[str, Any] = {"html": HTML, "attachments": FILES, "calendar": {"text": EVENT}}


def digest(content: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def in_python(raw: bytes) -> dict[str, Any]:
    """Read a message with the standard library."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    bodies: dict[str, str] = {}
    parts = []
    for part in message.walk():
        assert not part.defects
        if part.is_multipart():
            continue
        kind, disposition = part.get_content_type(), part.get_content_disposition()
        if kind in {"text/plain", "text/html"} and disposition is None:
            bodies[kind] = part.get_content().rstrip("\n")
            continue
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        parts.append(
            {
                "name": part.get_filename(),
                "type": kind,
                "disposition": disposition,
                "contentId": part["Content-ID"] and str(part["Content-ID"]),
                "parameters": {
                    name: value
                    for name, value in dict(part["Content-Type"].params).items()
                    if name != "name"
                },
                "sha256": digest(content.rstrip(b"\r\n") if kind == "text/calendar" else content),
            }
        )
    return {
        "subject": message["Subject"],
        "text": bodies.get("text/plain"),
        "html": bodies.get("text/html"),
        "parts": parts,
    }


def in_node(raw: bytes) -> dict[str, Any]:
    """Read a message with mailparser."""
    if shutil.which("node") is None or not (NODE / "mailparser").exists():
        pytest.skip(
            "mailparser is not installed in .venv/node ('make clients' does it, where there is npm)"
        )
    done = subprocess.run(
        ["node", READER, NODE.parent], input=raw, capture_output=True, timeout=60, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    for body in ("text", "html"):
        found[body] = found[body] and found[body].rstrip("\n")
    for part in found["parts"]:
        part["parameters"].pop("name", None)
    return found


READERS = pytest.mark.parametrize("read", [in_python, in_node])


def over_api(tmp_path: Path, **inputs: Any) -> bytes:
    """Return what Amazon SES receives as Raw content."""
    with Rig(tmp_path, values=key_values()) as rig:
        rig.send(subject="Grüße", **inputs).unwrap()
        return rig.aws.messages[0].raw


def over_version_1(tmp_path: Path, **inputs: Any) -> bytes:
    """Return what an endpoint without version 2 receives."""
    script = [
        {
            "operation": "sesv2:SendEmail",
            "do": "status",
            "status": 501,
            "code": "InternalFailure",
            "always": True,
        }
    ]
    with Rig(tmp_path, values=key_values(), script=script) as rig:
        rig.send(subject="Grüße", **inputs).unwrap()
        return rig.aws.messages[0].raw


def over_smtp(_: Path, **inputs: Any) -> bytes:
    """Return what an SMTP server receives."""
    with smtp_rig() as rig:
        rig.send(subject="Grüße", **{"text": "Hello Ada", **inputs}).unwrap()
        return rig.server.received[0].content


def in_preview(tmp_path: Path, **inputs: Any) -> bytes:
    """Return the message of a dry run."""
    with Rig(tmp_path, values=key_values()) as rig:
        invocation = {**rig.mail(subject="Grüße", preview=True, **inputs), "dryRun": True}
        output = rig.jackfield.invoke(invocation).unwrap()
        return str(output["mime"]).encode("ascii")


WAYS = pytest.mark.parametrize("way", [over_api, over_version_1, over_smtp, in_preview])


@WAYS
@READERS
def test_a_client_shows_what_was_composed(
    tmp_path: Path, way: Callable[..., bytes], read: Callable[[bytes], dict[str, Any]]
) -> None:
    """A picture in the HTML, an invitation and a file arrive as such, octet by octet, whichever way
    the message goes.
    """
    found = read(way(tmp_path, **PARTS))
    assert (found["subject"], found["text"], found["html"]) == ("Grüße", "Hello Ada", HTML)
    picture: dict[str, Any] = {
        "name": "logo.png",
        "type": "image/png",
        "disposition": "inline",
        "contentId": "<logo@example.com>",
        "parameters": {},
        "sha256": digest(PNG),
    }
    file: dict[str, Any] = {
        "name": "notes.bin",
        "type": "application/octet-stream",
        "disposition": "attachment",
        "contentId": None,
        "parameters": {},
        "sha256": digest(b"\x00notes"),
    }
    calendar: dict[str, Any] = {
        "name": None,
        "type": "text/calendar",
        "disposition": None,
        "contentId": None,
        "parameters": {"method": "REQUEST", "charset": "utf-8"},
        "sha256": digest(EVENT.encode()),
    }
    assert found["parts"] == [picture, calendar, file]


def structure(raw: bytes) -> Any:
    """Return the types of a message's parts, nested."""

    def nested(part: EmailMessage) -> Any:
        return (
            [part.get_content_subtype(), *map(nested, part.iter_parts())]  # type: ignore[arg-type]
            if part.is_multipart()
            else part.get_content_type()
        )

    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return nested(message)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (
            PARTS,
            [
                "mixed",
                ["alternative", "text/plain", SHOWN, "text/calendar"],
                "application/octet-stream",
            ],
        ),
        (
            {**PARTS, "attachments": FILES[:1]},
            ["alternative", "text/plain", SHOWN, "text/calendar"],
        ),
        ({"html": HTML, "attachments": FILES[:1], "text": None}, SHOWN),
        ({"attachments": FILES[:1]}, ["mixed", "text/plain", "image/png"]),
        ({"calendar": {"text": EVENT}}, ["alternative", "text/plain", "text/calendar"]),
        (
            {"html": HTML, "calendar": {"text": EVENT}, "text": None},
            ["alternative", "text/html", "text/calendar"],
        ),
    ],
)
def test_parts_are_nested_as_clients_expect_them(inputs: dict[str, Any], expected: Any) -> None:
    """Pictures are related to the HTML, the invitation is the last alternative, and no multipart
    has one part only.
    """
    assert structure(over_smtp(Path(), **inputs)) == expected


def test_the_type_of_an_invitation_is_written_as_outlook_reads_it() -> None:
    """The part's type is text/calendar with its method and charset."""
    assert b"Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n" in over_smtp(
        Path(), **PARTS
    )


def test_a_gap_in_a_message_over_smtp_is_a_warning_too() -> None:
    """The Result says which picture is missing, whatever the way."""
    with smtp_rig() as rig:
        (warning,) = rig.send(html=HTML).meta.warnings
    assert "cid:logo@example.com" in warning["message"]


def test_amazon_ses_gets_pictures_as_such(tmp_path: Path) -> None:
    """Without an invitation, SES encodes the message itself: the picture is INLINE with its content
    ID. So it is with templates, and in bulk.
    """
    content = {"subject": "Hello", "html": HTML}
    with Rig(tmp_path, values=key_values()) as rig:
        rig.send(html=HTML, attachments=FILES).unwrap()
        common = {
            "awsRegion": "eu-west-1",
            "sender": "noreply@example.com",
            "attachments": FILES,
            "templateContent": content,
        }
        for action, more in (
            ("sendTemplatedEmail", {"to": "a@example.com"}),
            ("sendBulkEmail", {"destinations": [{"to": "a@example.com"}]}),
        ):
            result = call(rig, action, {**common, **more})
            result.unwrap()
            assert result.meta.warnings == ()
        for message in rig.aws.messages:
            found = [(item.name, item.disposition, item.content_id) for item in message.attachments]
            assert (message.kind, found) == (
                "simple",
                [("logo.png", "INLINE", "logo@example.com"), ("notes.bin", "ATTACHMENT", None)],
            )
        assert len(rig.aws.messages) == 3


def call(rig: Rig, action: str, inputs: dict[str, Any]) -> Result:
    """Run an action over the rig's connection."""
    return rig.jackfield.invoke(
        {"connector": "aws-ses", "action": action, "connection": "acme", "inputs": inputs}
    )


@pytest.mark.parametrize("action", ["sendEmail", "sendTemplatedEmail", "sendBulkEmail"])
def test_a_picture_that_nobody_attached_is_a_warning(tmp_path: Path, action: str) -> None:
    """The message is sent, and the Result says which picture recipients will not see; a placeholder
    may become any.
    """
    html = '<img src="cid:logo"><img src="cid:gone">' + (
        '<img src="cid:{{name}}">' if action != "sendEmail" else ""
    )
    inputs: dict[str, Any] = {"awsRegion": "eu-west-1", "sender": "noreply@example.com"}
    inputs["attachments"] = {"logo.png": {**PICTURE, "contentId": "logo"}}
    if action == "sendEmail":
        inputs |= {"subject": "s", "html": html}
    else:
        inputs["templateContent"] = {"subject": "s", "html": html}
    inputs |= (
        {"destinations": [{"to": "a@example.com"}]}
        if action == "sendBulkEmail"
        else {"to": "a@example.com"}
    )
    with Rig(tmp_path, values=key_values()) as rig:
        result = call(rig, action, inputs)
    result.unwrap()
    assert [warning["message"] for warning in result.meta.warnings] == [
        "'html' shows the picture 'cid:gone', but no attachment has that 'contentId'"
    ]


@pytest.mark.parametrize(
    ("attachments", "path", "words"),
    [
        (
            {"a.png": {**PICTURE, "contentId": "my logo"}},
            "/attachments/a.png/contentId",
            "'logo' or 'logo@example.com'",
        ),
        ({"a.png": {**PICTURE, "contentId": "a..b"}}, "/attachments/a.png/contentId", "content ID"),
        ({"a.png": {**PICTURE, "contentId": "lögo"}}, "/attachments/a.png/contentId", "ASCII"),
        (
            {"a.png": {**PICTURE, "contentId": "a\r\nBcc: b"}},
            "/attachments/a.png/contentId",
            "content ID",
        ),
        ({"a.png": {**PICTURE, "contentId": "x" * 79}}, "/attachments/a.png/contentId", "78"),
        (
            {"a.png": {**PICTURE, "contentId": "cid:logo"}},
            "/attachments/a.png/contentId",
            "without 'cid:'",
        ),
        ({"a.png": {**PICTURE, "contentId": ""}}, "/attachments/a.png/contentId", "empty"),
        (
            {"a.png": {**PICTURE, "disposition": "form-data"}},
            "/attachments/a.png/disposition",
            "'inline'",
        ),
        (
            [
                {"key": "a.png", "value": PICTURE},
                {"key": "b.png", "value": {**PICTURE, "contentId": "<logo@example.com>"}},
            ],
            "/attachments/1/value/contentId",
            "'a.png' has too",
        ),
        ({"a.png": {**PICTURE, "text": "x"}}, "/attachments/a.png/data", "only one"),
    ],
)
def test_a_content_id_that_is_none_is_refused(
    tmp_path: Path, attachments: Any, path: str, words: str
) -> None:
    """Its syntax is that of a message ID or its left side, and each is used once; the fault names
    its place, and nothing is sent.
    """
    with Rig(tmp_path, values=key_values()) as rig:
        error = rig.send(html=HTML, attachments=attachments).error
        assert rig.aws.messages == []
    assert error is not None
    assert (error.code, error.details[0].path) == ("invalid_input", path)
    assert words in error.details[0].message


@pytest.mark.parametrize(
    ("calendar", "path", "words"),
    [
        ({"text": "Lunch at noon"}, "/calendar/text", "BEGIN:VCALENDAR"),
        ({"text": "BEGIN:VCALENDAR\nMETHOD:REQUEST\n"}, "/calendar/text", "END:VCALENDAR"),
        ({"text": EVENT.replace("REQUEST", "INVITE")}, "/calendar/text", "'INVITE'"),
        (
            {"text": EVENT.replace("VERSION:2.0", "METHOD:CANCEL")},
            "/calendar/text",
            "more than one",
        ),
        ({"text": EVENT.replace("2.0", "2\x00")}, "/calendar/text", "U+0000"),
        ({"text": EVENT, "method": "CANCEL"}, "/calendar/method", "METHOD:REQUEST"),
        ({"text": EVENT.replace("METHOD:REQUEST\r\n", "")}, "/calendar/method", "such as REQUEST"),
        ({"text": EVENT, "method": "INVITE"}, "/calendar/method", "'REQUEST'"),
    ],
)
def test_an_invitation_that_no_client_reads_is_refused(
    tmp_path: Path, calendar: dict[str, str], path: str, words: str
) -> None:
    """It is one complete calendar with one method, the same in the text and beside it."""
    with Rig(tmp_path, values=key_values()) as rig:
        error = rig.send(calendar=calendar).error
        assert rig.aws.messages == []
    assert error is not None
    assert (error.code, error.details[0].path) == ("invalid_input", path)
    assert words in error.details[0].message


def test_a_method_beside_the_text_is_written_into_it() -> None:
    """Clients want the method in the type and in the text (RFC 6047 §2.4); folded and lower-case
    texts are read.
    """
    bare = EVENT.replace("METHOD:REQUEST\r\n", "")
    (calendar,) = in_python(over_smtp(Path(), calendar={"text": bare, "method": "CANCEL"}))["parts"]
    written = EVENT.replace("VERSION:2.0\r\n", "").replace(
        "METHOD:REQUEST\r\n", "METHOD:CANCEL\r\nVERSION:2.0\r\n"
    )
    assert (calendar["parameters"]["method"], calendar["sha256"]) == (
        "CANCEL",
        digest(written.encode()),
    )
    folded = EVENT.replace("METHOD:REQUEST", "method:req\r\n uest")
    (calendar,) = in_python(over_smtp(Path(), calendar={"text": folded}))["parts"]
    assert calendar["parameters"]["method"] == "REQUEST"


@pytest.mark.parametrize("action", ["sendTemplatedEmail", "sendBulkEmail"])
def test_a_template_takes_no_invitation_and_says_why(tmp_path: Path, action: str) -> None:
    """Amazon SES has no place for it: the error names what to do instead."""
    inputs: dict[str, Any] = {
        "awsRegion": "eu-west-1",
        "sender": "noreply@example.com",
        "templateName": "t",
        "calendar": {"text": EVENT},
    }
    inputs |= (
        {"destinations": [{"to": "a@example.com"}]}
        if action == "sendBulkEmail"
        else {"to": "a@example.com"}
    )
    with Rig(tmp_path, values=key_values()) as rig:
        error = call(rig, action, inputs).error
    assert error is not None
    assert (error.code, error.details[0].path, "'sendEmail'" in error.details[0].message) == (
        "invalid_input",
        "/calendar",
        True,
    )


LINKS = [
    ("<img src='cid:a'>", ("a",)),
    ('<IMG SRC = "CID:a@b.cd">', ("a@b.cd",)),
    ("<img src=cid:a><img src=cid:a>", ("a",)),
    ("<div style=\"background:url('cid:a%2Bb')\">", ("a+b",)),
    ('<td background="cid:a&amp;b">', ("a&b",)),
    ("<p>cid: a, (cid:5)</p>", ()),
    ("<img src='https://x.io/cid:a'>", ()),
]


@pytest.mark.parametrize(("html", "found"), LINKS)
def test_links_to_pictures_are_found_where_clients_follow_them(
    html: str, found: tuple[str, ...]
) -> None:
    """In attributes and styles, in any case, percent-encoded or escaped; not in the text."""
    assert linked_ids(html) == found


@settings(deadline=None, database=None)
@given(st.text(max_size=90))
def test_an_accepted_content_id_is_one_word_in_brackets(text: str) -> None:
    """Whatever is accepted reads back from a header field and from a link."""
    try:
        cleaned = clean_content_id(text)
    except ValueError:
        return
    assert cleaned.isascii()
    assert not set(cleaned) & set(' <>()"\\,;\r\n')
    assert clean_content_id(f"<{cleaned}>") == cleaned


@pytest.mark.parametrize(
    "piece", ["src=", "src" + " " * 9, "url(  ", "url(&quot;", "src='", "cid:"]
)
def test_hostile_html_is_read_in_one_pass(piece: str) -> None:
    """A megabyte of beginnings of links that never end is passed over."""
    assert linked_ids(piece * (1_000_000 // len(piece)) + ">cid:") == ()


OBJECTS = st.tuples(
    st.sampled_from([None, "logo", "a@b.cd", "photo.1"]),
    st.sampled_from([None, True, False]),
    st.binary(max_size=200),
)


@settings(deadline=None, database=None)
@given(
    text=st.none() | st.text(st.characters(codec="utf-8", min_codepoint=32), max_size=80),
    html=st.sampled_from(
        [None, "", HTML, "<img src='cid:logo'>", "<p>ü</p>", "--=_jackfield_related"]
    ),
    files=st.lists(OBJECTS, max_size=4, unique_by=lambda item: item[0] or item[2]),
    calendar=st.sampled_from([None, Calendar(EVENT, "REQUEST")]),
)
def test_any_message_is_as_long_as_computed_and_reads_back(
    text: str | None,
    html: str | None,
    files: list[tuple[str | None, bool | None, bytes]],
    calendar: Calendar | None,
) -> None:
    """The size limit is checked without encoding; every file is in the message once, and each
    multipart has two parts at least.
    """
    attached = tuple(
        Attachment(f"{index}.bin", "image/png", content, name, inline)
        for index, (name, inline, content) in enumerate(files)
    )
    message = Message(
        parse_mailbox("a@b.cd"), text=text, html=html, attachments=attached, calendar=calendar
    )
    raw = write_message(message)
    assert encoded_size(message) == len(raw)
    found = email.message_from_bytes(raw, policy=email.policy.default)
    parts = [part for part in found.walk() if not part.is_multipart()]
    read = {
        part.get_filename(): part.get_payload(decode=True) for part in parts if part.get_filename()
    }
    assert read == {item.name: item.data for item in attached}
    assert sum(part.get_content_type() == "text/calendar" for part in parts) == (
        calendar is not None
    )
    assert all(len(part.get_payload()) > 1 for part in found.walk() if part.is_multipart())
