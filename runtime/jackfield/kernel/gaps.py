"""Regular expression of texts with gaps between them, such as ``aws-*`` or ``/users/{id}``."""

from __future__ import annotations

import re
from collections.abc import Sequence


def with_gaps(texts: Sequence[str], gaps: Sequence[str]) -> str:
    """Return a regular expression of the ``texts``, with a lazy expression of each gap between two
    of them, for ``fullmatch``. All gaps take the same characters.

    Each text is matched at its first occurrence only (atomic groups), which leaves the most for the
    next gap. So the time grows with the text only, whatever the number of gaps.
    """
    first, *others = map(re.escape, texts)
    if not others:
        return first
    *middle, last = (f"{gap}{text}" for gap, text in zip(gaps, others, strict=True))
    return first + "".join(f"(?>{part})" for part in middle) + last
