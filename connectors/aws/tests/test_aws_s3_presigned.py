"""Presigned requests of S3: what they let their holder do, who may have them made, and that only
their caller sees them.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from fake_aws import FakeAws
from jackfield import Jackfield, Result
from jackfield.callers import Caller, Rules
from moto_rig import offer
from moto_server import moto_server

NAMES = ["s3.presignGet", "s3.presignPut", "s3.presignPost"]
OPEN = build_opener(ProxyHandler({})).open
VALUES = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY",
    "region": "eu-west-1",
}


class Stand:
    """A runtime with a database over moto's S3."""

    def __init__(self, jackfield: Jackfield) -> None:
        self.jackfield = jackfield

    def call(self, action: str, caller: Caller | None = None, **inputs: Any) -> Result:
        """Invoke an action of ``aws.s3``."""
        given = {
            "connector": "aws.s3",
            "action": action,
            "connection": "main",
            "inputs": {"Bucket": "reports", **inputs},
        }
        return (
            self.jackfield.invoke(given)
            if caller is None
            else self.jackfield.invoke(given, caller=caller)
        )


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    home = tmp_path_factory.mktemp("presigned")
    with moto_server() as url:
        files = [
            {
                "connections": {
                    "main": {"type": "aws/apiKeySecret", "values": {**VALUES, "endpoint": url}}
                }
            }
        ]
        environment = offer(home, {"default": {"services": ["s3", *NAMES]}})
        with Jackfield(
            connections=files, database_url=f"sqlite:///{home}/j.db", environment=environment
        ) as jackfield:
            stand = Stand(jackfield)
            location = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
            stand.call("createBucket", None, **location).unwrap()
            stand.call("putObject", Key="a b/ü.txt", Body="kept", ContentType="text/plain").unwrap()
            yield stand


def send(made: Any, content: bytes | None = None) -> tuple[int, bytes, dict[str, str]]:
    """Send a presigned request as its holder would."""
    try:
        with OPEN(
            Request(made["url"], content, made["headers"], method=made["method"]), timeout=60
        ) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except HTTPError as error:
        return error.code, error.read(), dict(error.headers)


def test_a_url_downloads_one_object(stand: Stand) -> None:
    """It has the object's bytes, with the header fields that were asked for, and lives for a
    quarter of an hour.
    """
    found = stand.call(
        "presignGet", Key="a b/ü.txt", ResponseContentDisposition="attachment"
    ).unwrap()
    status, content, headers = send(found)
    assert (status, content, headers["Content-Disposition"]) == (200, b"kept", "attachment")
    query = parse_qs(urlsplit(found["url"]).query)
    assert (query["X-Amz-Expires"], query["X-Amz-Algorithm"]) == (["900"], ["AWS4-HMAC-SHA256"])
    assert 880 < datetime.fromisoformat(found["expiresAt"]).timestamp() - time.time() <= 900


def test_a_url_uploads_one_object_with_what_was_signed(stand: Stand) -> None:
    """The header fields of the answer are those that the signature covers."""
    found = stand.call(
        "presignPut", Key="up.csv", ContentType="text/csv", Metadata={"who": "ada"}
    ).unwrap()
    assert {name.lower() for name in found["headers"]} == {"content-type", "x-amz-meta-who"}
    assert parse_qs(urlsplit(found["url"]).query)["X-Amz-SignedHeaders"] == [
        "content-type;host;x-amz-meta-who"
    ]
    assert send(found, b"a,b\n")[0] == 200
    kept = stand.call("headObject", Key="up.csv").unwrap()
    assert (kept["ContentLength"], kept["ContentType"], kept["Metadata"]) == (
        4,
        "text/csv",
        {"who": "ada"},
    )


def test_a_form_uploads_what_its_policy_allows(stand: Stand) -> None:
    """Fields and conditions are in the signed policy, with the bucket and the key; a form with
    these fields uploads a file.
    """
    conditions = [["content-length-range", 1, 1000], ["starts-with", "$x-amz-meta-by", "a"]]
    found = stand.call(
        "presignPost",
        Key="in/form.txt",
        Fields={"Content-Type": "text/plain"},
        Conditions=conditions,
    ).unwrap()
    policy = json.loads(b64decode(found["fields"]["policy"]))["conditions"]
    assert all(
        one in policy
        for one in [
            *conditions,
            {"Content-Type": "text/plain"},
            {"bucket": "reports"},
            {"key": "in/form.txt"},
        ]
    )
    fields = {**found["fields"], "x-amz-meta-by": "ada"}
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    parts.append(
        '--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\nContent-Type: '
        "text/plain\r\n\r\nhello\r\n--x--\r\n"
    )
    request = Request(
        found["url"],
        "".join(parts).encode(),
        {"Content-Type": "multipart/form-data; boundary=x"},
        method="POST",
    )
    assert OPEN(request, timeout=60).status in (200, 204)
    assert stand.call("headObject", Key="in/form.txt").unwrap()["ContentLength"] == 5


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"expiresIn": 604_801}, "/expiresIn"),
        ({"expiresIn": 0}, "/expiresIn"),
        ({"Conditions": [["content-length-range", 5, 1]]}, "/Conditions/0"),
        ({"Conditions": [{"acl": "private"}, ["like", "$acl", "p"]]}, "/Conditions/1"),
        ({"Conditions": [["starts-with", "$key", ""]]}, "/Conditions/0"),
        ({"Conditions": [{"bucket": "other"}]}, "/Conditions/0"),
        ({"Fields": {"Key": "other"}}, "/Fields/Key"),
        ({"Key": "${filename}"}, "/Key"),
        ({"Key": "in/${filename}.txt"}, "/Key"),
        ({"Key": "in/${filename}/${filename}"}, "/Key"),
    ],
)
def test_what_is_no_condition_or_too_long_is_refused(
    stand: Stand, inputs: dict[str, Any], path: str
) -> None:
    """Nothing is signed: bounds, forms of conditions, and what would widen the key or the
    bucket.
    """
    error = stand.call("presignPost", **{"Key": "k", **inputs}).error
    assert error is not None
    assert (error.code, error.details[0].path) == ("invalid_input", path)


