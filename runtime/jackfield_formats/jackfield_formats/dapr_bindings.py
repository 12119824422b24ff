"""Types of Dapr's output bindings for connectors that declare no alias for them, as data.

Aliases are described in ``jackfield.connections.aliases``. ``prepare`` rewrites fields that no
alias can express: endpoints without a scheme, paths of files in place of their content. A
connector's own alias of the same type takes precedence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.catalog import of_workspace
from jackfield.connections.aliases import Alias
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import UnknownConnector
from jackfield_formats.translating import ForeignError

if TYPE_CHECKING:
    from jackfield.catalog import Catalog

Fields = dict[str, str]
"""Metadata of a component, under the names of its alias."""


def _unchanged(fields: Fields) -> Fields:
    return fields


@dataclass(frozen=True, slots=True)
class BindingType:
    """Type of a component, the connector that carries it out, and the distribution that has this
    connector.
    """

    connector: str
    package: str
    alias: Mapping[str, Any]
    prepare: Callable[[Fields], Fields] = _unchanged

    def read(self, name: str) -> Alias:
        """Return the alias of this type; ``name`` is the name of the type in Dapr."""
        return Alias.from_json(self.connector, name, self.alias)

    def fault(self, catalog: Catalog, workspace: str) -> str | None:
        """Return the reason why a workspace lacks the connector; None if the workspace has the
        connector.
        """
        try:
            of_workspace(catalog, workspace).find(self.connector)
        except UnknownConnector as error:
            return (
                f"needs the connector '{self.connector}': {error.message} (package {self.package})"
            )
        return None


# AWS: services are connectors of one package, and share its connection types

_ROLE, _KEYS, _AMBIENT, _ANYWHERE = (
    "aws/awsAssumeRole",
    "aws/apiKeySecret",
    "aws/awsDefault",
    "aws/awsRolesAnywhere",
)
_PLACE = {"region": "region", "awsRegion": "region", "endpoint": "endpoint", "stsEndpoint": None}
_SECRETS = {
    "accessKey": "accessKeyId",
    "secretKey": "secretAccessKey",
    "sessionToken": "sessionToken",
}
_ROLE_VALUES = {
    "assumeRoleArn": "roleARN",
    "externalId": "externalId",
    "stsEndpoint": "stsEndpoint",
}
_ANYWHERE_VALUES = {
    "trustAnchorArn": "trustAnchorArn",
    "trustProfileArn": "profileArn",
    "assumeRoleArn": "roleARN",
    "certificate": "certificate",
    "certificatePath": {"name": "certificate", "file": True},
    "privateKey": "privateKey",
    "privateKeyPath": {"name": "privateKey", "file": True},
    "rolesAnywhereEndpoint": "rolesAnywhereEndpoint",
}
_ANYWHERE_NEEDS = [
    "trustAnchorArn",
    "trustProfileArn",
    "assumeRoleArn",
    "certificate|certificatePath",
    "privateKey|privateKeyPath",
]
_WHY = (
    "a sidecar of Dapr signs in to IAM Roles Anywhere by its own SPIFFE identity, which jackfield "
    "does not have; it needs the ARNs of "
    "trust anchor, profile and role, a certificate of yours, and its private key"
)
_NO_TLS_CHECK = "certificates are always verified: let AWS_CA_BUNDLE name the server's authority"


def _aws(
    operations: Mapping[str, str],
    required: str,
    place: Mapping[str, Any] | None = None,
    **members: Any,
) -> dict[str, Any]:
    """Build the alias of a service. ``required`` is the field that names a resource, ``place`` has
    further values of its connections.
    """
    values = {**_PLACE, **(place or {})}
    return {
        "operations": dict(operations),
        "connections": [
            *(
                {
                    "when": [name],
                    "type": _ANYWHERE,
                    "values": {**values, **_ANYWHERE_VALUES},
                    "needs": _ANYWHERE_NEEDS,
                    "why": _WHY,
                }
                for name in ("trustAnchorArn", "trustProfileArn")
            ),
            {
                "when": ["assumeRoleArn", "accessKey", "secretKey"],
                "type": _ROLE,
                "values": {**values, **_ROLE_VALUES, **_SECRETS},
            },
            {"when": ["assumeRoleArn"], "type": _ROLE, "values": {**values, **_ROLE_VALUES}},
            {"when": ["accessKey", "secretKey"], "type": _KEYS, "values": {**values, **_SECRETS}},
            {"type": _AMBIENT, "values": values},
        ],
        "required": [required],
        "used": [required],
        "defaults": {"region": ["$AWS_REGION", "$AWS_DEFAULT_REGION"]},
        "expected": ["region"],
        "messages": {"missing": "these fields are missing: {fields}"},
        **members,
    }


def _with_scheme(fields: Fields) -> Fields:
    """Return the fields with an endpoint that is a URL. An endpoint without a scheme gets https, or
    http with ``disableSSL``.
    """
    endpoint = fields.get("endpoint", "").strip()
    plain = is_true(fields.get("disableSSL"))
    if endpoint and "://" not in endpoint:
        endpoint = f"{'http' if plain else 'https'}://{endpoint}"
    found = {**fields, "endpoint": endpoint} if endpoint else fields
    if fields.get("awsRegion") and not fields.get("region"):
        found = {**found, "region": fields["awsRegion"]}
    return found


def _s3(fields: Fields) -> Fields:
    """Return the fields of a bucket, with the addressing style of ``forcePathStyle``."""
    found = _with_scheme(fields)
    if not fields.get("forcePathStyle"):
        return found
    return {**found, "forcePathStyle": "path" if is_true(fields["forcePathStyle"]) else "auto"}


def is_true(text: str | None) -> bool:
    """Return whether a text is true in Dapr's metadata: true, yes, y, on or 1, in any case."""
    return (text or "").strip().lower() in ("true", "yes", "y", "on", "1", "t")


