"""Switch for direct calls, and boto3's client in place of botocore's for all calls while it is
off.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

SWITCH = "JACKFIELD_AWS_DIRECT"
"""Environment variable that, set to 0, lets boto3's client make all calls."""
_HELD = "_jackfield_boto3"


def is_on() -> bool:
    """Return whether direct calls are on."""
    return os.environ.get(SWITCH) != "0"


def creator(session: Any) -> Callable[..., Any]:
    """Return the client factory of a botocore Session, which the caller has locked: the Session's
    own or, with direct calls off, boto3's.
    """
    if is_on():
        return session.create_client  # type: ignore[no-any-return]
    made = vars(session).get(_HELD)
    if made is None:  # once for each: boto3 registers its functions with it
        import boto3

        made = vars(session)[_HELD] = boto3.Session(botocore_session=session)
    return made.client  # type: ignore[no-any-return]
