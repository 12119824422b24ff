"""The journal: every invocation of a workspace and its outcome, stored in the database."""

from jackfield_store.journal.entry import DOUBT_KEPT
from jackfield_store.journal.journal import Journal
from jackfield_store.journal.queue import Queue
from jackfield_store.journal.upkeep import KEPT, KEY_KEPT

__all__ = ["DOUBT_KEPT", "KEPT", "KEY_KEPT", "Journal", "Queue"]
