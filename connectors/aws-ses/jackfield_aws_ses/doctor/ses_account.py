"""SES account of one region for the doctor. A missing resource is None; a refusal names the missing
permission.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from jackfield.connector import Forbidden, JackfieldError, NotFound, Rejected
from jackfield_aws import AwsClients
from jackfield_aws_ses.errors import explain

_OPERATIONS = {
    "get_account": "GetAccount",
    "get_email_identity": "GetEmailIdentity",
    "get_suppressed_destination": "GetSuppressedDestination",
}


class Denied(Exception):
    """Error of credentials that may not call an operation."""

    def __init__(self, operation: str, reason: str) -> None:
        super().__init__(operation)
        self.operation, self.reason = operation, reason


class SesAccount:
    """Reads of SES API v2 in one region."""

    def __init__(self, aws: AwsClients, region: str) -> None:
        self._aws = aws
        self.region = region

    def account(self) -> Mapping[str, Any]:
        """Return the response of GetAccount.

        :raises Denied: if the credentials may not call it.
        :raises JackfieldError: for any other failure; ``Rejected`` if the endpoint does not have
            SES API v2.
        """
        found = self._ask("get_account")
        if not isinstance((found or {}).get("SendQuota"), Mapping):
            raise Rejected("the answer of GetAccount has no sending quota")
        return found or {}

    def identity(self, name: str) -> Mapping[str, Any] | None:
        """Return the response of GetEmailIdentity, or None if the identity does not exist. Raises
        as ``account`` does.
        """
        return self._ask("get_email_identity", EmailIdentity=name)

    def suppressed(self, address: str) -> Mapping[str, Any] | None:
        """Return the suppression list's entry for an address, or None. Raises as ``account``
        does.
        """
        return self._ask("get_suppressed_destination", EmailAddress=address)

    def _ask(self, method: str, **parameters: str) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = getattr(self._aws.client("sesv2", self.region), method)(
                **parameters
            )
        except (ClientError, BotoCoreError, OSError) as error:
            reason = explain(error, self._aws, None)
            if isinstance(reason, NotFound) and parameters:
                return None
            if isinstance(reason, Forbidden):
                raise Denied(_OPERATIONS[method], reason.message) from None
            raise (reason or JackfieldError(f"an unexpected {type(error).__name__}")) from None
        return found
