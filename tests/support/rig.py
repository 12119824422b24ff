"""A fake AWS, a clock that tests move, and a runtime with one connection to it: what the fault
tests are run on.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from unittest import mock

from clocks import FakeClock
from fake_aws import FakeAws
from jackfield import Result
from jackfield.cli.main import main
from jackfield_store.runtime import Jackfield
from stage import clean_environment

__all__ = [
    "ARN",
    "EXTERNAL_ID",
    "KEY_ID",
    "SECRET",
    "Rig",
    "WakingClock",
    "key_values",
    "role_values",
]

ARN = "arn:aws:iam::123456789012:role/acme-ses"
KEY_ID, SECRET, EXTERNAL_ID = (
    "AKIAABCDEFGHIJKLWXYZ",
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "acme-4711",
)
_MAIL = {
    "awsRegion": "eu-west-1",
    "to": ["ada@example.com"],
    "sender": "noreply@example.com",
    "subject": "Hello",
    "text": "Hello Ada",
}


def role_values(**more: Any) -> dict[str, Any]:
    """The values of a role connection."""
    return {
        "roleARN": ARN,
        "accessKeyId": KEY_ID,
        "secretAccessKey": SECRET,
        "externalId": EXTERNAL_ID,
        **more,
    }


def key_values(**more: Any) -> dict[str, Any]:
    """The values of a connection with an access key of its own."""
    return {"accessKeyId": KEY_ID, "secretAccessKey": SECRET, **more}


class WakingClock(FakeClock):
    """Calls ``wake`` at each wait, once time has moved: what changes between two tries."""

    def __init__(self, wake: Callable[[], object]) -> None:
        super().__init__()
        self._wake = wake

    def sleep(self, seconds: float, _until: threading.Event | None = None) -> None:
        """Let time pass, then let something happen."""
        super().sleep(seconds)
        self._wake()


class Rig:
    """A context manager. ``aws`` is the fake, ``jackfield`` the runtime with the connection
    ``acme``, ``clock`` the time of both.

    ``options`` are FakeAws's. The process's environment is clean but for ``environment`` and the
    fake's URL.
    """

    def __init__(
        self,
        folder: Path,
        *,
        script: Iterable[Mapping[str, Any]] = (),
        values: Mapping[str, Any] | None = None,
        clock: FakeClock | None = None,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.clock = clock or FakeClock()
        self.folder = folder
        settings = {
            "identities": ["example.com"],
            "roles": {ARN: {"externalId": EXTERNAL_ID}},
            "users": {KEY_ID: {"secret": SECRET}},
            **options,
        }
        self.aws = FakeAws(clock=self.clock.time, script=list(script), **settings)
        self._values = dict(role_values() if values is None else values)
        self._environment = environment or {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.aws.start()
        self._stack.callback(self.aws.stop)
        environment = {
            **clean_environment(self.folder),
            "AWS_ENDPOINT_URL": self.aws.url,
            "AWS_MAX_ATTEMPTS": "10",
            **self._environment,
        }
        kind = "aws-ses/awsAssumeRole" if "roleARN" in self._values else "aws-ses/apiKeySecret"
        connections = {"connections": {"acme": {"type": kind, "values": self._values}}}
        path = self.folder / "connections.json"
        path.write_text(json.dumps(connections), encoding="utf-8")
        environment["JACKFIELD_CONNECTIONS"] = str(path)
        self._stack.enter_context(mock.patch.dict(os.environ, environment, clear=True))
        self.jackfield = self._stack.enter_context(Jackfield(clock=self.clock))
        return self

    def __exit__(self, *exception: object) -> None:
        self.aws.release()
        self._stack.close()

    def mail(self, timeout: float = 60, on_doubt: str = "report", **inputs: Any) -> dict[str, Any]:
        """An invocation of sendEmail; ``inputs`` besides or instead of the usual ones."""
        about = {"timeoutSeconds": timeout, "onDoubt": on_doubt}
        return {
            "connector": "aws-ses",
            "action": "sendEmail",
            "connection": "acme",
            "inputs": {**_MAIL, **inputs},
            **about,
        }

    def send(self, timeout: float = 60, on_doubt: str = "report", **inputs: Any) -> Result:
        """Send a mail."""
        return self.jackfield.invoke(self.mail(timeout, on_doubt, **inputs))

    def list(self, timeout: float = 60, **inputs: Any) -> Result:
        """List identities."""
        inputs = {"awsRegion": "eu-west-1", **inputs}
        return self.jackfield.invoke(
            {
                "connector": "aws-ses",
                "action": "listIdentities",
                "connection": "acme",
                "inputs": inputs,
                "timeoutSeconds": timeout,
            }
        )

    def command(self, invocation: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Exit code and Result of ``jackfield invoke --file`` in this process, on this rig's
        clock.
        """
        path = self.folder / "invocation.json"
        path.write_text(json.dumps(invocation), encoding="utf-8")
        out = io.StringIO()
        with self._on_clock(), contextlib.redirect_stdout(out):
            code = main(["invoke", "--file", str(path)])
        return code, json.loads(out.getvalue())

    @contextlib.contextmanager
    def _on_clock(self) -> Iterator[None]:
        with mock.patch("jackfield.runtime.SystemClock", return_value=self.clock):
            yield
