"""Texts with gaps: the patterns of rules, of paths and of messages in another language."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from jackfield.kernel.gaps import with_gaps

_TEXTS = st.lists(st.text("ab.", max_size=3), min_size=1, max_size=4)


@given(_TEXTS, st.sampled_from([".*?", ".+?", "[^.]+?"]), st.data())
def test_the_first_occurrence_of_each_text_is_enough(
    texts: list[str], gap: str, data: st.DataObject
) -> None:
    """Whatever matches with backtracking matches without it, with the same parts."""
    gaps = [f"({gap})"] * (len(texts) - 1)
    plain = re.escape(texts[0])
    for text in texts[1:]:
        plain += f"({gap}){re.escape(text)}"
    filled = st.text("ab.", max_size=4)
    text = texts[0] + "".join(data.draw(filled) + other for other in texts[1:])
    for one in (text, data.draw(st.text("ab.", max_size=12))):
        wanted, found = re.fullmatch(plain, one), re.fullmatch(with_gaps(texts, gaps), one)
        assert (found and found.groups()) == (wanted and wanted.groups())
