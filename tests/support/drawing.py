"""Property tests at two lengths: few examples for each commit, many in a campaign."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings


def drawn(
    *strategies: Any, few: int, many: int, cases: Sequence[Mapping[str, Any]] = (), **named: Any
) -> Callable[[Callable[..., None]], Callable[[int], None]]:
    """Try the decorated function with ``few`` examples of the strategies and with ``cases``; a
    campaign tries ``many``.
    """

    def decorate(function: Callable[..., None]) -> Callable[[int], None]:
        @pytest.mark.parametrize("examples", [few, pytest.param(many, marks=pytest.mark.campaign)])
        def test(examples: int) -> None:
            asked: Any = given(*strategies, **named)
            tried = asked(function)
            for case in cases:
                tried = example(**case)(tried)
            tried = settings(
                max_examples=examples,
                deadline=None,
                database=None,
                suppress_health_check=[HealthCheck.too_slow],
            )(tried)
            tried()

        test.__name__, test.__qualname__, test.__module__ = (
            function.__name__,
            function.__qualname__,
            function.__module__,
        )
        test.__doc__ = function.__doc__
        return test

    return decorate
