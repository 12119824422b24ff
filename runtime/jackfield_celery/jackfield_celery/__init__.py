"""The engine of many machines: Celery passes queued invocations to the workers through RabbitMQ or
Redis.

The core finds it through the entry point ``celery`` in the group ``jackfield.engines``; without it,
the journal is the queue.
"""

from jackfield_celery.engine import CeleryEngine

__all__ = ["CeleryEngine"]
