"""The journal: every invocation of a workspace and its outcome, stored in the database."""

from jackfield.journal.entry import Draft, Entry
from jackfield.journal.journal import DOUBT_KEPT, KEPT, KEY_KEPT, Journal
from jackfield.journal.queue import Claimed, Queue

__all__ = ["DOUBT_KEPT", "KEPT", "KEY_KEPT", "Claimed", "Draft", "Entry", "Journal", "Queue"]
