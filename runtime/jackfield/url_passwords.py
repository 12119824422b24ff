"""Masking of passwords in URLs, for messages that quote them and for connections that are shown."""

from __future__ import annotations

import re

_USER_INFO = re.compile(r"(?<!\S)((?>\S*?//))\S*@")
"""User name and password of a URL; also matches passwords with characters that should have been escaped."""


def without_password(text: str) -> str:
    """Mask the user name and password of each URL in a text."""
    return _USER_INFO.sub(r"\1***@", text) if "@" in text else text
