"""Who works at this command line."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield.access import Actor
    from jackfield.access.workspace_access import Caller

__all__ = ["actor", "caller", "person"]


def person() -> str:
    """``cli:`` and the name of the account that this process runs as. Variables such as LOGNAME say what their user likes."""
    name = _account()
    return f"cli:{name}" if name else "cli"


def caller() -> Caller:
    """Tell who invokes, for the journal."""
    from jackfield.access.workspace_access import Caller

    return Caller(person())


def actor() -> Actor:
    """Return whom the audit log names for what this command line does: the account, and for root the account that ``sudo`` came from."""
    from jackfield.access import Actor

    return Actor("cli", _account() or "", _sudo_account())


def _account() -> str | None:
    if sys.platform == "win32":
        return os.environ.get("USERNAME")
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # an account without a name, as containers have
        return f"uid-{os.getuid()}"


def _sudo_account() -> str:
    """The account that ``sudo`` notes for root, which only root could have changed; nothing for everybody else."""
    return os.environ.get("SUDO_USER", "") if sys.platform != "win32" and os.getuid() == 0 else ""
