"""Connector ``http``: send any HTTP request, and receive any webhook."""

from jackfield_http.request.connector import connector
from jackfield_http.request.webhooks import webhook

__all__ = ["connector", "webhook"]
