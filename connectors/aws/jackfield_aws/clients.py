"""Open client of an AWS connection. Its botocore clients, by service and region, are created once
and cached with the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from jackfield.connector import (
    ANYWHERE,
    Detail,
    Guard,
    InvalidConnection,
    InvalidInput,
    Minted,
    OpenContext,
    Warmup,
)
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.guard import OnlyHosts
from jackfield_aws.accounts import account_of_key
from jackfield_aws.connection_fields import NO_LIMITS, MailLimits, warmup_of
from jackfield_aws.direct.client import open_client
from jackfield_aws.endpoints import (
    USUAL_S3,
    S3Settings,
    names_endpoint,
    names_loopback,
    serves_all,
    service_endpoint,
    sts_endpoint,
)
from jackfield_aws.keys import Keys
from jackfield_aws.regions import REGION_EXPECTED, partition_of
from jackfield_aws.sessions import Ambient, ClientSpec, find_keys

if TYPE_CHECKING:
    import boto3

    from jackfield_aws.machine.identity import MachineIdentity
    from jackfield_aws.machine.sources import Found

    Lease = tuple[str, Minted] | tuple[MachineIdentity, Found]
    """Credentials that expire, and where they are held."""


class AwsClients(SecretHolder):
    """Client passed to an action. Each attempt creates one, so it only references cached objects.

    ``region`` is the action's ``awsRegion``, else the connection's ``region``; ``renewable`` means
    that a new lease may replace an expired credential. ``account`` is the number of the account, if
    known; ``lacks_external_id`` means that a role is assumed without an External ID.
    ``sts_endpoint`` is the connection's endpoint for STS, and ``s3`` the addressing of a server
    that speaks S3.
    """

    __slots__ = (
        "_account",
        "_context",
        "_endpoint",
        "_identity",
        "_lease",
        "_mail",
        "_open",
        "_version",
        "lacks_external_id",
        "region",
        "s3",
        "sts_endpoint",
    )

    def __init__(
        self,
        context: OpenContext,
        identity: Keys | Ambient,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        lease: Lease | None = None,
        account: str | None = None,
        lacks_external_id: bool = False,
        mail: MailLimits = NO_LIMITS,
    ) -> None:
        self.sts_endpoint: str | None = None
        self._mail = mail
        self._open: dict[tuple[str, str | None, bool, bool], Any] = {}
        self.s3: S3Settings = USUAL_S3
        self._account = account
        self._context = context
        self._identity = identity
        self._endpoint = endpoint
        self._lease = lease
        self.lacks_external_id = lacks_external_id
        self.region: str | None = context.inputs.get("awsRegion") or region
        self._version = identity.access_key_id if isinstance(identity, Keys) else ""
        """Identifies the credentials of this connection: each session of a role has its own access
        key.
        """

    @property
    def permissions(self) -> tuple[str, ...]:
        """IAM actions that the connector declares."""
        return self._context.permissions.get("aws:iam", ())

    def client(
        self,
        service: str,
        region: str | None = None,
        *,
        validates: bool = True,
        as_json: bool = False,
    ) -> Any:
        """Return the client of ``service`` (``sesv2``) in ``region``, by default ``self.region``.
        It has the methods of botocore's client, is thread-safe, and never retries by itself.

        ``validates=False`` skips botocore's parameter validation against the service's model: for
        connectors whose tests prove that checked inputs always fit. ``as_json=True`` returns times
        and bytes as in JSON (RFC 3339, ``{"data": base64}``).

        :raises InvalidConnection: if no region is known, or the endpoint is not a URL or may not be
            reached.
        """
        asked = (service, region, validates, as_json)
        if (known := self._open.get(asked)) is not None:
            return known
        region = region or self.region
        endpoint = self.endpoint_of(service)
        guard = (
            self._context.guard
            if endpoint is not None and endpoint in (self._endpoint, self.sts_endpoint)
            else ANYWHERE
        )
        key = (service, region, endpoint, self._version, guard, validates, as_json)
        s3 = self.s3 if service == "s3" else USUAL_S3
        found = self._open[asked] = self._context.cached(
            key,
            lambda: _watched(
                ClientSpec(service, region, endpoint, self._identity, guard, validates, as_json, s3)
            ),
        )
        return found

    def boto3_session(self) -> boto3.Session:
        """Return a boto3 Session with the connection's credentials, endpoint and region, for code
        that needs boto3: resources, transfers, waiters, libraries. It belongs to this call: it
        never retries, ends every wait at the deadline, announces each request, and refuses requests
        after the call's end.

        :raises Internal: outside a call.
        """
        from jackfield_aws.boto3_calls import call_session

        return call_session(self)

    @property
    def ends_at(self) -> float | None:
        """Time in seconds since 1970 at which the credentials expire; None if they do not, or it is
        unknown.
        """
        return None if self._lease is None else self._lease[1].expires_at

    @property
    def only_hosts(self) -> OnlyHosts | None:
        """Hosts that the runtime may reach; None if it may reach any."""
        return self._context.call.only_hosts

    @property
    def guard(self) -> Guard:
        """Guard of the client's addresses; it allows any address for AWS's own endpoints."""
        return (
            ANYWHERE
            if self._endpoint is None and self.sts_endpoint is None
            else self._context.guard
        )

    def keys(self) -> Keys:
        """Return the current keys.

        :raises JackfieldError: if they are the machine's own and cannot be read.
        """
        return (
            self._identity
            if isinstance(self._identity, Keys)
            else find_keys(self._identity, self.region)
        )

    def account(self, service: str, region: str | None = None) -> str:
        """Return a name of the account in ``region`` at the endpoint of ``service``, without a
        request.

        The name is mostly equal for two connections to one account. It contains the account of the
        role, the account in the access key, or else the name of the credentials.
        """
        region = region or self.region or ""
        return self._context.cached(
            ("account", service, region, self._version), lambda: self._account_name(service, region)
        )

    def _account_name(self, service: str, region: str) -> str:
        identity = self._identity
        owner = self._account or (
            account_of_key(identity.access_key_id)
            if isinstance(identity, Keys)
            else f"profile {identity.profile}"
        )
        endpoint = service_endpoint(service, self._endpoint, self._context.environment)
        return " ".join((owner, region, endpoint or ""))

    def public_file(self, service: str, url: str, most: int, region: str | None = None) -> bytes:
        """Fetch a public file of AWS without a signature, through the proxy and guard of the client
        of ``service``.

        :raises JackfieldError: if it cannot be fetched, or is larger than ``most`` bytes.
        """
        from jackfield_aws.direct.public_files import read_public_file

        return read_public_file(self.client(service, region), url, most)

    def endpoint_of(self, service: str) -> str | None:
        """Return the endpoint of ``service`` in the connection or the environment; None for AWS's
        own.

        The connection's endpoint serves its own service. Calls of STS go there only if it is an
        emulator, which serves all services.
        """
        own = self._endpoint
        if service == "sts" and (
            self.sts_endpoint is not None or own is None or not serves_all(own)
        ):
            return sts_endpoint(self.sts_endpoint, self._context.environment)
        return service_endpoint(service, own, self._context.environment)

    @property
    def names_endpoint(self) -> bool:
        """True if the connection or the environment names an endpoint in place of AWS's own."""
        return names_endpoint(self._endpoint, self._context.environment)

    @property
    def names_loopback(self) -> bool:
        """True if the connection's endpoint or, without one, every endpoint in the environment is
        on this machine. False without any endpoint.
        """
        return names_loopback(self._endpoint, self._context.environment)

    @property
    def warmup(self) -> Warmup | None:
        """Warm-up plan of the connection; None if it has no plan."""
        return (
            None
            if self._mail.warmup is None
            else warmup_of(self._context.connection, self._mail.warmup)
        )

    @property
    def tenant(self) -> str | None:
        """Tenant of Amazon SES to which the connection is limited; None if it is limited to no
        tenant.
        """
        return self._mail.tenant

    @property
    def renewable(self) -> bool:
        """True if ``renew`` has an effect: leased credentials, and expiring ones of the machine,
        can be renewed; static keys cannot.
        """
        return self._lease is not None

    def renew(self) -> None:
        """Drop the credential that AWS reported as expired: the next ``open`` gets a new one."""
        if self._lease is not None:
            drop_lease(self._context, self._lease)

    def __repr__(self) -> str:
        return f"AwsClients(region={self.region!r})"


