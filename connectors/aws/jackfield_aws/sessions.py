"""botocore Sessions and the clients created from them."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import botocore
import botocore.exceptions

from jackfield.connector import ANYWHERE, Detail, Guard, InvalidConnection, check_may_wait
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.fork import ProcessLocal
from jackfield_aws.agents import user_agent
from jackfield_aws.direct.switch import creator
from jackfield_aws.endpoints import USUAL_S3, S3Settings
from jackfield_aws.json_answers import parse_as_json
from jackfield_aws.keys import Keys
from jackfield_aws.limits import CONNECT_TIMEOUT, READ_TIMEOUT, current_deadline, is_fetching
from jackfield_aws.service_models import find_by_name
from jackfield_aws.transport import explain_transport

if TYPE_CHECKING:
    from jackfield_aws.machine.identity import MachineIdentity


class _Hush(logging.Filter):
    """Log filter that drops records below WARNING during jackfield's calls in this thread; other
    users of botocore keep their log.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return current_deadline() is None or (
            record.levelno >= logging.WARNING and not is_fetching()
        )


_HUSH = _Hush()


def hush() -> None:
    """Add the filter to all existing botocore loggers, since a logger's filters do not apply to its
    children's records.
    """
    for name in [
        name for name in logging.Logger.manager.loggerDict if name.partition(".")[0] == "botocore"
    ]:
        logging.getLogger(name).addFilter(_HUSH)


_POOL = 50
"""Maximum idle connections in a client's pool; further threads open their own connections."""


@dataclass(frozen=True, slots=True)
class Ambient:
    """Identity of this machine or process: botocore's credential chain, or one profile of the AWS
    configuration.

    With ``prefer_role`` the role of the container or instance takes precedence in the chain, but
    not over a profile. ``region`` is for the identity's own requests, by default the client's.
    ``path`` points at the connection's value to set if the machine has no identity.
    """

    profile: str | None = None
    disable_imds: bool = False
    prefer_role: bool = False
    region: str | None = None
    path: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ClientSpec:
    """Parameters of a client: service, location and identity. ``endpoint`` None means AWS's own for
    the region; ``guard`` checks a connection's endpoint. ``validates`` enables botocore's parameter
    validation against the service's model. ``as_json`` makes its parser return JSON values.
    """

    service: str
    region: str | None
    endpoint: str | None
    identity: Keys | Ambient = field(repr=False)
    guard: Guard = ANYWHERE
    validates: bool = True
    as_json: bool = False
    s3: S3Settings = USUAL_S3


_ROLES = ("container-role", "iam-role")
"""botocore's names for the sources of a container's or instance's role."""


def _new_session(ambient: Ambient | None, region: str | None, loader: Any = None) -> Any:
    """Create a Session. ``loader`` comes from another Session and has read AWS's data files, nine
    tenths of the time of a fetch.
    """
    import botocore.session

    # Explicit keys must not depend on a profile named in the environment, which may not even exist.
    variables: dict[str, Any] | None = None if ambient else {"profile": (None, [], None, None)}
    session = botocore.session.Session(
        session_vars=variables, profile=ambient.profile if ambient else None
    )
    # The contract requires the regional STS endpoint, whatever AWS_STS_REGIONAL_ENDPOINTS says.
    session.set_config_variable("sts_regional_endpoints", "regional")
    if region is not None:
        # Role profiles and web identity call STS to get the machine's credentials. botocore would
        # use the region of this Session's last client, which is created after the credentials were
        # found, else the global endpoint.
        session.set_config_variable("region", region)
    if ambient and ambient.disable_imds:
        # Like AWS_EC2_METADATA_DISABLED, but for this Session only: the environment belongs to the
        # whole process.
        session.get_component("credential_provider").remove("iam-role")
    if ambient and ambient.prefer_role and not ambient.profile:
        # the list that the chain goes through; sorting it by what is first keeps the order of the
        # others
        session.get_component("credential_provider").providers.sort(
            key=lambda item: item.METHOD not in _ROLES
        )
    if loader is not None:
        session.register_component("data_loader", loader)
    hush()
    return session


class _Shared:
    """Session with the lock for creating clients (boto3 guide: Sessions are not thread-safe).
    ``machine`` supplies an ambient identity's credentials to all its clients, so none searches for
    them.
    """

    def __init__(self, ambient: Ambient | None, region: str | None, as_json: bool) -> None:
        self.lock = threading.RLock()
        self.session = _new_session(ambient, region)
        if as_json:
            parse_as_json(self.session.get_component("response_parser_factory"))
        self.machine: MachineIdentity | None = None
        if ambient is not None:
            loader = (
                self.session.get_component("data_loader")
                if not as_json and region == (ambient.region or region)
                else None
            )
            self.machine = _machine(ambient, ambient.region or region, loader)
            self.machine.lend(self.session)


def _machine(ambient: Ambient, region: str | None, loader: Any) -> MachineIdentity:
    from jackfield_aws.machine.identity import MachineIdentity

    if loader is not None:  # that of the identity's own Session
        return MachineIdentity(ambient.path, lambda: _new_session(ambient, region, loader))
    return cast("MachineIdentity", _shared(ambient, region, False).machine)


