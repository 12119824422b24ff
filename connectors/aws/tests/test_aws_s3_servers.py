"""Other servers that speak S3: what a connection says about region, addressing and checksums, and
whole files against moto and s3rver.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from aws_opening import Opener
from aws_parity import sample
from jackfield import Jackfield, Result
from jackfield.connector.context import entered
from jackfield.testing import Answer, Provider
from jackfield_aws import ApiKeySecret
from moto_rig import EVERYTHING, offer
from moto_server import moto_server
from s3_sink import made

MEGA = 1024 * 1024
SIZE = 12 * MEGA + 5
VALUES = {"accessKeyId": "S3RVER", "secretAccessKey": "S3RVER", "region": "garage"}
_NODE = Path(sys.prefix) / "node"
OPEN = build_opener(ProxyHandler({})).open


@contextmanager
def opened(home: Path, **values: Any) -> Iterator[Any]:
    """A runtime with a database; yield what calls an action of ``aws.s3``."""
    files = [
        {"connections": {"main": {"type": "aws/apiKeySecret", "values": {**VALUES, **values}}}}
    ]
    environment = offer(home, {"default": EVERYTHING})
    with Jackfield(
        connections=files, database_url=f"sqlite:///{home}/j.db", environment=environment
    ) as jackfield:

        def call(action: str, **inputs: Any) -> Result:
            return jackfield.invoke(
                {"connector": "aws.s3", "action": action, "connection": "main", "inputs": inputs}
            )

        yield call


@contextmanager
def s3rver(folder: Path) -> Iterator[str]:
    """Run npm's s3rver."""
    node = shutil.which("node")
    if node is None or not (_NODE / "node_modules" / "s3rver").exists():
        pytest.skip(
            "s3rver is not installed in .venv/node ('make clients' does it, where there is npm)"
        )
    folder.mkdir()
    script = str(_NODE / "node_modules" / "s3rver" / "bin" / "s3rver.js")
    command = [node, script, "--directory", str(folder), "--address", "127.0.0.1", "--port", "0"]
    environment = {**os.environ, "NODE_NO_WARNINGS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            said = next(
                found
                for line in process.stdout
                if (found := re.search(r"listening on .*?:([0-9]+)", line))
            )
            yield f"http://127.0.0.1:{said[1]}"
        finally:
            process.kill()


@pytest.fixture(name="server", params=["moto", "s3rver"])
def _server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with moto_server() if request.param == "moto" else s3rver(tmp_path / "objects") as url:
        yield url


def test_servers_agree_about_files_and_urls(server: str, tmp_path: Path) -> None:
    """A file goes up in parts, is copied, comes down as it was, and a presigned request gets it: by
    servers that we did not write.
    """
    content = made(0, SIZE)
    region = {"region": "us-east-1"}
    with opened(tmp_path, endpoint=server, s3Checksums="whenRequired", **region) as call:
        call("createBucket", Bucket="bucket").unwrap()
        up = call(
            "uploadFile",
            Bucket="bucket",
            Key="a/b.bin",
            Body=content,
            partSize=5 * MEGA,
            Metadata={"by": "ada"},
        ).unwrap()
        assert (up["Size"], up["Parts"]) == (SIZE, 3)
        about = call("headObject", Bucket="bucket", Key="a/b.bin").unwrap()
        assert (about["ContentLength"], about["Metadata"], about["ETag"]) == (
            SIZE,
            {"by": "ada"},
            up["ETag"],
        )
        down = call("downloadFile", Bucket="bucket", Key="a/b.bin")
        assert down.unwrap()["Size"] == SIZE
        with down.files[0].open() as stream:
            assert hashlib.sha256(stream.read()).digest() == hashlib.sha256(content).digest()
        link = call("presignGet", Bucket="bucket", Key="a/b.bin").unwrap()
        with OPEN(link["url"], timeout=60) as answer:
            assert answer.read() == content
        place = call("presignPut", Bucket="bucket", Key="put", ContentType="text/plain").unwrap()
        with OPEN(
            Request(place["url"], b"hello", place["headers"], method="PUT"), timeout=60
        ) as answer:
            assert answer.status == 200
        assert call("headObject", Bucket="bucket", Key="put").unwrap()["ContentLength"] == 5


