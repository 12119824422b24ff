"""Converters tell everything: each placeholder, header field and member that a provider documents
is converted, told or refused.

The lists are those of the providers' own pages, which each list names.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from converting import convert

PDF = base64.b64encode(b"%PDF-").decode()

# Mailgun, user manual: "Batch sending" (recipient variables), "Mailing lists" (template variables),
# "Tracking messages" (unsubscribe variables); "Templates" (Handlebars).
_MAILGUN = [
    "%recipient%",
    "%recipient_email%",
    "%recipient_name%",
    "%recipient_fname%",
    "%recipient_lname%",
    "%recipient.first%",
    "%recipient.first name%",
    "%recipient.address.city%",
    "{{name}}",
    "{{#if vip}}",
    "{{{html}}}",
]
_MAILGUN_LINKS = [
    "%unsubscribe_url%",
    "%tag_unsubscribe_url%",
    "%mailing_list_unsubscribe_url%",
    "%unsubscribe_email%",
]
# SendGrid, "Substitution tags"; Marketing Campaigns: "Code editor" and "Default tags";
# "Suppressions" (group unsubscribe tags); subscription tracking (text between <% and %>); "Using
# Handlebars".
_SENDGRID = [
    "[weblink]",
    "[Weblink]",
    "[%email%]",
    "[%first_name%]",
    "[%first_name | Valued Customer%]",
    "[Sender_Name]",
    "[Sender_Address]",
    "[Sender_City]",
    "[Sender_State]",
    "[Sender_Zip]",
    "-name-",
    "-customerID-",
    "{{name}}",
    "{{{html}}}",
    "{{#each items}}",
]
_SENDGRID_LINKS = [
    "[unsubscribe]",
    "[Unsubscribe]",
    "[Unsubscribe_Preferences]",
    "<%asm_group_unsubscribe_url%>",
    "<%asm_group_unsubscribe_raw_url%>",
    "<%asm_global_unsubscribe_url%>",
    "<%asm_global_unsubscribe_raw_url%>",
    "<%asm_preferences_url%>",
    "<%asm_preferences_raw_url%>",
    "&lt;%asm_preferences_raw_url%&gt;",
    "<% %>",
    "<% Click here %>",
    "{{{unsubscribe}}}",
    "{{{unsubscribe_preferences}}}",
]
# Postmark: "Message streams", "How to add unsubscribe links", and layouts in "Template syntax".
_POSTMARK = [
    "{{{ @content }}}",
    "{{name}}",
    "{{ name }}",
    "{{#each items}}",
    "{{^items}}",
    "{{/items}}",
    "{{.}}",
    "{{{html}}}",
]
_POSTMARK_LINKS = [
    "{{{ pm:unsubscribe }}}",
    "{{{pm:unsubscribe}}}",
    "{{{ pm:unsubscribe_url }}}",
    "{{ pm:unsubscribe_url }}",
]
# Resend, "Broadcasts" and "Templates" (variables).
_RESEND = [
    "{{{contact.first_name|there}}}",
    "{{{FIRST_NAME|there}}}",
    "{{{EMAIL}}}",
    "{{{PRODUCT}}}",
    "{{name}}",
]
_RESEND_LINKS = ["{{{RESEND_UNSUBSCRIBE_URL}}}", "{{{ RESEND_UNSUBSCRIBE_URL }}}"]
_OF_SES = ["{{amazonSESUnsubscribeUrl}}"]
_KEPT = {"mailgun": _MAILGUN, "sendgrid": _SENDGRID, "postmark": _POSTMARK, "resend": _RESEND}
_LINKS = {
    "mailgun": _MAILGUN_LINKS,
    "sendgrid": _SENDGRID_LINKS,
    "postmark": _POSTMARK_LINKS,
    "resend": _RESEND_LINKS,
}
_FORMS = list(_KEPT)
_PLACES = ("subject", "text", "html", "header")
_NO_LINK = ("--region", "eu-west-1")
_LINK = (*_NO_LINK, "--list-unsubscribe", "https://example.com/u?id=7")


def _request(form: str, **texts: str) -> dict[str, Any]:
    """A request with these texts; ``header`` is the value of a header field."""
    given = {"subject": "s", "text": "t", "html": "<p>h</p>", "header": "x", **texts}
    name = given.get("header_name", "X-Own")
    if form == "sendgrid":
        return {
            "personalizations": [{"to": [{"email": "b@example.com"}]}],
            "from": {"email": "a@example.com"},
            "subject": given["subject"],
            "content": [
                {"type": "text/plain", "value": given["text"]},
                {"type": "text/html", "value": given["html"]},
            ],
            "headers": {name: given["header"]},
        }
    base = {
        "from": "a@example.com",
        "to": "b@example.com",
        "subject": given["subject"],
        "text": given["text"],
        "html": given["html"],
    }
    if form == "mailgun":
        return {**base, f"h:{name}": given["header"]}
    if form == "resend":
        return {**base, "headers": {name: given["header"]}}
    words = {
        "From": "from",
        "To": "to",
        "Subject": "subject",
        "TextBody": "text",
        "HtmlBody": "html",
    }
    found: dict[str, Any] = {member: base[word] for member, word in words.items()}
    return {**found, "Headers": [{"Name": name, "Value": given["header"]}]}


def _about(found: Mapping[str, Any], kind: str, words: str) -> list[str]:
    return [note["path"] for note in found[kind] if words in note["message"]]


@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize(
    ("form", "word"), [(form, word) for form in _FORMS for word in _KEPT[form]]
)
def test_a_placeholder_that_stays_is_told(form: str, word: str, place: str) -> None:
    """In the subject, the text, the HTML and header fields: it stays as it is, and a difference
    quotes it.
    """
    found = convert(form, _request(form, **{place: f"Dear {word}!"}), *_NO_LINK)
    assert len(found["invocations"]) == 1
    assert word in json.dumps(found["invocations"], ensure_ascii=False)
    assert len(_about(found, "differences", f"'{word}'")) == 1
    assert _about(found, "differences", f"'{word}'") != [""]


@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize(
    ("form", "word"), [(form, word) for form in _FORMS for word in [*_LINKS[form], *_OF_SES]]
)
def test_a_dead_link_to_unsubscribe_is_refused_unless_there_is_another_way(
    form: str, word: str, place: str
) -> None:
    """The refusal names the option; with it the message has ``listUnsubscribe``, and the difference
    still says that the link is dead.
    """
    request = _request(form, **{place: f"Leave: {word}!"})
    refused = convert(form, request, *_NO_LINK)
    assert refused["invocations"] == []
    assert len(_about(refused, "refused", f"'{word}'")) == 1
    assert "--list-unsubscribe" in refused["refused"][0]["message"]
    found = convert(form, request, *_LINK)
    assert [one["inputs"]["listUnsubscribe"] for one in found["invocations"]] == [
        "https://example.com/u?id=7"
    ]
    assert len(_about(found, "differences", f"'{word}'")) == 1
    own = request | (
        {} if form == "postmark" or place == "header" else _request(form, **{place: f"{word}!"})
    )
    field = {"header_name": "List-Unsubscribe", "header": "<https://example.com/mine>"}
    if place != "header":
        own = _request(form, **{place: f"Leave: {word}!"}, **field)
        assert [
            one["inputs"]["listUnsubscribe"] for one in convert(form, own, *_LINK)["invocations"]
        ] == ["<https://example.com/mine>"]


@pytest.mark.parametrize(
    "value",
    ["<%unsubscribe_url%>", "<mailto:%unsubscribe_email%>", "<https://x.io/?u=%unsubscribe_url%>"],
)
def test_a_header_field_to_unsubscribe_by_may_not_be_dead(value: str) -> None:
    """A placeholder in List-Unsubscribe is no other way: refused, or replaced by the option, which
    is told.
    """
    request = {**_request("mailgun"), "h:List-Unsubscribe": value}
    assert _about(convert("mailgun", request, *_NO_LINK), "refused", "'%unsubscribe_") == [
        "/h:List-Unsubscribe"
    ]
    found = convert("mailgun", request, *_LINK)
    inputs = found["invocations"][0]["inputs"]
    assert (inputs["listUnsubscribe"], "List-Unsubscribe" in inputs.get("headers", {})) == (
        "https://example.com/u?id=7",
        False,
    )
    assert _about(found, "differences", "is replaced") == ["/h:List-Unsubscribe"]


@pytest.mark.parametrize(
    "text",
    [
        "100% off, 50% more",
        "https://x.io/?q=%C3%A4%20%da%20",
        "a - b -- c",
        "re-use and opt-in",
        "[link] [1] [x]",
        "body{margin:0}",
        "@media print{p{a:b}}",
        "{one} {two}",
        "5 <% 6",
        "<!-- -note -->",
        "%PDF-1.4",
        "width:100%;height:5%",
    ],
)
@pytest.mark.parametrize("form", _FORMS)
def test_what_is_no_placeholder_is_not_told(form: str, text: str) -> None:
    """Per cent signs, percent-encoding, hyphens, brackets and styles are plain text."""
    found = convert(form, _request(form, html=text, text=text), *_NO_LINK)
    assert (len(found["invocations"]), _about(found, "differences", "keeps")) == (1, [])


def test_tags_of_other_personalizations_and_own_tags_are_known() -> None:
    """SendGrid's tags may be any text: those that the request declares somewhere are known, also
    that of its link to unsubscribe.
    """
    request = _request("sendgrid", text="Dear :name", html="Dear :name, #out#")
    people = [
        {"to": [{"email": "b@example.com"}], "substitutions": {":name": "Bo"}},
        {"to": [{"email": "c@example.com"}]},
    ]
    found = convert("sendgrid", {**request, "personalizations": people}, *_NO_LINK)
    assert sorted(_about(found, "differences", "':name'")) == [
        "/content/0/value",
        "/content/1/value",
    ]
    tracked = {
        "tracking_settings": {
            "subscription_tracking": {"enable": True, "substitution_tag": "#out#"}
        }
    }
    assert _about(convert("sendgrid", {**request, **tracked}, *_NO_LINK), "refused", "'#out#'") == [
        "/content/1/value"
    ]


# Mailgun, "Passing sending options" and "Sending via SMTP"; Postmark, "Sending email with SMTP";
# SendGrid, "X-SMTPAPI"; Amazon SES, "Amazon SES header fields" for SMTP.
_FIELDS = [
    *(
        f"X-Mailgun-{name}"
        for name in (
            "Tag",
            "Dkim",
            "Secondary-Dkim",
            "Secondary-Dkim-Public",
            "Deliver-By",
            "Drop-Message",
            "Delivery-Time-Optimize-Period",
            "Time-Zone-Localize",
            "Track",
            "Track-Clicks",
            "Track-Opens",
            "Track-Pixel-Location-Top",
            "Require-TLS",
            "Skip-Verification",
            "Sending-Ip",
            "Sending-Ip-Pool",
            "Recipient-Variables",
            "Variables",
            "Template-Name",
            "Template-Version",
            "Template-Variables",
            "Archive-To",
            "Suppress-Headers",
            "Native-Send",
            "Campaign-Id",
        )
    ),
    "X-PM-Tag",
    "X-PM-Metadata-order",
    "X-PM-Message-Stream",
    "X-PM-TrackOpens",
    "X-PM-TrackLinks",
    "X-PM-KeepID",
    "X-PM-Bounce-Type",
    "X-SMTPAPI",
    "X-SES-CONFIGURATION-SET",
    "X-SES-MESSAGE-TAGS",
    "X-SES-SOURCE-ARN",
    "X-SES-FROM-ARN",
    "X-SES-RETURN-PATH-ARN",
    "X-SES-LIST-MANAGEMENT-OPTIONS",
    "X-SES-TENANT",
    "X-MC-Tags",
    "X-MSYS-API",
    "X-MJ-CustomID",
]


@pytest.mark.parametrize("name", [*_FIELDS, *(name.lower() for name in _FIELDS[:3])])
@pytest.mark.parametrize("form", _FORMS)
def test_a_header_field_that_steers_a_provider_is_left_out(form: str, name: str) -> None:
    """It is told, whichever provider's it is: it would mean nothing, and might tell the recipient
    internals.
    """
    found = convert(form, _request(form, header_name=name, header="1"), *_NO_LINK)
    assert "headers" not in found["invocations"][0]["inputs"]
    assert _about(found, "differences", "only")


def test_a_message_that_was_not_to_be_delivered_is_not() -> None:
    """Mailgun's test mode as a header field is a dry run, not a message."""
    found = convert(
        "mailgun",
        _request("mailgun", header_name="X-Mailgun-Drop-Message", header="yes"),
        *_NO_LINK,
    )
    assert found["invocations"][0]["dryRun"] is True


