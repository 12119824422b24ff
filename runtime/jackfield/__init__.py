"""jackfield, a connector runtime. Connectors declare connections and actions as JSON Schema; one
executor accepts and returns JSON.
"""

from __future__ import annotations

from jackfield.kernel.exports import exports

TYPE_CHECKING = False  # importing typing for it would double the start-up time of a cold --help
if TYPE_CHECKING:
    from jackfield.boundary.looks import ABSENT, UNKNOWN
    from jackfield.boundary.once import once
    from jackfield.invocation import Invocation, Result
    from jackfield.invocation.result import InvocationFailed, InvocationWaiting
    from jackfield.kernel.errors import JackfieldError
    from jackfield.runtime import Jackfield

__all__ = [
    "ABSENT",
    "UNKNOWN",
    "Invocation",
    "InvocationFailed",
    "InvocationWaiting",
    "Jackfield",
    "JackfieldError",
    "Result",
    "__version__",
    "once",
]

__version__ = "0.1.0"

if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            ".boundary.looks": "ABSENT UNKNOWN",
            ".boundary.once": "once",
            ".kernel.errors": "JackfieldError",
            ".invocation.result": "InvocationFailed InvocationWaiting",
            ".invocation": "Invocation Result",
            ".runtime": "Jackfield",
        },
    )
