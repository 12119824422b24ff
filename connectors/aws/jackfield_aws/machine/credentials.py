"""Machine credentials for botocore's clients. They are fetched when a connection is opened, not by
a client.
"""

from __future__ import annotations

from collections.abc import Callable

from botocore.credentials import Credentials, ReadOnlyCredentials

from jackfield_aws.keys import Keys


class MachineCredentials(Credentials):  # type: ignore[misc]
    """Credentials shared by all clients of one identity. ``read`` waits for a fetch only if the
    last credentials have expired.
    """

    method = "machine"
    account_id = None

    def __init__(self, read: Callable[[], Keys]) -> None:
        self._read = read

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the current credentials.

        :raises JackfieldError: if they have expired and cannot be fetched.
        """
        keys = self._read()
        return ReadOnlyCredentials(
            keys.access_key_id, keys.secret_access_key, keys.session_token, None
        )

    @property
    def access_key(self) -> str:
        """ID of the access key."""
        return str(self.get_frozen_credentials().access_key)

    @property
    def secret_key(self) -> str:
        """Secret access key."""
        return str(self.get_frozen_credentials().secret_key)

    @property
    def token(self) -> str | None:
        """Session token; None without a session."""
        found: str | None = self.get_frozen_credentials().token
        return found
