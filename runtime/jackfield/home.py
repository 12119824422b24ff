"""Folder of jackfield's data: the database, the master key, uploaded files and installed connectors lie in it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing would double the start-up time of a cold --help
if TYPE_CHECKING:
    from collections.abc import Mapping


def home(environment: Mapping[str, str]) -> str:
    """Return the folder of jackfield's data: ``JACKFIELD_HOME``, else ``jackfield`` in the platform's folder for user data.

    That is XDG_DATA_HOME (XDG Base Directory Specification) on Linux, Application Support on macOS, LOCALAPPDATA on Windows.
    """
    named = environment.get("JACKFIELD_HOME")
    if named:
        return os.path.abspath(os.path.expanduser(named))
    return os.path.join(_user_data(environment, sys.platform), "jackfield")


def _user_data(environment: Mapping[str, str], platform: str) -> str:
    user = os.path.expanduser("~")
    if platform == "win32":
        return environment.get("LOCALAPPDATA") or os.path.join(user, "AppData", "Local")
    if platform == "darwin":
        return os.path.join(user, "Library", "Application Support")
    named = environment.get("XDG_DATA_HOME", "")
    # the XDG specification requires relative paths to be ignored
    return named if os.path.isabs(named) else os.path.join(user, ".local", "share")
