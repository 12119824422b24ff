"""A request of AWS with ``DryRun`` that would have succeeded is a success that says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aws_paged import Pages
from jackfield import Jackfield
from moto_rig import EVERYTHING, Rig, offer

WOULD = "Request would have succeeded, but DryRun flag is set."
RUN: dict[str, Any] = {"MinCount": 1, "MaxCount": 1, "ImageId": "ami-1"}
JSON = "application/x-amz-json-1.1"
WOULD_JSON = '{"__type": "DryRunOperationException", "message": "x"}'


def _xml(code: str, message: str = WOULD) -> str:
    return f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>r-1</RequestID></Response>"


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, Any]]:
    environment = offer(tmp_path_factory.mktemp("home"), {"default": EVERYTHING})
    with Pages() as server, Jackfield(database_url="none", environment=environment) as jackfield:
        yield Rig(jackfield, server.url), server


def _result(
    stand: tuple[Rig, Any],
    action: str,
    status: int,
    body: str,
    kind: str = "text/xml",
    **inputs: Any,
) -> Any:
    rig, server = stand
    server.requests.clear()
    server.asked, server.answers = (
        [],
        [{"status_code": status, "headers": {"Content-Type": kind}, "body": body}],
    )
    return rig.result(action, **inputs)


@pytest.mark.parametrize(
    ("action", "status", "body", "kind", "inputs"),
    [
        ("ec2/runInstances", 412, _xml("DryRunOperation"), "text/xml", {**RUN, "DryRun": True}),
        (
            "ec2/describeInstances",
            412,
            _xml("DryRunOperation"),
            "text/xml",
            {"DryRun": True, "fetchAll": True},
        ),
        ("kms/encrypt", 400, WOULD_JSON, JSON, {"KeyId": "k", "Plaintext": "x", "DryRun": True}),
        (
            "kinesis/putRecord",
            400,
            WOULD_JSON,
            JSON,
            {"StreamName": "s", "Data": "x", "PartitionKey": "1", "DryRun": True},
        ),
        (
            "imagebuilder/createComponent",
            412,
            WOULD_JSON,
            "application/json",
            {"name": "n", "semanticVersion": "1.0.0", "platform": "Linux", "dryRun": True},
        ),
    ],
)
def test_m2_a_dry_run_that_would_have_succeeded_is_a_success(
    stand: tuple[Rig, Any], action: str, status: int, body: str, kind: str, inputs: dict[str, Any]
) -> None:
    """Its output is empty, a warning says that nothing was done, and it was asked once."""
    found = _result(stand, action, status, body, kind, **inputs)
    assert (found.status, found.output, found.meta.attempts) == ("succeeded", {}, 1)
    (warning,) = found.to_json()["meta"]["warnings"]
    assert warning["path"] == ""
    assert "would have succeeded" in warning["message"]
    assert len(stand[1].requests) == 1


def test_m2_a_dry_run_that_would_have_failed_fails(stand: tuple[Rig, Any]) -> None:
    """Without the permission, the dry run is refused as the request would be."""
    found = _result(
        stand,
        "ec2/runInstances",
        403,
        _xml("UnauthorizedOperation", "You are not authorized."),
        **RUN,
        DryRun=True,
    )
    assert found.error is not None
    assert (found.status, found.error.code) == ("failed", "forbidden")


@pytest.mark.parametrize("dry_run", [{}, {"DryRun": False}])
def test_m2_nobody_else_is_told_of_a_dry_run(
    stand: tuple[Rig, Any], dry_run: dict[str, Any]
) -> None:
    """Where the request did not ask for a dry run, that code is no success."""
    found = _result(stand, "ec2/runInstances", 412, _xml("DryRunOperation"), **RUN, **dry_run)
    assert found.status == "failed"


def test_m2_a_server_error_of_that_code_is_no_success(stand: tuple[Rig, Any]) -> None:
    """A 5xx says nothing, whatever its code."""
    found = _result(stand, "ec2/runInstances", 500, _xml("DryRunOperation"), **RUN, DryRun=True)
    assert found.status != "succeeded"
