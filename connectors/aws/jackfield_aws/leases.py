"""Lease of an assumed role: all waiting calls share one AssumeRole."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from jackfield.connector import ANYWHERE, Minted, OpenContext
from jackfield.kernel.dataclass import dataclass
from jackfield_aws.arns import RoleArn
from jackfield_aws.endpoints import sts_endpoint
from jackfield_aws.keys import Keys
from jackfield_aws.policies import session_policy, session_policy_text
from jackfield_aws.regions import DEFAULT_REGIONS
from jackfield_aws.sessions import Ambient
from jackfield_aws.sts import RoleRequest, StsCaller, assume_role

_ILLEGAL = re.compile(r"[^A-Za-z0-9_+=,.@-]")
_LONGEST = 64
"""Maximum length of a RoleSessionName: 2 to 64 of ``[A-Za-z0-9_+=,.@-]`` (STS API reference,
AssumeRole).
"""


@dataclass(frozen=True, slots=True)
class Assumption:
    """Role to assume, with its parameters. ``caller`` is the assuming identity: keys, or the
    machine's own.
    """

    role: RoleArn
    caller: Keys | Ambient
    region: str | None = None
    endpoint: str | None = None
    external_id: str | None = None
    duration: int | None = None
    policy: bool | dict[str, Any] = False
    tenant: str | None = None

    def request(self, context: OpenContext) -> RoleRequest:
        """Build the request to AssumeRole.

        :raises InvalidConnection: if the session policy cannot be built or is too long.
        """
        return RoleRequest(
            role_arn=self.role.text,
            session_name=session_name(context),
            external_id=self.external_id,
            duration=self.duration,
            policy=self._policy(context),
        )

    def sts(self, context: OpenContext) -> StsCaller:
        """Return a caller of STS in the connection's region, else the action's, else the default
        region of the role's partition.
        """
        region = (
            self.region
            or context.inputs.get("awsRegion")
            or DEFAULT_REGIONS.get(self.role.partition, DEFAULT_REGIONS["aws"])
        )
        guard = ANYWHERE if self.endpoint is None else context.guard
        return StsCaller(
            self.caller,
            region,
            sts_endpoint(self.endpoint, context.environment),
            context.call.deadline,
            guard,
        )

    def key(self, context: OpenContext) -> str:
        """Return the lease's key. A session narrowed to one connector's actions serves neither its
        triggers nor other connectors.
        """
        if not self._narrows(context):
            return "sts"
        wanted = " ".join(sorted(context.permissions.get("aws:iam", ())))
        return f"sts:{context.connector}:{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"

    def _policy(self, context: OpenContext) -> str | None:
        narrows = self._narrows(context)
        if self.policy is False and not narrows:
            return None
        document = (
            session_policy(context.permissions.get("aws:iam", ()), self.tenant)
            if narrows
            else self.policy
        )
        return session_policy_text(document)

    def _narrows(self, context: OpenContext) -> bool:
        """Return whether the session is narrowed to the needed permissions. A connection's own
        policy is not narrowed.
        """
        return self.policy is True or (self.policy is False and context.narrowed)


def lease_role(context: OpenContext, assumption: Assumption) -> tuple[str, Minted]:
    """Lease the role's session; return its key and the lease, whose ``Minted.value`` holds the
    parts of Keys.

    :raises JackfieldError: if STS, the network or the connection's values prevent it; never in
        doubt.
    """
    key = assumption.key(context)
    return key, context.lease(
        key, lambda: assume_role(assumption.sts(context), assumption.request(context))
    )


def session_name(context: OpenContext) -> str:
    """Return the session's name, which the role's owner sees in CloudTrail: workspace and
    connection, or the purpose without a stored connection. A name of more than 64 characters ends
    in a hash.
    """
    what = context.connection or ("inline" if context.invocation_id else "connection-test")
    name = f"jackfield-{context.workspace}-{what}"
    legal = _ILLEGAL.sub("-", name)
    if len(legal) <= _LONGEST:
        return legal
    tail = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{legal[: _LONGEST - len(tail) - 1]}-{tail}"
