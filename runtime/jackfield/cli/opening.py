"""The runtime for one command, opened as the environment says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield.runtime import Jackfield

__all__ = ["open_jackfield"]


def open_jackfield() -> Jackfield:
    """The runtime for the workspace in JACKFIELD_WORKSPACE. From here on there is something to log.

    :raises JackfieldError: where the environment names something that cannot be used.
    """
    from jackfield.cli import logs  # noqa: PLC0415 (logging, pydantic and the pipe: only commands that need them come here)
    from jackfield.runtime import Jackfield  # noqa: PLC0415 (as above)

    logs.configure()
    return Jackfield(os.environ.get("JACKFIELD_WORKSPACE") or "default")
