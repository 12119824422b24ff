"""Queued invocations: the port to engines that run them, the journal itself or a broker."""

from jackfield_store.queue.engine import (
    Engine,
    broker_warning,
    check_queue,
    look_each_second,
    open_engine,
    queue_url,
    run,
)
from jackfield_store.queue.local import LocalEngine, leave

__all__ = [
    "Engine",
    "LocalEngine",
    "broker_warning",
    "check_queue",
    "leave",
    "look_each_second",
    "open_engine",
    "queue_url",
    "run",
]
