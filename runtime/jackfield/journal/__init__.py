"""The journal: every invocation of a workspace and its outcome, stored in the database."""

from jackfield.journal.entry import Draft, Entry
from jackfield.journal.journal import KEPT, Journal
from jackfield.journal.queue import Claimed, Queue
from jackfield.journal.upkeep import DOUBT_KEPT, KEY_KEPT

__all__ = ["DOUBT_KEPT", "KEPT", "KEY_KEPT", "Claimed", "Draft", "Entry", "Journal", "Queue"]
