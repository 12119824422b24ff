"""Credentials of the wrong kind or in the wrong field are seen before any request; keys of test
endpoints are left alone.
"""

from __future__ import annotations

import random
import string
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield_aws_ses.smtp.password import smtp_password

_ID, _TEMPORARY = "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"
_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_PASSWORD = smtp_password(_SECRET, "eu-west-1")
_HOST = "email-smtp.eu-west-1.amazonaws.com"
_ROLE = "arn:aws:iam::123456789012:role/r"
_INPUTS = {
    "to": "a@example.com",
    "sender": "n@example.com",
    "subject": "s",
    "text": "t",
    "awsRegion": "eu-west-1",
}


def _result(
    kind: str, values: dict[str, Any], *, connector: str = "aws-ses", action: str = "sendEmail"
) -> Any:
    """The Result of a dry run, which makes no request."""
    inputs = _INPUTS if action == "sendEmail" else {"awsRegion": "eu-west-1"}
    document = {
        "connector": connector,
        "action": action,
        "connection": "k",
        "inputs": inputs,
        "dryRun": True,
    }
    with Jackfield(
        connections=[{"k": {"type": kind, "values": values}}], environment={}, database_url="none"
    ) as jackfield:
        return jackfield.invoke(document)


_KEYS: dict[str, tuple[dict[str, str], str, str]] = {
    "SMTP password": (
        {"accessKeyId": _ID, "secretAccessKey": _PASSWORD},
        "/secretAccessKey",
        "SMTP password",
    ),
    "SMTP password of another key": (
        {"accessKeyId": _ID, "secretAccessKey": "B" + "F0/eI+xz9aQ" * 3 + "abcdefghij"},
        "/secretAccessKey",
        "SMTP",
    ),
    "ID twice": ({"accessKeyId": _ID, "secretAccessKey": _ID}, "/secretAccessKey", "access key ID"),
    "swapped": (
        {"accessKeyId": _SECRET, "secretAccessKey": _ID},
        "/secretAccessKey",
        "access key ID",
    ),
    "both in the secret": (
        {"accessKeyId": _ID, "secretAccessKey": f"{_ID}:{_SECRET}"},
        "/secretAccessKey",
        "something else",
    ),
    "a line of the CSV": (
        {"accessKeyId": f"{_ID},{_SECRET}", "secretAccessKey": _SECRET},
        "/accessKeyId",
        "something else",
    ),
    "space in the secret": (
        {"accessKeyId": _ID, "secretAccessKey": f"{_SECRET[:9]} {_SECRET[9:]}"},
        "/secretAccessKey",
        "space",
    ),
    "space in the ID": (
        {"accessKeyId": f"{_ID[:5]} {_ID[5:]}", "secretAccessKey": _SECRET},
        "/accessKeyId",
        "space",
    ),
    "invisible character": (
        {"accessKeyId": f"{_ID[:5]}\u200b{_ID[5:]}", "secretAccessKey": _SECRET},
        "/accessKeyId",
        "invisible",
    ),
    "quotes": (
        {"accessKeyId": _ID, "secretAccessKey": f'"{_SECRET}"'},
        "/secretAccessKey",
        "quote",
    ),
    "quotes of the ID": (
        {"accessKeyId": f"'{_ID}'", "secretAccessKey": _SECRET},
        "/accessKeyId",
        "quote",
    ),
    "no session token": (
        {"accessKeyId": _TEMPORARY, "secretAccessKey": _SECRET},
        "/sessionToken",
        "temporary",
    ),
    "ID of a user": (
        {"accessKeyId": "AIDAIOSFODNN7EXAMPLE", "secretAccessKey": _SECRET},
        "/accessKeyId",
        "unique ID",
    ),
    "ID of a role": (
        {"accessKeyId": "AROAIOSFODNN7EXAMPLE", "secretAccessKey": _SECRET},
        "/accessKeyId",
        "unique ID",
    ),
}


@pytest.mark.parametrize("kind", ["aws/apiKeySecret", "aws/awsAssumeRole", "aws-ses/smtp"])
@pytest.mark.parametrize(("values", "path", "words"), _KEYS.values(), ids=_KEYS)
def test_a_key_of_another_kind_is_refused(
    kind: str, values: dict[str, str], path: str, words: str
) -> None:
    """With the field and what it has, and without the value."""
    more = {"aws/awsAssumeRole": {"roleARN": _ROLE}, "aws-ses/smtp": {"hostname": _HOST}}.get(
        kind, {}
    )
    error = _result(kind, {**values, **more}).error
    assert (error.code, error.hint is not None) == ("invalid_connection", True)
    if kind == "aws-ses/smtp" and path == "/sessionToken":
        return  # temporary keys are refused there as such
    assert path in [detail.path for detail in error.details]
    assert any(words in detail.message for detail in error.details)
    assert _SECRET not in str(error.to_json())
    assert _PASSWORD not in str(error.to_json())


