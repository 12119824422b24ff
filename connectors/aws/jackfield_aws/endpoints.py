"""Selection of a service's endpoint (docs/reference/cli.md): the connection's, the environment's,
or AWS's own for the region. Also settings for servers that speak S3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from jackfield.kernel.dataclass import dataclass

_ANY = "AWS_ENDPOINT_URL"
_IGNORE = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OF_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_SES = (f"{_ANY}_SESV2", f"{_ANY}_SES", _ANY)
_OWN = {"sts": "STS", "sns": "SNS", "sqs": "SQS", "cloudwatch": "CLOUDWATCH", "route53": "ROUTE_53"}
_NAMES = {
    "ses": _SES,
    "sesv2": _SES,
    **{service: (f"{_ANY}_{name}", _ANY) for service, name in _OWN.items()},
}
"""Endpoint variables of services that jackfield's own connectors use. Users see both SES APIs as
one service, so either variable serves both. For other services botocore reads the variables, since
only it knows their names (``AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER``).
"""


def is_of_aws(host: str) -> bool:
    """Return whether a host is one of AWS's own."""
    return host.partition(":")[0].lower().endswith(_OF_AWS)


def service_endpoint(
    service: str, endpoint: str | None, environment: Mapping[str, str]
) -> str | None:
    """Return the endpoint of ``service``, in this order: the connection's own, the service's
    variable, ``AWS_ENDPOINT_URL``; None means AWS's own.

    ``AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`` disables the variables, as in all AWS SDKs (AWS SDKs
    reference, service endpoints).
    """
    if endpoint is not None:
        return endpoint
    names = _NAMES.get(service, ())
    found = next((value for name in names if (value := environment.get(name))), None)
    if found is not None and environment.get(_IGNORE, "").lower() == "true":
        return None
    return found


def serves_all(endpoint: str) -> bool:
    """Return whether a connection's endpoint is an emulator of AWS, which serves all services at
    one address: it is on this machine, or uses plain HTTP. Any other endpoint belongs to the
    connection's service alone (a private endpoint, a proxy).
    """
    url = urlsplit(endpoint)
    host = url.hostname or ""
    return host in _LOOPBACK or (url.scheme == "http" and not host.endswith(_OF_AWS))


def sts_endpoint(endpoint: str | None, environment: Mapping[str, str]) -> str | None:
    """Return the endpoint of STS: ``stsEndpoint``, ``AWS_ENDPOINT_URL_STS``, ``AWS_ENDPOINT_URL``;
    None means the regional one.
    """
    return service_endpoint("sts", endpoint, environment)


def names_endpoint(endpoint: str | None, environment: Mapping[str, str]) -> bool:
    """Return whether a connection, or a variable for any service, names an endpoint in place of
    AWS's own.
    """
    is_read = environment.get(_IGNORE, "").lower() != "true"
    return endpoint is not None or (
        is_read and any(name.startswith(_ANY) and value for name, value in environment.items())
    )


def names_loopback(endpoint: str | None, environment: Mapping[str, str]) -> bool:
    """Return whether the connection's endpoint or, without one, every endpoint in a variable is on
    this machine: an emulator, without a proxy in between. False without any endpoint.
    """
    named = (
        [endpoint]
        if endpoint is not None
        else [value for name, value in environment.items() if name.startswith(_ANY) and value]
    )
    return names_endpoint(endpoint, environment) and all(
        (urlsplit(url).hostname or "") in _LOOPBACK for url in named
    )


S3_ADDRESSING = ("auto", "path", "virtual")
S3_CHECKSUMS = ("whenSupported", "whenRequired")
"""Choices for checksums in a connection to a server that speaks S3."""


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Settings of a connection for S3; None for an unset one.

    - ``addressing``: ``path`` puts the bucket into the path, ``virtual`` into the host's name;
      ``auto`` into the path at an endpoint that is not AWS's.
    - ``checksums``: ``whenRequired`` sends no checksum but a request's MD5, which all servers know,
      and compares none.
    """

    addressing: str | None = None
    checksums: str | None = None

    @property
    def members(self) -> dict[str, Any]:
        """Settings as members of botocore's Config; empty if no setting is set."""
        given: dict[str, Any] = (
            {} if self.addressing is None else {"s3": {"addressing_style": self.addressing}}
        )
        if self.checksums == "whenRequired":
            given |= {
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            }
        return given


USUAL_S3 = S3Settings()
