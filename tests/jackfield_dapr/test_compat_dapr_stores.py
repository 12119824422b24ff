"""Dapr's secret stores outside this machine: Kubernetes, HashiCorp Vault, AWS Secrets Manager and
the Parameter Store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from tests.jackfield_dapr.sidecars import bindings_of, component
from tests.jackfield_formats.foreign_files import connection, problem, write
from tests.jackfield_vault.vault_server import VaultServer

from authority import Authority
from jackfield import Jackfield
from jackfield.catalog import Catalog
from jackfield.connections.formats import Document, Surroundings, read
from moto_server import moto_server

pytestmark = pytest.mark.above_sql


def store(kind: str, name: str = "vault", **metadata: str) -> str:
    """A secret store."""
    rows = ", ".join(
        f"{{name: {key}, value: {json.dumps(value)}}}" for key, value in metadata.items()
    )
    return (
        f"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\n"
        f"spec: {{type: secretstores.{kind}, version: v1, metadata: [{rows}]}}\n"
    )


def referring(reference: str, auth: str | None = "vault") -> str:
    """A component whose secret key is in a store."""
    tail = f"auth: {{secretStore: {auth}}}\n" if auth else ""
    return component(secretKey="") + f"  - {{name: secretKey, secretKeyRef: {reference}}}\n{tail}"


def secret(folder: Path, first: str, reference: str, **environment: str) -> object:
    """The secret that a component finds in the store ``first``."""
    return connection(
        write(folder, "a.yaml", f"{referring(reference)}---\n{first}"), **environment
    ).values["secretAccessKey"]


def refusal(folder: Path, first: str, reference: str, **environment: str) -> str:
    """The reason why a component is refused whose secret the store does not give."""
    return problem(write(folder, "a.yaml", f"{referring(reference)}---\n{first}"), **environment)


# Kubernetes: mounted files


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A folder with the Secret ``ses``, mounted as Kubernetes does: behind a link that it swaps."""
    version = tmp_path / "mounted" / "ses" / "..2026_01_31"
    version.mkdir(parents=True)
    write(version, "key", "k8s-secret\n")
    (version.parent / "key").symlink_to(Path("..2026_01_31") / "key")
    return version.parent.parent


def test_kubernetes_secrets_are_mounted_files(folder: Path, mounted: Path) -> None:
    """A Secret is a folder and its keys are files; the store's component may name the folder, or
    the environment does.
    """
    assert (
        secret(folder, store("kubernetes", secretsPath=str(mounted)), "{name: ses, key: key}")
        == "k8s-secret"
    )
    assert (
        secret(
            folder,
            store("kubernetes"),
            "{name: ses, key: key}",
            JACKFIELD_KUBERNETES_SECRETS=str(mounted),
        )
        == "k8s-secret"
    )


@pytest.mark.parametrize("auth", ["kubernetes", None])
def test_kubernetes_is_the_default_store_in_a_pod(
    folder: Path, mounted: Path, auth: str | None
) -> None:
    """In a pod the store needs no component, and a component needs not name it."""
    path = write(folder, "a.yaml", referring("{name: ses, key: key}", auth))
    assert (
        connection(path, JACKFIELD_KUBERNETES_SECRETS=str(mounted)).values["secretAccessKey"]
        == "k8s-secret"
    )


def test_a_kubernetes_secret_that_is_not_mounted_stops_the_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a pod a reference that finds no file is an error that names the folder; the pod's own
    identity is not used for it.
    """
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    write(folder, "a.yaml", referring("{name: ses, key: key}", auth=None))
    found = bindings_of(folder)
    assert (found.by_name, [item.fatal for item in found.problems]) == ({}, [True])
    assert (
        "mount the Secret 'ses' at /etc/jackfield/secrets/ses, or name another folder"
        in found.problems[0].text
    )


@pytest.mark.parametrize(
    "reference",
    ["{name: .., key: key}", '{name: "a/b", key: key}', '{name: ses, key: "../ses/key"}'],
)
def test_a_kubernetes_reference_stays_in_its_folder(
    folder: Path, mounted: Path, reference: str
) -> None:
    """A name or a key is one step of a path."""
    assert "must be the name of a Kubernetes Secret" in refusal(
        folder, store("kubernetes", secretsPath=str(mounted)), reference
    )


# HashiCorp Vault


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    """A Vault with secrets under Dapr's usual prefix and beside it."""
    with VaultServer() as server:
        server.secrets["secret/dapr/ses"] = [{"ses": "by-name", "key": "by-key", "number": 5}]
        server.secrets["kv/ses"] = [{"key": "elsewhere"}]
        yield server


