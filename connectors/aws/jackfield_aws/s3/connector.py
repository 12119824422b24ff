"""Declaration of the actions of ``aws.s3`` that need several operations of S3. Their modules are
imported on demand.
"""

from __future__ import annotations

from jackfield.connector import Connector
from jackfield_aws.s3.names import PERMISSIONS, SERVICE
from jackfield_aws.version import VERSION

OWN_ACTIONS = connector = Connector(
    "aws.s3",
    title="Amazon S3",
    version=VERSION,
    modules={
        "jackfield_aws.s3.transfers": ("uploadFile", "downloadFile", "copyFile"),
        "jackfield_aws.s3.presigning": ("presignGet", "presignPut", "presignPost"),
    },
)
"""Connector with actions only: connection types, errors and regions come from the virtual
connector.
"""


def needed(name: str) -> dict[str, tuple[str, ...]]:
    """Return the permissions of an action."""
    return {"aws:iam": PERMISSIONS[SERVICE, name]}
