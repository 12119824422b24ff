"""Finding of a look for evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.pointers import follow

_LONGEST_LINK = 1_000
_VALUE = re.compile(r"\{(/[^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Finding:
    """Finding of one look. ``result`` is one of ``LOOK_RESULTS``; ``missing`` is True if the
    provider said that the requested object does not exist. A look that has not read its whole
    source continues ``again`` seconds later, and does not count until then.
    """

    result: str
    text: str = ""
    item: Any = None
    missing: bool = False
    is_final: bool = False
    """True if further looks of this source would find nothing."""
    again: float | None = None
    link: str | None = None
    """Address at the provider where people see the found object."""
    sent: Mapping[str, str] | None = None
    """Values of the request by which a similar object was found."""
    shown: Mapping[str, str] = field(default_factory=dict)
    """Beginning of ``item``, without its secrets."""
    refusal: Mapping[str, Any] | None = None
    """Error of a refused request, or of a failed object: jackfield's code ``refused``, the
    provider's ``error`` and ``message``, and whether the object ``exists``.
    """
    exists: bool = False
    """True if the object exists or existed, although its existence proves nothing."""
    verdict: str | None = None
    """Verdict declared by a function's author."""

    def to_json(self) -> dict[str, Any]:
        """Return the finding's stored form."""
        about = {"text": self.text, "link": self.link, "sent": self.sent}
        return {"result": self.result, **{name: value for name, value in about.items() if value}}


def link_of(declared: str | None, item: Any) -> str | None:
    """Return the address at which people see the found object; None if no address is declared, or a
    value is missing.
    """
    if declared is None:
        return None
    try:
        if declared.startswith("/"):
            found = follow(item, declared)
        else:
            found = _VALUE.sub(lambda one: quote(str(follow(item, one[1])), safe=""), declared)
    except (LookupError, ValueError):
        return None
    is_address = (
        isinstance(found, str)
        and found.startswith("https://")
        and found.isprintable()
        and len(found) <= _LONGEST_LINK
    )
    return found if is_address else None