@pytest.mark.parametrize(
    ("options", "reference", "expected"),
    [
        ({}, "{name: ses, key: key}", "by-key"),
        ({}, "{name: ses}", "by-name"),
        ({"vaultKVPrefix": "dapr/ses"}, "{name: ses}", None),
        ({"enginePath": "kv", "vaultKVUsePrefix": "false"}, "{name: ses, key: key}", "elsewhere"),
        (
            {"vaultValueType": "text"},
            "{name: ses}",
            '{"ses": "by-name", "key": "by-key", "number": 5}',
        ),
        ({"vaultValueType": "text"}, "{name: ses, key: key}", None),
        ({}, "{name: ses, key: number}", None),
        ({}, "{name: none}", None),
    ],
)
def test_vault_secrets_are_read_with_the_store_s_token(
    folder: Path, vault: VaultServer, options: dict[str, str], reference: str, expected: str | None
) -> None:
    """Address, token, engine, prefix and value type are the component's; what Vault has not is an
    error.
    """
    text = store("hashicorp.vault", vaultAddr=vault.url, vaultToken=vault.token, **options)
    if expected is None:
        assert "component 'outbox': " in refusal(folder, text, reference, VAULT_TOKEN="other")
    else:
        assert secret(folder, text, reference, VAULT_TOKEN="other") == expected


def test_vault_s_token_may_be_mounted_or_the_environment_s(
    folder: Path, vault: VaultServer
) -> None:
    """A mounted token is read; without one in the component, Vault's own variables sign in. Two
    tokens are refused.
    """
    write(folder, "token", f"{vault.token}\n")
    mounted = store("hashicorp.vault", vaultAddr=vault.url, vaultTokenMountPath="token")
    assert secret(folder, mounted, "{name: ses}", VAULT_TOKEN="other") == "by-name"
    assert (
        secret(folder, store("hashicorp.vault"), "{name: ses}", **vault.environment()) == "by-name"
    )
    both = store(
        "hashicorp.vault", vaultAddr=vault.url, vaultTokenMountPath="token", vaultToken="t"
    )
    assert "not both" in bindings_text(folder, both)


def test_vault_s_certificate_is_always_verified(folder: Path, tmp_path: Path) -> None:
    """A CA of one's own may be a file or a text in the component; switching verification off is
    refused.
    """
    authority = Authority(tmp_path)
    with VaultServer(context=authority.serving("127.0.0.1")) as server:
        server.secrets["secret/dapr/ses"] = [{"ses": "s"}]
        usual = {"vaultAddr": server.url, "vaultToken": server.token}
        assert "cannot be verified" in refusal(
            folder, store("hashicorp.vault", **usual), "{name: ses}"
        )
        trusted = authority.bundle
        assert (
            secret(folder, store("hashicorp.vault", **usual, caCert=str(trusted)), "{name: ses}")
            == "s"
        )
        pem = store("hashicorp.vault", **usual, caPem=trusted.read_text())
        assert secret(folder, pem, "{name: ses}", VAULT_CACERT="/nowhere") == "s"
        assert "'skipverify': Vault's certificate is always verified" in bindings_text(
            folder, store("hashicorp.vault", **usual, skipVerify="true")
        )


def bindings_text(folder: Path, text: str) -> str:
    """The first problem of a store."""
    return bindings_of(write(folder, "store.yaml", text)).problems[0].text


