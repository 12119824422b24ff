"""The three connection types shared by all AWS connectors: assumed role, access key, and the
machine's own identity.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from jackfield.connector import Account, ConnectionType, Field, OpenContext, Step
from jackfield.kernel.dataclass import replace
from jackfield_aws import connection_fields as fields
from jackfield_aws import guides
from jackfield_aws.arns import ROLE_ARN_EXPECTED, ROLE_ARN_PATTERN, parse_role_arn
from jackfield_aws.clients import AwsClients
from jackfield_aws.endpoints import S3Settings
from jackfield_aws.keys import Keys, check_keys
from jackfield_aws.policies import (
    Statement,
    assume_policy,
    doubts,
    identity_documents,
    sender_address,
)
from jackfield_aws.sessions import Ambient, find_identity

if TYPE_CHECKING:
    from jackfield_aws.leases import Assumption

_ROLE_ARN = {"minLength": 20, "maxLength": 2048, "pattern": ROLE_ARN_PATTERN}
_EXTERNAL_ID = {"minLength": 2, "maxLength": 1224, "pattern": "^[A-Za-z0-9_+=,.@:/-]+$"}
_EXTERNAL_ID_DOCS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html#id_roles_third-party_external-id"
_NO_ACCOUNT = ":iam::000000000000:"
_POLICY = {"anyOf": [{"type": "boolean"}, {"type": "object"}]}
"""Schema of a policy, without 'additionalProperties': true, from which react-jsonschema-form would
make a choice without members.
"""


class AwsAssumeRole(ConnectionType, json_schema_extra=fields.KEY_PAIR_TOGETHER):
    """Connect to AWS using an assumed role."""

    key: ClassVar[str] = "awsAssumeRole"
    title: ClassVar[str] = "AWS Role ARN"
    auth: ClassVar[str] = "aws"
    family: ClassVar[str | None] = "aws"
    setup: ClassVar[str] = guides.ROLE_GUIDE
    reports_begin: ClassVar[bool] = True
    permission_system: ClassVar[str | None] = "aws:iam"
    foreseen: ClassVar[Mapping[str, str]] = {"roleARN": f"arn:aws{_NO_ACCOUNT}role/{{name:.64}}"}
    """Placeholder of a role named after the connection, with at most 64 characters (IAM API
    reference, CreateRole) and an unknown account.
    """

    role_arn: str = Field(
        alias="roleARN",
        title="Role ARN",
        description="An AWS IAM Role ARN",
        examples=["arn:aws:iam::123456789012:role/acme-ses"],
        trim=True,
        expects=ROLE_ARN_EXPECTED,
        schema=_ROLE_ARN,
    )
    access_key_id: str | None = fields.access_key_id(
        None,
        "An AWS IAM Access Key ID. Omit both keys to assume the role with the server's own AWS "
        "identity.",
        audience="platform",
    )
    secret_access_key: str | None = fields.secret_access_key(None, audience="platform")
    external_id: str | None = Field(
        None,
        title="External ID",
        description="Provides enhanced security measures to the connection. Optional, but "
        "recommended. Please check "
        f"[AWS docs]({_EXTERNAL_ID_DOCS}) for more information.",
        sensitive=True,
        trim=True,
        blank="absent",
        expects="2 to 1224 letters, digits and _+=,.@:/-",
        generated="externalId",
        schema=_EXTERNAL_ID,
    )
    session_token: str | None = fields.session_token()
    region: str | None = fields.region()
    duration_seconds: int | None = Field(
        None,
        title="Session Duration",
        description=(
            "Lifetime of the role's session in seconds, 900 to 43200 but at most the role's "
            "own maximum. The default is one hour."
        ),
        examples=[3600],
        audience="operator",
        schema={"minimum": 900, "maximum": 43200},
    )
    session_policy: bool | dict[str, Any] = Field(
        default=False,
        title="Session Policy",
        description=(
            "Restricts the role's session. true allows only what the connector's actions need, or "
            "for a trigger only what that one needs; "
            "an IAM policy document sets the limit itself."
        ),
        audience="operator",
        schema=_POLICY,
    )
    endpoint: str | None = fields.endpoint()
    sts_endpoint: str | None = fields.url(
        "STS Endpoint",
        "URL of a private or test endpoint of STS. The default is AWS's own endpoint for the "
        "region.",
        "https://sts.eu-west-1.amazonaws.com",
    )
    sender: str | None = fields.sender()
    tenant: str | None = fields.tenant()
    warmup: dict[str, Any] | None = fields.warmup()
    s3_addressing: str | None = fields.s3_addressing()
    s3_checksums: str | None = fields.s3_checksums()

    @property
    def reads_host(self) -> bool:
        """True if opening the connection uses the host's ambient AWS credentials.

        An operator must allow this (docs/reference/invocation.md).
        """
        return self.access_key_id is None

    @property
    def opens_with(self) -> Hashable:
        """Key of the shared opening step: the machine's identity and AWS's STS in a region; None
        with keys or an STS endpoint.
        """
        return (
            Ambient(region=self.region)
            if self.access_key_id is None and self.sts_endpoint is None
            else None
        )

    @property
    def reads_host_at(self) -> str:
        """Pointer to the access key, which replaces the host's ambient credentials."""
        return "/accessKeyId"

    def assumption(self, context: OpenContext) -> Assumption:
        """Return the role and the parameters of its assumption.

        :raises InvalidConnection: if the Role ARN is invalid, or in another partition than the
            region, or a key is of another kind.
        """
        check_keys(self.access_key_id, self.secret_access_key, self.session_token)
        from jackfield_aws.leases import Assumption

        role = parse_role_arn(self.role_arn)
        role.check_region(self.region)
        role.check_region(context.inputs.get("awsRegion"))
        return Assumption(
            role=role,
            caller=_keys(self.access_key_id, self.secret_access_key, self.session_token)
            or Ambient(path="/accessKeyId"),
            region=self.region,
            endpoint=self.sts_endpoint,
            external_id=self.external_id,
            duration=self.duration_seconds,
            policy=self.session_policy,
            tenant=self.tenant,
        )

    def open(self, context: OpenContext) -> AwsClients:
        """Open clients with the role's session, which is assumed once and reused while it is valid.

        :raises JackfieldError: if the values do not fit together, or STS refuses; nothing was sent
            to the service.
        """
        from jackfield_aws.leases import lease_role

        # Each attempt opens anew, and most only look up a lease, so values derived from the
        # connection alone are cached.
        assumption = context.cached(
            ("role", context.inputs.get("awsRegion")), lambda: self.assumption(context)
        )
        lease = lease_role(context, assumption)
        clients = AwsClients(
            context,
            Keys(**lease[1].value),
            region=self.region,
            endpoint=self.endpoint,
            lease=lease,
            account=assumption.role.account,
            lacks_external_id=self.external_id is None,
            mail=fields.MailLimits(self.warmup, self.tenant),
        )
        if self.s3_addressing or self.s3_checksums:
            clients.s3 = S3Settings(self.s3_addressing, self.s3_checksums)
        clients.sts_endpoint = self.sts_endpoint
        return clients

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Test the keys, the assumption of the role, and its assumption without the External ID.
        Nothing is sent.
        """
        from jackfield_aws import connection_test

        return connection_test.try_role(context, self.assumption(context))

    def policies(
        self,
        permissions: Sequence[str],
        principal_arn: str | None = None,
        *,
        sender: str | None = None,
        testing: Sequence[str] = (),
        statements: Sequence[Statement] = (),
    ) -> Mapping[str, Any]:
        """Return the policies for the role's account: of the role, of its trust and of the user who
        assumes it. Also return the role itself as a CloudFormation template and a Terraform module.

        :raises InvalidConnection: if the Role ARN is invalid.
        :raises InvalidInput: if ``principal_arn`` names no account, user or role, or ``sender`` is
            not an address.
        """
        from jackfield_aws.role_documents import (
            WantedRole,
            cloudformation_template,
            terraform_module,
        )

        role = self.role_arn
        # foreseen: in the principal's partition
        if _NO_ACCOUNT in role and principal_arn is not None and principal_arn.startswith("arn:"):
            role = f"arn:{principal_arn.split(':')[1]}{role.removeprefix('arn:aws')}"
        wanted = WantedRole.of(
            role, permissions, principal_arn, self.external_id, self.duration_seconds
        )
        sender = sender or sender_address(self.sender)
        wanted = replace(
            wanted,
            sender=sender,
            testing=tuple(testing),
            tenant=self.tenant,
            statements=tuple(statements),
        )
        return {
            "identityPolicy": wanted.identity_policy,
            "trustPolicy": wanted.trust_policy(),
            "assumePolicy": assume_policy(self.role_arn),
            "cloudFormation": cloudformation_template(wanted),
            "terraform": terraform_module(wanted),
            **doubts(permissions, statements),
        }


class ApiKeySecret(ConnectionType, json_schema_extra=fields.AT_AWS):
    """Authenticates requests to AWS using an API Key and API Secret. The key's user needs the
    permissions of the connector's actions; for Amazon SES, read about its [IAM
    policies](https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html).
    """

    key: ClassVar[str] = "apiKeySecret"
    title: ClassVar[str] = "AWS Access Key and Secret"
    auth: ClassVar[str] = "aws"
    family: ClassVar[str | None] = "aws"
    setup: ClassVar[str] = guides.ACCESS_KEY_GUIDE
    reports_begin: ClassVar[bool] = True
    permission_system: ClassVar[str | None] = "aws:iam"
    foreseen: ClassVar[Mapping[str, str]] = {
        "accessKeyId": "AKIA0000000000000000",
        "secretAccessKey": "0" * 40,
    }
    """Placeholder keys for a policy made before the user has keys."""

    access_key_id: str = fields.access_key_id()
    secret_access_key: str = fields.secret_access_key()
    session_token: str | None = fields.session_token()
    region: str | None = fields.region_of_server()
    endpoint: str | None = fields.endpoint()
    sender: str | None = fields.sender()
    tenant: str | None = fields.tenant()
    warmup: dict[str, Any] | None = fields.warmup()
    s3_addressing: str | None = fields.s3_addressing()
    s3_checksums: str | None = fields.s3_checksums()

    @property
    def reads_host(self) -> bool:
        """Always False: the values contain all that is needed."""
        return False

    def _identity(self) -> Keys:
        return Keys(self.access_key_id, self.secret_access_key, self.session_token)

    def open(self, context: OpenContext) -> AwsClients:
        """Open clients with these keys.

        :raises InvalidConnection: if a key is of another kind, or in the wrong field.
        """
        check_keys(self.access_key_id, self.secret_access_key, self.session_token)
        limits = fields.MailLimits(self.warmup, self.tenant)
        clients = AwsClients(
            context, self._identity(), region=self.region, endpoint=self.endpoint, mail=limits
        )
        if self.s3_addressing or self.s3_checksums:
            clients.s3 = S3Settings(self.s3_addressing, self.s3_checksums)
        return clients

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Test whether AWS accepts the keys, and report their owner. Nothing is sent."""
        from jackfield_aws import connection_test

        check_keys(self.access_key_id, self.secret_access_key, self.session_token)
        return connection_test.try_identity(
            context, self._identity(), region=self.region, endpoint=self.endpoint
        )

    def policies(
        self,
        permissions: Sequence[str],
        principal_arn: str | None = None,  # noqa: ARG002 (nobody is trusted here)
        *,
        sender: str | None = None,
        testing: Sequence[str] = (),
        statements: Sequence[Statement] = (),
    ) -> Mapping[str, Any]:
        """Return the IAM policy that the user of this key needs."""
        sender = sender or sender_address(self.sender)
        return identity_documents(
            permissions, sender, testing, tenant=self.tenant, statements=statements
        )


