"""Platform: work on stored data, which the store finds by the entry point ``platform``; and the
intake of webhooks.

Schedules and subscriptions follow their connections; events are read by cursor; ``jackfield db``
checks and moves the rows of schedules, subscriptions and callbacks. ``Intake`` receives the
requests of providers behind a gateway of the platform's own.
"""

from __future__ import annotations

from jackfield.kernel.exports import exports
from jackfield.kernel.hints import add_words
from jackfield_service.subjects.hints import COMMANDS, STEPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from jackfield_service.subjects.connect.principals import findings
    from jackfield_service.subjects.connections.uses import look_again, part
    from jackfield_service.subjects.events.visible import events_of
    from jackfield_service.subjects.sealed_rows import SEALED_ROWS
    from jackfield_service.subjects.triggers.intake import Answer, Hook, Intake
    from jackfield_service.subjects.triggers.table import is_parting

__all__ = [
    "SEALED_ROWS",
    "Answer",
    "Hook",
    "Intake",
    "events_of",
    "findings",
    "is_parting",
    "look_again",
    "part",
]

add_words("library", STEPS)
add_words("cli", COMMANDS)
if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            "jackfield_service.subjects.connections.uses": "look_again part",
            ".sealed_rows": "SEALED_ROWS",
            "jackfield_service.subjects.events.visible": "events_of",
            "jackfield_service.subjects.connect.principals": "findings",
            "jackfield_service.subjects.triggers.intake": "Answer Hook Intake",
            "jackfield_service.subjects.triggers.table": "is_parting",
        },
    )