# AWS


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    """A server with Secrets Manager and the Parameter Store."""
    with moto_server() as url:
        session = boto3.Session("AKIASETUP", "setup", region_name="eu-west-1")
        manager, parameters = (
            session.client("secretsmanager", endpoint_url=url),
            session.client("ssm", endpoint_url=url),
        )
        manager.create_secret(Name="plain", SecretString="sm-plain")
        manager.create_secret(
            Name="ses", SecretString=json.dumps({"ses": "sm-name", "key": "sm-key"})
        )
        parameters.put_parameter(Name="/mail/key", Value="ssm-key", Type="SecureString")
        yield url


KEYS = {"region": "eu-west-1", "accessKey": "AKIASTORE", "secretKey": "s"}


@pytest.mark.parametrize(
    ("kind", "options", "reference", "expected"),
    [
        ("secretmanager", {}, "{name: plain}", "sm-plain"),
        ("secretmanager", {}, "{name: plain, key: plain}", "sm-plain"),
        ("secretmanager", {}, "{name: ses, key: key}", "sm-key"),
        ("secretmanager", {"multipleKeyValuesPerSecret": "true"}, "{name: ses}", "sm-name"),
        ("parameterstore", {}, "{name: /mail/key}", "ssm-key"),
        ("parameterstore", {"prefix": "/mail/"}, "{name: key}", "ssm-key"),
    ],
)
def test_aws_secrets_are_read_with_the_store_s_key(
    folder: Path, moto_url: str, kind: str, options: dict[str, str], reference: str, expected: str
) -> None:
    """A secret is the whole text, or a member of the JSON object that it is; this machine has no
    identity of its own.
    """
    text = store(f"aws.{kind}", endpoint=moto_url, **KEYS, **options)
    assert secret(folder, text, reference) == expected


def test_aws_secrets_may_be_read_as_the_machine(
    folder: Path, moto_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store without keys reads as this machine, as in the sidecar."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAHOST",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    assert (
        secret(folder, store("aws.secretmanager", endpoint=moto_url), "{name: plain}") == "sm-plain"
    )


@pytest.mark.parametrize(
    ("options", "reference", "says"),
    [
        (KEYS, "{name: none}", "secretKeyRef 'none': AWS has no secret 'none'"),
        (KEYS, "{name: plain, key: x}", "not a JSON object with a string 'x'"),
        ({**KEYS, "secretKey": ""}, "{name: plain}", "one of accessKey and secretKey"),
        (
            {**KEYS, "assumeRoleArn": "arn:x"},
            "{name: plain}",
            "metadata assumerolearn is not supported",
        ),
    ],
)
def test_an_aws_secret_that_cannot_be_read_is_refused(
    folder: Path, moto_url: str, options: dict[str, str], reference: str, says: str
) -> None:
    """A missing secret, half a key and an identity that is not supported are errors, never the
    identity of this machine.
    """
    assert says in refusal(
        folder, store("aws.secretmanager", endpoint=moto_url, **options), reference
    )


def test_a_document_of_a_caller_reads_no_store(folder: Path, vault: VaultServer) -> None:
    """A document that came over the network may not have this host ask a store."""
    text = f"{referring('{name: ses}')}---\n{store('hashicorp.vault', vaultAddr=vault.url, vaultToken=vault.token)}"
    documents = [
        Document(content, "d", "the document", format="dapr")
        for content in yaml.safe_load_all(text)
    ]
    around = Surroundings(Catalog.installed, {}, reads_files=False)
    told = [str(item) for item in read(documents, around)]
    assert "this document is not allowed to read this server's secrets" in told[0]
    assert vault.reads == []


def test_a_connection_s_value_is_no_reference_to_a_store(moto_url: str) -> None:
    """Only a component asks a store, whose endpoint and key the operator has written; a value of a
    connection may not name them.
    """
    target = {
        "store": {"endpoint": moto_url, "region": "eu-west-1", "accesskey": "k", "secretkey": "s"},
        "name": "plain",
        "key": "plain",
    }
    values = {
        "accessKeyId": "AKIAX",
        "secretAccessKey": {"$secretstores.aws.secretmanager": target},
    }
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
    assert [detail.message for detail in error.details] == [
        "nothing installed resolves the reference '$secretstores.aws.secretmanager'"
    ]