def test_a_file_name_follows_its_prefix(stand: Stand) -> None:
    """``in/${filename}`` allows the keys that begin with ``in/``, by the policy that is signed, and
    no other place of the bucket.
    """
    found = stand.call("presignPost", Key="in/${filename}").unwrap()
    about = [
        one
        for one in json.loads(b64decode(found["fields"]["policy"]))["conditions"]
        if "key" in str(one)
    ]
    assert about == [["starts-with", "$key", "in/"]]


@pytest.mark.parametrize(
    ("name", "other"),
    [("presignGet", "getObject"), ("presignPut", "putObject"), ("presignPost", "putObject")],
)
def test_the_caller_must_be_allowed_what_the_url_does(stand: Stand, name: str, other: str) -> None:
    """A token that may sign and not act is refused; one that may do both is not; one that may read
    only is neither.
    """

    def code(*allow: str, block: tuple[str, ...] = ()) -> str | None:
        caller = Caller(
            "clerk", "invoke", Rules(allow=allow, block=block), token="clerk", remote=True
        )
        error = stand.call(name, caller, Key="k").error
        return None if error is None else error.code

    assert code(f"aws.s3/{name}") == "not_allowed"
    assert code("aws.s3/*", block=(f"aws.s3/{other}",)) == "not_allowed"
    assert code(f"aws.s3/{name}", f"aws.s3/{other}") is None
    assert code(f"aws.s3/{name}", f"aws.s3/{other} & connection:other") == "not_allowed"
    assert code("effect:read", f"aws.s3/{other}") == "not_allowed"
    # what hands out credentials counts as a change
    assert code(block=("effect:change",)) == "not_allowed"


def test_no_pattern_offers_them_and_what_they_stand_for_must_be_offered(tmp_path: Path) -> None:
    """``s3`` and ``s3.presign*`` offer none of them; ``s3.presignGet`` alone is refused for want of
    ``getObject``.
    """
    files = [{"connections": {"main": {"type": "aws/apiKeySecret", "values": VALUES}}}]
    for services, code in (
        (["s3", "s3.presign*"], "unknown_action"),
        (["s3.presignGet"], "not_allowed"),
        (["s3", "s3.presignGet"], None),
    ):
        environment = offer(tmp_path, {"default": {"services": services}})
        with Jackfield(
            connections=files, database_url="none", environment=environment
        ) as jackfield:
            error = Stand(jackfield).call("presignGet", Key="k").error
            assert (None if error is None else error.code) == code, services


def test_only_the_caller_sees_a_url(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    """The journal, a replay under the same key and the log have no signature."""
    given = {
        "connector": "aws.s3",
        "action": "presignGet",
        "connection": "main",
        "inputs": {"Bucket": "reports", "Key": "k"},
    }
    first = stand.jackfield.invoke({**given, "idempotencyKey": "shown"})
    signature = parse_qs(urlsplit(first.unwrap()["url"]).query)["X-Amz-Signature"][0]
    again = stand.jackfield.invoke({**given, "idempotencyKey": "shown"})
    assert again.meta.replayed
    entry = stand.jackfield.journal_of().find(first.meta.invocation_id)
    assert signature not in json.dumps(again.to_json()) + repr(entry) + caplog.text


def test_a_url_ends_with_the_session_that_signed_it(tmp_path: Path) -> None:
    """A role's session of an hour signs for a day: ``expiresAt`` says when it ends, and a warning
    why.
    """
    with FakeAws() as aws:
        values = {
            "roleARN": "arn:aws:iam::123456789012:role/r",
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "secretAccessKey": "s" * 40,
        }
        values |= {"region": "eu-west-1", "stsEndpoint": aws.url}
        files = [{"connections": {"main": {"type": "aws/awsAssumeRole", "values": values}}}]
        environment = offer(tmp_path, {"default": {"services": ["s3", *NAMES]}})
        with Jackfield(
            connections=files, database_url="none", environment=environment
        ) as jackfield:
            found = Stand(jackfield).call("presignGet", Key="k", expiresIn=86_400)
    left = datetime.fromisoformat(found.unwrap()["expiresAt"]).timestamp() - time.time()
    assert left <= 3700
    assert [warning["path"] for warning in found.meta.warnings] == ["/expiresAt"]
    assert "X-Amz-Security-Token" in found.unwrap()["url"]
