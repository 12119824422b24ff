"""Work of a platform on what the store keeps, which finds it by the entry point ``platform``; and the intake of webhooks.

Schedules and subscriptions follow their connections; events are read by cursor; ``jackfield db`` checks and moves the rows of schedules,
subscriptions and callbacks. ``Intake`` receives the requests of providers behind a gateway of the platform's own.
"""

from __future__ import annotations

from jackfield.kernel.exports import exports
from jackfield.kernel.hints import add_words
from jackfield_platform.hints import COMMANDS, STEPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from jackfield_platform.connection_uses import look_again, part
    from jackfield_platform.sealed_rows import SEALED_ROWS
    from jackfield_platform.tenants.connect_principals import findings
    from jackfield_platform.triggers.intake import Answer, Hook, Intake
    from jackfield_platform.triggers.table import is_parting
    from jackfield_platform.visible_events import events_of

__all__ = ["SEALED_ROWS", "Answer", "Hook", "Intake", "events_of", "findings", "is_parting", "look_again", "part"]

add_words("library", STEPS)
add_words("cli", COMMANDS)
if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            ".connection_uses": "look_again part",
            ".sealed_rows": "SEALED_ROWS",
            ".visible_events": "events_of",
            "jackfield_platform.tenants.connect_principals": "findings",
            "jackfield_platform.triggers.intake": "Answer Hook Intake",
            "jackfield_platform.triggers.table": "is_parting",
        },
    )
