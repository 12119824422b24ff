"""The web console: what a person sees of a workspace. Server-rendered; forms, tables and charts work without any other network.

``routes(host)`` is mounted at ``/``; ``one_time_link`` is what ``jackfield serve`` prints.
"""

from jackfield.surfaces.console.app import routes
from jackfield.surfaces.console.entrance import one_time_link

__all__ = ["one_time_link", "routes"]
