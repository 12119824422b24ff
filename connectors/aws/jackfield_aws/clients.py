"""The open client of an AWS connection: botocore clients by service and region, made once and kept with the connection."""

from __future__ import annotations

from typing import Any, NoReturn

from jackfield.connector import ANYWHERE, Detail, InvalidConnection, Minted, OpenContext
from jackfield_aws.endpoints import service_endpoint
from jackfield_aws.hooks import watch
from jackfield_aws.keys import Keys
from jackfield_aws.sessions import Ambient, ClientSpec, make_client

__all__ = ["AwsClients"]


class AwsClients:
    """What an action gets as its client. Made anew for each try, so it only holds what others keep.

    ``region`` is the action's ``awsRegion``, else the connection's ``region``; ``permissions`` are the IAM actions that the connector
    declares; ``renewable`` says that a new lease may cure an expired credential.
    """

    __slots__ = ("_context", "_endpoint", "_identity", "_lease", "permissions", "region")

    def __init__(
        self,
        context: OpenContext,
        identity: Keys | Ambient,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        lease: tuple[str, Minted] | None = None,
    ) -> None:
        self._context = context
        self._identity = identity
        self._endpoint = endpoint
        self._lease = lease
        self.region: str | None = context.inputs.get("awsRegion") or region
        self.permissions = context.permissions.get("aws:iam", ())

    def client(self, service: str, region: str | None = None, *, validates: bool = True) -> Any:
        """The botocore client of ``service`` (``sesv2``) in ``region``, by default ``self.region``. Thread-safe; never retries by itself.

        ``validates=False`` has botocore not hold parameters against the service's model before it sends them: for a connector whose
        tests prove that what it makes of checked inputs fits.

        :raises InvalidConnection: where no region is known, or the endpoint is no URL or may not be reached.
        """
        region = region or self.region
        endpoint = service_endpoint(service, self._endpoint, self._context.environment)
        guard = ANYWHERE if self._endpoint is None else self._context.guard
        key = (service, region, endpoint, self._version, guard, validates)
        return self._context.cached(key, lambda: _watched(ClientSpec(service, region, endpoint, self._identity, guard, validates)))

    @property
    def renewable(self) -> bool:
        """Whether ``renew`` can do anything: leased credentials can be leased anew, static keys cannot."""
        return self._lease is not None

    def renew(self) -> None:
        """Forget the leased credential, since AWS called it expired: the next ``open`` leases a new one."""
        if self._lease is not None:
            self._context.drop(*self._lease)

    @property
    def _version(self) -> str:
        """Tells the credentials of this connection apart: each session of a role has an access key of its own."""
        return self._identity.access_key_id if isinstance(self._identity, Keys) else ""

    def __repr__(self) -> str:
        return f"AwsClients(region={self.region!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("AWS clients are not pickled: they hold secrets")


def _watched(spec: ClientSpec) -> Any:
    client = make_client(_with_region(spec))
    watch(client, begins=True)
    return client


def _with_region(spec: ClientSpec) -> ClientSpec:
    """An ambient identity may bring its region along (``AWS_DEFAULT_REGION``, the profile's); keys do not."""
    if spec.region is None and isinstance(spec.identity, Keys):
        text = "no AWS region is given"
        raise InvalidConnection(text, details=[Detail("/region", text)], hint="Set 'region' in the connection, or give one with the call.")
    return spec
