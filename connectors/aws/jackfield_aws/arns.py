"""ARNs of IAM roles: their parts, and whether they fit a region."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jackfield.connector import Detail, InvalidConnection
from jackfield_aws.regions import partition_of

__all__ = ["ROLE_ARN_EXPECTED", "ROLE_ARN_PATTERN", "RoleArn", "parse_role_arn", "role_of_session"]

ROLE_ARN_PATTERN = "^arn:aws(-cn|-us-gov|-eusc|-iso(-[bef])?)?:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$"
"""A role's ARN with its path; 20 to 2,048 characters besides (STS API reference, AssumeRole)."""

ROLE_ARN_EXPECTED = "the ARN of an IAM role such as arn:aws:iam::123456789012:role/acme-ses"
"""What completes "… is not"."""

_ROLE = re.compile(ROLE_ARN_PATTERN)
_SESSION = re.compile(r"arn:([a-z-]+):sts::([0-9]{12}):assumed-role/([^/]+)/.+")
_LONGEST = 2048


@dataclass(frozen=True, slots=True)
class RoleArn:
    """A role's ARN in parts. ``name`` is the last part of its path."""

    text: str
    partition: str
    account: str
    name: str

    def check_region(self, region: str | None) -> None:
        """Do nothing where the role can be used in ``region``, or where no region is named.

        :raises InvalidConnection: where the region lies in another partition, whose IAM does not know the role.
        """
        partition = partition_of(region) if region else self.partition
        if partition not in (self.partition, None):
            text = f"a role of partition '{self.partition}' cannot be used in region {region} of partition '{partition}'"
            raise InvalidConnection(
                f"Role ARN and region do not fit together: {text}",
                details=[Detail("/roleARN", text)],
                hint="Use a role of the account that holds the region, or a region of the role's partition.",
            )


def parse_role_arn(value: str) -> RoleArn:
    """Take a role's ARN apart.

    :raises InvalidConnection: where it is no role's ARN.
    """
    if len(value) > _LONGEST or not _ROLE.fullmatch(value):
        text = f"'{value[:80]}' is not {ROLE_ARN_EXPECTED}"
        raise InvalidConnection(
            "the Role ARN is not valid",
            details=[Detail("/roleARN", text, "pattern")],
            hint="Copy the ARN from the role's summary in the IAM console; users, policies and STS sessions have other ARNs.",
        )
    _, partition, _, _, account, resource = value.split(":", 5)
    return RoleArn(value, partition, account, resource.rpartition("/")[2])


def role_of_session(arn: str) -> str:
    """The ARN to name in a trust policy: the role behind an STS session (its path is not known), any other ARN as it is."""
    found = _SESSION.fullmatch(arn)
    return "arn:{}:iam::{}:role/{}".format(*found.groups()) if found else arn
