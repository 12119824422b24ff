"""``$awsSecretsManager`` and ``$awsParameterStore``: read from moto's services as the machine's own
identity.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

import jackfield_aws.sessions
from jackfield import Jackfield
from jackfield.connector import Unavailable
from jackfield_aws.host_secrets import parameter_store, secrets_manager
from moto_server import moto_server

MANAGER, STORE = "awsSecretsManager", "awsParameterStore"
READS = {MANAGER: secrets_manager, STORE: parameter_store}


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    """A server with Secrets Manager and the Parameter Store, and what an account keeps there."""
    with moto_server() as url:
        session = boto3.Session("AKIASETUP", "setup", region_name="eu-west-1")
        session.client("secretsmanager", endpoint_url=url).create_secret(
            Name="acme/ses", SecretString=json.dumps({"secretAccessKey": "fr0m-aws", "port": 5})
        )
        session.client("secretsmanager", "us-east-1", endpoint_url=url).create_secret(
            Name="acme/binary", SecretBinary=b"bytes"
        )
        session.client("ssm", endpoint_url=url).put_parameter(
            Name="/acme/key", Value="fr0m-ssm", Type="SecureString"
        )
        yield url


@pytest.fixture
def host(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with an identity and a region."""
    values = {
        "AWS_ACCESS_KEY_ID": "AKIAHOST",
        "AWS_SECRET_ACCESS_KEY": "host-secret",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": moto_url,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(
    ("kind", "reference", "expected"),
    [
        (MANAGER, {"secretId": "acme/ses", "key": "secretAccessKey"}, "fr0m-aws"),
        (MANAGER, "acme/ses", '{"secretAccessKey": "fr0m-aws", "port": 5}'),
        (
            MANAGER,
            {"secretId": "acme/ses", "key": "secretAccessKey", "versionStage": "AWSCURRENT"},
            "fr0m-aws",
        ),
        (MANAGER, {"secretId": "acme/binary", "region": " US-East-1 "}, "bytes"),
        (STORE, "/acme/key", "fr0m-ssm"),
        (STORE, {"name": "/acme/key", "region": "eu-west-1"}, "fr0m-ssm"),
    ],
)
def test_secrets(host: pytest.MonkeyPatch, kind: str, reference: Any, expected: str) -> None:
    """A secret is the whole text, or a member of the JSON object that it is; the region may be
    named.
    """
    assert READS[kind](reference, {}) == expected


@pytest.mark.parametrize(
    ("kind", "reference", "reason"),
    [
        (MANAGER, "acme/none", "AWS has no secret 'acme/none'"),
        (MANAGER, {"secretId": "acme/ses", "region": "eu-north-1"}, "AWS has no secret 'acme/ses'"),
        (STORE, "/none", "AWS has no secret '/none'"),
        (
            MANAGER,
            {"secretId": "acme/ses", "key": "none"},
            "not a JSON object with a string 'none'",
        ),
        (
            MANAGER,
            {"secretId": "acme/ses", "key": "port"},
            "not a JSON object with a string 'port'",
        ),
        (STORE, {"name": "/acme/key", "key": "x"}, "not a JSON object with a string 'x'"),
        (MANAGER, {"secretId": "acme/ses", "versionStage": "NONE"}, "AWS has no secret 'acme/ses'"),
    ],
)
def test_what_is_not_there(
    host: pytest.MonkeyPatch, kind: str, reference: Any, reason: str
) -> None:
    """What is not there is told by its name, without what is."""
    with pytest.raises(ValueError, match=reason) as caught:
        READS[kind](reference, {})
    assert "fr0m" not in str(caught.value)


@pytest.mark.parametrize(
    "reference",
    [
        None,
        5,
        "",
        [],
        {},
        {"secretId": ""},
        {"secretId": 5},
        {"secretId": "x", "kay": "y"},
        {"name": "x"},
    ],
)
def test_what_is_no_reference(reference: Any) -> None:
    """A reference of another shape is refused before AWS is asked, with the shape."""
    with pytest.raises(
        ValueError, match=r"'\$awsSecretsManager' takes a name, or an object with 'secretId'"
    ):
        secrets_manager(reference, {})


def test_a_machine_that_cannot(host: pytest.MonkeyPatch) -> None:
    """No identity, no region, nobody at the endpoint: each is a sentence of its own."""
    host.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(
        Unavailable, match="AWS could not be reached for 'acme/ses': EndpointConnectionError"
    ):
        secrets_manager("acme/ses", {})
    host.delenv("AWS_REGION")
    jackfield_aws.sessions._shared.forget_machines()
    with pytest.raises(ValueError, match="no AWS region is set"):
        secrets_manager("acme/ses", {})
    host.delenv("AWS_ACCESS_KEY_ID")
    jackfield_aws.sessions._shared.forget_machines()
    with pytest.raises(ValueError, match="no AWS identity of its own"):
        secrets_manager({"secretId": "acme/ses", "region": "eu-west-1"}, {})


def test_a_service_endpoint(host: pytest.MonkeyPatch, moto_url: str) -> None:
    """The endpoint variables of each service are heeded."""
    host.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    host.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", moto_url)
    host.setenv("AWS_ENDPOINT_URL_SSM", moto_url)
    assert secrets_manager({"secretId": "acme/ses", "key": "secretAccessKey"}, {}) == "fr0m-aws"
    assert parameter_store("/acme/key", {}) == "fr0m-ssm"


def test_connections_can_refer_to_them(host: pytest.MonkeyPatch) -> None:
    """A connection refers to a secret of AWS: the installed package reads it when the connection is
    opened.
    """
    values = {"accessKeyId": "AKIAX", "secretAccessKey": {f"${MANAGER}": {"secretId": "acme/none"}}}
    invocation = {
        "connector": "aws-ses",
        "action": "listIdentities",
        "connection": "a",
        "inputs": {"awsRegion": "eu-west-1"},
        "dryRun": True,
    }
    with Jackfield(
        connections=[{"a": {"type": "aws/apiKeySecret", "values": values}}], database_url="none"
    ) as jackfield:
        error = jackfield.invoke(invocation).error
    assert error is not None
    assert [(detail.path, detail.message) for detail in error.details] == [
        ("/secretAccessKey", "AWS has no secret 'acme/none' in this region and account")
    ]
    values["secretAccessKey"] = {f"${MANAGER}": {"secretId": "acme/ses", "key": "secretAccessKey"}}
    with Jackfield(
        connections=[{"a": {"type": "aws/apiKeySecret", "values": values}}], database_url="none"
    ) as jackfield:
        assert jackfield.invoke(invocation).status == "succeeded"


def test_it_costs_nothing_unless_used() -> None:
    """No invocation without such a reference imports it."""
    code = """
import sys
from jackfield import Jackfield
values = {"accessKeyId": "AKIAX", "secretAccessKey": "x"}
with Jackfield(connections=[{"a": {"type": "aws/apiKeySecret", "values": values}}], database_url="none") as jackfield:
    jackfield.invoke({"connector": "aws-ses", "action": "listIdentities", "inputs": {"awsRegion": "eu-west-1"}, "dryRun": True}).unwrap
print([name for name in ("pluggy", "jackfield_aws.host_secrets") if name in sys.modules])
"""
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
