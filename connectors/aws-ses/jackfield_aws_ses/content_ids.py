"""Content-IDs of inline pictures: their syntax, and the ``cid:`` links of an HTML text (RFC 2045
§7, RFC 2392, RFC 5322 §3.6.4).
"""

import re
from html import unescape
from urllib.parse import unquote

_MAX_LENGTH = 78  # SES API v2, Attachment.ContentId
_ATOMS = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
# RFC 5322 requires the right side; SES's own examples and most mail APIs have identifiers without
# it, and mail clients show them.
_IDENTIFIER = re.compile(rf"{_ATOMS}(?:@(?:{_ATOMS}|\[[!-Z^-~]+\]))?")
_LINK = re.compile(
    r"""(?:\b(?:src|srcset|href|background|poster|data)\s{0,9}=\s{0,9}["']?|url\(\s{0,9}(?:["']|&quot;|&\#39;)?)\s{0,9}cid:([^"'()<>\s]{1,500})""",
    re.IGNORECASE | re.VERBOSE,
)


def clean_content_id(given: str) -> str:
    """Return a Content-ID without angle brackets. Raises ValueError with a predicate."""
    trimmed = given.strip()
    if trimmed.startswith("<") and trimmed.endswith(">"):
        trimmed = trimmed[1:-1]
    if trimmed[:4].lower() == "cid:":
        raise ValueError(
            "has a content ID that is a link: give it without 'cid:', which only the HTML has"
        )
    if len(trimmed) > _MAX_LENGTH:
        raise ValueError(f"has a content ID of more than {_MAX_LENGTH} characters")
    if not _IDENTIFIER.fullmatch(trimmed):
        raise ValueError(
            "has a content ID that is not like 'logo' or 'logo@example.com': ASCII letters, "
            "digits, and .!#$%&'*+/=?^_`{|}~-"
        )
    return trimmed


def linked_ids(html: str | None) -> tuple[str, ...]:
    """Return the Content-IDs in the ``cid:`` links of an HTML text, each once."""
    if not html or ("cid:" not in html and "cid:" not in html.lower()):
        return ()
    return tuple(dict.fromkeys(unquote(unescape(found)) for found in _LINK.findall(html)))
