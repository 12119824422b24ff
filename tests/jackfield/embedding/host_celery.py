"""A host's Celery application: ``celery --app host_celery worker --pool prefork``."""

from __future__ import annotations

import os

from celery import Celery
from tests.jackfield.embedding import host_calls

app = Celery("host", broker=os.environ["HOST_BROKER"])
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="work")  # type: ignore[untyped-decorator]  # Celery has no types
def work() -> None:
    """Call the provider."""
    host_calls.call()


@app.task(name="wait", soft_time_limit=10)  # type: ignore[untyped-decorator]  # the same
def wait() -> None:
    """Call the provider for longer than Celery lets it."""
    host_calls.wait()