# The bodies of SendGrid's "Mail Send", Mailgun's "Send an email", Postmark's "Send a single email"
# and "Send email with template", and Resend's "Send Email", in their API references.
_FILE = {"filename": "a.pdf", "content": PDF}
_MEMBERS: dict[str, dict[str, Any]] = {
    "sendgrid": {
        "reply_to": {"email": "r@example.com"},
        "reply_to_list": [{"email": "r@example.com"}],
        "template_id": "d-1",
        "attachments": [
            {**_FILE, "type": "application/pdf", "disposition": "inline", "content_id": "c"}
        ],
        "sections": {"t": "y"},
        "headers": {"X-A": "1"},
        "categories": ["c"],
        "custom_args": {"a": "1"},
        "send_at": 4102444800,
        "batch_id": "b",
        "asm": {"group_id": 1, "groups_to_display": [1]},
        "ip_pool_name": "p",
        **{
            f"mail_settings/{name}": {"enable": True}
            for name in (
                "bypass_list_management",
                "bypass_spam_management",
                "bypass_bounce_management",
                "bypass_unsubscribe_management",
                "footer",
                "sandbox_mode",
            )
        },
        **{
            f"tracking_settings/{name}": {"enable": True}
            for name in (
                "click_tracking",
                "open_tracking",
                "subscription_tracking",
                "ganalytics",
            )
        },
        "personalizations/0/cc": [{"email": "c@example.com"}],
        "personalizations/0/bcc": [{"email": "c@example.com"}],
        "personalizations/0/from": {"email": "f@example.com"},
        "personalizations/0/subject": "other",
        "personalizations/0/headers": {"X-A": "1"},
        "personalizations/0/substitutions": {"t": "x"},
        "personalizations/0/dynamic_template_data": {"a": "1"},
        "personalizations/0/custom_args": {"a": "1"},
        "personalizations/0/send_at": 4102444800,
    },
    "mailgun": {
        "cc": "c@example.com",
        "bcc": "c@example.com",
        "amp-html": "<p>",
        "attachment": _FILE,
        "inline": _FILE,
        "template": "welcome",
        "t:version": "2",
        "t:text": "yes",
        "t:variables": "{}",
        "o:tag": "t",
        "o:dkim": "yes",
        "o:secondary-dkim": "x.io/s",
        "o:secondary-dkim-public": "x.io/s",
        "o:deliverytime": "Fri, 1 Jan 2100 00:00:00 +0000",
        "o:deliverytime-optimize-period": "24h",
        "o:time-zone-localize": "10:00AM",
        "o:testmode": "yes",
        "o:tracking": "yes",
        "o:tracking-clicks": "htmlonly",
        "o:tracking-opens": "yes",
        "o:tracking-pixel-location-top": "yes",
        "o:require-tls": "yes",
        "o:skip-verification": "yes",
        "o:sending-ip": "192.0.2.1",
        "o:sending-ip-pool": "p",
        "o:archive-to": "https://x.io",
        "o:suppress-headers": "all",
        "h:X-My-Header": "1",
        "v:my-var": "1",
        "recipient-variables": '{"b@example.com": {"id": 1}}',
    },
    "postmark": {
        "Cc": "c@example.com",
        "Bcc": "c@example.com",
        "Tag": "t",
        "ReplyTo": "r@example.com",
        "Headers": [{"Name": "X-A", "Value": "1"}],
        "TrackOpens": True,
        "TrackLinks": "HtmlOnly",
        "Metadata": {"a": "1"},
        "MessageStream": "broadcast",
        "InlineCss": True,
        "Attachments": [{"Name": "a.pdf", "Content": PDF, "ContentType": "application/pdf"}],
        "TemplateId": 7,
        "TemplateAlias": "welcome",
        "TemplateModel": {"name": "Ada"},
    },
    "resend": {
        "cc": "c@example.com",
        "bcc": ["c@example.com"],
        "reply_to": "r@example.com",
        "scheduled_at": "2100-01-01T00:00:00Z",
        "headers": {"X-A": "1"},
        "topic_id": "t",
        "tags": [{"name": "a", "value": "b"}],
        "template": {"id": "t", "variables": {"A": "1"}},
        "attachments": [
            {**_FILE, "content_type": "application/pdf"},
            {"path": "https://x.io/a.pdf", "filename": "b.pdf"},
        ],
        "react": "<x/>",
    },
}


