"""What the tests of isolation share."""

from __future__ import annotations

from warm import launchers, warm_python
from warm_child import forked_children

__all__ = ["forked_children", "launchers", "warm_python"]
