"""Queued invocations: a port to the engines that run them, and the runtimes of all workspaces that they run in."""

from jackfield.queue.engine import Engine, check_queue, open_engine, queue_url, run
from jackfield.queue.local import LocalEngine, leave
from jackfield.queue.runtime_pool import RuntimePool

__all__ = ["Engine", "LocalEngine", "RuntimePool", "check_queue", "leave", "open_engine", "queue_url", "run"]
