"""Images that a platform supplies for its pages: ``data:`` URLs of a bounded size. An SVG must not
run or load anything.
"""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote_to_bytes

_IMAGE = re.compile(r"data:image/(png|jpeg|webp|svg\+xml);base64,([A-Za-z0-9+/]+={0,2})")
_DRAWN = re.compile(r"data:image/svg\+xml(?:;utf8|;charset=utf-8)?,(.+)", re.IGNORECASE | re.DOTALL)
"""Regular expression of an SVG as text, with ``%23`` for ``#``, as the icons of connectors are
written.
"""
_ACTIVE = re.compile(
    rb"<\s*+(?:\w+:)?(?:script|foreignobject|iframe|object|embed|handler|set|animate\w*)\b|\son\w++\s*+=|javascript\s*+:|<!(?:entity|doctype)"
    rb"|href\s*+=\s*+(?:[\"']\s*+)?[^\s\"'#]|url\(\s*+(?:[\"']\s*+)?[^\s\"'#)]|@import|\\|&#",
    re.IGNORECASE,
)
"""Regular expression of parts of an SVG that run a script, load something, or could hide either.
Only references to its own parts are allowed.
"""

_PASSIVE = (
    "must be an SVG without scripts, events, animations, entities and references to other documents"
)


def image_fault(value: object, largest: int) -> str | None:
    """Return the fault of an image of at most ``largest`` characters; None if it is valid. Browsers
    run no scripts of images either.
    """
    fits = isinstance(value, str) and len(value) <= largest
    match, drawn = (
        (_IMAGE.fullmatch(value), _DRAWN.fullmatch(value))
        if isinstance(value, str) and fits
        else (None, None)
    )
    if drawn is not None:
        return _PASSIVE if _ACTIVE.search(unquote_to_bytes(drawn[1])) else None
    if match is None:
        return (
            "must be an image as a data: URL (PNG, JPEG, WebP or SVG in base64, or an SVG "
            f"as text), at most {largest:,} characters"
        )
    if match[1] != "svg+xml":
        return None
    try:
        content = base64.b64decode(match[2], validate=True)
        content.decode()
    except ValueError:
        return "must be an SVG in UTF-8, in base64"
    return _PASSIVE if _ACTIVE.search(content) else None