def drop_lease(context: OpenContext, lease: Lease) -> None:
    """Drop credentials that AWS has refused as expired: a role's session, or the machine's own."""
    place, used = lease
    if isinstance(place, str):
        context.drop(place, cast("Minted", used))
    else:
        place.drop(cast("Found", used))


def _watched(spec: ClientSpec) -> Any:
    return open_client(_with_region(spec), begins=True)


def _with_region(spec: ClientSpec) -> ClientSpec:
    """Return ``spec`` after checking its region. Keys need one; the machine's identity may have its
    own (``AWS_DEFAULT_REGION``, the profile's).
    """
    if spec.region is None and isinstance(spec.identity, Keys):
        text = "no AWS region is given"
        raise InvalidConnection(
            text,
            details=[Detail("/region", text)],
            hint="Set 'region' in the connection, or 'awsRegion' in the call.",
        )
    check_region(spec.region, spec.endpoint)
    return spec


def check_region(region: str | None, endpoint: str | None) -> None:
    """Check that a region is AWS's, unless an endpoint is given.

    :raises InvalidInput: if it is not.
    """
    if endpoint is None and region is not None and partition_of(region) is None:
        detail = Detail("/awsRegion", f"'{region[:80]}' is not {REGION_EXPECTED}", "pattern")
        hint = (
            "Nothing was sent. A region of another server that speaks S3 needs its "
            "'endpoint' in the connection."
        )
        raise InvalidInput("1 input is not valid", details=[detail], hint=hint)
