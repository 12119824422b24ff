"""The stored side of a runtime: database, keys, journal, access, stored connections, files, their
management, and the queue.
"""

from __future__ import annotations

from jackfield.kernel.hints import add_words
from jackfield_store.hints import COMMANDS, STEPS

add_words("library", STEPS)
add_words("cli", COMMANDS)