def _with(form: str, member: str, value: Any) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(json.dumps(_request(form)))
    *path, last = [member] if form == "mailgun" else member.split("/")
    place: Any = request
    for step in path:
        place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
    place[last] = value
    return request


@pytest.mark.parametrize(
    ("form", "member"), [(form, member) for form in _FORMS for member in _MEMBERS[form]]
)
def test_a_member_is_converted_or_told(form: str, member: str) -> None:
    """A request with it has other invocations than one without, or a note at its path."""
    request = _with(form, member, _MEMBERS[form][member])
    before, after = convert(form, _request(form), *_NO_LINK), convert(form, request, *_NO_LINK)
    paths = [note["path"] for kind in ("differences", "refused") for note in after[kind]]
    places = (f"/{member}", f"/{member.rpartition('/')[0] or member}")
    told = any(path.startswith(places) for path in paths)
    assert told or after["invocations"] != before["invocations"]


@pytest.mark.parametrize("kind", ["message/rfc822", "Message/RFC822; name=x.eml"])
@pytest.mark.parametrize(
    ("form", "build"),
    [
        ("sendgrid", lambda kind: {"attachments": [{**_FILE, "type": kind}]}),
        ("mailgun", lambda kind: {"attachment": [{**_FILE, "contentType": kind}]}),
        (
            "postmark",
            lambda kind: {"Attachments": [{"Name": "a.eml", "Content": PDF, "ContentType": kind}]},
        ),
        ("resend", lambda kind: {"attachments": [{**_FILE, "content_type": kind}]}),
    ],
)
def test_a_message_in_a_message_is_told(form: str, build: Any, kind: str) -> None:
    """It becomes application/octet-stream, which no reader opens as a message."""
    found = convert(form, {**_request(form), **build(kind)}, *_NO_LINK)
    assert len(_about(found, "differences", "application/octet-stream")) == 1
