"""Messages of Dapr's gRPC API that bindings need, declared for the protobuf library without a
compiler.

Numbers and types come from ``dapr/proto/runtime/v1/binding.proto`` and ``metadata.proto``, and from
``google/rpc/status.proto`` and ``error_details.proto``. A separate pool avoids conflicts with the
messages of Dapr's SDK in the same process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "jackfield.dapr"
_MESSAGES = {
    "Entry": {"key": (1, "string"), "value": (2, "string")},
    "InvokeBindingRequest": {
        "name": (1, "string"),
        "data": (2, "bytes"),
        "metadata": (3, "[Entry]"),
        "operation": (4, "string"),
    },
    "InvokeBindingResponse": {"data": (1, "bytes"), "metadata": (2, "[Entry]")},
    "Component": {
        "name": (1, "string"),
        "type": (2, "string"),
        "version": (3, "string"),
        "capabilities": (4, "[string]"),
    },
    "GetMetadataResponse": {
        "id": (1, "string"),
        "registered_components": (3, "[Component]"),
        "extended_metadata": (4, "[Entry]"),
        "runtime_version": (8, "string"),
    },
    "Any": {"type_url": (1, "string"), "value": (2, "bytes")},
    "ErrorInfo": {"reason": (1, "string"), "domain": (2, "string"), "metadata": (3, "[Entry]")},
    "Status": {"code": (1, "int32"), "message": (2, "string"), "details": (3, "[Any]")},
}
"""Fields of each message; brackets mark repeated ones. A map is a repeated entry, as on the
wire.
"""


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="jackfield_dapr.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            label = (
                FieldDescriptorProto.LABEL_REPEATED
                if kind.startswith("[")
                else FieldDescriptorProto.LABEL_OPTIONAL
            )
            kind = kind.strip("[]")  # noqa: PLW2901 (without its brackets)
            if kind in _MESSAGES:
                message.field.add(
                    name=field, number=number, label=label, type_name=f".{_PACKAGE}.{kind}"
                )
            else:
                message.field.add(
                    name=field,
                    number=number,
                    label=label,
                    type=FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}"),
                )
    return file


_POOL = DescriptorPool()
_POOL.AddSerializedFile(_file().SerializeToString())


def _class(name: str) -> Any:
    return GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


InvokeBindingRequest, InvokeBindingResponse = (
    _class("InvokeBindingRequest"),
    _class("InvokeBindingResponse"),
)
GetMetadataResponse = _class("GetMetadataResponse")
ErrorInfo, Status = _class("ErrorInfo"), _class("Status")


def entries(texts: Mapping[str, str]) -> list[dict[str, str]]:
    """Return a ``map<string, string>`` as the entries of a message."""
    return [{"key": key, "value": value} for key, value in texts.items()]
