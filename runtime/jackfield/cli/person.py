"""Who works at this command line."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield.access import Actor

__all__ = ["actor", "person"]

_NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


def person() -> str:
    """``cli:`` and the name of the account, as ``getpass.getuser`` finds it, whose import a cold call saves."""
    name = next((found for variable in _NAMES if (found := os.environ.get(variable))), None) or _account()
    return f"cli:{name}" if name else "cli"


def actor() -> Actor:
    """Return whom the audit log names for what this command line does."""
    from jackfield.access import Actor  # noqa: PLC0415 (only commands that change something need it)

    return Actor("cli", person().removeprefix("cli").removeprefix(":"))


def _account() -> str | None:
    if sys.platform == "win32":
        return None
    import pwd  # noqa: PLC0415 (not everywhere)

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # an account without a name
        return None
