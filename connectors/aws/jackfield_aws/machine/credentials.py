"""The machine's credentials in the form that botocore's clients read. They are fetched when a connection is opened, not by a client."""

from __future__ import annotations

from botocore.credentials import Credentials, ReadOnlyCredentials

from jackfield.clock import SystemClock
from jackfield.connector import Deadline
from jackfield_aws.limits import current_deadline
from jackfield_aws.machine.identity import MachineIdentity
from jackfield_aws.machine.sources import Found

WITHOUT_CALL = 60.0
"""Seconds for a fetch outside of any call."""


def found_in_time(machine: MachineIdentity) -> Found:
    """Return the machine's credentials within the current deadline.

    :raises JackfieldError: if they cannot be fetched.
    """
    return machine.found(current_deadline() or Deadline.after(WITHOUT_CALL, SystemClock()))


class MachineCredentials(Credentials):  # type: ignore[misc]
    """Credentials of all clients of one identity. They wait for a fetch only where none was made, or the last credentials have expired."""

    method = "machine"
    account_id = None

    def __init__(self, machine: MachineIdentity) -> None:
        self._machine = machine

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the credentials of this moment.

        :raises JackfieldError: as ``found_in_time``.
        """
        keys = (self._machine.current or found_in_time(self._machine)).keys
        return ReadOnlyCredentials(keys.access_key_id, keys.secret_access_key, keys.session_token, None)

    @property
    def access_key(self) -> str:
        """Id of the access key."""
        return str(self.get_frozen_credentials().access_key)

    @property
    def secret_key(self) -> str:
        """Secret access key."""
        return str(self.get_frozen_credentials().secret_key)

    @property
    def token(self) -> str | None:
        """Session token, if it is a session's."""
        found: str | None = self.get_frozen_credentials().token
        return found
