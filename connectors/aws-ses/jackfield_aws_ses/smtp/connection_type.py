"""The connection type ``smtp``: Amazon SES over SMTP, at its public endpoints or through Private
Link.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jackfield.connector import (
    Account,
    ConnectionType,
    Detail,
    Field,
    InvalidConnection,
    Minted,
    OpenContext,
    Serves,
    Step,
)
from jackfield.kernel.dataclass import replace
from jackfield.kernel.exports import late_hints
from jackfield_aws import (
    account_of_key,
    check_keys,
    check_login,
    connection_fields,
    identity_policy,
    sender_address,
)
from jackfield_aws_ses.smtp.hosts import HOST_EXPECTED, HOST_PATTERN, region_of
from jackfield_aws_ses.smtp.password import smtp_password

if TYPE_CHECKING:
    import ssl

    from jackfield.wire.sessions import SessionPool
    from jackfield_aws_ses.smtp.client import SmtpClient
    from jackfield_aws_ses.smtp.server import Login, Server
    from jackfield_aws_ses.smtp.session import Session

SMTP_GUIDE = """
Send through the SMTP interface of Amazon SES, either over its public endpoints or from a private network over a private endpoint (AWS
PrivateLink, SAP Private Link service). A private endpoint reaches SMTP but not the HTTPS API, so it can only send email, not list
identities.

## 1. The host name

- Public: `email-smtp.<region>.amazonaws.com`, for instance `email-smtp.eu-west-1.amazonaws.com`.
- AWS PrivateLink: create an interface endpoint for the service `com.amazonaws.<region>.email-smtp`, and copy its DNS name,
  `vpce-….email-smtp.<region>.vpce.amazonaws.com`. Its security group must allow the port that you use.
- SAP Private Link service: create a service instance with the parameter `{"serviceName": "com.amazonaws.<region>.email-smtp"}`, bind it
  to the app, and copy `hostname` from the binding's credentials.

