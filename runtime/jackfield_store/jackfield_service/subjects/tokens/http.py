"""Operations ``/v1/tokens``: tokens of the caller's workspace, so that a platform can create and
revoke them without a shell.
"""

from __future__ import annotations

from jackfield_service.shell.http.resources import operations
from jackfield_service.subjects.tokens.subject import TOKENS

OPERATIONS = operations(TOKENS)
