"""Base64 that is given as a text, and the findings about a message's content in its preview."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from jackfield_aws_ses.attachments import AttachmentError, parse_attachments
from jackfield_aws_ses.content_checks import KINDS
from rig import Rig, key_values

FILES = {
    "a.pdf": b"%PDF-1.7\n",
    "a.docx": b"PK\x03\x04\x14\x00",
    "a.xlsx": b"PK\x03\x04\x14\x00",
    "a.zip": b"PK\x05\x06" + bytes(18),
    "a.png": b"\x89PNG\r\n\x1a\n",
    "a.JPG": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "a.jpeg": b"\xff\xd8\xff\xdb",
    "a.gif": b"GIF89a\x01\x00",
    "a.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "a.msg": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "a.gz": b"\x1f\x8b\x08\x00",
    "a.webp": b"RIFF\x24\x00\x00\x00WEBP",
    "a.wav": b"RIFF\x24\x00\x00\x00WAVE",
    "a.mp4": b"\x00\x00\x00\x18ftypmp42",
    "a.mp3": b"ID3\x04",
    "a.7z": b"7z\xbc\xaf\x27\x1c",
    "a.rar": b"Rar!\x1a\x07\x01",
    "a.tiff": b"II*\x00",
    "a.bmp": b"BM6\x00\x00\x00",
    "a.ico": b"\x00\x00\x01\x00",
    "a.heic": b"\x00\x00\x00\x18ftypheic",
    "a.parquet": b"PAR1\x15\x04",
    "a.p7m": b"0\x82\x04\x00\x06\x09",
    "a.jpg": b"\x89PNG\r\n\x1a\n",
}
TEXTS = [
    ("a.txt", "JVBERi0xLjcK"),  # no binary extension
    ("a", "JVBERi0xLjcK"),
    ("a.pem", "MIIEpAIBAAKCAQEA"),
    ("a.pdf", "%PDF-1.7 as text"),
    ("a.pdf", "JVBERi0xLjcK, in base64"),  # no base64 as a whole
    ("a.pdf", "Report"),
    ("a.pdf", ""),
    ("a.png", "Grüße"),
    ("a.csv", "UEsDBBQA"),
]


def encoded(content: bytes) -> list[str]:
    """Return the ways in which programs write base64."""
    text = base64.b64encode(content + bytes(range(90))).decode()
    lines = "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    return [
        text,
        text.rstrip("="),
        lines,
        f" \n{text}\n",
        base64.urlsafe_b64encode(content + bytes(range(90))).decode(),
        text[:-3],
    ]


@pytest.mark.parametrize("name", FILES)
def test_base64_as_the_text_of_a_binary_file_is_refused(name: str) -> None:
    """The recipient could not open it: the error says how to write the file, and how to insist on
    the text.
    """
    for text in encoded(FILES[name]):
        for given in ({name: text}, [{"key": name, "value": text}]):
            with pytest.raises(
                AttachmentError, match=r'give \{"data": "…"\}.*\{"text": "…"\}'
            ) as caught:
                parse_attachments(given)
            assert caught.value.pointer in {f"/{name}", "/0/value"}
        (insisted,) = parse_attachments({name: {"text": text}})
        assert insisted.data == text.encode()


@pytest.mark.parametrize(("name", "text"), TEXTS)
def test_other_texts_are_sent_as_they_are(name: str, text: str) -> None:
    """A text is a text, unless the name and the content both say that it is a file's base64."""
    (file,) = parse_attachments({name: text})
    assert file.data == text.encode()


def test_a_data_url_in_data_says_where_it_belongs(tmp_path: Path) -> None:
    """It stands in place of the object; the error does not speak of a colon."""
    with Rig(tmp_path, values=key_values()) as rig:
        error = rig.send(
            attachments={"a.png": {"data": "data:image/png;base64,iVBORw0KGgo="}}
        ).error
    assert error is not None
    detail = error.details[0]
    assert (detail.path, detail.message) == (
        "/attachments/a.png/data",
        "is not base64: a data: URL goes in place of the object, not into it",
    )


GOOD = {
    "html": (
        '<p>Hello <img alt="Logo" src="https://x.io/l.png"> <a href="https://x.io/">x.io</a></p>'
    ),
    "text": "Hello https://x.io",
}
FINDINGS: list[tuple[str, dict[str, Any]]] = [
    ("text_missing", {"html": "<p>Hello</p>", "text": None}),
    ("unsubscribe_missing", {"text": "Unsubscribe here: https://x.io/u"}),
    ("unsubscribe_missing", {"headers": {"List-ID": "<news.example.com>"}}),
    ("unsubscribe_missing", {"headers": {"Precedence": "bulk"}}),
    ("unsubscribe_missing", {"bcc": [f"a{number}@example.com" for number in range(12)]}),
    ("unsubscribe_not_one_click", {"listUnsubscribe": "mailto:u@example.com"}),
    (
        "recipients_visible",
        {
            "cc": [f"a{number}@example.com" for number in range(12)],
            "listUnsubscribe": "https://x.io/u",
        },
    ),
    ("link_shortened", {"html": "<a href='https://bit.ly/x'>x</a>"}),
    ("link_shortened", {"text": "See https://www.TinyURL.com/x"}),
    ("link_insecure", {"text": "See http://example.com/"}),
    ("link_insecure", {"html": "<a href=HTTP://example.com>x</a>"}),
    ("link_numeric", {"text": "See https://192.0.2.1:8443/x"}),
    ("picture_without_alt", {"html": "<img src='https://x.io/a.png'>"}),
    ("picture_missing", {"html": "<img alt='' src='cid:logo'>"}),
    (
        "picture_unused",
        {
            "html": "<p>Hello</p>",
            "attachments": {"a.png": {"data": "iVBORw0KGgo=", "contentId": "logo"}},
        },
    ),
    ("subject_capitals", {"subject": "YOUR ORDER IS HERE"}),
    ("subject_shouting", {"subject": "Great news!!!"}),
    ("subject_shouting", {"subject": "Act now and save"}),
    ("subject_false_reply", {"subject": "Re: your order"}),
    ("html_clipped", {"html": "<p>" + "Hello " * 20_000 + "</p>"}),
    ("size_slow", {"attachments": {"a.bin": {"data": "AAAA" * (2 << 20) + "AAAA" * (1 << 20)}}}),
    ("sender_at_mailbox_provider", {"sender": "shop@gmail.com"}),
    (
        "sender_not_of_identity",
        {"identityArn": "arn:aws:ses:eu-west-1:123456789012:identity/example.org"},
    ),
    ("return_path_differs", {"returnPath": "bounces@example.org"}),
]


