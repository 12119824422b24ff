"""Spans and moments as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield.kernel.clock import iso, moment, seconds
from jackfield.kernel.errors import InvalidInvocation


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("45s", 45),
        ("90m", 5400),
        ("12h", 43_200),
        ("30d", 2_592_000),
        ("2W", 1_209_600),
        ("0d", 0),
        ("30", 30),
        ("1e-06", 1e-06),
        ("PT15S", 15),
        ("1.5h", 5400),
        ("1y", None),
        ("-1d", None),
        ("", None),
        ("99999d", None),
    ],
)
def test_spans(text: str, span: float | None) -> None:
    """A span is a whole number and a unit, of a hundred years at most."""
    assert seconds(text) == span


@pytest.mark.parametrize(
    ("text", "direction", "at"),
    [
        ("1h", 1, 4600.0),
        ("10m", -1, 400.0),
        ("1970-01-02", 1, 86_400.0),
        ("1970-01-02T00:00:01Z", 1, 86_401.0),
        ("1970-01-02T01:00:00+01:00", -1, 86_400.0),
        ("1970-01-02 00:00", 1, 86_400.0),
    ],
)
def test_moments(text: str, direction: int, at: float) -> None:
    """A moment is a span from now on or back, or a date, in UTC where it names no zone."""
    assert moment(text, 1000.0, direction, "--expires") == at


@pytest.mark.parametrize("text", ["soon", "2031-13-01", "", "30 days", "9999999999d"])
def test_what_is_no_moment(text: str) -> None:
    """Anything else is refused, with what may be written."""
    with pytest.raises(
        InvalidInvocation, match=r"--expires '.*' is neither a duration nor a date"
    ) as caught:
        moment(text, 0.0, 1, "--expires")
    assert "30d" in str(caught.value.hint)


@given(st.integers(0, 4_000_000_000_000))
def test_what_is_shown_can_be_read(milliseconds: int) -> None:
    """A moment that was written is read as the same, to the millisecond."""
    text = iso(milliseconds / 1000)
    assert text is not None
    assert moment(text, 0.0, 1, "x") == pytest.approx(milliseconds / 1000, abs=0.001)


def test_no_moment_is_shown_as_nothing() -> None:
    """What never happened has no text."""
    assert iso(None) is None
