"""Refusals of the file storage, below all surfaces; HTTP answers them with 413 and 507."""

from __future__ import annotations

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import InvalidInput, JackfieldError, LimitReached, QuotaExceeded


class FileTooLarge(InvalidInput):
    """Error for a file over the limit of ``limit`` bytes; nothing of the file is stored."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the file is larger than {limit:,} bytes", hint="Split it into smaller files."
        )
        self.limit = limit


class NoRoom(QuotaExceeded):
    """Error for a full quota of the workspace, or a full disk."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message, hint="Delete files that are no longer needed, or wait until they expire."
        )


@dataclass(frozen=True, slots=True)
class Quota:
    """Maximum bytes of a workspace's files: the server's, or the workspace's own ``limit``, which
    has a name.
    """

    most: int
    limit: str = ""

    def refusal(self) -> JackfieldError:
        """Return the error for a file that would exceed the quota."""
        if self.limit:
            return LimitReached(self.limit, self.most)
        return NoRoom(f"the workspace's files must not exceed {self.most:,} bytes in total")


class FileDamaged(OSError):
    """Error for stored content that is missing, truncated or changed."""
