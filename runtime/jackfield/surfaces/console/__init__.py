"""The web console of a workspace. Server-rendered; forms, tables and charts load nothing from other hosts.

``routes(server)`` is mounted at ``/``; ``jackfield serve`` prints a ``one_time_link``.
"""

from jackfield.surfaces.console.app import routes
from jackfield.surfaces.console.sign_in import one_time_link

__all__ = ["one_time_link", "routes"]
