"""The databases and brokers that tests of the queue run on."""

from postgres import database_url, postgres_database, postgres_server, postgres_url
from rabbitmq import rabbitmq, rabbitmq_node
from redis_server import redis, redis_process

__all__ = [
    "database_url",
    "postgres_database",
    "postgres_server",
    "postgres_url",
    "rabbitmq",
    "rabbitmq_node",
    "redis",
    "redis_process",
]