@pytest.mark.parametrize("region", ["auto", "garage", "fr-par", "fsn1", "gra", "us-west-004"])
def test_a_server_names_its_own_regions(tmp_path: Path, region: str) -> None:
    """With an endpoint, the connection's region is whatever the server calls it, and is signed
    for.
    """
    with Provider([Answer(content=b"<r/>", headers={"Content-Type": "text/xml"})]) as provider:
        with opened(tmp_path, endpoint=provider.url, region=region) as call:
            call("listBuckets").unwrap()
        assert f"/{region}/s3/aws4_request" in provider.requests[0].headers["Authorization"]


@pytest.mark.parametrize("values", [{"region": "garage"}, {"region": "eu-west"}])
def test_at_aws_a_region_is_one_of_awss(tmp_path: Path, values: dict[str, str]) -> None:
    """Without an endpoint, a connection with another region is refused, and so is a call."""
    with opened(tmp_path, **values) as call:
        error = call("listBuckets").error
        assert error is not None
        assert (error.code, error.details[0].path) == ("invalid_connection", "/region")
        assert "is not an AWS region" in error.details[0].message
    with opened(tmp_path, region="eu-west-1") as call:
        error = call("listBuckets", awsRegion="garage").error
        assert error is not None
        assert (error.code, error.details[0].path) == ("invalid_input", "/awsRegion")
        assert (
            call("presignGet", awsRegion="auto", Bucket="b", Key="k").error or error
        ).code == "invalid_input"


@pytest.mark.parametrize(
    ("values", "host", "path"),
    [
        ({}, "localhost", "/bucket/key"),
        ({"s3Addressing": "path"}, "localhost", "/bucket/key"),
        ({"s3Addressing": "virtual"}, "bucket.localhost", "/key"),
    ],
)
def test_a_connection_says_how_buckets_are_addressed(
    tmp_path: Path, values: dict[str, str], host: str, path: str
) -> None:
    """In the path at an endpoint, or in the host's name, for actions and presigned URLs alike."""
    with opened(tmp_path, endpoint="http://localhost:9", **values) as call:
        found = call("presignGet", Bucket="bucket", Key="key").unwrap()["url"]
    assert found.startswith(f"http://{host}:9{path}?")


@pytest.mark.parametrize(
    ("checksums", "names"), [(None, {"x-amz-checksum-crc32"}), ("whenRequired", set())]
)
def test_a_connection_says_which_checksums_are_sent(
    tmp_path: Path, checksums: str | None, names: set[str]
) -> None:
    """``whenRequired`` sends none of the newer checksums with ``putObject``."""
    values = {} if checksums is None else {"s3Checksums": checksums}
    with Provider([Answer(content=b"", headers={"ETag": '"e"'})]) as provider:
        with opened(tmp_path, endpoint=provider.url, **values) as call:
            call("putObject", Bucket="bucket", Key="key", Body="hello").unwrap()
        sent = {name.lower() for name in provider.requests[0].headers}
        trailer = {
            provider.requests[0].headers[name].lower()
            for name in provider.requests[0].headers
            if name.lower() == "x-amz-trailer"
        }
    assert {name for name in sent | trailer if name.startswith("x-amz-checksum-")} == names


_REDIRECTED = [
    (301, "rejected", "failed"),
    (302, "in_doubt", "in_doubt"),
    (307, "rejected", "failed"),
    (308, "rejected", "failed"),
]


@pytest.mark.parametrize(("status", "code", "ended"), _REDIRECTED)
@pytest.mark.parametrize("body", [b"", b"<html>Moved</html>"])
def test_a_redirect_of_an_endpoint_is_final(
    tmp_path: Path, status: int, code: str, ended: str, body: bytes
) -> None:
    """An endpoint that redirects without a region gets one request of each call, and its answer
    names the endpoint to use. A write is in doubt where the status does not say that it was not
    carried out.
    """
    moved = Answer(status=status, content=body, headers={"Location": "https://store.example/b/k"})
    with Provider([moved]) as provider, opened(tmp_path, endpoint=provider.url) as call:
        found = call("headObject", Bucket="b", Key="k")
        assert len(provider.requests) == 1
        assert found.error is not None
        assert found.error.code == "rejected"
        assert "Use 'https://store.example' as the endpoint" in (found.error.hint or "")
        written = call("createMultipartUpload", Bucket="b", Key="k")
        assert len(provider.requests) == 2
        assert written.error is not None
        assert (written.error.code, written.status) == (code, ended)
        assert "store.example" in f"{written.error.message} {written.error.hint}"


