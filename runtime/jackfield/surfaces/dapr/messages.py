"""The messages of ``dapr.proto.runtime.v1`` that a bindings sidecar speaks, and the error details of ``google.rpc``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jackfield.surfaces.dapr import wire

__all__ = ["InvokeBinding", "binding_response", "error_status", "metadata_response"]

_NAME, _DATA, _METADATA, _OPERATION = 1, 2, 3, 4
_UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True, repr=False)
class InvokeBinding:
    """``InvokeBindingRequest``."""

    name: str = ""
    data: bytes = b""
    operation: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def decode(cls, octets: bytes) -> InvokeBinding:
        """Read one.

        :raises WireError: where the octets are none.
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
    """``InvokeBindingResponse`` without data."""
    return wire.texts(2, metadata)


def metadata_response(app_id: str, version: str, components: Sequence[Mapping[str, Any]]) -> bytes:
    """``GetMetadataResponse``."""
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
    """``google.rpc.Status`` of a caller who was not let in, with the reason in an ``ErrorInfo``."""
    info = wire.field(1, "UNAUTHENTICATED") + wire.field(2, "dapr.io") + wire.texts(3, {"error": detail})
    packed = wire.field(1, "type.googleapis.com/google.rpc.ErrorInfo") + wire.field(2, info)
    return wire.integer(1, _UNAUTHENTICATED) + wire.field(2, message) + wire.field(3, packed)
