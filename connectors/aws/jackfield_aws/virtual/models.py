"""botocore's service models, as ``ServiceModel`` objects. Only a few stay in memory: the largest
takes 13 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import botocore
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.model import ServiceModel

from jackfield.kernel.errors import UnknownConnector
from jackfield.kernel.fork import at_fork
from jackfield_aws.service_models import ServiceModels
from jackfield_aws.virtual.states import OWN

_KEPT = 16
"""Number of models in memory: a workspace mostly uses a few services."""
UNSUPPORTED = frozenset(
    {
        ("bedrock-runtime", "InvokeModelWithBidirectionalStream"),
        ("connecthealth", "StartMedicalScribeListeningSession"),
        ("lexv2-runtime", "StartConversation"),
        ("polly", "StartSpeechSynthesisStream"),
        ("qbusiness", "Chat"),
    }
)
"""Operations whose input is an event stream, which botocore cannot send."""


def botocore_version() -> str:
    """Return the version of the installed botocore."""
    return str(botocore.__version__)


@lru_cache(maxsize=_KEPT)
def service_model(service: str) -> Any:
    """Return the model of a service.

    :raises UnknownConnector: if the installed botocore lacks the service.
    """
    return ServiceModel(_data(service, "service-2"), service)


@lru_cache(maxsize=_KEPT)
def paginators(service: str) -> Mapping[str, Any]:
    """Return the paginators of a service by operation."""
    return _optional(service, "paginators-1", "pagination")


@lru_cache(maxsize=_KEPT)
def waiters(service: str) -> Mapping[str, Any]:
    """Return the waiters of a service by name: the model's, and jackfield's own for missing
    ones.
    """
    return {**OWN.get(service, {}), **_optional(service, "waiters-2", "waiters")}


def services() -> list[str]:
    """Return the names of all services of the installed botocore."""
    names: list[str] = _loader().list_available_services("service-2")
    return names


def operations(service: str) -> list[str]:
    """Return the names of the operations of a service that botocore can call."""
    return [
        name
        for name in service_model(service).operation_names
        if (service, name) not in UNSUPPORTED
    ]


def members(service: str, operation: str) -> frozenset[str]:
    """Return the names of an operation's inputs; empty if botocore lacks the operation, or it has
    no inputs.
    """
    model = service_model(service)
    shape = (
        model.operation_model(operation).input_shape if operation in model.operation_names else None
    )
    return frozenset(shape.members if shape is not None else ())


def _loader() -> Any:
    return ServiceModels()  # a new one each time, since botocore's never forgets a model


def _data(service: str, kind: str) -> Any:
    try:
        return _loader().load_service_model(service, kind)
    except (UnknownServiceError, DataNotFoundError):
        raise UnknownConnector(
            f"the installed botocore {botocore_version()} has no service '{service[:80]}'",
            hint="Upgrade boto3 and botocore.",
        ) from None


def _optional(service: str, kind: str, member: str) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = _data(service, kind)[member]
    except UnknownConnector:
        return {}
    return found


for _cache in (service_model, paginators, waiters):
    # another thread of the parent may hold its lock
    at_fork(_cache, child=lambda cache: cache.cache_clear())