@pytest.mark.parametrize("around", ["\u200b", "\ufeff", "\u00a0"])
def test_what_was_copied_around_a_key_is_no_part_of_it(around: str) -> None:
    """White space and invisible characters at the ends are cleaned, as those of any value of a
    connection.
    """
    result = _result(
        "aws/apiKeySecret",
        {"accessKeyId": f"{around}{_ID}{around}", "secretAccessKey": f"{_SECRET}{around}"},
    )
    assert (result.status, result.error) == ("succeeded", None)


@pytest.mark.parametrize("connector", ["aws.s3", "aws.sts"])
def test_every_connector_of_aws_sees_it(connector: str) -> None:
    """The rule is that of the connection type, not of Amazon SES."""
    action = {"aws.s3": "listBuckets", "aws.sts": "getCallerIdentity"}[connector]
    result = _result(
        "aws/apiKeySecret",
        {"accessKeyId": _ID, "secretAccessKey": _ID},
        connector=connector,
        action=action,
    )
    assert result.error is not None
    assert result.error.code == "invalid_connection"


_LOGINS: dict[str, tuple[dict[str, str], str, str]] = {
    "secret access key": ({"username": _ID, "password": _SECRET}, "/password", "secret access key"),
    "swapped": ({"username": _PASSWORD, "password": _ID}, "/password", "swapped"),
    "ID twice": ({"username": _ID, "password": _ID}, "/password", "access key ID"),
    "name of the user": (
        {"username": "ses-smtp-user.20260101-101010", "password": _PASSWORD},
        "/username",
        "name of the IAM user",
    ),
    "quotes": ({"username": f'"{_ID}"', "password": _PASSWORD}, "/username", "quote"),
    "space": (
        {"username": _ID, "password": f"{_PASSWORD[:20]} {_PASSWORD[20:]}"},
        "/password",
        "space",
    ),
    "ID of a user": (
        {"username": "AIDAIOSFODNN7EXAMPLE", "password": _PASSWORD},
        "/username",
        "unique ID",
    ),
    "temporary": ({"username": _TEMPORARY, "password": _PASSWORD}, "/username", "temporary"),
}


@pytest.mark.parametrize(("values", "path", "words"), _LOGINS.values(), ids=_LOGINS)
def test_an_smtp_login_of_another_kind_is_refused(
    values: dict[str, str], path: str, words: str
) -> None:
    """With the field and what it has, and without the value."""
    error = _result("aws-ses/smtp", {"hostname": _HOST, **values}).error
    assert error.code == "invalid_connection"
    assert [detail.path for detail in error.details] == [path]
    assert words in error.details[0].message
    assert _SECRET not in str(error.to_json())


_RANDOM = random.Random(44)
_OF_IDS = string.ascii_uppercase + "234567"
_ALPHABET = string.ascii_letters + string.digits + "+/"
_SOUND = [
    ("test", "test"),
    ("a", "k"),
    ("k", "a"),
    ("minioadmin", "minioadmin"),
    ("AKIA", "x"),
    ("ASIA", "x"),
    ("AKIAHOST", "secret"),
    ("testing", "a secret"),
    ("a key", "x"),
    (_ID, "x"),
    (_ID, _SECRET),
    ("x", _ID[:10]),
    ("test", _PASSWORD),
    # an endpoint of another vendor: 40 hexadecimal digits, 44 of base64
    ("0123456789abcdef0123456789abcdef01234567", "u" * 43 + "="),
    *(
        (
            f"AKIA{''.join(_RANDOM.choices(_OF_IDS, k=16))}",
            "".join(_RANDOM.choices(_ALPHABET, k=40)),
        )
        for _ in range(20)
    ),
]


@pytest.mark.parametrize(("key_id", "secret"), _SOUND)
def test_other_keys_are_left_alone(key_id: str, secret: str) -> None:
    """Any non-empty text is a key, as test endpoints have it, and all of AWS's own are."""
    assert (
        _result("aws/apiKeySecret", {"accessKeyId": key_id, "secretAccessKey": secret}).status
        == "succeeded"
    )
    assert _result(
        "aws/apiKeySecret",
        {"accessKeyId": _TEMPORARY, "secretAccessKey": secret, "sessionToken": "t"},
    ).status == ("failed" if secret == _PASSWORD else "succeeded")


def test_other_logins_are_left_alone() -> None:
    """SES's own, and those of other servers, whose passwords may have any length."""
    for username, password in (
        (_ID, _PASSWORD),
        ("apikey", "SG." + "x" * 66),
        ("user@example.com", "a" * 40),
        ("AKI", "p"),
        (_ID, "p w"),
    ):
        assert (
            _result(
                "aws-ses/smtp", {"hostname": _HOST, "username": username, "password": password}
            ).status
            == "succeeded"
        )
