"""The connector ``http``: send any HTTP request."""

from jackfield_http.request.connector import connector

__all__ = ["connector"]
