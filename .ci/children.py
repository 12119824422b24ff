"""Compile what isolated connectors import, beside its source, for tests that start them.

Their Python ignores the environment, and with it ``PYTHONPYCACHEPREFIX``, and writes nothing: each
of 300 children would compile a hundred modules. Run with ``python -I``, which ignores that
variable, too.
"""

from importlib import import_module

MODULES = (
    "jackfield.connector.manifests",
    "jackfield_isolation.answers",
    "jackfield_isolation.child",
    "jackfield.schema.compiling",
    "jackfield_http",
    "pydantic._internal._dataclasses",
    "pydantic.type_adapter",
)

for name in MODULES:
    import_module(name)
