"""A job of RQ that imports jackfield as it runs: each job is a fork of the worker, which has not
imported it, and ends by ``os._exit``.
"""

from __future__ import annotations

import importlib


def work() -> None:
    """Call the provider."""
    importlib.import_module("tests.jackfield.embedding.host_calls").call()


def wait() -> None:
    """Call the provider for longer than RQ lets it."""
    importlib.import_module("tests.jackfield.embedding.host_calls").wait()