# HTTP

_SERVER: dict[str, Any] = {
    "url": "server",
    "MTLSRootCA": "caCertificate",
    "MTLSRootCAFile": {"name": "caCertificate", "file": True},
}
_CLIENT_CERTIFICATE: dict[str, Any] = {
    "MTLSClientCert": "certificate",
    "MTLSClientCertFile": {"name": "certificate", "file": True},
    "MTLSClientKey": "privateKey",
    "MTLSClientKeyFile": {"name": "privateKey", "file": True},
}
_CERTIFICATES = ("MTLSClientCert", "MTLSClientCertFile")
_TOKEN = ["securityToken", "securityTokenHeader"]
_HTTP: dict[str, Any] = {
    "operations": dict.fromkeys(
        ("create", "get", "head", "post", "put", "patch", "delete", "options"), "request"
    ),
    "connections": [
        *(
            {
                "when": [certificate, *_TOKEN],
                "type": "http/mutualTls",
                "values": {
                    **_SERVER,
                    **_CLIENT_CERTIFICATE,
                    "securityToken": "headerValue",
                    "securityTokenHeader": "headerName",
                },
            }
            for certificate in _CERTIFICATES
        ),
        *(
            {
                "when": [certificate],
                "type": "http/mutualTls",
                "values": {**_SERVER, **_CLIENT_CERTIFICATE},
            }
            for certificate in _CERTIFICATES
        ),
        {
            "when": _TOKEN,
            "type": "http/apiKey",
            "values": {**_SERVER, "securityToken": "apiKey", "securityTokenHeader": "keyName"},
        },
        {"type": "http/anonymous", "values": _SERVER},
    ],
    "refused": {
        "MTLSRenegotiation": "TLS 1.3 has no renegotiation, and jackfield does not start it in TLS 1.2"
    },
    "required": ["url"],
    "used": ["errorIfNot2XX", "maxResponseBodySize", "responseTimeout"],
}
_PEM = re.compile(r"\s*-----BEGIN ")
_HEADER_WITH_SCHEME = re.compile(r"([A-Za-z0-9-]+):\s*([A-Za-z]+)")


