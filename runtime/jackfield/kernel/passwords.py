"""Passwords in the URLs of a text."""

from __future__ import annotations

import re

_USER_INFO = r"(?<!\S)((?>\S*?//))\S*@"
"""User name and password of a URL; also matches passwords with characters that should have been escaped."""


def without_password(text: str) -> str:
    """Mask the user name and password of each URL in a text."""
    return re.sub(_USER_INFO, r"\1***@", text) if "@" in text else text
