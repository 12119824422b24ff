"""The three parts of an AWS credential, kept out of logs and pickles."""

from __future__ import annotations

from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.secrecy import SecretHolder


@dataclass(frozen=True, slots=True)
class Keys(SecretHolder):
    """Access key, static or of an STS session. ``repr`` shows only the last four characters of its id."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Keys(…{self.access_key_id[-4:]})"
