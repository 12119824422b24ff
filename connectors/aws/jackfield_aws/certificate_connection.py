"""The connection type of IAM Roles Anywhere: a certificate instead of an access key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from jackfield.connector import (
    Account,
    ConnectionType,
    Field,
    JackfieldError,
    Minted,
    OpenContext,
    Step,
)
from jackfield_aws import connection_fields as fields
from jackfield_aws import guides
from jackfield_aws.arns import ROLE_ARN_EXPECTED, ROLE_ARN_PATTERN, parse_role_arn
from jackfield_aws.clients import AwsClients
from jackfield_aws.keys import Keys
from jackfield_aws.policies import (
    Statement,
    anywhere_trust_policy,
    identity_documents,
    sender_address,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from jackfield_aws.certificates import SigningCertificate
    from jackfield_aws.roles_anywhere import SessionRequest

_ARN = "^arn:aws(-cn|-us-gov|-eusc|-iso(-[bef])?)?:rolesanywhere:[a-z0-9-]+:[0-9]{{12}}:{kind}/[0-9a-f-]{{36}}$"


def _arn(title: str, kind: str, about: str) -> Any:
    example = (
        f"arn:aws:rolesanywhere:eu-west-1:123456789012:{kind}/a1b2c3d4-5678-90ab-cdef-000000000001"
    )
    schema = {"minLength": 20, "maxLength": 1011, "pattern": _ARN.format(kind=kind)}
    return Field(
        title=title,
        description=about,
        examples=[example],
        trim=True,
        expects=f"an ARN such as {example}",
        schema=schema,
    )


class AwsRolesAnywhere(ConnectionType):
    """Connect to AWS with an X.509 certificate and a role, by IAM Roles Anywhere."""

    key: ClassVar[str] = "awsRolesAnywhere"
    title: ClassVar[str] = "AWS IAM Roles Anywhere"
    auth: ClassVar[str] = "aws"
    family: ClassVar[str | None] = "aws"
    setup: ClassVar[str] = guides.ANYWHERE_GUIDE
    reports_begin: ClassVar[bool] = True
    permission_system: ClassVar[str | None] = "aws:iam"

    certificate: str = Field(
        title="Certificate",
        description="The certificate in PEM form; those between it and the trust anchor follow it.",
        multiline=True,
        trim=True,
        schema={"minLength": 1, "maxLength": 65536},
    )
    private_key: str = Field(
        title="Private Key",
        description="The certificate's private key (RSA or EC) in PEM form, without a passphrase.",
        secret=True,
        multiline=True,
        trim=True,
        schema={"minLength": 1, "maxLength": 16384},
    )
    trust_anchor_arn: str = _arn(
        "Trust Anchor ARN",
        "trust-anchor",
        "The trust anchor whose authority issued the certificate.",
    )
    profile_arn: str = _arn("Profile ARN", "profile", "The profile that lists the role.")
    role_arn: str = Field(
        alias="roleARN",
        title="Role ARN",
        description="The role whose session is used.",
        examples=["arn:aws:iam::123456789012:role/acme-ses"],
        trim=True,
        expects=ROLE_ARN_EXPECTED,
        schema={"minLength": 20, "maxLength": 2048, "pattern": ROLE_ARN_PATTERN},
    )
    region: str | None = fields.region(
        "The region for actions that do not set one. The default is the trust anchor's."
    )
    duration_seconds: int | None = Field(
        None,
        title="Session Duration",
        description=(
            "Lifetime of a session in seconds, 900 to 43200 but at most the profile's and "
            "the role's own maximum."
        ),
        examples=[3600],
        audience="operator",
        schema={"minimum": 900, "maximum": 43200},
    )
    endpoint: str | None = fields.endpoint()
    roles_anywhere_endpoint: str | None = fields.url(
        "Roles Anywhere Endpoint",
        "URL of a private or test endpoint of IAM Roles Anywhere. The default is AWS's own "
        "endpoint for the trust anchor's region.",
        "https://rolesanywhere.eu-west-1.amazonaws.com",
    )
    sender: str | None = fields.sender()
    tenant: str | None = fields.tenant()
    warmup: dict[str, Any] | None = fields.warmup()

    @property
    def reads_host(self) -> bool:
        """Always False: the values contain all that is needed."""
        return False

    def request(self, context: OpenContext) -> SessionRequest:
        """Return the request for a session.

        :raises InvalidConnection: if the values cannot be used or do not fit together.
        """
        from jackfield_aws.roles_anywhere import SessionRequest, check_arns

        role = parse_role_arn(self.role_arn)
        check_arns(self.trust_anchor_arn, self.profile_arn, role)
        role.check_region(self.region)
        role.check_region(context.inputs.get("awsRegion"))
        return SessionRequest(
            self._signer(context.clock.time()),
            role,
            self.trust_anchor_arn,
            self.profile_arn,
            self.duration_seconds,
            self.roles_anywhere_endpoint,
        )

    @staticmethod
    def _session(context: OpenContext, request: SessionRequest) -> Minted:
        from jackfield_aws.roles_anywhere import create_session

        return create_session(context, request)

    def _signer(self, now: float) -> SigningCertificate:
        from jackfield_aws.certificates import SigningCertificate

        return SigningCertificate.parse(self.certificate, self.private_key, now)

    def open(self, context: OpenContext) -> AwsClients:
        """Open clients with a session, which is created once and reused while it is valid.

        :raises JackfieldError: if the values cannot be used, or AWS refuses; nothing was sent to
            the service.
        """
        account = parse_role_arn(self.role_arn)
        key = "rolesanywhere"
        lease = key, context.lease(key, lambda: self._session(context, self.request(context)))
        region = self.region or self.trust_anchor_arn.split(":")[3]
        return AwsClients(
            context,
            Keys(**lease[1].value),
            region=region,
            endpoint=self.endpoint,
            lease=lease,
            account=account.account,
            mail=fields.MailLimits(self.warmup, self.tenant),
        )

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Create a session anew, bypassing any lease: a valid lease proves nothing about the
        current trust policy. Nothing is sent.
        """
        title = "IAM Roles Anywhere grants a session of the role"
        try:
            request = self.request(context)
            self._session(context, request)
        except JackfieldError as error:
            yield Step.failed("session", title, error)
            return
        until = f"{request.signer.certificate.not_valid_after_utc:%Y-%m-%d}"
        yield Step(
            "session",
            title,
            passed=True,
            message=f"{request.role.text} was assumed. The certificate expires on {until}.",
        )
        yield Account(id=request.role.account, label=request.role.text)

    def policies(
        self,
        permissions: Sequence[str],
        principal_arn: str | None = None,
        *,
        sender: str | None = None,
        testing: Sequence[str] = (),
        statements: Sequence[Statement] = (),
    ) -> Mapping[str, Any]:
        """Return the role's policies: its permissions, and its trust in the trust anchor and the
        certificate's common name.
        """
        from jackfield_aws.certificates import common_name_of

        del principal_arn  # the service itself is trusted
        sender = sender or sender_address(self.sender)
        return {
            **identity_documents(
                permissions, sender, testing, tenant=self.tenant, statements=statements
            ),
            "trustPolicy": anywhere_trust_policy(
                self.trust_anchor_arn, common_name_of(self.certificate)
            ),
        }
