"""Which URL a service is asked at (contract §6): the connection's, the environment's, or AWS's own for the region."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["service_endpoint", "sts_endpoint"]

_ANY = "AWS_ENDPOINT_URL"
_IGNORE = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
_SES = (f"{_ANY}_SESV2", f"{_ANY}_SES", _ANY)
_NAMES = {"ses": _SES, "sesv2": _SES, "sts": (f"{_ANY}_STS", _ANY)}
"""Both SES APIs are one service to people, so either variable serves both. Other services: botocore reads the variables itself,
since only it knows their names (``AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER``)."""


def service_endpoint(service: str, endpoint: str | None, environment: Mapping[str, str]) -> str | None:
    """The endpoint of ``service``, first found: the connection's own, the service's variable, ``AWS_ENDPOINT_URL``; None is AWS's own.

    ``AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`` turns the variables off, as everywhere with AWS (AWS SDKs reference, service endpoints).
    """
    if endpoint is not None:
        return endpoint
    names = _NAMES.get(service, ())
    found = next((value for name in names if (value := environment.get(name))), None)
    if found is not None and environment.get(_IGNORE, "").lower() == "true":
        return None
    return found


def sts_endpoint(endpoint: str | None, environment: Mapping[str, str]) -> str | None:
    """The endpoint of STS: ``stsEndpoint``, ``AWS_ENDPOINT_URL_STS``, ``AWS_ENDPOINT_URL``; None is the regional one."""
    return service_endpoint("sts", endpoint, environment)
