"""jackfield: a connector runtime. Connectors declare connections and actions as JSON Schema; one executor takes JSON and answers JSON."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would cost a cold --help as much as Python's start
if TYPE_CHECKING:
    from jackfield.errors import InvocationFailed, JackfieldError
    from jackfield.invocation import Invocation, Result
    from jackfield.pipe.executor import Jackfield

__all__ = ["Invocation", "InvocationFailed", "Jackfield", "JackfieldError", "Result", "__version__"]

__version__ = "0.1.0"

_HOMES = {
    "Invocation": "jackfield.invocation",
    "InvocationFailed": "jackfield.errors",
    "Jackfield": "jackfield.pipe.executor",
    "JackfieldError": "jackfield.errors",
    "Result": "jackfield.invocation",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562), so that a cold command pays only for what it uses."""
    if name not in _HOMES:
        raise AttributeError(f"module 'jackfield' has no attribute '{name}'")
    from importlib import import_module  # noqa: PLC0415 (as lazily as the names)

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
