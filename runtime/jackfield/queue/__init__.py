"""Queued invocations: the journal itself is the queue, and every process may work on it."""

from jackfield.queue.runtime_pool import RuntimePool
from jackfield.queue.workers import QueueWorkers, leave

__all__ = ["QueueWorkers", "RuntimePool", "leave"]
