"""An AWS inside this process: an account with a role, a user and verified identities, served on
loopback, recording every message.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Self

from jackfield_aws_ses_simulator.aws.account import NUMBER, Account, Identity, Role, User
from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.exchange import Answer
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.messages import SentMessage
from jackfield_aws_ses_simulator.aws.server import serving
from jackfield_aws_ses_simulator.aws.sts import letters
from jackfield_aws_ses_simulator.aws.tenants import note_finding
from jackfield_aws_ses_simulator.aws.zones import add_zone

REGION = "eu-west-1"
"""Region of the identities."""
ZONES = ("example.com",)
"""Public hosted zones of Route 53."""
_PEOPLE = (
    "ada",
    "alan",
    "barbara",
    "donald",
    "edsger",
    "frances",
    "grace",
    "joan",
    "katherine",
    "margaret",
    "niklaus",
)
IDENTITIES = ("example.com", "newsletter@example.net", *(f"{name}@example.org" for name in _PEOPLE))
"""Verified identities: a domain, whose addresses may all send, and twelve addresses, enough for
three pages of five.
"""
_MANIFEST = json.loads(
    files("jackfield_aws_ses").joinpath("connector.json").read_text(encoding="utf-8")
)
_OF_PAGE = ("cloudwatch:*", "route53:*", "sns:*", "sqs:*")
_ROWS = (*_MANIFEST["actions"], *_MANIFEST["triggers"])
_DECLARED = (name for row in _ROWS for name in row.get("permissions", {}).get("aws:iam", ()))
PERMISSIONS = tuple(sorted({"ses:GetAccount", *_OF_PAGE, *_DECLARED}))
"""Permissions of the role: for the connector's actions and triggers, for the page 'Set SES up and
watch it', and ``ses:GetAccount`` for the connection test.
"""

_LOOPBACK = "127.0.0.1"
_USER_ARN = f"arn:aws:iam::{NUMBER}:user/jackfield"
_ROLE_ARN = f"arn:aws:iam::{NUMBER}:role/jackfield-ses"
_OK = 200


@dataclass(frozen=True, slots=True)
class AnsweredCall:
    """Answered request: the operation (``AssumeRole``) and the HTTP status."""

    operation: str
    status: int

    @property
    def granted(self) -> bool:
        """True if AWS granted the request."""
        return self.status == _OK


class EmbeddedAws:
    """AWS account for experiments, served during the ``with`` block.

    The user may assume the role and nothing else. The role trusts that user with the External ID,
    and has ``permissions``. ``trusted_ids`` is a pattern of External IDs, since a demo has no one
    to edit a trust policy. The role also trusts the first matching ID that assumes it; so does each
    role whose ARN extends the role's by a hyphen. ``on_sent`` is called in a server thread for each
    accepted message; ``clock`` gives the seconds since the epoch, ``zones`` are the public hosted
    zones of Route 53.
    """

    def __init__(
        self,
        *,
        region: str = REGION,
        identities: Iterable[str] = IDENTITIES,
        permissions: Iterable[str] = PERMISSIONS,
        on_sent: Callable[[SentMessage], object] | None = None,
        trusted_ids: str | None = None,
        clock: Callable[[], float] = time.time,
        zones: Iterable[str] = ZONES,
    ) -> None:
        self.region = region
        self.role_arn = _ROLE_ARN
        self.access_key_id = f"AKIA{letters(16)}"
        self.secret_access_key = secrets.token_urlsafe(30)
        self.external_id = f"demo-{secrets.token_hex(8)}"
        self.calls: list[AnsweredCall] = []
        """Answered requests, oldest first."""
        self._loses: str | None = None
        user = User(self.secret_access_key, arn=_USER_ARN, allow=frozenset({"sts:AssumeRole"}))
        role = Role(
            self.external_id,
            frozenset(permissions),
            frozenset({_USER_ARN}),
            external_id_like=trusted_ids,
        )
        account = Account(
            identities=tuple(Identity(name, region) for name in identities),
            roles={_ROLE_ARN: role},
            users={self.access_key_id: user},
            configuration_sets=frozenset(),
            verify_signatures=True,
        )
        self._ledger = Ledger(account, clock, on_sent)
        for number, domain in enumerate(zones, start=1):
            add_zone(self._ledger, number, domain)
        self._stack = ExitStack()
        self.url: str

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(_environment(_alone()))
            self.url = stack.enter_context(serving(self._ledger, self._note))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def _note(self, call: Call, answer: Answer) -> bool:
        self.calls.append(AnsweredCall(call.operation, answer.status))
        is_lost, self._loses = (
            call.operation == self._loses,
            None if call.operation == self._loses else self._loses,
        )
        return not is_lost

    def lose_answer(self, operation: str) -> None:
        """Carry out the next call of an operation (``SendEmail``), but close its connection without
        an answer.
        """
        self._loses = operation

    @property
    def sent(self) -> list[SentMessage]:
        """Accepted messages, oldest first."""
        return list(self._ledger.messages)

    def trust(self, principal_arn: str, external_id: str) -> None:
        """Change the role's trust policy, as its owner would in the IAM console."""
        account = self._ledger.account
        role = Role(external_id, (account.roles or {})[_ROLE_ARN].allow, frozenset({principal_arn}))
        self._ledger.account = replace(account, roles={_ROLE_ARN: role})

    def find_fault(
        self, tenant: str, kind: str, impact: str, text: str, *, is_open: bool = True
    ) -> None:
        """Let Amazon SES open a finding about a tenant (``BOUNCE``, ``HIGH``), or resolve it."""
        note_finding(self._ledger, self.region, tenant, kind, impact, text, is_open=is_open)

    def count(self, operation: str, *, granted: bool = True) -> int:
        """Return how often ``operation`` (``AssumeRole``) was granted or, with ``granted`` False,
        refused.
        """
        return sum(call.operation == operation and call.granted is granted for call in self.calls)

    def connection_values(self) -> dict[str, str]:
        """Return the values of a connection of type ``aws-ses/awsAssumeRole`` to this account."""
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
        """Return the environment variables of the examples' ``connections.yaml``, and the endpoint
        of all services.
        """
        return {
            "AWS_ENDPOINT_URL": self.url,
            "DEMO_ROLE_ARN": self.role_arn,
            "DEMO_ACCESS_KEY_ID": self.access_key_id,
            "DEMO_SECRET_ACCESS_KEY": self.secret_access_key,
            "DEMO_EXTERNAL_ID": self.external_id,
        }


def _alone() -> dict[str, str | None]:
    """Return environment variables with which AWS clients reach loopback directly; None unsets a
    variable of this machine.
    """
    proxies = {
        name: ",".join(filter(None, (os.environ.get(name), _LOOPBACK)))
        for name in ("NO_PROXY", "no_proxy")
    }
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
