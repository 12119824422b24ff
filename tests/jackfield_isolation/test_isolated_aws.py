"""An installed connector and AWS: neither the machine's credentials nor its metadata service are in
reach, whichever way it asks.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from isolated import install, install_from, isolating
from jackfield.testing import Answer, Provider

_NEEDS_AWS = {
    "jackfield_{0}-1.0.0.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: jackfield-{0}\nVersion: 1.0.0\nRequires-Dist: jackfield-aws\n"
    )
}
_AMBIENT = '''
from jackfield.connector import Connector, Inputs, Output
from jackfield_aws import AwsClients, AwsDefault

connector = Connector("ambient", title="Ambient", version="1.0.0", connections=[AwsDefault])


class Nothing(Inputs):
    """Nothing."""


class Keys(Output):
    """Keys that were found."""

    key: str


@connector.action("take", effect="read")
def take(_: Nothing, aws: AwsClients) -> Keys:
    """Take the keys of the machine."""
    return Keys(key=str(aws.client("sts")._request_signer._credentials.access_key))
'''


@pytest.fixture(scope="module", autouse=True)
def forked_children() -> None:
    """None here: what a child may reach is asked of one that is started as those of a server
    are.
    """


def _library(key: str) -> dict[str, str]:
    """The files that say that a connector needs the library of AWS, which its process gets then."""
    return {name.format(key): text.format(key) for name, text in _NEEDS_AWS.items()}


def test_security_2_an_installed_connector_finds_no_credentials_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the variables and files that botocore reads, nor a metadata service, also where the
    manifest names it as a host.
    """
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = x\n", encoding="ascii"
    )
    with Provider(lambda *_: Answer("AKIAMETADATA")) as metadata:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAVARIABLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", metadata.url)
        install_from(tmp_path, "cloud", "cloud.py", files=_library("cloud"))
        inputs = {"file": str(tmp_path / "credentials"), "port": metadata.port}
        with isolating(tmp_path) as runtime:
            found = runtime.invoke(
                {"connector": "cloud", "action": "look", "timeoutSeconds": 60, "inputs": inputs}
            ).unwrap()
        assert metadata.requests == []
    assert found["got"] == []
    assert len(found["failed"]) == 9


def test_security_2_an_installed_connector_does_not_act_as_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection with the machine's own identity has none in the process of an installed
    connector, even if the operator makes it.
    """
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAVARIABLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    install(tmp_path, "ambient", _AMBIENT, files=_library("ambient"))
    with isolating(
        tmp_path, {"machine": {"type": "aws/awsDefault", "values": {"region": "eu-central-1"}}}
    ) as runtime:
        call = {
            "connector": "ambient",
            "action": "take",
            "connection": "machine",
            "timeoutSeconds": 60,
            "inputs": {},
        }
        result = runtime.invoke(call)
    assert result.error is not None
    assert "AKIA" not in str(result.to_json())
    assert "an isolated connector cannot use the identity" in str(result.to_json())
