"""The installed connectors: manifests at once, code on demand. Standard library only.

Names are imported on first access (PEP 562): a cold ``jackfield --help`` reads entry points but no manifests.
"""

from __future__ import annotations

from jackfield.exports import exports

TYPE_CHECKING = False  # typing's own would cost a cold --help as much time as starting Python
if TYPE_CHECKING:
    from jackfield.catalog.discovery import EntryPoint, entry_points
    from jackfield.catalog.found import Found
    from jackfield.catalog.index import search
    from jackfield.catalog.installed import Catalog, Entry

__all__ = ["Catalog", "Entry", "EntryPoint", "Found", "entry_points", "search"]

if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            ".discovery": "EntryPoint entry_points",
            ".installed": "Catalog Entry",
            ".found": "Found",
            ".index": "search",
        },
    )
