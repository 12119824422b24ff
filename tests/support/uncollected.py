"""Steps deep in the stack, where what finalizes the garbage of other tests would have no room."""

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
