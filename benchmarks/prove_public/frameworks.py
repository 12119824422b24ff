"""Frameworks that run tasks, each in this process: around one write with requests."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.prove_public.software import GUARDED, POST, Promise, Software

_CELERY = """
from celery import Celery
app = Celery(broker="memory://")
app.conf.update(task_always_eager=True, task_eager_propagates=False)
task = app.task(autoretry_for=(Exception,), retry_kwargs={"max_retries": 3, "countdown": 0}, shared=False, name="order")(post)
task.apply().get()
"""
_HUEY = """
from huey import MemoryHuey
result = MemoryHuey(immediate=True).task(retries=2)(post)()
result.get()
"""
_RQ = """
if __name__ == "__main__":  # RQ's workers take no function of __main__
    import fakeredis
    from rq import Queue, Retry, SimpleWorker
    from write import post
    connection = fakeredis.FakeStrictRedis()
    queue = Queue(connection=connection)
    job = queue.enqueue(post, retry=Retry(max=3))
    SimpleWorker([queue], connection=connection).work(burst=True)
    job.refresh()
    assert job.is_finished
"""
_DRAMATIQ = """
import dramatiq
from dramatiq.brokers.stub import StubBroker
broker = StubBroker()
dramatiq.set_broker(broker)
actor = dramatiq.actor(min_backoff=100, max_backoff=200, max_retries=3)(post)
worker = dramatiq.Worker(broker, worker_timeout=100)
actor.send()
worker.start()
broker.join(actor.queue_name, fail_fast=True)
"""
_ROWS = (
    (
        "Celery",
        ("celery",),
        "autoretry_for=(Exception,)",
        _CELERY,
        Promise(
            "tasks are ideally idempotent",
            "https://github.com/celery/celery/blob/main/docs/userguide/tasks.rst",
        ),
    ),
    (
        "Huey",
        ("huey",),
        "retries=2",
        _HUEY,
        Promise("a task that fails is retried", "https://github.com/coleifer/huey#readme"),
    ),
    (
        "RQ",
        ("rq", "fakeredis"),
        "Retry(max=3)",
        _RQ,
        Promise("a job that fails is put back", "https://github.com/rq/rq#readme"),
    ),
    (
        "Dramatiq",
        ("dramatiq",),
        "3 retries; short pauses",
        _DRAMATIQ,
        Promise(
            "a task that fails is retried by default",
            "https://github.com/Bogdanp/dramatiq/blob/master/dramatiq/middleware/retries.py",
        ),
    ),
)


def _rows() -> Iterator[Software]:
    for name, packages, settings, text, promise in _ROWS:
        yield Software(
            name,
            (*packages, "requests"),
            promise,
            program=POST + text,
            settings=settings,
            once=GUARDED + text,
        )


SOFTWARE = tuple(_rows())
