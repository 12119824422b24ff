"""The queue as a surface: invocations that wait, go through RabbitMQ and run in a worker."""

from __future__ import annotations

import pytest

from corpus import vectors
from rabbitmq import missing
from surfaces import SURFACES, complaints, played


def test_the_queue_takes_all_that_can_be_queued() -> None:
    """More than half of the vectors go through the queue, and the waits of their retries are compared, too. Skipped without RabbitMQ, when
    the comparison of the surfaces leaves the queue out."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    taken = [vector for vector in vectors() if SURFACES["queue"].takes(vector)]
    assert len(taken) >= 384
    waiting = next(vector for vector in taken if "waited" in vector.expect)
    play = played("queue", waiting)
    assert play.waited is not None
    assert complaints(waiting, play) == []
