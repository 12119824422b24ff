"""Queued invocations: the journal itself is the queue, and every process may work on it."""

from jackfield.queue.leaving import leave
from jackfield.queue.panels import Panels
from jackfield.queue.workers import QueueWorkers

__all__ = ["Panels", "QueueWorkers", "leave"]
