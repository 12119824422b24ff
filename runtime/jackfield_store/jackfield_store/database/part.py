"""Parts that a database holds (``Database.attached``). They refer to the database weakly, so that
it ends with its last user.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from weakref import ref

from jackfield_store.database.epoch import unlike
from jackfield_store.database.faults import Trouble, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from jackfield_store.database.engine import Database


class Part:
    """Base of parts that use the database themselves. Users of such a part must keep a reference to
    its database.
    """

    def __init__(self, database: Database) -> None:
        self._reference = ref(database)

    @property
    def _database(self) -> Database:
        """The database.

        :raises Unavailable: if it is no longer referenced.
        """
        found = self._reference()
        if found is None:
            raise unavailable(Trouble.CLOSED)
        return found


def readings(database: Database) -> Callable[[], int]:
    """Return a function that reads the epoch of a database, for a cache that the database itself
    holds.
    """
    return partial(_reading, ref(database))


def _reading(reference: ref[Database]) -> int:
    found = reference()
    return unlike() if found is None else found.epoch()
