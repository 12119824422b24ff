"""Region of this machine or process, for a connection that uses its identity without a region."""

from __future__ import annotations

from collections.abc import Mapping

import botocore.exceptions
import botocore.session

from jackfield_aws.regions import normal_region


def machine_region(profile: str | None, environment: Mapping[str, str]) -> str | None:
    """Return the region of the environment, else of the profile; None if neither has one.

    Containers and functions have ``AWS_REGION``, which botocore does not read. A connection's own
    profile precedes the environment.
    """
    of_environment = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    found = (
        (_of_profile(profile) or of_environment)
        if profile
        else (of_environment or _of_profile(None))
    )
    return normal_region(found or "") or None


def _of_profile(profile: str | None) -> str | None:
    try:
        found = botocore.session.Session(profile=profile).get_scoped_config().get("region")
    except (botocore.exceptions.BotoCoreError, OSError, ValueError):
        # opening the connection explains what is wrong with it
        return None
    return found if isinstance(found, str) else None
