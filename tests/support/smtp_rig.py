"""A runtime with one SMTP connection, and the server that it leads to."""

from __future__ import annotations

import atexit
import contextlib
import functools
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from authority import Authority
from clocks import FakeClock
from jackfield import Result
from jackfield_store.runtime import Jackfield
from smtp_server import PASSWORD, USER, Fault, SmtpServer, resolving

HOST = "email-smtp.eu-central-1.amazonaws.com"
VPCE = "vpce-0a1b2c3d4e5f67890-abcd1234.email-smtp.eu-central-1.vpce.amazonaws.com"
MAIL = {"to": ["desk@rcpt.test"], "sender": "ops@sender.test", "subject": "Late", "text": "hi"}
LOGIN = {"username": USER, "password": PASSWORD}


@functools.cache
def authority() -> Authority:
    """The authority that everybody here believes."""
    return Authority(_folder())


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="jackfield-smtp-"))
    atexit.register(shutil.rmtree, folder)
    return folder


@dataclass
class Rig:
    """A runtime with the connection ``link``."""

    jackfield: Jackfield
    clock: FakeClock
    server: SmtpServer

    def invoke(
        self, action: str = "sendEmail", inputs: Mapping[str, Any] | None = None, **members: Any
    ) -> Result:
        """Run an action over the connection."""
        given = {
            "connector": "aws-ses",
            "action": action,
            "connection": "link",
            "inputs": inputs or {},
            **members,
        }
        return self.jackfield.invoke(given)

    def send(self, members: Mapping[str, Any] | None = None, **inputs: Any) -> Result:
        """Send the mail; ``inputs`` replace its own (None leaves one out)."""
        given = {name: value for name, value in {**MAIL, **inputs}.items() if value is not None}
        return self.invoke(inputs=given, **(members or {}))


@contextlib.contextmanager
def connected(
    values: Mapping[str, Any], bundle: Path | None = None, clock: FakeClock | None = None
) -> Iterator[tuple[Jackfield, FakeClock]]:
    """A runtime whose connection ``link`` has these values; ``bundle`` is what it believes besides
    the machine's certificates.
    """
    clock = clock or FakeClock()
    environment = {"AWS_CA_BUNDLE": str(bundle or authority().bundle)}
    connections = [{"link": {"type": "aws-ses/smtp", "values": dict(values)}}]
    with Jackfield(
        connections=connections, environment=environment, clock=clock, database_url="none"
    ) as jackfield:
        yield jackfield, clock


@contextlib.contextmanager
def rig(
    script: Mapping[str, Iterable[Fault]] | None = None,
    *,
    values: Mapping[str, Any] | None = None,
    names: Iterable[str] = (HOST,),
    patience: float | None = None,
    bundle: Path | None = None,
    **options: Any,
) -> Iterator[Rig]:
    """Such a runtime and a server whose certificate is for ``names``; ``values`` replace the
    connection's own, None leaves one out.

    ``patience`` is how long one wait may take while a connection is opened; ``options`` are the
    server's.
    """
    given = {"hostname": HOST, **LOGIN, **(values or {})}
    given = {name: value for name, value in given.items() if value is not None}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(SmtpServer(authority().serving(*names), script, **options))
        stack.enter_context(resolving({str(given["hostname"]): server.port}))
        if patience is not None:
            stack.enter_context(
                mock.patch("jackfield_aws_ses.smtp.session.CONNECT_SECONDS", patience)
            )
        jackfield, clock = stack.enter_context(connected(given, bundle))
        yield Rig(jackfield, clock, server)
