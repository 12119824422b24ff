"""Dapr's binding ``bindings.http`` against a server on loopback: methods, paths, header fields,
statuses, bodies, certificates, tokens.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from dapr.proto.runtime.v1 import binding_pb2
from tests.jackfield_dapr.sidecars import asked, bindings_of, sidecar, written

from authority import Authority
from jackfield.testing import Answer, Provider, Request


@dataclass
class Site:
    """Answers each request with ``status`` and ``body``; keeps method, path, header fields (lower
    case) and body of what came.
    """

    url: str = ""
    status: int = 200
    body: bytes = b'{"ok": true}'
    kind: str = "application/json"
    got: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Site]:
    """A site on loopback."""
    site = Site()

    def answer(_number: int, request: Request) -> Answer:
        fields = {name.lower(): value for name, value in request.headers.items()}
        site.got.append((request.method, request.path, fields, request.body))
        return Answer(
            status=site.status,
            headers={"Content-Type": site.kind, "X-Request-Id": "r-1"},
            content=site.body,
        )

    with Provider(answer, keeps=True, tls=context) as far:
        site.url = f"{far.url}/api"
        yield site


@pytest.fixture
def site() -> Iterator[Site]:
    """A site without TLS."""
    with serving() as found:
        yield found


@pytest.mark.parametrize(
    ("operation", "method"),
    [
        ("create", "POST"),
        *(
            (name, name.upper())
            for name in ("get", "head", "post", "put", "patch", "delete", "options")
        ),
    ],
)
def test_each_operation_is_its_method(
    folder: Path, site: Site, operation: str, method: str
) -> None:
    """The operation names the method; ``create`` is a POST. Only POST, PUT and PATCH have a body:
    the JSON text of the data.
    """
    written(folder, "bindings.http", url=site.url)
    with sidecar(folder) as running:
        reply = asked(running, operation, {"name": "Ada"})
    assert (
        reply.status,
        reply.headers["metadata.statuscode"],
        reply.headers["metadata.status"],
    ) == (200, "200", "200 OK")
    ((made, path, headers, body),) = site.got
    assert (made, path, body) == (
        method,
        "/api",
        b'{"name":"Ada"}' if method in ("POST", "PUT", "PATCH") else b"",
    )
    assert headers["accept"] == "application/json; charset=utf-8"
    assert headers.get("content-type") == ("application/json; charset=utf-8" if body else None)


@pytest.mark.parametrize("path", ["/things/1234", "things/1234", "/search?lastName=Jones"])
def test_a_path_is_appended_to_the_url(folder: Path, site: Site, path: str) -> None:
    """One slash is between them, whatever either has, and a query is kept."""
    written(folder, "bindings.http", url=f"{site.url}/")
    with sidecar(folder) as running:
        assert asked(running, "get", path=path).json == {"ok": True}
    assert site.got[0][1] == f"/api/{path.lstrip('/')}"


def test_capital_properties_are_header_fields(folder: Path, site: Site) -> None:
    """Properties that begin with a capital letter are sent; others, and header fields of the call
    itself, are not.
    """
    written(folder, "bindings.http", url=site.url)
    with sidecar(folder) as running:
        body = {
            "operation": "post",
            "data": "x",
            "metadata": {
                "Content-Type": "text/plain",
                "Accept": "text/html",
                "X-A": "1",
                "other": "2",
            },
        }
        running.ask("POST", "/v1.0/bindings/outbox", body, {"X-Call": "no"})
    (_, _, headers, octets) = site.got[0]
    assert (headers["content-type"], headers["accept"], headers["x-a"], octets) == (
        "text/plain",
        "text/html",
        "1",
        b'"x"',
    )
    assert {"other", "x-call"}.isdisjoint(headers)


def test_octets_pass_unchanged_both_ways_over_grpc(folder: Path, site: Site) -> None:
    """Over gRPC the data are the body, byte by byte, and so is the answer."""
    site.body, site.kind = bytes(range(256)), "application/octet-stream"
    written(folder, "bindings.http", url=site.url)
    made = binding_pb2.InvokeBindingRequest(
        name="outbox", data=b"\xff\x00a", operation="post", metadata={"path": "/up"}
    )
    with sidecar(folder) as running:
        octets, _ = running.call("InvokeBinding", made.SerializeToString())
    answer = binding_pb2.InvokeBindingResponse.FromString(octets)
    assert (
        answer.data,
        dict(answer.metadata)["Content-Type"],
        dict(answer.metadata)["X-Request-Id"],
    ) == (
        site.body,
        "application/octet-stream",
        "r-1",
    )
    assert site.got[0][3] == b"\xff\x00a"


@pytest.mark.parametrize("status", [404, 400, 302])
def test_a_status_that_is_not_2xx_is_an_error(folder: Path, site: Site, status: int) -> None:
    """As in Dapr, by its number."""
    site.status = status
    written(folder, "bindings.http", url=site.url)
    with sidecar(folder) as running:
        assert asked(running, "get").message.endswith(f"received status code {status}")


@pytest.mark.parametrize("status", [404, 500, 503])
def test_it_is_an_answer_if_the_component_or_the_request_says_so(
    folder: Path, site: Site, status: int
) -> None:
    """With ``errorIfNot2XX`` false the status and the body are the caller's; the request's value
    counts over the component's.
    """
    site.status, site.body = status, b'{"why": "no"}'
    written(folder, "bindings.http", url=site.url, errorIfNot2XX="false")
    with sidecar(folder) as running:
        reply = asked(running, "post", "x")
        assert (reply.status, reply.json, reply.headers["metadata.statuscode"]) == (
            200,
            {"why": "no"},
            str(status),
        )
        assert asked(running, "post", "x", errorIfNot2XX="true").status == 500
    assert len(site.got) == 2


def test_a_long_response_is_cut_at_the_configured_size(folder: Path, site: Site) -> None:
    """``maxResponseBodySize`` limits the data, with Dapr's units; what is no size is refused before
    anything is sent.
    """
    site.body = b"x" * 3000
    written(folder, "bindings.http", url=site.url, maxResponseBodySize="2Ki")
    with sidecar(folder) as running:
        assert asked(running, "get").body == b"x" * 2048
    written(folder, "bindings.http", url=site.url, maxResponseBodySize="much")
    with sidecar(folder) as running:
        assert "invalid value for maxResponseBodySize" in asked(running, "get").message
    assert len(site.got) == 1


@pytest.mark.parametrize(
    ("header", "name", "value"),
    [
        ("X-Token", "x-token", "s3cr3t-token"),
        ("Authorization: Bearer", "authorization", "Bearer s3cr3t-token"),
    ],
)
def test_a_security_token_is_sent_in_its_header(
    folder: Path, site: Site, header: str, name: str, value: str
) -> None:
    """The token is a secret of the connection; a header named with a scheme, as Dapr's document has
    it, is sent with it.
    """
    written(
        folder,
        "bindings.http",
        url=site.url,
        securityToken="s3cr3t-token",
        securityTokenHeader=header,
    )
    with sidecar(folder) as running:
        assert asked(running, "get").status == 200
        assert "s3cr3t-token" not in repr(running.bindings)
    assert site.got[0][2][name] == value


def test_certificates_are_texts_or_files(folder: Path, tmp_path: Path) -> None:
    """Authority, certificate and key may be PEM texts or paths; the server sees the certificate of
    the client.
    """
    authority = Authority(tmp_path)
    ours = tmp_path / "ours.pem"
    ours.write_bytes(authority.pem("client.test"))
    context = authority.serving("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.bundle)
    with serving(context) as site:
        for given in (str(ours), ours.read_text()):
            certificate = given if "\n" not in given else given[given.index("-----BEGIN CERT") :]
            key = given if "\n" not in given else given[: given.index("-----BEGIN CERT")]
            written(
                folder,
                "bindings.http",
                url=site.url,
                MTLSRootCA=str(authority.bundle),
                MTLSClientCert=certificate,
                MTLSClientKey=key,
            )
            with sidecar(folder) as running:
                assert asked(running, "get").status == 200
        written(folder, "bindings.http", url=site.url, MTLSRootCA=authority.bundle.read_text())
        with sidecar(folder) as running:
            assert asked(running, "get").status == 500


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({}, "these fields are missing: url"),
        (
            {"url": "http://x", "securityToken": "t"},
            "'securityToken' and 'securityTokenHeader' need each other",
        ),
        (
            {"url": "http://x", "MTLSRenegotiation": "RenegotiateOnceAsClient"},
            "'MTLSRenegotiation'",
        ),
    ],
)
def test_a_component_that_cannot_work_is_refused(
    folder: Path, metadata: dict[str, str], says: str
) -> None:
    """What is missing or not supported is named, and the sidecar does not start with it."""
    written(folder, "bindings.http", **metadata)
    (found,) = bindings_of(folder).problems
    assert (says in found.text, found.fatal) == (True, True)


def test_the_token_of_the_connection_goes_nowhere_else(folder: Path, site: Site) -> None:
    """A path that tries to leave the server stays on it, as a path."""
    written(
        folder,
        "bindings.http",
        url=site.url,
        securityToken="s3cr3t-token",
        securityTokenHeader="X-Token",
    )
    with serving() as other, sidecar(folder) as running:
        for path in (
            other.url,
            f"//{other.url.removeprefix('http://')}",
            f"@{other.url.removeprefix('http://')}",
            "/../../x",
        ):
            asked(running, "get", path=path)
        assert other.got == []


def test_an_unreachable_server_is_an_error(folder: Path) -> None:
    """The error says what was reached for, over HTTP and gRPC."""
    written(folder, "bindings.http", url="http://127.0.0.1:9")
    made = binding_pb2.InvokeBindingRequest(name="outbox", data=b"x", operation="post")
    written_policy = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Resiliency",
        "metadata": {"name": "r"},
    }
    spec = {
        "policies": {"retries": {"none": {"maxRetries": 0}}},
        "targets": {"components": {"outbox": {"outbound": {"retry": "none"}}}},
    }
    (folder / "policy.yaml").write_text(json.dumps({**written_policy, "spec": spec}))
    with sidecar(folder) as running:
        assert "unavailable" in asked(running, "post", "x").message
        with pytest.raises(grpc.RpcError) as caught:
            running.call("InvokeBinding", made.SerializeToString())
    assert "unavailable" in caught.value.details()
