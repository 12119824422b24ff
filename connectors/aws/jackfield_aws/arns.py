"""ARNs of IAM roles: parsing, and a check of their partition against a region."""

from __future__ import annotations

import re

from jackfield.connector import Detail, InvalidConnection
from jackfield.kernel.dataclass import dataclass
from jackfield_aws.regions import partition_of

ROLE_ARN_PATTERN = (
    "^arn:aws(-cn|-us-gov|-eusc|-iso(-[bef])?)?:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$"
)
"""Pattern of a role's ARN with its path. The ARN also has 20 to 2,048 characters (STS API
reference, AssumeRole).
"""

ROLE_ARN_EXPECTED = "the ARN of an IAM role such as arn:aws:iam::123456789012:role/acme-ses"
"""Phrase for a valid role ARN; it completes "is not …"."""

_ROLE = re.compile(ROLE_ARN_PATTERN)
_LONGEST = 2048


@dataclass(frozen=True, slots=True)
class RoleArn:
    """Parts of a role's ARN. ``name`` is the last part of its path."""

    text: str
    partition: str
    account: str
    name: str

    def check_region(self, region: str | None) -> None:
        """Check that the role can be used in ``region``, if one is given.

        :raises InvalidConnection: if the region is in another partition, whose IAM does not know
            the role.
        """
        partition = partition_of(region) if region else self.partition
        if partition not in (self.partition, None):
            text = (
                f"a role in partition '{self.partition}' cannot be used in region {region}, "
                f"which is in partition '{partition}'"
            )
            raise InvalidConnection(
                f"Role ARN and region do not match: {text}",
                details=[Detail("/roleARN", text)],
                hint="Use a role in the region's partition, or a region in the role's partition.",
            )


def parse_role_arn(value: str) -> RoleArn:
    """Parse a role's ARN.

    :raises InvalidConnection: if it is not the ARN of a role.
    """
    if len(value) > _LONGEST or not _ROLE.fullmatch(value):
        text = f"'{value[:80]}' is not {ROLE_ARN_EXPECTED}"
        raise InvalidConnection(
            "the Role ARN is not valid",
            details=[Detail("/roleARN", text, "pattern")],
            hint=(
                "Copy the ARN from the role's summary in the IAM console, not that of a "
                "user, a policy or an STS session."
            ),
        )
    _, partition, _, _, account, resource = value.split(":", 5)
    return RoleArn(value, partition, account, resource.rpartition("/")[2])
