"""The engine of many machines: Celery hands queued invocations to the workers through RabbitMQ or Redis. Only this package imports it."""

from jackfield.queue.celery.engine import CeleryEngine

__all__ = ["CeleryEngine"]
