"""No secret stands in what is kept of exchanges, however it was written and wherever: URL, head,
body, gzipped or cut.
"""

from __future__ import annotations

import gzip
import json
import zlib
from urllib.parse import quote

import pytest
from hypothesis import assume
from hypothesis import strategies as st
from tests.jackfield.redaction.spellings import ENCODERS, FRAMES, LONG_SECRET, TEXTUAL

from drawing import drawn
from jackfield.redaction.messages import is_secret_name, masked_body, masked_fields, masked_url
from jackfield.redaction.redactor import Redactor

SECRET = "s3cr3t/Value+4711=xyz"
JSON, FORM, TEXT, XML = (
    "application/json",
    "application/x-www-form-urlencoded",
    "text/plain; charset=utf-8",
    "application/xml",
)
_NAMES = (
    "password",
    "access_token",
    "clientSecret",
    "X-Amz-Signature",
    "sessionId",
    "apiKey",
    "refresh-token",
    "Authorization",
)


def _leaks(text: str, secret: str) -> list[str]:
    return [name for name in TEXTUAL if len(secret.strip()) >= 4 and ENCODERS[name](secret) in text]


@drawn(
    secret=LONG_SECRET,
    name=st.sampled_from(sorted(ENCODERS)),
    frame=st.sampled_from(FRAMES),
    kind=st.sampled_from([JSON, FORM, TEXT, XML]),
    zipped=st.booleans(),
    few=60,
    many=600,
)
def test_a_known_secret_is_in_no_part_of_an_exchange(
    secret: str, name: str, frame: str, kind: str, zipped: bool
) -> None:
    """A secret in any encoding is in neither URL, header fields nor body, as it is or gzipped."""
    planted = ENCODERS[name](secret)
    assume(planted.strip("*"))
    redactor, text = Redactor([secret]), frame.replace("%s", planted)
    content = text.encode("utf-8", "surrogatepass")
    fields = [
        (b"Content-Type", kind.encode()),
        (b"X-Said", planted.encode("utf-8", "surrogatepass").replace(b"\n", b" ")),
    ]
    if zipped:
        fields, content = [*fields, (b"Content-Encoding", b"gzip")], gzip.compress(content)
    shown = masked_body(content, len(content), fields, redactor)
    assert planted not in (shown.text or "")
    assert _leaks(shown.text or "", secret) == []
    assert (
        _leaks(masked_url(f"https://a.example/{planted}?q={quote(planted)}", redactor), secret)
        == []
    )


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (JSON, '{"a": {"%n": "%s"}, "b": [{"%n": ["%s"]}]}'),
        (JSON, '{"a": {"%n": "%s"}, "a": 1}'),
        (JSON, '{"body": "{\\"%n\\": \\"%s\\"}"}'),
        (JSON, '{"body": "{\\"%n\\": \\"%s\\"}"'),
        (TEXT, "{'%n': '%s', 'a': 1}"),
        (FORM, "a=1&%n=%s&b=2"),
        (FORM, "%n=%s"),
        (TEXT, "a: 1\n%n: %s\nb: 2"),
        (TEXT, '{"%n":"%s"}'),
        (XML, "<Answer><%n>%s</%n></Answer>"),
        ("", "?%n=%s"),
    ],
)
def test_a_secret_by_its_name_is_masked_though_nobody_knows_it(
    name: str, kind: str, text: str
) -> None:
    """What a name calls a secret is masked in JSON, forms, XML and plain texts."""
    content = text.replace("%n", name).replace("%s", SECRET).encode()
    shown = masked_body(content, len(content), [(b"content-type", kind.encode())], Redactor())
    assert shown.text is not None
    assert SECRET not in shown.text
    assert "***" in shown.text


@pytest.mark.parametrize(
    "name",
    [
        *_NAMES,
        "Cookie",
        "Set-Cookie",
        "Proxy-Authorization",
        "X-Api-Key",
        "X-Amz-Security-Token",
        "X-CSRF",
    ],
)
def test_header_fields_that_hold_secrets_are_masked(name: str) -> None:
    """Credentials, cookies, tokens and signatures are never shown; the idempotency key and what
    else says what was asked is.
    """
    fields = [
        (name.encode(), SECRET.encode()),
        (b"Idempotency-Key", b"order-1"),
        (b"Location", b"https://u:p@h/x?access_token=abc&a=1"),
    ]
    shown = masked_fields(fields, Redactor())
    assert shown[0]["value"] == "***"
    assert shown[1]["value"] == "order-1"
    assert shown[2]["value"] == "https://***@h/x?access_token=***&a=1"


def test_urls_show_neither_user_nor_signature() -> None:
    """A presigned URL keeps what it names, and loses what it proves."""
    url = "https://ada:pw@b.example/k?X-Amz-Credential=AK%2F1&X-Amz-Date=20260101&X-Amz-Signature=0af&key=AIza&sv=1&sig=abc%3D"
    expected = "https://***@b.example/k?X-Amz-Credential=***&X-Amz-Date=20260101&X-Amz-Signature=***&key=***&sv=1&sig=***"
    assert masked_url(url, Redactor()) == expected


@pytest.mark.parametrize(
    ("content", "fields", "omitted"),
    [
        (b"\x89PNG\x00\x01", [], "binary"),
        (b"\xff\xfe\xfd", [(b"Content-Type", b"text/plain")], "binary"),
        (b"abc", [(b"Content-Encoding", b"br")], "binary"),
        (b"no gzip", [(b"Content-Encoding", b"gzip")], "binary"),
        (b"--x\r\n", [(b"Content-Type", b"multipart/form-data; boundary=x")], "several parts"),
    ],
)
def test_what_cannot_be_searched_is_left_out(
    content: bytes, fields: list[tuple[bytes, bytes]], omitted: str
) -> None:
    """Binary data, unknown codings and forms of several parts are named, not shown."""
    shown = masked_body(content, len(content), fields, Redactor(["abcdefgh"]))
    assert (shown.text, shown.omitted) == (None, omitted)


@pytest.mark.parametrize("coded", ["identity", "gzip", "deflate"])
def test_the_end_of_a_cut_body_shows_no_part_of_a_secret(coded: str) -> None:
    """A secret that a limit cuts in two is shown in no part."""
    text = ("x" * 65_500 + SECRET * 40).encode()
    content = {"identity": text, "gzip": gzip.compress(text), "deflate": zlib.compress(text)}[coded]
    fields = [(b"content-encoding", coded.encode())]
    shown = masked_body(content[: 64 * 1024], len(content), fields, Redactor([SECRET]))
    assert shown.is_cut
    assert shown.text is not None
    assert set(shown.text) <= {"x", "*"}


def test_a_bomb_is_not_unpacked() -> None:
    """A body that grows a thousandfold is read as far as it is shown."""
    content = gzip.compress(b"a" * 50_000_000)
    shown = masked_body(
        content[: 64 * 1024], len(content), [(b"content-encoding", b"gzip")], Redactor()
    )
    assert shown.text is not None
    assert len(shown.text) <= 64 * 1024


@pytest.mark.parametrize(
    "name",
    [
        "message",
        "state",
        "id",
        "author",
        "code",
        "keyboard",
        "Idempotency-Key",
        "passenger",
        "compass",
    ],
)
def test_plain_names_are_shown(name: str) -> None:
    """Names of other things than secrets are no secrets: masks that hide all help nobody."""
    assert not is_secret_name(name)
    assert json.loads(
        masked_body(json.dumps({name: "x"}).encode(), 99, [], Redactor()).text or ""
    ) == {name: "x"}
