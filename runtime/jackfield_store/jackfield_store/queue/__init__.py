"""Queued invocations: a port to the engines that run them, and the runtimes of all workspaces that they run in. Also the polls of jobs,
schedules, which queue invocations at given times, the work on subscriptions, and looks for evidence of calls in doubt."""

from jackfield_store.queue.engine import Engine, broker_warning, check_queue, look_each_second, open_engine, queue_url, run
from jackfield_store.queue.evidence_loop import EvidenceLoop, look_now
from jackfield_store.queue.local import LocalEngine, leave
from jackfield_store.queue.poller import Poller
from jackfield_store.queue.runtime_pool import RuntimePool

__all__ = [
    "Engine",
    "EvidenceLoop",
    "LocalEngine",
    "Poller",
    "RuntimePool",
    "broker_warning",
    "check_queue",
    "leave",
    "look_each_second",
    "look_now",
    "open_engine",
    "queue_url",
    "run",
]
