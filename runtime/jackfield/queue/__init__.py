"""Queued invocations: the journal itself is the queue, and every process may work on it."""

from jackfield.queue.runtime_pool import Panels
from jackfield.queue.workers import QueueWorkers, leave

__all__ = ["Panels", "QueueWorkers", "leave"]
