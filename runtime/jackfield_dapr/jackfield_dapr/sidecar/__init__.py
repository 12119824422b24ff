"""Dapr's bindings API: unmodified Dapr clients call the actions of installed connectors.

``answer`` is the HTTP API as a pure function, to be mounted anywhere; ``Sidecar`` serves it, and
gRPC, on its own ports.
"""

from jackfield_dapr.sidecar.api import DaprApi
from jackfield_dapr.sidecar.bindings import Binding, Bindings, read_bindings
from jackfield_dapr.sidecar.calls import BindingError, Request
from jackfield_dapr.sidecar.folder import read_folder
from jackfield_dapr.sidecar.http_api import Answer, answer
from jackfield_dapr.sidecar.loading import Components
from jackfield_dapr.sidecar.reloading import Reloading, apply, served_api
from jackfield_dapr.sidecar.serving import Sidecar, has_grpc

__all__ = [
    "Answer",
    "Binding",
    "BindingError",
    "Bindings",
    "Components",
    "DaprApi",
    "Reloading",
    "Request",
    "Sidecar",
    "answer",
    "apply",
    "has_grpc",
    "read_bindings",
    "read_folder",
    "served_api",
]
