"""Dapr's gRPC API on a port: a generic handler, which needs neither Dapr's package nor a compiler
for its messages.

Headers of a call never become metadata of a binding: in Dapr a header ``emailto`` changes the
recipient.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from jackfield_dapr.sidecar.api import MAX_BODY, VERSION, DaprApi
from jackfield_dapr.sidecar.calls import BindingError, Request
from jackfield_dapr.sidecar.messages import (
    ErrorInfo,
    GetMetadataResponse,
    InvokeBindingRequest,
    InvokeBindingResponse,
    Status,
    entries,
)
from jackfield_dapr.sidecar.payload import from_octets

_SERVICE = "/dapr.proto.runtime.v1.Dapr/"
_OPTIONS = [("grpc.max_receive_message_length", MAX_BODY), ("grpc.so_reuseport", 0)]


class GrpcServer:
    """gRPC server that runs until stopped, with its calls in ``threads``. ``port`` 0 chooses a free
    port, which ``address`` reports.

    :raises OSError: if the port is not available.
    """

    def __init__(self, api: DaprApi, host: str, port: int, threads: ThreadPoolExecutor) -> None:
        self._server = grpc.server(threads, handlers=(_Dapr(api),), options=_OPTIONS)
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            found = self._server.add_insecure_port(place)
        except RuntimeError:
            raise OSError(None, "it is in use, or not an address of this machine") from None
        self.address = (host, found)
        self._server.start()

    def stop(self, patience: float) -> None:
        """Refuse new calls, let running ones finish within ``patience`` seconds, and close."""
        self._server.stop(patience).wait()


class _Dapr(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio is untyped
    """Methods of the Dapr service that a bindings sidecar implements."""

    def __init__(self, api: DaprApi) -> None:
        self._api = api
        self._methods = {
            f"{_SERVICE}InvokeBinding": self._invoke,
            f"{_SERVICE}GetMetadata": self._metadata,
        }

    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of the called method; None for an unknown method (UNIMPLEMENTED)."""
        method = self._methods.get(handler_call_details.method)
        return (
            None if method is None else grpc.unary_unary_rpc_method_handler(self._guarded(method))
        )

    def _guarded(self, method: Callable[[bytes, Any], bytes]) -> Callable[[bytes, Any], bytes]:
        def call(octets: bytes, context: Any) -> bytes:
            given = _header(context, "dapr-api-token")
            if not self._api.allows(given):
                why = "api token mismatch" if given else "missing api token in request metadata"
                context.set_trailing_metadata((("grpc-status-details-bin", _unauthenticated(why)),))
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "Unauthorized")
            return method(octets, context)

        return call

    def _invoke(self, octets: bytes, context: Any) -> bytes:
        try:
            asked = InvokeBindingRequest.FromString(octets)
        except DecodeError as error:
            context.abort(grpc.StatusCode.INTERNAL, f"the request cannot be read: {error}")
        metadata = {entry.key: entry.value for entry in asked.metadata}
        trace = _header(context, "traceparent")
        request = Request(
            asked.operation,
            metadata,
            lambda known, strict: from_octets(asked.data, known, strict=strict),
            trace,
            lambda: asked.data,
        )
        try:
            found = self._api.call(asked.name, request)
        except BindingError as error:
            context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED
                if error.is_limited
                else grpc.StatusCode.INTERNAL,
                str(error),
            )
        return _octets(
            InvokeBindingResponse(data=found.data or b"", metadata=entries(found.metadata))
        )

    def _metadata(self, _request: bytes, _context: Any) -> bytes:
        return _octets(
            GetMetadataResponse(
                id=self._api.app_id,
                registered_components=self._api.components(),
                extended_metadata=entries({"daprRuntimeVersion": VERSION}),
                runtime_version=VERSION,
            )
        )


def _unauthenticated(why: str) -> bytes:
    """Return the ``google.rpc.Status`` of a caller without the token, with the reason in an
    ``ErrorInfo``.
    """
    about = entries({"error": f"authentication error: {why}"})
    info = {
        "type_url": "type.googleapis.com/google.rpc.ErrorInfo",
        "value": _octets(ErrorInfo(reason="UNAUTHENTICATED", domain="dapr.io", metadata=about)),
    }
    return _octets(
        Status(
            code=grpc.StatusCode.UNAUTHENTICATED.value[0], message="Unauthorized", details=[info]
        )
    )


def _octets(message: Any) -> bytes:
    found: bytes = message.SerializeToString()
    return found


def _header(context: Any, name: str) -> str | None:
    found = next((item.value for item in context.invocation_metadata() if item.key == name), None)
    return found if isinstance(found, str) else None
