"""RabbitMQ for jackfield."""

from jackfield_rabbitmq.connector import connector

__all__ = ["connector"]
