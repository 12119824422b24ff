"""Dapr's gRPC API on a port: a generic handler, which needs neither Dapr's package nor a compiler for its messages.

Headers of a call never become metadata of a binding: in Dapr a header ``emailto`` changes the recipient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc

from jackfield_dapr.sidecar import wire
from jackfield_dapr.sidecar.api import VERSION, DaprApi
from jackfield_dapr.sidecar.bindings import BindingError, Request
from jackfield_dapr.sidecar.http_api import MAX_BODY
from jackfield_dapr.sidecar.payload import from_octets
from jackfield_dapr.sidecar.wire import WireError

_NAME, _DATA, _METADATA, _OPERATION = 1, 2, 3, 4
_UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True, repr=False)
class InvokeBinding:
    """Message ``InvokeBindingRequest``."""

    name: str = ""
    data: bytes = b""
    operation: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def decode(cls, octets: bytes) -> InvokeBinding:
        """Decode a request.

        :raises WireError: if the octets are not a valid message.
        """
        texts = {_NAME: "", _OPERATION: ""}
        data, metadata = b"", {}
        for number, content in wire.members(octets):
            if number in texts:
                texts[number] = wire.text(content)
            elif number == _DATA:
                data = content
            elif number == _METADATA:
                entry = dict(wire.members(content))
                metadata[wire.text(entry.get(1, b""))] = wire.text(entry.get(2, b""))
        return cls(texts[_NAME], data, texts[_OPERATION], metadata)


def binding_response(metadata: Mapping[str, str]) -> bytes:
    """Encode an ``InvokeBindingResponse`` without data."""
    return wire.texts(2, metadata)


def metadata_response(app_id: str, version: str, components: Sequence[Mapping[str, Any]]) -> bytes:
    """Encode a ``GetMetadataResponse``."""
    registered = b"".join(
        wire.field(
            3,
            wire.field(1, item["name"])
            + wire.field(2, item["type"])
            + wire.field(3, item["version"])
            + b"".join(wire.field(4, capability) for capability in item["capabilities"]),
        )
        for item in components
    )
    return wire.field(1, app_id) + registered + wire.texts(4, {"daprRuntimeVersion": version}) + wire.field(8, version)


def error_status(message: str, detail: str) -> bytes:
    """Encode the ``google.rpc.Status`` of an unauthenticated caller, with the reason in an ``ErrorInfo``."""
    info = wire.field(1, "UNAUTHENTICATED") + wire.field(2, "dapr.io") + wire.texts(3, {"error": detail})
    packed = wire.field(1, "type.googleapis.com/google.rpc.ErrorInfo") + wire.field(2, info)
    return wire.integer(1, _UNAUTHENTICATED) + wire.field(2, message) + wire.field(3, packed)


_SERVICE = "/dapr.proto.runtime.v1.Dapr/"
_WORKERS = 64
_OPTIONS = [("grpc.max_receive_message_length", MAX_BODY), ("grpc.so_reuseport", 0)]


class GrpcServer:
    """gRPC server that runs until stopped. ``port`` 0 takes a free one; ``address`` reports which.

    :raises OSError: if the port is not available.
    """

    def __init__(self, api: DaprApi, host: str, port: int) -> None:
        self._workers = ThreadPoolExecutor(_WORKERS, "dapr-grpc")
        self._server = grpc.server(self._workers, handlers=(_Dapr(api),), options=_OPTIONS)
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            found = self._server.add_insecure_port(place)
        except RuntimeError:
            self._workers.shutdown()
            raise OSError(None, "it is in use, or not an address of this machine") from None
        self.address = (host, found)
        self._server.start()

    def stop(self, patience: float) -> None:
        """Refuse new calls, let running ones finish within ``patience`` seconds, and close."""
        self._server.stop(patience).wait()
        self._workers.shutdown(wait=False)


class _Dapr(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio is untyped
    """Methods of the Dapr service that a bindings sidecar implements."""

    def __init__(self, api: DaprApi) -> None:
        self._api = api
        self._methods = {f"{_SERVICE}InvokeBinding": self._invoke, f"{_SERVICE}GetMetadata": self._metadata}

    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of the called method; None if there is none (UNIMPLEMENTED)."""
        method = self._methods.get(handler_call_details.method)
        return None if method is None else grpc.unary_unary_rpc_method_handler(self._guarded(method))

    def _guarded(self, method: Callable[[bytes, Any], bytes]) -> Callable[[bytes, Any], bytes]:
        def call(octets: bytes, context: Any) -> bytes:
            given = _header(context, "dapr-api-token")
            if not self._api.allows(given):
                why = "api token mismatch" if given else "missing api token in request metadata"
                status = error_status("Unauthorized", f"authentication error: {why}")
                context.set_trailing_metadata((("grpc-status-details-bin", status),))
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "Unauthorized")
            return method(octets, context)

        return call

    def _invoke(self, octets: bytes, context: Any) -> bytes:
        try:
            asked = InvokeBinding.decode(octets)
        except WireError as error:
            context.abort(grpc.StatusCode.INTERNAL, f"the request cannot be read: {error}")
        data = asked.data
        trace = _header(context, "traceparent")
        request = Request(asked.operation, asked.metadata, lambda known, strict: from_octets(data, known, strict=strict), trace)
        try:
            return binding_response(self._api.call(asked.name, request))
        except BindingError as error:
            context.abort(grpc.StatusCode.INTERNAL, str(error))
        raise AssertionError("abort raises")

    def _metadata(self, _octets: bytes, _context: Any) -> bytes:
        return metadata_response(self._api.app_id, VERSION, self._api.components())


def _header(context: Any, name: str) -> str | None:
    found = next((item.value for item in context.invocation_metadata() if item.key == name), None)
    return found if isinstance(found, str) else None
