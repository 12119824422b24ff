"""Identity of the user at the command line, for the journal and the audit log."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield.access import Actor
    from jackfield.access.workspace_access import Caller

__all__ = ["actor", "caller", "person"]


def person() -> str:
    """Return ``cli:`` and the account that this process runs as; variables such as LOGNAME can be forged."""
    name = _account()
    return f"cli:{name}" if name else "cli"


def caller() -> Caller:
    """Return the caller that the journal records."""
    from jackfield.access.workspace_access import Caller

    return Caller(person())


def actor() -> Actor:
    """Return the actor that the audit log records: the account and, for root, the account that ran ``sudo``."""
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
    """Return the account that ran ``sudo``; empty unless this is root, since others can forge SUDO_USER."""
    return os.environ.get("SUDO_USER", "") if sys.platform != "win32" and os.getuid() == 0 else ""
