"""Workers for queued invocations: the journal itself is the queue, and any process may serve it."""

from jackfield.queue.runtime_pool import RuntimePool
from jackfield.queue.workers import QueueWorkers, leave

__all__ = ["QueueWorkers", "RuntimePool", "leave"]
