"""The server for these tests."""

from redis_server import redis, redis_process

__all__ = ["redis", "redis_process"]
