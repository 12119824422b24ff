"""Members of AWS's answers that sound like credentials, by the names and types of the shapes of
each operation's output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

_SECRET = re.compile(
    r"secret|passwo?r?d|passphrase|plaintext|credential|jwt|assertion|bearer|cookie|(?<!Media)signed_?url|presigned|shell|activation_?code"
    r"|(auth|authorization)_?code|(login|embed|streaming|authorized|upload|anonymous|deep_?link)_?urls?|unlock_?code|upload_?links?|connection_?string|one_?time|recovery_?code|seed$|mac$"
    r"|(private|session|shared|master|access|api|auth|stream|license|signing|data|activation|embedding)_?key|pre_?shared|key_?material",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"tokens?$", re.IGNORECASE)
_PAGE = re.compile(
    r"^((next|previous|last|start|starting|continue|forward|backward|page|pagination|continuation|client|request|creation|idempotency"
    r"|lock|update|change|version|sync|sequence)_?)+tokens?$",
    re.IGNORECASE,
)
"""Tokens that name a place in a list or a request."""
_ABOUT = re.compile(
    r"(arns?|ids?|names?|status|type|expires?|expiry|expiration|algorithm|policy|version|usage|digest|uri|path|source|mode|method"
    r"|description|format|prefix|provider|identifier|parameter|param|jsonkey|endpoint)$",
    re.IGNORECASE,
)
"""Ends of members that say something about a credential."""


def sounds_secret(name: str) -> bool:
    """Return whether a member's name sounds like a credential."""
    is_token = _TOKEN.search(name) is not None and _PAGE.match(name) is None
    return (is_token or _SECRET.search(name) is not None) and _ABOUT.search(name) is None


def telling_members(outputs: Iterable[Any]) -> Iterator[str]:
    """Yield the members of a service's outputs, as ``Shape.member``, whose values are texts or
    bytes and whose names sound like a credential.
    """
    seen: set[str] = set()
    waiting = [output for output in outputs if output is not None]
    while waiting:
        shape = waiting.pop()
        if shape.type_name in ("list", "map"):
            waiting.append(shape.member if shape.type_name == "list" else shape.value)
        elif shape.type_name == "structure" and shape.name not in seen:
            seen.add(shape.name)
            waiting.extend(shape.members.values())
            yield from (
                f"{shape.name}.{name}"
                for name, member in shape.members.items()
                if _is_text(member) and sounds_secret(name)
            )


def _is_text(shape: Any) -> bool:
    while shape.type_name in ("list", "map"):
        shape = shape.member if shape.type_name == "list" else shape.value
    return shape.type_name in ("string", "blob") and not shape.metadata.get("enum")
