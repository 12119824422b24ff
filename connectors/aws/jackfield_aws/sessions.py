"""botocore Sessions and the clients made from them."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from jackfield.connector import ANYWHERE, Detail, Guard, InvalidConnection
from jackfield.fork import at_fork
from jackfield_aws.keys import Keys
from jackfield_aws.limits import current_deadline
from jackfield_aws.transport import explain_transport
from jackfield_aws.version import VERSION

__all__ = ["CONNECT_TIMEOUT", "READ_TIMEOUT", "Ambient", "ClientSpec", "find_identity", "hush", "make_client", "shared_session"]


class _Hush(logging.Filter):
    """Refuses what is below WARNING while a call of jackfield's runs in this thread; other users of botocore keep their log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or current_deadline() is None


_HUSH = _Hush()


def hush() -> None:
    """Put the filter on all of botocore's loggers that there are; a logger's filters do not see the records of those below it."""
    for name in [name for name in logging.Logger.manager.loggerDict if name.partition(".")[0] == "botocore"]:
        logging.getLogger(name).addFilter(_HUSH)


CONNECT_TIMEOUT = 3.0
"""Seconds to wait for a connection: a host that is up answers within one, so three leave time for another try."""
READ_TIMEOUT = 900.0
"""Seconds to wait for bytes: the longest deadline there is. The deadline of each call is kept by ``bounded``."""
_POOL = 50
"""Connections a client keeps; threads beyond that open their own, so this is no limit."""


@dataclass(frozen=True, slots=True)
class Ambient:
    """The identity that this machine or process has of its own: botocore's chain, or one profile of the AWS configuration.

    ``path`` points at the connection's value to set where there is none.
    """

    profile: str | None = None
    disable_imds: bool = False
    path: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ClientSpec:
    """What makes a client: for which service, where, and as whom. ``endpoint`` None is AWS's own for the region; ``guard`` judges one that
    the connection itself names; ``validates``: botocore holds parameters against the service's model before it sends them."""

    service: str
    region: str | None
    endpoint: str | None
    identity: Keys | Ambient = field(repr=False)
    guard: Guard = ANYWHERE
    validates: bool = True


class _Shared:
    """A Session and the lock that its client creation needs (boto3 guide: Sessions are not thread-safe)."""

    def __init__(self, ambient: Ambient | None, region: str | None) -> None:
        import botocore.session

        self.lock = threading.RLock()
        # Who brings keys has nothing to do with a profile that the environment names, which may not even exist.
        variables: dict[str, Any] | None = None if ambient else {"profile": (None, [], None, None)}
        self.session = botocore.session.Session(session_vars=variables, profile=ambient.profile if ambient else None)
        # The contract asks for the regional STS endpoint, whatever AWS_STS_REGIONAL_ENDPOINTS says.
        self.session.set_config_variable("sts_regional_endpoints", "regional")
        if region is not None:
            # Role profiles and web identity ask STS on the way to the machine's credentials; botocore would take the region of the last
            # client of this Session, which is made after the credentials were found, else the global endpoint.
            self.session.set_config_variable("region", region)
        if ambient and ambient.disable_imds:
            # What AWS_EC2_METADATA_DISABLED does, for this Session alone: the environment belongs to the whole process.
            self.session.get_component("credential_provider").remove("iam-role")


@functools.lru_cache(maxsize=64)
def _shared(ambient: Ambient | None, region: str | None) -> _Shared:
    # One Session per process, profile and region: a new one costs 80 ms, a further client on it 2 to 4 ms. It holds service models and the
    # host's own identity, nothing of a tenant: tenants' keys are given to each client by itself. Clients with keys of their own (None)
    # do not share a lock with the ambient identity, whose search may wait for a metadata service that is not there.
    return _Shared(ambient, region)


at_fork(_shared, child=lambda shared: shared.cache_clear())  # another thread of the parent may hold a lock of theirs


