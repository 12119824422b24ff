"""Option source for the sender of a message: the account's identities, with their verification."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from jackfield.connector import Detail, Forbidden, InvalidInput, NotFound, Option, Rejected
from jackfield_aws import AwsClients
from jackfield_aws.regions import normal_region, partition_of
from jackfield_aws_ses.errors import explain

_MOST = 1000
"""Maximum page size of both API versions."""


def senders(aws: AwsClients, given: object = None) -> list[Option]:
    """Return the identities in a region, by default the connection's, with verified identities
    first.

    If the role or endpoint allows only the v1 list call, return addresses without their
    verification status.

    :raises InvalidInput: if ``given`` is no region.
    :raises JackfieldError: if neither list can be read.
    """
    region = _region(given)
    try:
        found = (
            aws.client("sesv2", region)
            .list_email_identities(PageSize=_MOST)
            .get("EmailIdentities", ())
        )
    except ClientError as error:
        if not isinstance(explain(error, aws, None), Forbidden | NotFound | Rejected):
            raise
        addresses = aws.client("ses", region, validates=False).list_identities(
            IdentityType="EmailAddress", MaxItems=_MOST
        )
        return [Option(address, address) for address in addresses.get("Identities", ())]
    return [_option(identity) for identity in sorted(found, key=_unusable)]


def _region(given: object) -> str | None:
    if given is None or given == "":
        return None
    region = normal_region(given) if isinstance(given, str) else ""
    if partition_of(region) is None:
        raise InvalidInput(
            "1 input is not valid",
            details=[Detail("/awsRegion", f"'{str(given)[:80]}' is not an AWS region", "pattern")],
        )
    return region


def _unusable(identity: dict[str, Any]) -> bool:
    return not (
        identity.get("VerificationStatus", "SUCCESS") == "SUCCESS"
        and identity.get("SendingEnabled", True)
    )


def _option(identity: dict[str, Any]) -> Option:
    name, status = identity["IdentityName"], identity.get("VerificationStatus", "SUCCESS")
    state = (
        "verified" if status == "SUCCESS" else f"not verified: {status.replace('_', ' ').lower()}"
    )
    paused = "" if identity.get("SendingEnabled", True) else ", sending disabled"
    if "@" in name:
        return Option(name, f"{name} ({state}{paused})")
    return Option(f"@{name}", f"any address at {name} ({state}{paused})")
