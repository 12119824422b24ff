"""The folder in which processes share their metrics. Prometheus' client reads its place when it is imported, so this module does not."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Directory where worker processes store their counters, as named by Prometheus' client."""


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Aggregate the counters of processes started in this block, including finished ones: any worker reports the totals."""
    if FOLDER in os.environ:  # set by the operator
        yield
        return
    with tempfile.TemporaryDirectory(prefix="jackfield-metrics-") as folder:
        os.environ[FOLDER] = folder  # read by Prometheus' client when a worker imports it
        try:
            yield
        finally:
            del os.environ[FOLDER]
