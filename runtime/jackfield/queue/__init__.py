"""Queued invocations: a port to the engines that run them, the runtimes of all workspaces that they run in, the
polls of jobs, and schedules, which queue invocations at given times."""

from jackfield.queue.engine import Engine, check_queue, open_engine, queue_url, run
from jackfield.queue.local import LocalEngine, leave
from jackfield.queue.poller import Poller
from jackfield.queue.runtime_pool import RuntimePool
from jackfield.queue.scheduler import Scheduler

__all__ = ["Engine", "LocalEngine", "Poller", "RuntimePool", "Scheduler", "check_queue", "leave", "open_engine", "queue_url", "run"]
