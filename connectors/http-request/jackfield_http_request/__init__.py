"""Connector ``http`` for jackfield: send any HTTP request."""

from jackfield_http_request.connector import connector

__all__ = ["connector"]
