"""The folder in which processes share their metrics. Prometheus' client reads its path at import,
so this module does not import it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of Prometheus' client for the folder of the worker processes' counters."""


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Aggregate the counters of processes started in this block, including finished ones: any
    worker reports the totals.
    """
    if FOLDER in os.environ:  # set by the operator
        yield
        return
    with tempfile.TemporaryDirectory(prefix="jackfield-metrics-") as folder:
        os.environ[FOLDER] = folder  # read by Prometheus' client when a worker imports it
        try:
            yield
        finally:
            del os.environ[FOLDER]
