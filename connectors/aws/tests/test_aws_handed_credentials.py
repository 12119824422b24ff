"""Security 1 (high): a read-only token took AWS credentials out of a stored connection, and
everyone who reads the journal had them.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from http_stand import Client, Stand, standing
from jackfield.callers import Rules
from jackfield.callers.authorizer import Authorizer
from jackfield.catalog import Catalog, of_workspace
from jackfield_aws.virtual.credentials import HANDS_OUT
from jackfield_aws.virtual.names import PREFIX, action_key
from jackfield_aws.virtual.source import AwsSource
from mcp_talk import called, remote
from moto_rig import PATTERN, offer
from moto_server import moto_server

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

_READS = Rules(allow=("effect:read",))
_NAMED = [
    "sts.getSessionToken",
    "secretsmanager.getSecretValue",
    "ssm.getParameter",
    "kms.decrypt",
    "kms.generateDataKey",
    "ecr.getAuthorizationToken",
]
_SERVICES = sorted({"lambda", *(name.partition(".")[0] for name in _NAMED)})
_PLANTED = "planted-secret-4711"


@dataclass(frozen=True)
class _Aws:
    """A server over moto with a secret, a parameter and a text that is encrypted with a key."""

    stand: Stand
    calls: Mapping[str, Mapping[str, Any]]
    """Inputs of the actions that hand them out."""

    def call(self, name: str, client: Client, **more: Any) -> Any:
        service, _, action = name.partition(".")
        told = {
            "connector": f"aws.{service}",
            "action": action,
            "connection": "mine",
            "inputs": self.calls.get(name, {}),
            **more,
        }
        return client.post("/v1/invocations", told).json


@pytest.fixture(name="aws", scope="module")
def _aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Aws]:
    folder = tmp_path_factory.mktemp("handed")
    offer(folder / "home", {"default": {"services": [*_SERVICES, *_NAMED], "mcp": True}})
    with moto_server() as url, standing(folder) as stand:
        keys = {
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "secretAccessKey": "moto-secret-4711",
            "endpoint": url,
            "region": "us-east-1",
        }
        stand.host.runtime("default").connections.add("mine", "aws/apiKeySecret", keys, test=False)
        yield _Aws(stand, _planted(_Aws(stand, {}), stand.client()))


def _planted(aws: _Aws, client: Client) -> Mapping[str, Mapping[str, Any]]:
    def make(name: str, **inputs: Any) -> Any:
        found = aws.call(name, client, inputs=inputs)
        assert found["status"] == "succeeded", found
        return found["output"]

    make("secretsmanager.createSecret", Name="s1", SecretString=_PLANTED)
    make("ssm.putParameter", Name="p1", Value=_PLANTED, Type="SecureString")
    key = make("kms.createKey")["KeyMetadata"]["KeyId"]
    encrypted = make("kms.encrypt", KeyId=key, Plaintext=_PLANTED)["CiphertextBlob"]
    return {
        "secretsmanager.getSecretValue": {"SecretId": "s1"},
        "ssm.getParameter": {"Name": "p1", "WithDecryption": True},
        "kms.decrypt": {"CiphertextBlob": encrypted},
        "kms.generateDataKey": {"KeyId": key, "KeySpec": "AES_256"},
    }


@pytest.mark.parametrize("step", [20, pytest.param(1, marks=pytest.mark.campaign)])
def test_security_1_no_pattern_offers_what_hands_out_credentials(tmp_path: Path, step: int) -> None:
    """Of the 19,797 actions, an offer of everything has all but those of the class, to the
    operator, tenants and MCP alike; and each of the class, once it is offered by its full name, is
    a ``write`` to rules and in lists. With a ``step``, of the services without an action of the
    class one in so many is looked at.
    """
    names = [
        f"{service}.{action_key(name)}"
        for service, found in HANDS_OUT.items()
        for name in sorted(found)
    ]
    patterns = {
        **PATTERN,
        "services": ["*", "sts", "sts.*", "sts.get*", "s*.*", "kms.decryp?", "ssm.getParamete[r]"],
        "mcp": True,
    }
    environment = offer(
        tmp_path,
        {
            "default": patterns,
            "named": {"services": ["*", *names]},
            "reads": {"services": names, "effects": ["read"]},
        },
    )
    installed = Catalog.installed(environment=environment)
    catalog, named, reads = (
        of_workspace(installed, workspace) for workspace in ("default", "named", "reads")
    )
    reader = Authorizer(Rules(), _READS, "invoke")
    count = 0
    every = AwsSource().keys()
    keys = [
        key
        for number, key in enumerate(every)
        if number % step == 0 or key.removeprefix(PREFIX) in HANDS_OUT
    ]
    for key in keys:
        handed = {action_key(name) for name in HANDS_OUT.get(key.removeprefix(PREFIX), ())}
        for audience in ("operator", "tenant", "mcp"):
            seen = catalog.for_audience(audience).look(key)[1]
            rows = {row.key for row in seen.rows()} if seen is not None else set()
            assert not handed & rows, (key, audience)
        whole = named.find(key)
        effects = {row.key: row.effect for row in whole.rows()}
        count += len(effects)
        assert {effects[action] for action in handed} <= {"write"}
        assert rows | handed == effects.keys()
        for action in handed:
            assert not reader.permits(whole, whole.actions[action], None), (key, action)
            assert whole.actions[action].hands_out
            assert not reads.has(key, action, "write")
    assert count == 19_797 or step > 1
    assert step > 1 or not [key for key in reads if key.startswith(PREFIX)]


@pytest.mark.parametrize("name", _NAMED)
def test_security_1_a_read_only_token_gets_no_credentials(aws: _Aws, name: str) -> None:
    """Even where the operator offers the action by its full name, and over MCP."""
    client = aws.stand.client("invoke", rules=_READS)
    assert aws.call(name, client)["error"]["code"] == "not_allowed"
    service, _, action = name.partition(".")
    told = {
        "connector": f"aws.{service}",
        "action": action,
        "connection": "mine",
        "inputs": aws.calls.get(name, {}),
    }
    server = remote(aws.stand.port, client.token)
    assert (
        called(server, "execute_action", **told).structured_content["error"]["code"]
        == "not_allowed"
    )
    search = client.get(f"/v1/actions?q={action}&connector=aws.{service}&effect=read").json["items"]
    assert action not in {row["action"] for row in search}
    found = (
        aws.stand.client()
        .get(f"/v1/actions?q={action}&connector=aws.{service}&effect=write")
        .json["items"]
    )
    assert action in {row["action"] for row in found}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if place % 2 == 0 else pytest.mark.campaign)
        for place, name in enumerate(_NAMED)
    ],
)
def test_security_1_records_and_replays_have_no_credentials(
    aws: _Aws, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """H3: the caller of the call has the answer, once; the journal, lists, replays and the database
    have ``***``, and say so.
    """
    client, reader = aws.stand.client(), aws.stand.client("read")
    before = json.dumps(reader.get("/v1/invocations?limit=50").json)  # IDs of what was made
    result = aws.call(name, client, idempotencyKey=f"key-{name}")
    assert result["status"] == "succeeded", result
    texts = {text for text in _texts(result["output"]) if len(text) >= 8 and text not in before}
    assert texts
    identifier = result["meta"]["invocationId"]
    replayed = aws.call(name, client, idempotencyKey=f"key-{name}")
    assert replayed["meta"]["replayed"]
    entry = reader.get(f"/v1/invocations/{identifier}").json
    for body in (replayed, entry):
        assert {*_texts(body["output"])} == {"***"}
        assert (
            "only the caller of this call was shown the output"
            in body["meta"]["warnings"][0]["message"]
        )
    assert "warnings" not in result["meta"]
    server = remote(aws.stand.port, client.token)
    told = {
        "connector": result["meta"]["connector"],
        "action": result["meta"]["action"],
        "connection": "mine",
        "idempotencyKey": f"key-{name}",
    }
    again = called(server, "execute_action", inputs=aws.calls.get(name, {}), **told)
    everywhere = (
        json.dumps(
            [replayed, entry, again.structured_content, reader.get("/v1/invocations?limit=50").json]
        )
        + caplog.text
    )
    assert not {text for text in texts if text in everywhere}


def test_security_1_what_hands_out_credentials_cannot_be_queued(aws: _Aws) -> None:
    """Nobody waits for the answer of a queued invocation, so it would be lost."""
    client = aws.stand.client()
    told = {"connector": "aws.sts", "action": "getSessionToken", "connection": "mine", "inputs": {}}
    refused = client.post("/v1/invocations", told, Prefer="respond-async")
    assert (refused.status, refused.json["error"]["code"]) == (400, "invalid_invocation")
    (entry,) = client.post("/v1/invocations:batch", [told]).json
    assert entry["error"]["details"][0]["path"] == "/action"


def test_sensitive_inputs_are_masked_in_the_journal(aws: _Aws) -> None:
    """What AWS marks sensitive in inputs, nested and of any type, is masked where the workspace
    keeps inputs: a parameter's value, a text to encrypt, the variables of a function.
    """
    client = aws.stand.client()
    aws.stand.host.runtime("default").access.workspaces.set("default", {"keepInputs": True})
    calls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("ssm.putParameter", {"Name": "p2", "Value": _PLANTED, "Type": "SecureString"}),
        (
            "secretsmanager.createSecret",
            {"Name": "s2", "SecretBinary": {"data": b64encode(_PLANTED.encode()).decode()}},
        ),
        ("kms.encrypt", {"KeyId": "alias/x", "Plaintext": _PLANTED}),
        (
            "lambda.updateFunctionConfiguration",
            {"FunctionName": "f", "Environment": {"Variables": {"TOKEN": _PLANTED}}},
        ),
    )
    for name, inputs in calls:
        identifier = aws.call(name, client, inputs=inputs)["meta"]["invocationId"]
        kept = json.dumps(client.get(f"/v1/invocations/{identifier}").json)
        assert '"***"' in kept, name
        assert _PLANTED not in kept, name
        assert b64encode(_PLANTED.encode()).decode() not in kept, name


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)
