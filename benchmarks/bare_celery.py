"""A bare Celery application on the queue that ours uses: the yardstick of ``benchmarks.queued``."""

from __future__ import annotations

import os

from celery import Celery
from kombu import Exchange, Queue

app = Celery("bare", broker=os.environ.get("BARE_BROKER", "amqp://"))
app.conf.update(
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_default_queue="bare",
    task_ignore_result=True,
    task_queues=[
        Queue("bare", Exchange(""), routing_key="bare", queue_arguments={"x-queue-type": "quorum"})
    ],
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
)


@app.task(name="bare.nothing")  # type: ignore[untyped-decorator]
def nothing(_workspace: str, _identifier: str) -> None:
    """Do nothing."""
