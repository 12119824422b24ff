"""botocore's sources of the machine's credentials, with limits: none waits beyond the deadline,
prompts on a terminal or retries.

The sources themselves stay botocore's. The functions and sessions through which they reach the
network are replaced.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jackfield.connector import ANYWHERE, Deadline
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.secrecy import SecretHolder
from jackfield_aws.client_hooks import watch
from jackfield_aws.direct.wires import Reach
from jackfield_aws.keys import Keys
from jackfield_aws.limits import CONNECT_TIMEOUT, current_deadline
from jackfield_aws.wire_session import WireSession, use_wire

WEB_IDENTITY, ROLE, SSO, LOGIN = "assume-role-with-web-identity", "assume-role", "sso", "login"
PROCESS, CONTAINER, INSTANCE, ENVIRONMENT = "custom-process", "container-role", "iam-role", "env"
_SILENCE = 5.0
"""Maximum silence in seconds of STS, IAM Identity Center or the sign-in service, which normally
answer within one.
"""
_ROTATING = frozenset({"CreateToken", "CreateOAuth2Token"})
"""Operations whose response may hold the only refresh token, which botocore writes to its file:
they are awaited even if all callers left.
"""
_CONTAINER_TRIES = 2
_LONGEST_BODY = 2000
_PROCESS_ENDS = 1.0
"""Seconds to wait for the end of a killed process."""


@dataclass(frozen=True, slots=True)
class Latest(Deadline):
    """Deadline of a fetch, equal to the latest deadline of its callers."""

    def extend(self, seconds: float) -> None:
        """Extend the deadline to at least ``seconds`` from now."""
        # frozen for everybody else
        object.__setattr__(self, "at", max(self.at, self.clock.monotonic() + seconds))


class MfaNeeded(Exception):
    """Error of a profile that needs a one-time code from a person."""


class NoCredentials(Exception):
    """Error for a machine without credentials in any source."""


class ProcessHangs(Exception):
    """Error of a credential process that was killed at the deadline."""


@dataclass(frozen=True, slots=True, repr=False)
class Found(SecretHolder):
    """Credentials of the machine, their source, and their expiry in seconds since 1970, if any."""

    keys: Keys
    method: str
    expires_at: float | None


class Metadata:
    """HTTP session of a metadata service. It stores the last request's failure, or its status and
    body.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.failure: Exception | None = None
        self.status: int | None = None
        self.body = ""

    @property
    def asked(self) -> bool:
        """True if a request was made."""
        return self.failure is not None or self.status is not None

    def send(self, request: Any) -> Any:
        """Send a request, as botocore's session does."""
        self.failure, self.status, self.body = None, None, ""
        try:
            response = self._session.send(request)
            self.body = response.content[:_LONGEST_BODY].decode("utf-8", "replace")
        except BotoCoreError as error:
            self.failure = error
            raise
        self.status = response.status_code
        return response


