"""HTTP/1.1 for connectors: pooled connections with deadlines and guards, and exact knowledge of
what has been sent.

``connection`` opens a connection and transfers its bytes, ``head`` reads and writes heads,
``reply`` decodes the framing of a response. ``client`` pools connections, and handles a request
from its first byte to the head of its response. ``faults`` describes how a request failed. It needs
the standard library only. Connectors import its names from ``jackfield.connector``.
"""
