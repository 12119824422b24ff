"""Converted requests with inline pictures: they stay inline, or what keeps them from it is told."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from converting import convert, notes

PDF = base64.b64encode(b"%PDF-").decode()


PICTURES: dict[str, dict[str, Any]] = {
    "sendgrid": {
        "personalizations": [{"to": [{"email": "a@b.cd"}]}],
        "from": {"email": "a@b.cd"},
        "subject": "s",
        "content": [{"type": "text/html", "value": "HTML"}],
        "attachments": [
            {
                "content": PDF,
                "type": "image/png",
                "filename": "l.png",
                "disposition": "inline",
                "content_id": "IDENT",
            }
        ],
    },
    "mailgun": {
        "from": "a@b.cd",
        "to": "a@b.cd",
        "subject": "s",
        "html": "HTML",
        "inline": {"filename": "IDENT", "content": PDF},
    },
    "postmark": {
        "From": "a@b.cd",
        "To": "a@b.cd",
        "Subject": "s",
        "HtmlBody": "HTML",
        "Attachments": [
            {"Name": "l.png", "Content": PDF, "ContentType": "image/png", "ContentID": "cid:IDENT"}
        ],
    },
    "resend": {
        "from": "a@b.cd",
        "to": "a@b.cd",
        "subject": "s",
        "html": "HTML",
        "attachments": [{"filename": "l.png", "content": PDF, "content_id": "IDENT"}],
    },
}


def _pictured(kind: str, identifier: str, html: str) -> dict[str, Any]:
    document = json.dumps(PICTURES[kind]).replace("IDENT", identifier).replace("HTML", html)
    return convert(kind, json.loads(document))


@pytest.mark.parametrize("kind", PICTURES)
def test_inline_pictures_stay_inline(kind: str) -> None:
    """A picture that the HTML of a provider's request shows is shown by the message, without a
    difference.
    """
    found = _pictured(kind, "logo.png", "<img alt='' src='cid:logo.png'>")
    (only,) = found["invocations"]
    (file,) = only["inputs"]["attachments"]
    assert (file["value"]["contentId"], file["value"]["disposition"], notes(found)) == (
        "logo.png",
        "inline",
        {},
    )


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_that_cannot_be_inline_are_differences(kind: str) -> None:
    """An identifier that is none is told at its file, and a link that finds no file is told too."""
    found = _pictured(kind, "my logo.png", "<img alt='' src='cid:my%20logo.png'>")
    (only,) = found["invocations"]
    assert "contentId" not in only["inputs"]["attachments"][0]["value"]
    assert sum("attached, not inline" in text for text in notes(found).values()) == 1
    assert sum("'cid:my logo.png'" in text for text in notes(found).values()) == 1


def test_two_files_with_one_content_id() -> None:
    """The second is attached with a difference: sendEmail refuses two files of one content ID."""
    document = json.loads(json.dumps(PICTURES["resend"]).replace("IDENT", "logo"))
    document["attachments"] *= 2
    found = convert("resend", document)
    first, second = found["invocations"][0]["inputs"]["attachments"]
    assert ("contentId" in first["value"], "contentId" in second["value"], list(notes(found))) == (
        True,
        False,
        ["/attachments/1"],
    )


@pytest.mark.parametrize("given", ["text/calendar", "text/calendar; method=REQUEST"])
def test_an_invitation_of_sendgrid(given: str) -> None:
    """A part text/calendar is the invitation; one that states no method anywhere is left out with
    the reason.
    """
    calendar = "BEGIN:VCALENDAR\r\nEND:VCALENDAR"
    document = json.loads(json.dumps(PICTURES["sendgrid"]))
    document["content"].append({"type": given, "value": calendar})
    found = convert("sendgrid", document)
    inputs = found["invocations"][0]["inputs"]
    if "method" in given:
        assert (inputs["calendar"], notes(found)) == ({"text": calendar, "method": "REQUEST"}, {})
    else:
        assert ("calendar" in inputs, list(notes(found))) == (False, ["/content/1"])
