"""Steps beside which the collector of garbage must not run, such as those deep in the stack, where
what it finalizes has no room.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector of cyclic garbage from running."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
