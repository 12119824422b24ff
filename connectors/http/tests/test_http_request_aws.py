"""Connection type ``awsSigV4``: requests are signed as botocore signs them, with keys, leased roles
and the machine's own identity.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import boto3
import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fake_aws import FakeAws
from http_rig import attempt
from jackfield import Jackfield, Result
from jackfield.catalog import Catalog, EntryPoint
from jackfield.connector import InvalidConnection, InvalidInput, Sent
from jackfield.testing import Answer, Provider, Request
from jackfield_aws.keys import Keys
from jackfield_aws.request_signer import RequestSigner
from jackfield_http import AwsSigV4
from jackfield_http.signing import find_signer
from moto_server import moto_server, tell

KEYS = {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
ROLE = "arn:aws:iam::123456789012:role/acme-api"


def ask(jackfield: Jackfield, server: str, inputs: dict[str, Any], **values: Any) -> Result:
    """Send a request over an inline connection."""
    connection = {
        "type": "http/awsSigV4",
        "values": {"server": server, "region": "eu-west-1", **values},
    }
    return jackfield.invoke(
        {
            "connector": "http",
            "action": "request",
            "connection": connection,
            "inputs": inputs,
            "timeoutSeconds": 120,
        }
    )


def catalog() -> Catalog:
    """Return a catalog with the connector, installed or not."""
    return Catalog([EntryPoint("http", "jackfield_http.request:connector", "jackfield-http")])


@pytest.fixture(name="jackfield", scope="module")
def _jackfield() -> Iterator[Jackfield]:
    with Jackfield(catalog=catalog(), database_url="none") as jackfield:
        yield jackfield


def botocores(
    seen: Request, url: str, service: str, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Return botocore's own signature of a request as the server has seen it: with the fields that
    ours covers, at its time.
    """
    given = {name.lower(): value for name, value in seen.headers.items()}
    covered = given["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    path, _, query = seen.path.partition("?")
    pairs = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)
    # as botocore writes the keys of S3
    path = quote(unquote(path), safe="/-_.~") if service == "s3" else path
    request = AWSRequest(
        seen.method, url + path, {name: given[name] for name in covered}, seen.body, pairs
    )
    at = datetime.strptime(given["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: at)
    credentials = Credentials(KEYS["accessKeyId"], KEYS["secretAccessKey"], token)
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    kind(credentials, service, "eu-west-1").add_auth(request)
    return str(request.headers["Authorization"])


@pytest.mark.parametrize(
    ("service", "inputs"),
    [
        ("execute-api", {"url": "/prod/pets"}),
        ("execute-api", {"url": "/prod/a%20b/c:d/@(e)*,f?x=1&b=~"}),
        (
            "execute-api",
            {
                "url": "/x",
                "query": {
                    "name": "Ada & Ünal",
                    "a": ["2", "1", ""],
                    "a-b": "*+(/)",
                    "Z": "z",
                    "flag": True,
                },
            },
        ),
        (
            "execute-api",
            {
                "method": "POST",
                "url": "/x",
                "json": {"name": "Ünal"},
                "headers": {"X-Amz-Target": "Pets.Add", "X-Odd": " a  b "},
            },
        ),
        (
            "es",
            {"method": "PUT", "url": "/i/_doc/1", "text": "{}", "contentType": "application/json"},
        ),
        ("lambda", {"method": "DELETE", "url": "/x"}),
        ("execute-api", {"method": "POST", "url": "/x", "form": {"a": "1 2"}}),
        (
            "execute-api",
            {
                "method": "POST",
                "url": "/x",
                "multipart": [{"name": "f", "file": "data:image/png;base64,UE5H"}],
            },
        ),
        (
            "s3",
            {
                "method": "PUT",
                "url": "/bucket/a%20b/c%2Bd:(e).txt",
                "file": "data:text/plain;base64,aGVsbG8=",
            },
        ),
        ("s3", {"url": "/bucket", "query": {"list-type": 2, "prefix": "a/ü b"}}),
    ],
)
@pytest.mark.parametrize("token", [None, "session+token/=="])
def test_signatures_are_those_of_botocore(
    jackfield: Jackfield,
    service: str,
    inputs: dict[str, Any],
    token: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For the same request, at the same time and with the same keys, botocore computes the same
    signature over what has arrived.
    """
    session = {} if token is None else {"sessionToken": token}
    with Provider([Answer({})]) as server:
        assert (
            ask(jackfield, server.url, inputs, service=service, **KEYS, **session).status
            == "succeeded"
        )
    (seen,) = server.requests
    expected = botocores(seen, server.url, service, token, monkeypatch)
    assert seen.headers["Authorization"] == expected
    assert ("X-Amz-Security-Token" in seen.headers, "x-amz-security-token" in expected) == (
        token is not None,
        token is not None,
    )


def test_moto_checks_the_signatures(jackfield: Jackfield) -> None:
    """With authorisation enforced, S3 and DynamoDB accept the requests of a user and of a role, and
    refuse a wrong key by its code.
    """
    with moto_server() as url:
        spec = {
            "region_name": "eu-west-1",
            "endpoint_url": url,
            "aws_access_key_id": "setup",
            "aws_secret_access_key": "setup",
        }
        iam = boto3.client("iam", **spec)
        statement = {
            "Effect": "Allow",
            "Action": ["s3:*", "dynamodb:*", "sts:AssumeRole"],
            "Resource": "*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_user(UserName="acme")
        iam.put_user_policy(UserName="acme", PolicyName="p", PolicyDocument=policy)
        key = iam.create_access_key(UserName="acme")["AccessKey"]
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
            ],
        }
        role = iam.create_role(RoleName="acme-api", AssumeRolePolicyDocument=json.dumps(trust))[
            "Role"
        ]["Arn"]
        iam.put_role_policy(RoleName="acme-api", PolicyName="p", PolicyDocument=policy)
        boto3.client("s3", **spec).create_bucket(
            Bucket="shelf", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        tell(url, "reset-auth", "0")
        try:
            keys = {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}
            put = {
                "method": "PUT",
                "url": "/shelf/a%20b/%C3%BC.txt",
                "file": {"data": b64encode(b"hello").decode()},
            }
            assert ask(jackfield, url, put, service="s3", **keys).status == "succeeded"
            got = ask(
                jackfield,
                url,
                {"url": "/shelf/a%20b/%C3%BC.txt", "response": "text"},
                service="s3",
                **keys,
            ).unwrap()
            listing = ask(
                jackfield,
                url,
                {"url": "/shelf", "query": {"list-type": "2", "prefix": "a b/"}},
                service="s3",
                **keys,
            ).unwrap()
            assert (got["text"], "<Key>a b/" in listing["text"]) == ("hello", True)
            tables = {
                "method": "POST",
                "url": "/",
                "text": "{}",
                "contentType": "application/x-amz-json-1.0",
                "headers": {"X-Amz-Target": "DynamoDB_20120810.ListTables"},
                "response": "json",
            }
            assumed = ask(
                jackfield, url, tables, service="dynamodb", **keys, roleARN=role, stsEndpoint=url
            )
            assert assumed.unwrap()["body"] == {"TableNames": []}
            for inputs, service in ((put, "s3"), (tables, "dynamodb")):
                found = ask(
                    jackfield, url, inputs, service=service, **{**keys, "secretAccessKey": "wrong"}
                )
                assert found.error is not None
                assert found.error.provider is not None
                assert (found.error.code, found.error.provider.code) == (
                    "unauthenticated",
                    "SignatureDoesNotMatch",
                )
                assert "'service' and 'region'" in str(found.error.hint)
        finally:
            tell(url, "reset-auth", "inf")


def test_a_role_is_assumed_once_and_renewed_when_its_session_has_expired() -> None:
    """Ten requests of one connection share a session; a server that calls it expired gets the
    request again with a new one.
    """

    def play(number: int, request: Request) -> Answer:
        if number == 5:
            about = {"message": "The security token included in the request is expired"}
            return Answer(about, status=403, headers={"x-amzn-ErrorType": "ExpiredTokenException:"})
        return Answer({"token": request.headers["X-Amz-Security-Token"]})

    with FakeAws() as aws, Provider(play) as server:
        values = {
            **KEYS,
            "server": server.url,
            "region": "eu-west-1",
            "roleARN": ROLE,
            "stsEndpoint": aws.url,
        }
        with Jackfield(
            catalog=catalog(),
            database_url="none",
            connections=[{"acme": {"type": "http/awsSigV4", "values": values}}],
        ) as jackfield:
            found = [
                jackfield.invoke(
                    {"connector": "http", "action": "request", "inputs": {"url": "/x"}}
                )
                for _ in range(10)
            ]
        assert [one.status for one in found] == ["succeeded"] * 10
        # the output masks it
        assert len({one.output["body"]["token"] for one in found if one.output}) == 1
        assert len({request.headers["X-Amz-Security-Token"] for request in server.requests}) == 2
        assert aws.calls() == ["sts:AssumeRole", "sts:AssumeRole"]


def test_keys_that_have_expired_are_the_callers_to_replace(jackfield: Jackfield) -> None:
    """Keys are sent once, and the error says what to do."""
    with Provider(
        [
            Answer(
                {"__type": "com.amazon.coral.service#ExpiredTokenException", "message": "expired"},
                status=400,
            )
        ]
    ) as server:
        found = ask(jackfield, server.url, {"url": "/x"}, **KEYS, sessionToken="t")
    assert found.error is not None
    assert (found.error.code, len(server.requests)) == ("unauthenticated", 1)
    assert "use new keys, or a role" in str(found.error.hint)


def test_redirects_to_other_servers_are_not_signed(jackfield: Jackfield) -> None:
    """A redirect on the same server is signed anew; one to another server carries neither a
    signature nor a session token.
    """
    with Provider([Answer({"seen": True})]) as other:
        hops = [
            Answer(status=302, headers={"Location": "/y"}),
            Answer(status=302, headers={"Location": f"{other.url}/z"}),
        ]
        with Provider(hops) as server:
            assert (
                ask(jackfield, server.url, {"url": "/x"}, **KEYS, sessionToken="t").status
                == "succeeded"
            )
    first, second = server.requests
    assert first.headers["Authorization"] != second.headers["Authorization"]
    assert not [
        name
        for name in other.requests[0].headers
        if name.lower() == "authorization" or name.lower().startswith("x-amz-")
    ]


def test_header_fields_of_the_signature_are_not_the_callers(jackfield: Jackfield) -> None:
    """A request with a date or a token of its own is refused before anything is sent."""
    with Provider([Answer({})]) as server:
        found = ask(
            jackfield,
            server.url,
            {"url": "/x", "headers": {"x-amz-date": "20260101T000000Z"}},
            **KEYS,
        )
    assert found.error is not None
    assert (found.error.code, server.requests) == ("invalid_input", [])


def test_the_machines_own_identity_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys the host's identity is used, where the operator allows it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHOST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "host-secret")
    with (
        Provider([Answer({})]) as server,
        Jackfield(catalog=catalog(), database_url="none") as jackfield,
    ):
        assert ask(jackfield, server.url, {"url": "/x"}).status == "succeeded"
    assert "Credential=AKIAHOST/" in server.requests[0].headers["Authorization"]


def test_a_body_that_can_be_read_once_is_not_signed() -> None:
    """A stream without an end that is known is refused before it is sent; S3 accepts it unsigned,
    over TLS.
    """
    with (
        Provider([Answer({})]) as server,
        attempt(server.url, AwsSigV4, values={"region": "eu-west-1", **KEYS}) as (api, _),
    ):
        with pytest.raises(InvalidInput, match="read only once") as caught:
            api.post("/x", content=iter([b"a"]))
        assert (caught.value.sent, server.requests) == (Sent.NOTHING, [])
    signer: Any = RequestSigner(None, Keys("AKIA", "s"), "s3", "eu-west-1")  # type: ignore[arg-type]
    added = signer.sign(
        "PUT", "https://bucket.s3.amazonaws.com/k", [("Host", "bucket.s3.amazonaws.com")], None
    )
    assert added["X-Amz-Content-SHA256"] == "UNSIGNED-PAYLOAD"
    with pytest.raises(InvalidInput):
        signer.sign(
            "PUT", "http://bucket.s3.amazonaws.com/k", [("Host", "bucket.s3.amazonaws.com")], None
        )


def test_without_the_package_the_error_names_it() -> None:
    """A connection whose signer is not installed is not valid, and the hint names the package to
    install.
    """
    with pytest.raises(InvalidConnection) as caught:
        find_signer("otherSigV4", "jackfield-other")
    assert caught.value.hint == "Install jackfield-other, and start jackfield again."
