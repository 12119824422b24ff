"""Messages of SNS: what a topic has signed is taken, everything else is refused before anything is
read from it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from jackfield.connector import Forged, HookRequest, Malformed, Needs
from jackfield_aws.notifications import Expected, parse_topic, verify_message, verify_request
from sns_signer import PATH, TOPIC, asking, body, certificate, note, signed, weak_keys

NOW = time.time()
_ORIGIN = "https://sns.eu-west-1.amazonaws.com"
_FOUND = {f"{_ORIGIN}{PATH}": certificate()}
Change = Callable[[dict[str, Any]], dict[str, Any]]


def _judged(
    sent: Any,
    found: dict[str, bytes] | None = None,
    versions: tuple[str, ...] = ("2",),
    at: float = NOW,
    **headers: Any,
) -> Any:
    raw = sent if isinstance(sent, bytes) else body(sent)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return verify_request(
        HookRequest(raw, named, at),
        Expected.of(TOPIC, versions=versions),
        _FOUND if found is None else found,
    )


@pytest.mark.parametrize("version", ["1", "2"])
def test_what_the_topic_has_signed_is_taken(version: str) -> None:
    """Both versions of signatures; with a subject, line breaks and letters of all kinds; a request
    for a confirmation; unsigned members.
    """
    plain = _judged(note("a\nb", NOW, version=version), versions=("1", "2"))
    assert (plain.type, plain.text) == ("Notification", "a\nb")
    assert abs(plain.at - NOW) < 0.01
    attributes = {"kind": {"Type": "String", "Value": "x"}}
    full = {
        **note("héllo \U0001f600", NOW, version=version, Subject="Amazon SES"),
        "MessageAttributes": attributes,
    }
    assert _judged(full, versions=("1", "2")).text == "héllo \U0001f600"
    assert _judged(asking(NOW, version=version), versions=("1", "2")).token == "t-4711"


def test_a_verifier_asks_for_the_certificate() -> None:
    """By its URL, which was checked first; the certificate then decides. A redelivered message is
    judged by the time when it was sent.
    """
    with pytest.raises(Needs) as asked:
        _judged(note("x", NOW), found={})
    assert asked.value.name == f"{_ORIGIN}{PATH}"
    old = NOW - 40 * 86_400
    found = {f"{_ORIGIN}{PATH}": certificate(since=-60, until=-10)}
    assert verify_message(note("x", old), Expected.of(TOPIC), found).text == "x"


def test_partitions_have_places_of_their_own() -> None:
    """China, GovCloud and the sovereign cloud have other hosts; a region of another partition, and
    what is no topic, is refused.
    """
    origins = {
        "arn:aws-cn:sns:cn-north-1:123456789012:t": "https://sns.cn-north-1.amazonaws.com.cn",
        "arn:aws-us-gov:sns:us-gov-west-1:123456789012:t": "https://sns.us-gov-west-1.amazonaws.com",
        "arn:aws-eusc:sns:eusc-de-east-1:123456789012:t": "https://sns.eusc-de-east-1.amazonaws.eu",
    }
    assert {arn: Expected.of(arn).origin for arn in origins} == origins
    for arn in (
        "arn:aws:sns:cn-north-1:123456789012:t",
        "arn:aws:sns:s3:123456789012:t",
        "arn:aws:sqs:eu-west-1:123456789012:t",
        "",
    ):
        assert parse_topic(arn) is None


def _with(**members: Any) -> Change:
    """Change members, or drop those of None, and keep the signature."""
    return lambda made: {
        name: value for name, value in {**made, **members}.items() if value is not None
    }


def _signed(**members: Any) -> Change:
    """Change members before they are signed: SNS signs what a stranger writes to a topic of his
    own.
    """
    return lambda made: signed({**made, **members})


def _url(text: str) -> Change:
    return _with(SigningCertURL=text)


_PLACE = "https://sns.eu-west-1.amazonaws.com"
_FORGERIES: dict[str, Change] = {
    "another message": _with(Message="y"),
    "another subject": _with(Subject="y"),
    "a subject removed": lambda _made: _with(Subject=None)(note("x", NOW, Subject="s")),
    "another time": _with(Timestamp="2030-01-01T00:00:00.000Z"),
    "another signature": _with(Signature="AAAA"),
    "no base64": _with(Signature="a b"),
    "no signature": _with(Signature=None),
    "a signature that is no text": _with(Signature=1),
    "version 3": _with(SignatureVersion="3"),
    "version as a number": _with(SignatureVersion=2),
    "no version": _with(SignatureVersion=None),
    "version 1 for a topic of version 2": lambda _made: note("x", NOW, version="1"),
    "version 1 for 2": _with(SignatureVersion="1"),
    "another topic": _signed(TopicArn=f"{TOPIC}-2"),
    "another account": _signed(TopicArn=TOPIC.replace("123456789012", "210987654321")),
    "another region": _signed(TopicArn=TOPIC.replace("eu-west-1", "us-east-1")),
    "moved borders": _with(Type=f"x\nTopicArn\n{TOPIC}"),
    "a type that is none": _signed(Type="Other"),
    "no type": _with(Type=None),
    "a line break in an ID": _signed(MessageId="0\nTimestamp\n1"),
    "an ID that is none": _signed(MessageId="4711"),
    "a line break in a subject": _signed(Subject=f"a\nTimestamp\nb\nTopicArn\n{TOPIC}"),
    "a time without milliseconds": _signed(Timestamp="2026-11-20T10:00:00Z"),
    "a time that is none": _signed(Timestamp="2026-13-40T10:00:00.000Z"),
    "a subject that is null": lambda made: {**made, "Subject": None},
    "a message that is an object": lambda made: {**made, "Message": {"a": 1}},
    "no topic": _with(TopicArn=None),
    "a certificate over http": _url(f"http://sns.eu-west-1.amazonaws.com{PATH}"),
    "another host": _url(f"https://evil.example{PATH}"),
    "a host that begins alike": _url(f"{_PLACE}.evil.example{PATH}"),
    "a bucket that is named like a region": _url(f"https://sns.s3-us-west-2.amazonaws.com{PATH}"),
    "another region's host": _url(f"https://sns.us-east-1.amazonaws.com{PATH}"),
    "a user": _url(f"https://sns.eu-west-1.amazonaws.com@evil.example{PATH}"),
    "a port": _url(f"{_PLACE}:8443{PATH}"),
    "a backslash": _url(f"https://evil.example\\@sns.eu-west-1.amazonaws.com{PATH}"),
    "a line break in the URL": _url(f"{_PLACE}\n{PATH}"),
    "dots of another script": _url(f"https://sns。eu-west-1。amazonaws。com{PATH}"),
    "a query": _url(f"{_PLACE}{PATH}?x=1"),
    "another path": _url(f"{_PLACE}/x/..{PATH}"),
    "Lambda's spelling": lambda made: {
        ("SigningCertUrl" if name == "SigningCertURL" else name): value
        for name, value in made.items()
    },
    "a confirmation whose topic is foreign": lambda _made: asking(NOW, topic=f"{TOPIC}-2"),
    "a confirmation without its token": lambda _made: _with(Token=None)(asking(NOW)),
    "a confirmation that is a notification": lambda _made: _with(Type="Notification")(asking(NOW)),
}


def test_forgeries_are_refused() -> None:
    """Changed, added, removed and moved members; other topics, versions and certificates: none is
    taken for the topic's message.
    """
    assert len(_FORGERIES) > 40
    for name, change in _FORGERIES.items():
        with pytest.raises(Forged):
            pytest.fail(f"{name}: {_judged(change(note('x', NOW)))}")


def test_old_and_raw_messages_are_refused() -> None:
    """75 minutes back and 15 ahead are allowed for; a raw delivery has no signature; headers that
    differ from the body.
    """
    for at in (NOW + 75 * 60 - 1, NOW - 15 * 60 + 1):
        assert _judged(note("x", NOW), at=at)
    sent = note("x", NOW)
    for at in (NOW + 75 * 60 + 2, NOW - 15 * 60 - 2):
        with pytest.raises(Forged):
            _judged(sent, at=at)
    headers: dict[str, Any] = {
        "x_amz_sns_rawdelivery": "true",
        "x_amz_sns_topic_arn": f"{TOPIC}-2",
        "x_amz_sns_message_type": "Other",
    }
    for header, value in headers.items():
        with pytest.raises(Forged):
            _judged(sent, **{header: value})


def test_bodies_that_are_no_messages_are_malformed() -> None:
    """An array, a member twice, another encoding, trailing bytes: nothing of them is read. A mark
    of UTF-8 is no part of the message.
    """
    raw = body(note("x", NOW))
    twice = raw[:-1] + b', "Message": "y"}'
    for sent in (b"[]", b"", twice, json.dumps({"a": 1}).encode("utf-16"), raw + b"x", b"1"):
        with pytest.raises((Malformed, Forged)):
            _judged(sent)
    assert _judged(b"\xef\xbb\xbf" + raw) == _judged(raw)


def test_certificates_that_sns_does_not_use_are_refused() -> None:
    """Expired, not valid yet, another service's, two at once, none, a page, too long, a key that is
    short or of another kind.
    """
    first = certificate()
    found = [
        certificate(until=0, since=-3, now=NOW - 60),
        certificate(since=1),
        certificate("sqs.amazonaws.com"),
        certificate("sns.evil.example"),
        first + first,
        b"",
        b"<html>",
        first + b" " * 20_000,
        *(certificate(key=key) for key in weak_keys()),
    ]
    for pem in found:
        with pytest.raises(Forged):
            _judged(note("x", NOW), found={f"{_ORIGIN}{PATH}": pem})