def _http(fields: Fields) -> Fields:
    """Return the fields of a server: paths of files apart from PEM texts, and a token's header
    together with its scheme (``Authorization: Bearer``).
    """
    found = dict(fields)
    for name in ("MTLSRootCA", "MTLSClientCert", "MTLSClientKey"):
        if found.get(name) and not _PEM.match(found[name]):
            found[f"{name}File"] = found.pop(name)
    if bool(found.get("securityToken")) != bool(found.get("securityTokenHeader")):
        raise ForeignError(
            "'securityToken' and 'securityTokenHeader' need each other: without the other one, "
            "no token would be sent"
        )
    scheme = _HEADER_WITH_SCHEME.fullmatch(found.get("securityTokenHeader", "").strip())
    if scheme is not None:
        found |= {
            "securityTokenHeader": scheme[1],
            "securityToken": f"{scheme[2]} {found['securityToken']}",
        }
    return found


# SMTP

_SMTP: dict[str, Any] = {
    "operations": {"create": "sendEmail"},
    "connections": [
        {
            "type": "aws-ses/smtp",
            "values": {
                "host": "hostname",
                "port": "port",
                "user": "username",
                "password": "password",
                "emailFrom": "sender",
                "security": "security",
                "tlsServerName": "tlsServerName",
                "skipTLSVerify": None,
            },
        },
    ],
    "required": ["host", "port", "user", "password"],
    "refused": {
        "skipTLSVerify": (
            "a certificate is always verified: let SSL_CERT_FILE name the server's "
            "certificate or its authority"
        )
    },
    "inputs": {
        "emailFrom": "sender",
        "emailTo": "to",
        "emailCC": "cc",
        "emailBCC": "bcc",
        "subject": "subject",
    },
    "lists": ["emailTo", "emailCC", "emailBCC"],
    "separator": ";",
    "needed": ["emailFrom", "emailTo", "subject"],
    "used": ["priority"],
    "data": "html",
    "members": ["text", "html", "attachments", "calendar", "replyTo", "headers"],
    "result": {"messageId": "MessageId"},
    "messages": {
        "missing": (
            "smtp binding error: host, port, user and password fields are required in "
            "metadata; missing: {fields}"
        ),
        "absent": (
            "smtp binding error: {field} property not supplied in configuration- or "
            "request-metadata"
        ),
        "data": "smtp binding error: the data cannot be read: {reason}",
        "failed": "error from smtp binding, sending email failed: {reason}",
    },
}

_S3_ALIAS = _aws(
    {
        "create": "putObject",
        "get": "getObject",
        "delete": "deleteObject",
        "list": "listObjects",
        "presign": "presignGet",
    },
    "bucket",
    {"forcePathStyle": "s3Addressing", "disableSSL": None},
    refused={"insecureSSL": _NO_TLS_CHECK},
    used=["bucket", "decodeBase64", "encodeBase64", "storageClass", "presignTTL", "filePath"],
)

BINDINGS: Mapping[str, BindingType] = {
    "bindings.http": BindingType("http", "jackfield-http", _HTTP, _http),
    "bindings.smtp": BindingType("aws-ses", "jackfield-aws-ses", _SMTP),
    "bindings.aws.s3": BindingType("aws.s3", "jackfield-aws", _S3_ALIAS, _s3),
    "bindings.aws.sqs": BindingType(
        "aws.sqs", "jackfield-aws", _aws({"create": "sendMessage"}, "queueName"), _with_scheme
    ),
    "bindings.aws.sns": BindingType(
        "aws.sns", "jackfield-aws", _aws({"create": "publish"}, "topicArn"), _with_scheme
    ),
    "bindings.aws.dynamodb": BindingType(
        "aws.dynamodb", "jackfield-aws", _aws({"create": "putItem"}, "table"), _with_scheme
    ),
}
"""Binding types by the type of a component, as in ``spec.type``."""