@contextmanager
def shared_session(ambient: Ambient | None = None, region: str | None = None) -> Iterator[Any]:
    """Hold the process's botocore Session for an ambient identity, or for clients that bring keys. ``region`` is where an ambient identity
    asks STS, where it has to."""
    shared = _shared(ambient, region if ambient is not None else None)
    with shared.lock:
        yield shared.session


def make_client(spec: ClientSpec, *, read_timeout: float = READ_TIMEOUT) -> Any:
    """A new botocore client; SDK retries are off whatever the environment says, and every wait ends at the current deadline.

    :raises InvalidConnection: where the endpoint is no URL or may not be reached, or the machine has no identity of its own but needs one.
    """
    from jackfield_aws.bounded import bound
    from jackfield_aws.models import find_by_name

    if spec.endpoint is not None and not _has_legal_port(spec.endpoint):
        raise _not_made(spec, ValueError())  # botocore would find it when it sends
    if not spec.guard.internal and spec.endpoint is not None:
        spec.guard.check(_host(spec.endpoint), _path(spec))
    ambient = spec.identity if isinstance(spec.identity, Ambient) else None
    with shared_session(ambient, spec.region) as session:
        if ambient is not None:
            _check_identity(session, ambient)
        try:
            find_by_name(session)
            client = session.create_client(
                spec.service,
                region_name=spec.region,
                endpoint_url=spec.endpoint,
                config=_config(read_timeout, validates=spec.validates),
                **_credentials(spec.identity),
            )
        except ValueError as error:
            raise _not_made(spec, error) from None
    # With one attempt the retry handler has nothing to decide, and takes 1 % of a small call for it; a botocore that names it otherwise
    # goes on asking it.
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")
    bound(client, spec.guard, _path(spec))
    hush()
    return client


def find_identity(ambient: Ambient, region: str | None = None) -> str:
    """Tell how the machine's identity was found (``env``, ``iam-role`` …), by botocore's name for it.

    :raises JackfieldError: where there is none, or it cannot be read.
    """
    import botocore.exceptions

    try:
        with shared_session(ambient, region) as session:
            return _check_identity(session, ambient)
    except (botocore.exceptions.BotoCoreError, OSError, ValueError) as error:
        raise explain_transport(error) or error from None


def _check_identity(session: Any, ambient: Ambient) -> str:
    found = session.get_credentials()
    if found is None:
        text = "this machine has no AWS identity of its own (environment, profile, container or instance role)"
        hint = "Give an access key, or set up AWS credentials on this machine."
        raise InvalidConnection(text, details=[Detail(ambient.path, text)], hint=hint)
    return str(found.method)


def _not_made(spec: ClientSpec, error: ValueError) -> Exception:
    if type(error) is not ValueError:  # botocore's own, which the error map knows
        return error
    text = "the endpoint is not a URL that AWS clients can use"
    return InvalidConnection(
        text, details=[Detail(_path(spec), text)], hint="An endpoint is a URL such as https://email.eu-west-1.amazonaws.com."
    )


def _path(spec: ClientSpec) -> str:
    """The connection's value that names the endpoint."""
    return "/stsEndpoint" if spec.service == "sts" else "/endpoint"


def _host(endpoint: str) -> str:
    try:
        return urlsplit(endpoint).hostname or ""
    except ValueError:
        return ""


def _has_legal_port(endpoint: str) -> bool:
    try:
        return urlsplit(endpoint).port != 0
    except ValueError:
        return False


def _credentials(identity: Keys | Ambient) -> dict[str, str | None]:
    if isinstance(identity, Ambient):
        return {}
    return {
        "aws_access_key_id": identity.access_key_id,
        "aws_secret_access_key": identity.secret_access_key,
        "aws_session_token": identity.session_token,
    }


def _config(read_timeout: float, *, validates: bool) -> Any:
    import botocore
    from botocore.config import Config

    return Config(
        # A fixed text: composing botocore's own takes a third of a small call's CPU time.
        user_agent=f"jackfield/{VERSION} Botocore/{botocore.__version__}",
        # total_max_attempts wins over AWS_MAX_ATTEMPTS; max_attempts would not, and counts from 0.
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        parameter_validation=validates,
        max_pool_connections=_POOL,
    )
