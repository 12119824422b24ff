"""What is installed, at once; code on demand. Standard library only.

Names are imported when they are first asked for (PEP 562): a cold ``jackfield --help`` reads entry points and no manifests.
"""

from __future__ import annotations

from jackfield.exports import exports

TYPE_CHECKING = False  # typing's own would cost a cold --help as much as Python's start
if TYPE_CHECKING:
    from jackfield.catalog.discovery import EntryPoint, entry_points
    from jackfield.catalog.found import Found
    from jackfield.catalog.index import search
    from jackfield.catalog.installed import Catalog, Entry

__all__ = ["Catalog", "Entry", "EntryPoint", "Found", "entry_points", "search"]

__getattr__, __dir__ = exports(
    __name__,
    {
        ".discovery": ("EntryPoint", "entry_points"),
        ".installed": ("Catalog", "Entry"),
        ".found": ("Found",),
        ".index": ("search",),
    },
)