class Sources:
    """Chain of sources of one botocore session, for one fetch. It records the last source and the
    outcomes of its requests.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.method = ""
        """The source that was asked last, in botocore's terms."""
        self.fault: Exception | None = None
        """The last failed request to STS, IAM Identity Center or the sign-in service."""
        self.has_answer = False
        """True if one of them has returned a success."""
        self.program: Program | None = None
        """The credential process that was started last."""
        self.instance: Metadata | None = None
        self.container: Metadata | None = None

    @property
    def profile(self) -> str:
        """Name of the profile."""
        return str(self._session.get_config_variable("profile") or "default")

    def setting(self, name: str, beside: str = "") -> str | None:
        """Return a setting of the profile, or of the first of its source profiles that has both the
        setting and the one named by ``beside``. Return None if no profile has it.
        """
        profiles, profile, seen = (
            self._session.full_config.get("profiles", {}),
            self.profile,
            set[str](),
        )
        while profile and profile not in seen:
            seen.add(profile)
            found = profiles.get(profile, {})
            if name in found and (not beside or beside in found):
                return str(found[name])
            profile = found.get("source_profile")
        return None

    def fetch(self) -> Found:
        """Return the credentials of the first source that has some. A failing source ends the
        search, since a later source would be another identity.

        :raises Exception: the source's own error, or ``NoCredentials``.
        """
        self._limit_clients()
        for provider in self._session.get_component("credential_provider").providers:
            self.method = provider.METHOD
            self._limit(provider)
            found = provider.load()
            if found is None:
                if (
                    provider.METHOD == INSTANCE
                    and self.instance is not None
                    and _is_there(self.instance)
                ):
                    raise LookupError("the metadata service gave no credentials")
                continue
            frozen, expires = found.get_frozen_credentials(), getattr(found, "_expiry_time", None)
            keys = Keys(frozen.access_key, frozen.secret_key, frozen.token)
            return Found(keys, str(found.method), None if expires is None else expires.timestamp())
        raise NoCredentials

    def _limit_clients(self) -> None:
        """Limit the sources' clients to one attempt each, which ends at the deadline."""
        create = self._session.create_client
        limits = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=_SILENCE,
            retries={"mode": "standard", "total_max_attempts": 1},
        )  # total_max_attempts overrides AWS_MAX_ATTEMPTS
        self._session.set_default_client_config(limits)

        def made(*given: Any, **named: Any) -> Any:
            client = create(*given, **named)
            use_wire(client)
            watch(client, begins=False)
            client._make_api_call = self._observed(client._make_api_call)
            return client

        self._session.create_client = made

    def _observed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def observed(*given: Any) -> Any:
            deadline = current_deadline()
            if given and given[0] in _ROTATING and isinstance(deadline, Latest):
                # what nobody waits for any more renews nothing: the next fetch does, with the same
                # token
                deadline.check()
                deadline.extend(_SILENCE)
            try:
                found = call(*given)
            except (BotoCoreError, ClientError, ValueError, OSError) as error:
                self.fault = error
                raise
            self.has_answer = True
            return found

        return observed

    def _limit(self, provider: Any) -> None:
        if provider.METHOD == PROCESS:
            provider._popen = self._start
        elif provider.METHOD == ROLE:
            provider._prompter = _refuse_to_prompt
            self._limit_processes(provider._profile_provider_builder)
            for source in provider._credential_sourcer._providers:
                self._limit(source)
        elif provider.METHOD in (SSO, LOGIN):
            # a chain that was shortened was made before clients were limited
            provider._client_creator = self._session.create_client
        elif provider.METHOD == CONTAINER and self.container is None:
            fetcher = provider._fetcher
            fetcher.RETRY_ATTEMPTS, fetcher._sleep = _CONTAINER_TRIES, _wait_for_nothing
            self.container = fetcher._session = _metadata(fetcher._session)
        elif provider.METHOD == INSTANCE and self.instance is None:
            self.instance = provider._role_fetcher._session = _metadata(
                provider._role_fetcher._session
            )

    def _start(self, arguments: list[str], stdout: int, stderr: int) -> Program:
        self.program = Program(arguments, stdout, stderr)
        return self.program

    def _limit_processes(self, builder: Any) -> None:
        """Limit the credential process of a source profile, too."""
        make = builder._create_process_provider

        def limited(profile: str) -> Any:
            found = make(profile)
            found._popen = self._start
            return found

        builder._create_process_provider = limited


def _metadata(session: Any) -> Metadata:
    return Metadata(WireSession(Reach(None, ANYWHERE, "", session._timeout, proxied=False)))


def _is_there(service: Metadata) -> bool:
    """Return whether an instance metadata service was reached; without a connection, this machine
    is not in EC2.
    """
    absent = {"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError"}
    return service.status is not None or (
        service.failure is not None and type(service.failure).__name__ not in absent
    )


def _refuse_to_prompt(_prompt: str) -> str:
    raise MfaNeeded


def _wait_for_nothing(_seconds: float) -> None:
    """Return at once, so that a retry follows immediately; the runtime waits between attempts."""


class Program:
    """Credential process without a terminal, which is killed with its children at the deadline."""

    def __init__(self, arguments: list[str], stdout: int, stderr: int) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (the operator's command, without a shell)
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )

    @property
    def returncode(self) -> int | None:
        """Exit status."""
        return self._process.returncode

    def communicate(self) -> tuple[bytes, bytes]:
        """Return the program's output.

        :raises ProcessHangs: if it has not ended by the deadline.
        """
        deadline = current_deadline()
        while True:
            try:
                output, said = self._process.communicate(
                    timeout=None if deadline is None else deadline.remaining()
                )
            except subprocess.TimeoutExpired:
                if deadline is None or deadline.remaining() > 0:
                    continue  # further callers wait for it
                self._kill()
                raise ProcessHangs from None
            else:
                # botocore would fail on other text
                return output, said.decode("utf-8", "replace").encode()

    def _kill(self) -> None:
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=_PROCESS_ENDS)