class AwsDefault(ConnectionType, json_schema_extra=fields.AT_AWS):
    """Connect to AWS with the server's own identity."""

    key: ClassVar[str] = "awsDefault"
    title: ClassVar[str] = "AWS Default Credentials"
    auth: ClassVar[str] = "aws"
    family: ClassVar[str | None] = "aws"
    setup: ClassVar[str] = guides.AMBIENT_GUIDE
    reports_begin: ClassVar[bool] = True
    permission_system: ClassVar[str | None] = "aws:iam"

    profile: str | None = Field(
        None,
        title="Profile",
        description=(
            "A profile in the server's AWS configuration. The default is AWS_PROFILE, or the "
            "first identity found."
        ),
        audience="operator",
        trim=True,
        blank="absent",
        schema={"minLength": 1},
    )
    disable_imds: bool = Field(
        default=False,
        title="Skip the Instance Metadata Service",
        description=(
            "Do not look for an EC2 instance role. Avoids the wait for the metadata service "
            "on machines outside EC2."
        ),
        audience="operator",
    )
    prefer_role: bool = Field(
        default=False,
        title="Prefer the Machine's Role",
        description=(
            "Use the role of the container or EC2 instance even if the environment has an "
            "access key. A profile takes precedence."
        ),
        audience="operator",
    )
    session_token: str | None = fields.session_token(
        "Not used here: the server's identity has its own session token.", hidden=True
    )
    region: str | None = fields.region_of_server()
    endpoint: str | None = fields.endpoint()
    sender: str | None = fields.sender()
    tenant: str | None = fields.tenant()
    warmup: dict[str, Any] | None = fields.warmup()
    s3_addressing: str | None = fields.s3_addressing()
    s3_checksums: str | None = fields.s3_checksums()

    @property
    def reads_host(self) -> bool:
        """Always True: an operator must allow it (docs/reference/invocation.md)."""
        return True

    @staticmethod
    def host_defaults(  # type: ignore[override]
        values: Mapping[str, Any], environment: Mapping[str, str]
    ) -> Mapping[str, Any]:
        """Return the machine's region, from ``AWS_REGION``, ``AWS_DEFAULT_REGION`` or the
        profile.
        """
        from jackfield_aws.machine.region import machine_region

        profile = values.get("profile")
        region = machine_region(profile if isinstance(profile, str) else None, environment)
        return {"region": region} if region is not None else {}

    _machines: tuple[Any, ...] = ()  # of MachineIdentity, which subclasses would import
    """Identities of this connection, one for each region in which it was opened."""

    @property
    def asks_elsewhere(self) -> bool:  # type: ignore[override]  # of this connection, where others have one answer for all
        """True unless current credentials of the machine are held, so that no fetch is needed."""
        return not self._machines or not all(machine.is_ready for machine in self._machines)

    @property
    def opens_with(self) -> Hashable:
        """Key of the shared opening step: the machine's identity, which all connections over it
        share.
        """
        return replace(self._identity(), region=self.region)

    @property
    def reads_host_at(self) -> str:
        """Pointer to the profile; empty if none is set."""
        return "/profile" if self.profile else ""

    def _identity(self) -> Ambient:
        return Ambient(
            self.profile,
            self.disable_imds,
            self.prefer_role,
            path="/profile" if self.profile else "",
        )

    def open(self, context: OpenContext) -> AwsClients:
        """Open clients with the machine's identity. Credentials are fetched or renewed here, never
        by a client.

        :raises JackfieldError: if the machine has no identity, or it cannot be fetched; nothing was
            sent to the service.
        """
        identity = replace(self._identity(), region=self.region or context.inputs.get("awsRegion"))
        machine = context.cached(("machine", identity), lambda: find_identity(identity))
        found = machine.found(context.call.deadline)
        if machine not in self._machines:
            self._machines = (*self._machines, machine)
        lease = None if found.expires_at is None else (machine, found)
        limits = fields.MailLimits(self.warmup, self.tenant)
        clients = AwsClients(
            context, identity, region=self.region, endpoint=self.endpoint, lease=lease, mail=limits
        )
        if self.s3_addressing or self.s3_checksums:
            clients.s3 = S3Settings(self.s3_addressing, self.s3_checksums)
        return clients

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Test whether the machine has an identity that AWS accepts, and report it. Nothing is
        sent.
        """
        from jackfield_aws import connection_test

        return connection_test.try_identity(
            context, self._identity(), region=self.region, endpoint=self.endpoint
        )

    def policies(
        self,
        permissions: Sequence[str],
        principal_arn: str | None = None,  # noqa: ARG002 (nobody is trusted here)
        *,
        sender: str | None = None,
        testing: Sequence[str] = (),
        statements: Sequence[Statement] = (),
    ) -> Mapping[str, Any]:
        """Return the IAM policy that the machine's identity needs."""
        sender = sender or sender_address(self.sender)
        return identity_documents(
            permissions, sender, testing, tenant=self.tenant, statements=statements
        )


def _keys(key_id: str | None, secret: str | None, token: str | None) -> Keys | None:
    return Keys(key_id, secret, token) if key_id and secret else None
