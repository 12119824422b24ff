"""A sidecar for Dapr's bindings API inside the test process, and what tests ask it over HTTP and
gRPC.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from jackfield.catalog import Catalog
from jackfield.connections.formats import Document, Surroundings
from jackfield_dapr.sidecar import Bindings, DaprApi, Sidecar, read_bindings, read_folder
from jackfield_dapr.sidecar.reloading import taken_file
from jackfield_store.runtime import Jackfield
from replies import Reply

_PATIENCE = 60.0


class DaprReply(Reply):
    """What Dapr's API answered."""

    @property
    def json(self) -> Any:
        """The body, which must say that it is JSON."""
        assert self.headers["content-type"] == "application/json"
        return super().json

    @property
    def message(self) -> str:
        """What an error of Dapr says."""
        return str(self.json["message"])


class SidecarClient:
    """Asks a sidecar, byte by byte as it is told."""

    def __init__(self, http_port: int, grpc_port: int, bindings: Bindings) -> None:
        self.http_port = http_port
        self.grpc_port = grpc_port
        self.bindings = bindings

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> DaprReply:
        """One HTTP request; ``body`` is octets, or what is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=_PATIENCE)
        try:
            content = (
                body
                if isinstance(body, bytes)
                else None
                if body is None
                else json.dumps(body).encode()
            )
            connection.request(method, path, content, dict(headers or {}))
            return DaprReply.read(connection.getresponse())
        finally:
            connection.close()

    def send(
        self,
        metadata: Mapping[str, str] | None = None,
        data: object = "<p>late</p>",
        name: str = "outbox",
        method: str = "POST",
    ) -> DaprReply:
        """Call a binding as most tests do."""
        return self.ask(
            method,
            f"/v1.0/bindings/{name}",
            {"operation": "create", "data": data, "metadata": dict(metadata or {})},
        )

    def call(
        self, method: str, request: bytes, headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, Mapping[str, Any]]:
        """One gRPC call with the octets of its request; the answer's octets and trailing metadata.

        :raises grpc.RpcError: where it fails.
        """
        with grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
            stub = channel.unary_unary(f"/dapr.proto.runtime.v1.Dapr/{method}")
            answer, call = stub.with_call(
                request, timeout=_PATIENCE, metadata=tuple((headers or {}).items())
            )
            return answer, dict(call.trailing_metadata() or ())


def bindings_of(folder: Path, *, app_id: str | None = "", strict: bool = False) -> Bindings:
    """What a sidecar would have of a folder."""
    around = Surroundings(Catalog.installed, os.environ, app_id=app_id, strict=strict)
    return read_bindings(
        [item for item in read_folder(str(folder)) if isinstance(item, Document)], around
    )


@contextmanager
def sidecar(
    folder: Path,
    *,
    app_id: str = "",
    token: str | None = None,
    strict: bool = False,
    database_url: str | None = None,
) -> Iterator[SidecarClient]:
    """A sidecar for the components of a folder, on free ports."""
    found = bindings_of(folder, app_id=app_id, strict=strict)
    with Jackfield(
        connections=[{"connections": dict(found.connections)}], database_url=database_url
    ) as jackfield:
        api = DaprApi(
            found.by_name, jackfield.invoke, app_id, token, read_file=partial(taken_file, jackfield)
        )
        with Sidecar(api, http_port=0, grpc_port=0) as running:
            http_port, grpc_port = running.ports
            yield SidecarClient(http_port, grpc_port, found)


def component(name: str = "outbox", *, scopes: str = "", **metadata: str) -> str:
    """A component of Amazon SES as YAML; ``metadata`` goes over what a usual one has, None-like
    ``""`` takes it away.
    """
    usual = {
        "region": "eu-west-1",
        "accessKey": "AKIDAPR",
        "secretKey": "dapr-secret",
        "emailFrom": "ops@sender.test",
    }
    usual |= {"emailTo": "desk@rcpt.test", "subject": "Nightly report"}
    rows = "".join(
        f"  - {{name: {key}, value: {json.dumps(value)}}}\n"
        for key, value in {**usual, **metadata}.items()
        if value
    )
    return (
        f"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\n"
        f"spec:\n  type: bindings.aws.ses\n  version: v1\n  metadata:\n{rows}"
        + (f"scopes: [{scopes}]\n" if scopes else "")
    )


def written(folder: Path, kind: str, **metadata: str) -> None:
    """Write a component of a type, under the name ``outbox``."""
    rows = "".join(
        f"  - {{name: {name}, value: {json.dumps(value)}}}\n" for name, value in metadata.items()
    )
    head = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: outbox}\n"
    (folder / "outbox.yaml").write_text(
        f"{head}spec:\n  type: {kind}\n  version: v1\n  metadata:\n{rows}"
    )


def asked(
    running: SidecarClient, operation: str, data: object = None, **metadata: str
) -> DaprReply:
    """Call the binding."""
    body: dict[str, object] = {"operation": operation, "metadata": metadata}
    return running.ask(
        "POST", "/v1.0/bindings/outbox", body | ({"data": data} if data is not None else {})
    )
