"""Dapr's bindings API: unmodified Dapr clients call the actions of installed connectors.

``answer`` is the HTTP API as a pure function, to be mounted anywhere; ``Sidecar`` serves it, and gRPC, on its own ports.
"""

from jackfield.surfaces.dapr.api import DaprApi
from jackfield.surfaces.dapr.bindings import Binding, BindingError, Bindings, Request, read_bindings
from jackfield.surfaces.dapr.folder import read_folder
from jackfield.surfaces.dapr.http_api import Answer, answer
from jackfield.surfaces.dapr.loading import Components
from jackfield.surfaces.dapr.reloading import Reloading
from jackfield.surfaces.dapr.serving import Sidecar, has_grpc

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
    "has_grpc",
    "read_bindings",
    "read_folder",
]
