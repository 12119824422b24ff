"""A host's actor of Dramatiq: ``dramatiq host_dramatiq --processes 2 --threads 2``."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from tests.jackfield.embedding import host_calls

dramatiq.set_broker(RedisBroker(url=os.environ["HOST_BROKER"]))  # type: ignore[no-untyped-call]  # it has no types


@dramatiq.actor(max_retries=0)
def work() -> None:
    """Call the provider."""
    host_calls.call()


@dramatiq.actor(max_retries=0, time_limit=10_000)
def wait() -> None:
    """Call the provider for longer than Dramatiq lets it."""
    host_calls.wait()