class _Sessions(ProcessLocal):
    """Sessions of one process, limited in number.

    One Session per process, profile and region: a new one costs 80 ms, a further client on it 2 to
    4 ms. It holds service models and the host's own identity but no tenant's data: tenants' keys
    are passed to each client. Clients with explicit keys (None) do not share a lock with an ambient
    identity.
    """

    __wrapped__ = _Shared

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Drop all Sessions: another thread of the parent may hold a lock."""
        self._lock = threading.RLock()  # reentrant: a Session of another region shares the identity
        self._made: OrderedDict[tuple[Ambient | None, str | None, bool], _Shared] = OrderedDict()

    def __call__(self, *wanted: *tuple[Ambient | None, str | None, bool]) -> _Shared:
        """Return the Session of an identity in a region, whose parsers may return JSON values."""
        with self._lock:
            found = self._made.get(wanted)
            if found is None:
                check_may_wait()  # a Session takes long to make
                found = self._made[wanted] = _Shared(*wanted)
                if len(self._made) > self._limit:
                    self._made.popitem(last=False)
            self._made.move_to_end(wanted)
            return found

    def forget_machines(self) -> None:
        """Drop the machine's identities, which are searched for again at the next use."""
        with self._lock:
            for wanted in [wanted for wanted in self._made if wanted[0] is not None]:
                del self._made[wanted]


_shared = _Sessions()


@contextmanager
def shared_session(
    ambient: Ambient | None = None, region: str | None = None, *, as_json: bool = False
) -> Iterator[Any]:
    """Lock and yield the process's botocore Session for an ambient identity, or for clients with
    explicit keys. ``region`` is used if an ambient identity has to call STS. Parsers belong to a
    Session, so clients with JSON responses have a Session of their own.
    """
    shared = _shared(ambient, region if ambient is not None else None, as_json)
    with shared.lock:
        yield shared.session


def make_client(spec: ClientSpec, *, read_timeout: float = READ_TIMEOUT) -> Any:
    """Create a botocore client. SDK retries are off despite any setting of the environment, and
    every wait ends at the current deadline.

    :raises InvalidConnection: if the endpoint is not a URL or may not be reached, or the machine
        needs an identity but has none.
    """
    from jackfield_aws.wire_session import use_wire

    check_endpoint(spec)
    ambient = spec.identity if isinstance(spec.identity, Ambient) else None
    with shared_session(ambient, spec.region, as_json=spec.as_json) as session:
        try:
            find_by_name(session)
            client = creator(session)(
                spec.service,
                region_name=spec.region,
                endpoint_url=spec.endpoint,
                config=_config(read_timeout, spec),
                **_credentials(spec.identity),
            )
        except ValueError as error:
            raise _not_made(spec, error) from None
    # With one attempt the retry handler has nothing to decide but takes 1 % of a small call. If
    # botocore renames it, it merely stays registered.
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")
    use_wire(client, spec.guard, pointer_to_endpoint(spec))
    hush()
    return client


def check_endpoint(spec: ClientSpec) -> None:
    """Check a connection's endpoint.

    :raises InvalidConnection: if its port is invalid, or it may not be reached.
    """
    if spec.endpoint is not None and not _has_legal_port(spec.endpoint):
        raise _not_made(spec, ValueError())  # botocore would detect it only when sending
    if not spec.guard.internal and spec.endpoint is not None:
        spec.guard.check(_host(spec.endpoint), pointer_to_endpoint(spec))


def find_keys(ambient: Ambient, region: str | None = None) -> Keys:
    """Return the keys of the machine's identity, within the current deadline. They are fetched once
    for all callers, and renewed before they expire.

    :raises JackfieldError: if there are none, they cannot be fetched, or the source refuses;
        nothing was sent to any other service.
    """
    return find_identity(ambient, region).keys_now()


def find_identity(ambient: Ambient, region: str | None = None) -> MachineIdentity:
    """Return the machine's identity, one per process and region of its own requests, without a
    request.

    :raises JackfieldError: if the profile does not exist in this machine's AWS configuration, or
        cannot be read.
    """
    try:
        return cast("MachineIdentity", _shared(ambient, ambient.region or region, False).machine)
    except (botocore.exceptions.BotoCoreError, OSError, ValueError) as error:
        raise explain_transport(error) or error from None


def _not_made(spec: ClientSpec, error: ValueError) -> Exception:
    if type(error) is not ValueError:  # botocore's own error, which the error map handles
        return error
    text = "the endpoint is not a URL that AWS clients can use"
    return InvalidConnection(
        text,
        details=[Detail(pointer_to_endpoint(spec), text)],
        hint="An endpoint is a URL such as https://email.eu-west-1.amazonaws.com.",
    )


def pointer_to_endpoint(spec: ClientSpec) -> str:
    """Return the pointer to the connection's value that names the endpoint."""
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


def _config(read_timeout: float, spec: ClientSpec) -> Any:
    config = botocore.config.Config(  # a part of botocore.session, which is imported by now
        user_agent=user_agent(),
        # total_max_attempts overrides AWS_MAX_ATTEMPTS; max_attempts would not, and counts from 0.
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        parameter_validation=spec.validates,
        # A prefix of the host name would not exist at an endpoint that the connection names.
        inject_host_prefix=spec.endpoint is None,
        # Otherwise the host would depend on the credentials, and break lists of allowed hosts.
        account_id_endpoint_mode="disabled",
        max_pool_connections=_POOL,
    )
    return (
        config.merge(botocore.config.Config(**spec.s3.members)) if spec.s3 != USUAL_S3 else config
    )
