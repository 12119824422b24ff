"""Generated connectors of APIs behind API Gateway, whose documents ask for an AWS signature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jackfield.testing import Answer, Provider
from openapi_rig import document, generate, installed, operation

_SIGNED = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "x-amazon-apigateway-authtype": "awsSigv4",
}
_KEY = {"type": "apiKey", "name": "x-api-key", "in": "header"}


@pytest.mark.parametrize("together", [False, True], ids=["alone", "with an API key"])
def test_requests_are_signed(tmp_path: Path, together: bool) -> None:
    """The connection has the keys and the region, and each request is signed over its header
    fields, an API key besides.
    """
    schemes = {"sigv4": _SIGNED, **({"usage": _KEY} if together else {})}
    about = operation(operationId="listPets", security=[{name: [] for name in schemes}])
    manifest = generate(
        tmp_path, document({"/pets": {"get": about}}, components={"securitySchemes": schemes})
    )
    (kind,) = manifest["connectionTypes"]
    assert [row["kind"] for row in kind["http"]["credentials"]] == (
        ["awsSigV4", "apiKey"] if together else ["awsSigV4"]
    )
    given = {
        "accessKeyId": "AKIDEXAMPLE",
        "secretAccessKey": "s3cret-4711",
        "region": "eu-west-1",
        "sessionToken": "t0ken",
    }
    values: dict[str, Any] = given
    if together:
        values = {f"sigv4{name[0].upper()}{name[1:]}": value for name, value in given.items()} | {
            "usageValue": "k-1"
        }
    with (
        Provider([Answer({})]) as server,
        installed(tmp_path, manifest, {"server": server.url, **values}) as jackfield,
    ):
        found = jackfield.invoke(
            {"connector": "acme", "action": "listPets", "connection": "main", "inputs": {}}
        )
    assert found.status == "succeeded"
    (seen,) = server.requests
    sent = {name.lower(): value for name, value in seen.headers.items()}
    assert sent["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert (
        "/eu-west-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, "
        in sent["authorization"]
    )
    assert (sent.get("x-api-key"), sent["x-amz-security-token"]) == (
        "k-1" if together else None,
        "t0ken",
    )


def test_the_machines_identity_is_not_used(tmp_path: Path) -> None:
    """Without keys a generated connection is not valid: it never signs as the machine."""
    about = operation(operationId="listPets", security=[{"sigv4": []}])
    manifest = generate(
        tmp_path,
        document({"/pets": {"get": about}}, components={"securitySchemes": {"sigv4": _SIGNED}}),
    )
    with (
        Provider([Answer({})]) as server,
        installed(tmp_path, manifest, {"server": server.url, "region": "eu-west-1"}) as jackfield,
    ):
        found = jackfield.invoke(
            {"connector": "acme", "action": "listPets", "connection": "main", "inputs": {}}
        )
    assert found.error is not None
    assert (found.error.code, server.requests) == ("invalid_connection", [])


def test_an_expired_session_is_no_missing_permission(tmp_path: Path) -> None:
    """API Gateway answers 403 for expired keys, too: its code tells them from a permission that is
    missing.
    """
    about = operation(operationId="listPets", security=[{"sigv4": []}])
    manifest = generate(
        tmp_path,
        document({"/pets": {"get": about}}, components={"securitySchemes": {"sigv4": _SIGNED}}),
    )
    keys = {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "s3cret-4711", "region": "eu-west-1"}
    refused = [
        Answer(
            {"message": "The security token included in the request is expired"},
            403,
            {"x-amzn-errortype": "ExpiredTokenException"},
        ),
        Answer(
            {"Message": "User is not authorized"},
            403,
            {"x-amzn-errortype": "AccessDeniedException:http://internal.amazon.com/"},
        ),
    ]
    with (
        Provider(refused) as server,
        installed(tmp_path, manifest, {"server": server.url, **keys}) as jackfield,
    ):
        call = {"connector": "acme", "action": "listPets", "connection": "main", "inputs": {}}
        errors = [jackfield.invoke(call).error for _ in refused]
    assert [error and error.code for error in errors] == ["unauthenticated", "forbidden"]
