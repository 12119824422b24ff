"""Runtime of one command, configured by environment variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield.runtime import Jackfield

__all__ = ["open_jackfield"]


def open_jackfield() -> Jackfield:
    """Open the runtime for the workspace in JACKFIELD_WORKSPACE and configure logging.

    :raises JackfieldError: if the environment names something that cannot be used.
    """
    from jackfield.cli import logs
    from jackfield.runtime import Jackfield

    logs.configure()
    return Jackfield(os.environ.get("JACKFIELD_WORKSPACE") or "default")
