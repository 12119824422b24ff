"""The web console of a workspace. Server-rendered; forms, tables and charts load nothing from other
hosts.
"""

from __future__ import annotations

from jackfield.kernel.exports import exports
from jackfield.kernel.hints import add_words
from jackfield_service.shell.pages.hints import WORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from jackfield_service.shell.pages.mounted import routes
    from jackfield_service.shell.pages.sign_in import one_time_link

__all__ = ["one_time_link", "routes"]

add_words("console", WORDS)
if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(__name__, {".mounted": "routes", ".sign_in": "one_time_link"})
