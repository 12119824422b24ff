"""Connection type of servers that require requests signed by AWS Signature Version 4: API Gateway,
OpenSearch, Lambda URLs, S3 and others.

jackfield-aws signs: it leases roles and knows the machine's own identity. This library knows only
its entry point.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar

from jackfield.connector import Field, OpenContext
from jackfield_http import connection_fields as fields
from jackfield_http.aws_errors import AWS_HTTP_ERRORS
from jackfield_http.connection_types import HttpConnection
from jackfield_http.errors import HttpErrors
from jackfield_http.sign_in import SignIn
from jackfield_http.signing import SignedRequests, find_signer

KEYS_TOGETHER: dict[str, Any] = {
    "dependentRequired": {
        "accessKeyId": ["secretAccessKey"],
        "secretAccessKey": ["accessKeyId"],
        "sessionToken": ["accessKeyId", "secretAccessKey"],
    }
}
"""JSON Schema: both parts of a key pair or neither, and no session token without the pair."""


class AwsSigV4(HttpConnection, json_schema_extra=KEYS_TOGETHER):
    """AWS identity that signs each request (Signature Version 4): an access key, a role that it
    assumes, or the server's own identity.
    """

    key: ClassVar[str] = "awsSigV4"
    title: ClassVar[str] = "AWS Signature"
    auth: ClassVar[str] = "aws"
    errors: ClassVar[HttpErrors] = AWS_HTTP_ERRORS

    service: str = Field(
        "execute-api",
        title="Service",
        description=(
            "The name of the service in signatures: execute-api (API Gateway), lambda "
            "(function URLs), es (OpenSearch), s3."
        ),
        trim=True,
        expects="a name such as execute-api",
        audience="platform",
        schema={"minLength": 1, "maxLength": 64, "pattern": "^[a-z0-9-]+$"},
    )
    region: str = Field(
        title="AWS Region",
        description="The region of the server, such as us-west-2 or eu-west-1.",
        examples=["eu-west-1"],
        trim=True,
        lowercase=True,
        expects="a region such as eu-west-1",
        audience="platform",
        schema={"minLength": 1, "maxLength": 64, "pattern": "^[a-z0-9-]+$"},
    )
    access_key_id: str | None = fields.aws_key(
        "Access Key ID",
        "An AWS IAM Access Key ID. Omit both keys to sign with the server's own AWS identity.",
        public=True,
    )
    secret_access_key: str | None = fields.aws_key(
        "Secret Access Key", "An AWS IAM Secret Access Key"
    )
    session_token: str | None = fields.aws_key(
        "Session Token",
        "Only for temporary keys: the session token issued with them.",
        audience="platform",
    )
    role_arn: str | None = Field(
        None,
        alias="roleARN",
        title="Role ARN",
        description="A role to assume and to sign with.",
        examples=["arn:aws:iam::123456789012:role/acme-api"],
        trim=True,
        blank="absent",
        expects="the ARN of a role",
        schema={"minLength": 20, "maxLength": 2048},
    )
    external_id: str | None = Field(
        None,
        title="External ID",
        description="The External ID that the role's trust policy demands.",
        sensitive=True,
        trim=True,
        blank="absent",
        expects="2 to 1224 letters, digits and _+=,.@:/-",
        generated="externalId",
        schema={"minLength": 2, "maxLength": 1224, "pattern": "^[A-Za-z0-9_+=,.@:/-]+$"},
    )
    duration_seconds: int | None = Field(
        None,
        title="Session Duration",
        description="Lifetime of the role's session in seconds. The default is one hour.",
        audience="operator",
        schema={"minimum": 900, "maximum": 43200},
    )
    sts_endpoint: str | None = Field(
        None,
        title="STS Endpoint",
        description=(
            "URL of a private or test endpoint of STS. The default is AWS's own endpoint for "
            "the region."
        ),
        trim=True,
        blank="absent",
        expects="an http or https URL",
        destination=True,
        schema={
            "format": "uri",
            "minLength": 1,
            "maxLength": 2000,
            "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://",
        },
    )

    @property
    def reads_host(self) -> bool:
        """True if requests are signed with the host's own AWS identity, which an operator must
        allow.
        """
        return self.access_key_id is None

    @property
    def asks_elsewhere(self) -> bool:  # type: ignore[override]  # of this connection, where others have one answer for all
        """True if opening may wait for the host's identity, which is no lease of this
        connection.
        """
        return self.access_key_id is None and self.role_arn is None

    @property
    def checks_addresses(self) -> bool:
        """False: the library that assumes the role has a client of its own."""
        return False

    @property
    def opens_with(self) -> Hashable:
        """The host's identity in a region: all such connections share it."""
        return (
            (self.key, self.region)
            if self.access_key_id is None and self.sts_endpoint is None
            else None
        )

    @property
    def reads_host_at(self) -> str:
        """JSON Pointer to the access key. If the key is set, the host's identity is not used."""
        return "/accessKeyId"

    def sign_in(self, context: OpenContext) -> SignIn:
        """Return the signer. A role is assumed once, and its session is leased.

        :raises InvalidConnection: if jackfield-aws is not installed.
        """
        values: dict[str, Any] = self.model_dump(
            mode="json", by_alias=True, exclude_none=True, include=_SIGNED_WITH
        )
        return SignedRequests(find_signer(self.key, "jackfield-aws")(context, values))


_SIGNED_WITH = AwsSigV4.model_fields.keys() - HttpConnection.model_fields.keys()
"""Names of the values that the signer needs."""