def findings(rig: Rig, **inputs: Any) -> list[dict[str, Any]]:
    """Return the findings of a preview."""
    invocation = {**rig.mail(preview=True, **inputs), "dryRun": True}
    found: list[dict[str, Any]] = rig.jackfield.invoke(invocation).unwrap().get("findings", [])
    return found


@pytest.mark.parametrize(("code", "inputs"), FINDINGS)
def test_the_preview_says_what_receivers_may_dislike(
    tmp_path: Path, code: str, inputs: dict[str, Any]
) -> None:
    """One fault in a good message is one finding, with what was seen, what to do and the source of
    the rule.
    """
    given = {name: value for name, value in {**GOOD, **inputs}.items() if value is not None}
    with Rig(tmp_path, values=key_values()) as rig:
        invocation = rig.mail(preview=True, **given)
        invocation["inputs"] = {
            name: value
            for name, value in invocation["inputs"].items()
            if inputs.get(name, "") is not None
        }
        (found,) = rig.jackfield.invoke({**invocation, "dryRun": True}).unwrap()["findings"]
    assert (found["code"], found["severity"]) == (code, "warning")
    assert all(found[member] for member in ("message", "evidence", "cure", "source"))
    assert "{" not in found["message"] + found["cure"]


def test_every_kind_of_finding_is_listed_and_the_rare_ones_are_about_size() -> None:
    """The table above has an example of each but two, which need messages of tens of megabytes."""
    assert {code for code, _ in FINDINGS} == KINDS.keys() - {"size_refused", "size_near_limit"}


def test_a_good_message_has_no_finding(tmp_path: Path) -> None:
    """Text and HTML, secure links, pictures with alternatives; one click unsubscribes from bulk
    mail; a reply is one; a domain covers those below it.
    """
    bulk = {"headers": {"List-ID": "<news.example.com>"}, "listUnsubscribe": "https://x.io/u"}
    reply = {"subject": "Re: your order", "headers": {"In-Reply-To": "<1@x.io>"}}
    own = {
        "sender": "a@news.example.com",
        "returnPath": "b@bounce.news.example.com",
        "identityArn": "arn:aws:ses:eu-west-1:123456789012:identity/example.com",
    }
    with Rig(tmp_path, values=key_values()) as rig:
        for more in (
            {},
            bulk,
            reply,
            own,
            {"subject": "SMS"},
            {"subject": "日本語の件名です、よろしく"},
        ):
            assert findings(rig, **GOOD, **more) == []


def test_findings_never_prevent_sending(tmp_path: Path) -> None:
    """A message with findings is sent as any other."""
    with Rig(tmp_path, values=key_values()) as rig:
        rig.send(subject="ACT NOW, BUY NOW!!!", html="<img src='cid:x'>").unwrap()
        assert len(rig.aws.messages) == 1


def test_the_preview_lists_attachments_and_the_method(tmp_path: Path) -> None:
    """Each file with its place in the message, and whether the HTML shows it."""
    files = {"a.png": {"data": "iVBORw0KGgo=", "contentId": "logo"}, "b.txt": "Hello"}
    calendar = {"text": "BEGIN:VCALENDAR\nMETHOD:CANCEL\nEND:VCALENDAR"}
    with Rig(tmp_path, values=key_values()) as rig:
        invocation = {
            **rig.mail(
                preview=True,
                html="<img alt='' src='cid:logo'>",
                attachments=files,
                calendar=calendar,
            ),
            "dryRun": True,
        }
        output = rig.jackfield.invoke(invocation).unwrap()
    assert (output["method"], output["content"]) == ("CANCEL", "Raw")
    assert output["attachments"] == [
        {
            "name": "a.png",
            "contentType": "image/png",
            "sizeBytes": 8,
            "disposition": "inline",
            "contentId": "logo",
            "shown": True,
        },
        {
            "name": "b.txt",
            "contentType": "text/plain; charset=utf-8",
            "sizeBytes": 5,
            "disposition": "attachment",
            "shown": False,
        },
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<img " * 200_000,
        "href=" * 200_000,
        "https://" * 120_000,
        "<img alt" * 120_000,
        "http://[" * 120_000,
    ],
)
def test_a_hostile_body_is_checked_to_its_end(tmp_path: Path, text: str) -> None:
    """A megabyte that resembles tags and links is checked like any other."""
    with Rig(tmp_path, values=key_values()) as rig:
        assert isinstance(findings(rig, html=text, text=text), list)


def test_the_page_lists_every_finding() -> None:
    """Users look codes up in the tutorial."""
    page = (Path(__file__).parents[3] / "docs" / "tutorial" / "rich-mail.md").read_text(
        encoding="utf-8"
    )
    assert [code for code in KINDS if f"| `{code}` |" not in page] == []