def test_every_required_checksum_is_an_md5(opener: Opener) -> None:
    """With ``whenRequired``, each operation whose model requires a checksum sends the MD5 of its
    body, and no newer checksum, unless the caller names one.
    """
    with Provider([Answer(content=b"", headers={"Content-Type": "text/xml"})]) as provider:
        values = {**VALUES, "endpoint": provider.url, "s3Checksums": "whenRequired"}
        clients = ApiKeySecret.model_validate(values).open(opener.context())
        client = clients.client("s3", "garage")
        model, asked = client.meta.service_model, 0
        for name in model.operation_names:
            operation = model.operation_model(name)
            required = operation.http_checksum.get("requestChecksumRequired")
            if not (required or operation.http_checksum_required):
                continue
            given = {**sample(operation.input_shape, whole=False), "Bucket": "bucket"}
            with entered(opener.context().call):
                client._make_api_call(name, given)
            sent, asked = provider.requests[-1], asked + 1
            assert len(provider.requests) == asked
            digest = hashlib.md5(sent.body, usedforsecurity=False).digest()
            assert sent.headers["Content-MD5"] == b64encode(digest).decode(), name
            assert not [one for one in sent.headers if "checksum" in one.lower()], name
        assert asked > 20
        with entered(opener.context().call):
            named = {"Delete": {"Objects": [{"Key": "k"}]}, "ChecksumAlgorithm": "SHA256"}
            client.delete_objects(Bucket="bucket", **named)
        assert "x-amz-checksum-sha256" in provider.requests[-1].headers


def _xml(code: str, message: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


_SAID = [
    # MinIO, cmd/api-errors.go
    ("createMultipartUpload", 507, _xml("XMinioStorageFull", "m"), "quota_exceeded", "full"),
    ("createMultipartUpload", 500, _xml("XMinioStorageFull", "m"), "quota_exceeded", "full"),
    # Backblaze B2: caps and alerts; S3-compatible API
    (
        "getObject",
        403,
        _xml("AccessDenied", "Transaction cap exceeded, see the Caps and Alerts page."),
        "quota_exceeded",
        "cap of the account",
    ),
    (
        "getObject",
        400,
        _xml("InvalidArgument", "Unsupported header 'x-amz-sdk-checksum-algorithm'"),
        "rejected",
        "whenRequired",
    ),
    # Cloudflare R2
    (
        "getObject",
        501,
        _xml("NotImplemented", "Header 'x-amz-sdk-checksum-algorithm' not implemented"),
        "rejected",
        "whenRequired",
    ),
    (
        "getObject",
        403,
        _xml("SignatureDoesNotMatch", "m").replace(b"<Error>", b'<Error xmlns="http://s3.test/">'),
        "unauthenticated",
        "Secret Access Key",
    ),
]


@pytest.mark.parametrize(("action", "status", "body", "code", "hint"), _SAID)
def test_what_other_servers_say_is_read(
    tmp_path: Path, action: str, status: int, body: bytes, code: str, hint: str
) -> None:
    """Codes and messages that AWS does not send have their own meaning and next step."""
    said = Answer(status=status, content=body, headers={"Content-Type": "text/xml"})
    with Provider([said]) as provider, opened(tmp_path, endpoint=provider.url) as call:
        found = call(action, Bucket="b", Key="k").error
    assert found is not None
    assert found.code == code
    assert hint in (found.hint or "")


def test_minio_says_in_a_field_why_a_head_is_refused(tmp_path: Path) -> None:
    """A HEAD has no body, and MinIO's fields have the code and the message (PR 17283)."""
    fields = {"X-Minio-Error-Code": "SignatureDoesNotMatch", "X-Minio-Error-Desc": '"why"'}
    said = Answer(status=403, content=b"", headers=fields)
    with Provider([said]) as provider, opened(tmp_path, endpoint=provider.url) as call:
        found = call("headObject", Bucket="b", Key="k").error
    assert found is not None
    assert (found.code, "why" in found.message) == ("unauthenticated", True)
