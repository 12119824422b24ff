"""An AWS inside this process: moto's IAM, STS and SES on loopback, with authorisation enforced and every message kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Self

from jackfield_aws_ses.demo.account import AwsAccount, set_up
from jackfield_aws_ses.demo.front import Call, Front
from jackfield_aws_ses.demo.holes import mended, require_moto
from jackfield_aws_ses.demo.received import SentMessage

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

__all__ = ["IDENTITIES", "PERMISSIONS", "REGION", "EmbeddedAws"]

REGION = "eu-west-1"
"""Identities are verified in this region, and in no other."""
_PEOPLE = ("ada", "alan", "barbara", "donald", "edsger", "frances", "grace", "joan", "katherine", "margaret", "niklaus")
IDENTITIES = ("example.com", "newsletter@example.net", *(f"{name}@example.org" for name in _PEOPLE))
"""A domain, whose addresses may all send, and twelve addresses: enough for three pages of five."""
PERMISSIONS = ("ses:GetAccount", "ses:ListIdentities", "ses:SendEmail", "ses:SendRawEmail")
"""What the role may do: what the connector's actions declare, and ``ses:GetAccount`` for the connection test."""

_LOOPBACK = "127.0.0.1"
_POLL = 0.02
"""Seconds until the server notices that it should stop."""
_ON, _OFF = "0", "inf"
"""After how many calls moto begins to check who calls (moto documentation, IAM-like access control)."""


class EmbeddedAws:
    """An AWS account to play with, for as long as the ``with`` block runs: one at a time in a process, since moto keeps its state there.

    ``on_sent`` is called, in a thread of the server, for each message that was accepted. ``trusted_ids`` is a pattern of External IDs that
    the role trusts besides its own.

    :raises MotoMissing: on entering, where the extra ``jackfield-aws-ses[demo]`` is not installed.
    """

    def __init__(
        self,
        *,
        region: str = REGION,
        identities: Iterable[str] = IDENTITIES,
        permissions: Iterable[str] = PERMISSIONS,
        on_sent: Callable[[SentMessage], object] | None = None,
        trusted_ids: str | None = None,
    ) -> None:
        self.region = region
        self._identities = tuple(identities)
        self._permissions = tuple(permissions)
        self._on_sent = on_sent
        self._trusted_ids = trusted_ids
        self._stack = ExitStack()
        self._front: Front
        self._account: AwsAccount
        self.url: str

    def __enter__(self) -> Self:
        require_moto()
        with ExitStack() as stack:
            stack.enter_context(mended())
            stack.enter_context(_environment(_alone()))
            self._front = Front(_moto(), self._on_sent)
            port = stack.enter_context(_serving(self._front))
            self.url = f"http://{_LOOPBACK}:{port}"
            stack.callback(_control, port, "reset")
            _control(port, "reset")
            _control(port, "reset-auth", _OFF)
            self._account = set_up(self.url, self.region, self._identities, self._permissions, self._trusted_ids)
            stack.callback(_control, port, "reset-auth", _OFF)
            _control(port, "reset-auth", _ON)
            self._front.calls.clear()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def role_arn(self) -> str:
        """The role that may use SES."""
        return self._account.role_arn

    @property
    def access_key_id(self) -> str:
        """The access key of the user who may assume the role."""
        return self._account.access_key_id

    @property
    def secret_access_key(self) -> str:
        """The secret of that access key."""
        return self._account.secret_access_key

    @property
    def external_id(self) -> str:
        """Without it, nobody assumes the role."""
        return self._account.external_id

    @property
    def sent(self) -> list[SentMessage]:
        """The messages accepted so far, oldest first."""
        return list(self._front.sent)

    @property
    def calls(self) -> list[Call]:
        """The requests answered so far, oldest first."""
        return list(self._front.calls)

    def count(self, operation: str, *, granted: bool = True) -> int:
        """How often ``operation`` (``AssumeRole``) was granted, or refused."""
        return sum(call.operation == operation and call.granted is granted for call in self._front.calls)

    def connection_values(self) -> dict[str, str]:
        """The values of a connection of type ``aws-ses/awsAssumeRole`` to this account."""
        return {
            "roleARN": self.role_arn,
            "accessKeyId": self.access_key_id,
            "secretAccessKey": self.secret_access_key,
            "externalId": self.external_id,
            "region": self.region,
            "endpoint": self.url,
            "stsEndpoint": self.url,
        }

    def environment(self) -> Mapping[str, str]:
        """The variables that ``connections.yaml`` of the examples refers to, and the endpoint of all services."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "DEMO_ROLE_ARN": self.role_arn,
            "DEMO_ACCESS_KEY_ID": self.access_key_id,
            "DEMO_SECRET_ACCESS_KEY": self.secret_access_key,
            "DEMO_EXTERNAL_ID": self.external_id,
        }


def _moto() -> WSGIApplication:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415 (an extra)

    app: WSGIApplication = DomainDispatcherApplication(create_backend_app)
    return app


@contextmanager
def _serving(app: WSGIApplication) -> Iterator[int]:
    """Serve ``app`` on a free port, without a log."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler  # noqa: PLC0415 (an extra)
    from werkzeug.serving import make_server  # noqa: PLC0415 (as above)

    class Quiet(MotoRequestHandler):  # type: ignore[misc, unused-ignore]
        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, ANN401 (werkzeug's signature)
            """Say nothing: werkzeug would print a line for each request."""

    server = make_server(_LOOPBACK, 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL,), name="embedded-aws", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _control(port: int, what: str, value: str = "") -> None:
    """Tell moto something through its own API; its handlers read the body only where it is no form."""
    connection = HTTPConnection(_LOOPBACK, port, timeout=10)
    try:
        connection.request("POST", f"/moto-api/{what}", body=value, headers={"Content-Type": "text/plain"})
        connection.getresponse().read()
    finally:
        connection.close()


def _alone() -> dict[str, str | None]:
    """What lets AWS clients reach loopback directly, whatever proxy, profile or configuration this machine has for AWS."""
    proxies = {name: ",".join(filter(None, (os.environ.get(name), _LOOPBACK))) for name in ("NO_PROXY", "no_proxy")}
    files = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    return {**proxies, **files, "AWS_PROFILE": None, "AWS_DEFAULT_PROFILE": None}


@contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    old = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(old)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