Private endpoints have two limits. VPC endpoint policies do not apply to SES, so restrict the IAM user's policy instead. And SES offers
private endpoints in some regions and
[availability zones](https://docs.aws.amazon.com/ses/latest/dg/send-email-set-up-vpc-endpoints.html) only: a zonal name
(`vpce-…-eu-central-1a.email-smtp…`) exists only if the endpoint is in that zone, so prefer the regional name.

Copy the host name into *Host Name*. The server's certificate is always verified against this name. If your endpoint presents the
certificate of the public endpoint, set *TLS Server Name* to the public name, such as `email-smtp.<region>.amazonaws.com`.

## 2. The port

| port | TLS starts |
| --- | --- |
| 2587 (the default), 587, 25 | with STARTTLS, which is required |
| 2465, 465 | from the first byte |
| other ports, for other servers and test servers | with STARTTLS, or from the first byte if *Security* is `tls` |

Nothing is ever sent in clear text. AWS throttles port 25 and blocks it on most EC2 instances.

## 3. The credentials

Either SMTP credentials of SES:

1. In the SES console of the endpoint's region, open **SMTP settings** and select **Create SMTP credentials**.
2. Copy the **SMTP user name** and the **SMTP password** into *User Name* and *Password*. The password is valid only in that region.

Or the access key of an IAM user:

1. In the IAM console, attach an inline policy to the user that allows only `ses:SendRawEmail`:

```json
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ses:SendRawEmail", "Resource": "*"}]}
```

2. Copy its **Access key** and **Secret access key** into *Access Key ID* and *Secret Access Key*. The SMTP password is derived from them
   for the region in the host name; if the host name contains no region, set *AWS Region*.

[Temporary credentials](https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html) (a role, a session token) cannot sign in to SMTP.

The connection test connects, verifies the certificate and signs in. It sends no email.
"""

TEMPORARY = (
    "Amazon SES does not accept temporary credentials over SMTP: give the access key of an "
    "IAM user, or its SMTP credentials"
)
"""Reason why roles and session tokens cannot authenticate (AWS, "Obtaining Amazon SES SMTP
credentials").
"""

_HOST = {"minLength": 1, "maxLength": 253, "pattern": HOST_PATTERN}
_SMTP_PERMISSION = "ses:SendRawEmail"
_TEXT = {"minLength": 1}
_LOG = logging.getLogger("jackfield.aws_ses")
_TLS_PORTS = frozenset({465, 2465})
_PAIRS: dict[str, Any] = {
    "oneOf": [
        {"required": ["username", "password"]},
        {"required": ["accessKeyId", "secretAccessKey"]},
    ],
    "dependentRequired": {
        "username": ["password"],
        "password": ["username"],
        "accessKeyId": ["secretAccessKey"],
        "secretAccessKey": ["accessKeyId"],
    },
    # Not a value of this type: it is defined only so that its refusal can state the reason.
    "patternProperties": {
        "^sessionToken$": {
            "type": "string",
            "pattern": "^$",
            "writeOnly": True,
            "format": "password",
            "x-jackfield": {
                "trim": True,
                "blank": "absent",
                "expects": f"of use here. {TEMPORARY}",
            },
        }
    },
}


class Smtp(ConnectionType, json_schema_extra=_PAIRS):
    """Send through the SMTP interface of Amazon SES, at its public endpoints or over a private
    link.
    """

    key: ClassVar[str] = "smtp"
    title: ClassVar[str] = "SMTP and Private Link"
    auth: ClassVar[str] = "basic"
    setup: ClassVar[str] = SMTP_GUIDE
    reports_begin: ClassVar[bool] = True
    permission_system: ClassVar[str | None] = "aws:iam"
    serves: ClassVar[Serves | None] = Serves(
        ("sendEmail", "doctor"),
        "an SMTP connection can only send email; it has no access to the HTTPS API of Amazon SES",
    )
    waives: ClassVar[tuple[str, ...]] = ("awsRegion",)

    hostname: str = Field(
        title="Host Name",
        description="The SMTP endpoint of a region, or the host name of a private endpoint.",
        examples=[
            "email-smtp.eu-west-1.amazonaws.com",
            "vpce-0a1b2c3d4e5f67890-abcd1234.email-smtp.eu-central-1.vpce.amazonaws.com",
        ],
        trim=True,
        lowercase=True,
        expects=HOST_EXPECTED,
        destination=True,
        audience="user",
        schema=_HOST,
    )
    port: int = Field(
        2587,
        title="Port",
        description=(
            "Amazon SES listens on 25, 587 and 2587, which start TLS with STARTTLS, and on 465 "
            "and 2465, which use TLS from the first "
            "byte. Other ports, of other servers, start TLS with STARTTLS unless *Security* is "
            "tls. AWS throttles port 25."
        ),
        blank="absent",
        destination=True,
        audience="user",
        schema={"minimum": 1, "maximum": 65535},
    )
    username: str | None = Field(
        None,
        title="User Name",
        description="The user name of the SES SMTP credentials. Not needed with an access key.",
        trim=True,
        blank="absent",
        mask="last4",
        schema=_TEXT,
    )
    password: str | None = Field(
        None,
        title="Password",
        description="The password of the SES SMTP credentials. This is not a secret access key.",
        secret=True,
        trim=True,
        blank="absent",
        schema=_TEXT,
    )
    access_key_id: str | None = connection_fields.access_key_id(
        None,
        "The access key ID of an IAM user with the permission ses:SendRawEmail, as an "
        "alternative to SMTP credentials.",
        audience="platform",
    )
    secret_access_key: str | None = connection_fields.secret_access_key(None, audience="platform")
    aws_region: str | None = connection_fields.region(
        "The endpoint's region, for deriving the password from the secret access key. The "
        "default is the region in the host name.",
        "eu-central-1",
        audience="platform",
    )
    tls_server_name: str | None = Field(
        None,
        title="TLS Server Name",
        description="The name in the server's certificate, if it differs from the host name.",
        audience="operator",
        examples=["email-smtp.eu-central-1.amazonaws.com"],
        trim=True,
        lowercase=True,
        blank="absent",
        expects=HOST_EXPECTED,
        destination=True,
        schema=_HOST,
    )
    helo_name: str | None = Field(
        None,
        title="HELO Name",
        description=(
            "The name by which this client introduces itself (EHLO), for a relay that refuses "
            "the usual one, which is an address."
        ),
        audience="operator",
        examples=["app.example.com"],
        trim=True,
        lowercase=True,
        blank="absent",
        schema=_HOST,
    )
    security: Literal["starttls", "tls"] | None = Field(
        None,
        title="Security",
        description=(
            "How TLS starts: 'starttls' or 'tls' (from the first byte). The default depends "
            "on the port. TLS cannot be turned off."
        ),
        blank="absent",
    )
    sender: str | None = connection_fields.sender()
    tenant: str | None = connection_fields.tenant()
    warmup: dict[str, Any] | None = connection_fields.warmup()

    @property
    def server(self) -> Server:
        """Address of the server."""
        from jackfield_aws_ses.smtp.server import Server

        return Server(
            hostname=self.hostname,
            port=self.port,
            tls=self.security == "tls" if self.security else self.port in _TLS_PORTS,
            name=self.tls_server_name or self.hostname,
            region=self.aws_region or region_of(self.hostname),
            helo_name=self.helo_name,
        )

    def open(self, context: OpenContext) -> SmtpClient:
        """Open a client with the connection's pool; no connection is opened yet.

        :raises InvalidConnection: if the credentials are temporary, or no password can be derived.
        """
        from jackfield_aws_ses.smtp.client import SmtpClient

        self._note_region(context.inputs.get("awsRegion"), context)
        pool: SessionPool[Session] = context.cached("smtp-pool", lambda: self._pool(context))
        account, plan = (
            context.cached("smtp-account", self._account),
            connection_fields.warmup_of(context.connection, self.warmup),
        )
        return SmtpClient(pool, context.call, self.server, account, plan)

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Connect, verify the certificate, authenticate and quit. Nothing is sent."""
        from jackfield_aws_ses.smtp.connection_test import try_server

        return try_server(
            self._guarded(context), self._trust(context), self.login(context), context.call.deadline
        )

    def login(self, context: OpenContext) -> Login:
        """Return the login: the given password, or one derived from the secret access key, which is
        masked as a secret.

        :raises InvalidConnection: if the credentials are temporary or of another kind, or the
            required region is unknown.
        """
        from jackfield_aws_ses.smtp.server import Login

        username = self.username or self.access_key_id or ""
        # AWS's prefix for temporary keys (IAM, "Unique identifiers")
        if username.startswith("ASIA"):
            raise _temporary("/username" if self.username else "/accessKeyId")
        check_login(self.username, self.password)
        check_keys(self.access_key_id, self.secret_access_key)
        if self.secret_access_key is None:
            return Login(username, self.password or "")
        secret, region = self.secret_access_key, self.server.region
        if region is None:
            raise self._no_region()
        derived = context.lease("smtp-password", lambda: _derived(secret, region))
        return Login(username, derived.value, derived=True)

    def needed_permissions(self, permissions: Collection[str]) -> Collection[str]:
        """Return the permissions that SMTP needs: ses:SendRawEmail alone."""
        return {_SMTP_PERMISSION} & set(permissions)

    def policies(
        self,
        permissions: Sequence[str],
        principal_arn: str | None = None,  # noqa: ARG002 (as all types)
        *,
        sender: str | None = None,
        testing: Sequence[str] = (),
    ) -> Mapping[str, Any]:
        """Return the IAM policy that the user of these credentials needs."""
        return {
            "identityPolicy": identity_policy(
                permissions, sender or sender_address(self.sender), testing, tenant=self.tenant
            )
        }

    def _account(self) -> str:
        """Return the account in the endpoint's region, in the form of ``AwsClients.account``. The
        user name of SMTP credentials is a key ID.
        """
        own = region_of(self.hostname)
        return " ".join(
            (
                account_of_key(self.username or self.access_key_id or ""),
                own or "",
                "" if own else self.hostname,
            )
        )

    def _pool(self, context: OpenContext) -> SessionPool[Session]:
        from jackfield.wire.sessions import SessionPool
        from jackfield_aws_ses.smtp.client import connect
        from jackfield_aws_ses.smtp.server import THROTTLED, THROTTLED_PORT

        if self.port == THROTTLED_PORT:  # here, since the pool is created once per connection
            _LOG.warning("%s:%s: %s Use port 587 or 2587.", self.hostname, self.port, THROTTLED)
        return SessionPool(
            partial(connect, self._guarded(context), self._trust(context), self.login(context)),
            context.clock,
        )

    def _guarded(self, context: OpenContext) -> Server:
        return replace(self.server, guard=context.guard)

    def _trust(self, context: OpenContext) -> ssl.SSLContext:
        from jackfield_aws_ses.smtp.server import trust

        found: ssl.SSLContext = context.cached("smtp-trust", lambda: trust(context.environment))
        return found

    def _note_region(self, asked: object, context: OpenContext) -> None:
        """Warn once per region if a caller requests another region than the endpoint's, which
        decides.
        """
        known = region_of(self.hostname) or self.aws_region
        if isinstance(asked, str) and asked and known is not None and asked != known:

            def warn() -> bool:
                _LOG.warning(text, context.connection, known, asked)
                return True

            text = (
                "the connection '%s' sends through the SMTP endpoint of %s, not in %s as "
                "requested by 'awsRegion': omit 'awsRegion'"
            )
            context.cached(("smtp-region", asked), warn)

    def _no_region(self) -> InvalidConnection:
        text = (
            "is missing: the password is derived from the secret access key for one region, "
            "and the host name does not name it"
        )
        return InvalidConnection(
            "the AWS region for deriving the SMTP password is unknown",
            details=[Detail("/awsRegion", text, "required")],
            hint="Set 'awsRegion' to the endpoint's region, or give 'username' and 'password'.",
        )


def _derived(secret: str, region: str) -> Minted:
    password = smtp_password(secret, region)
    return Minted(password, secrets=(password,))


def _temporary(path: str) -> InvalidConnection:
    return InvalidConnection(
        "temporary credentials cannot sign in to SMTP",
        details=[Detail(path, "is the id of a temporary key (ASIA…)")],
        hint=f"{TEMPORARY}.",
    )


late_hints(__name__)
