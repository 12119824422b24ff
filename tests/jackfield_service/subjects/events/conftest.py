"""The databases that tests run on, and the stage of those about callbacks."""

from tests.jackfield_service.subjects.events.callback_stage import place, receiver

from postgres import database_url, postgres_database, postgres_server, postgres_url

__all__ = [
    "database_url",
    "place",
    "postgres_database",
    "postgres_server",
    "postgres_url",
    "receiver",
]
