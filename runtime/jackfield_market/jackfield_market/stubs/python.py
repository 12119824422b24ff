"""Typed callers in Python: a ``TypedDict`` for the inputs and the output of each action, and a
function that calls it.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from typing import Any

from jackfield.manifest.manifest import ActionManifest, Manifest
from jackfield_market.stubs.schemas import (
    Member,
    Names,
    TypeReader,
    first_sentence,
    literal,
    pascal,
)

_HEAD = '''"""{title}: typed calls. Made by `jackfield stubs {key} --python` of version {version}; do not edit."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, Required, TypedDict, Unpack, cast

from jackfield import Jackfield


class Options(TypedDict, total=False):
    """Members of an invocation beside its inputs."""

    connection: str
    idempotencyKey: str
    timeoutSeconds: float
    onDoubt: Literal["report", "settle", "retry"]
    partial: Literal["warn", "fail"]
    repeat: bool
    context: dict[str, Any]


'''
_FUNCTION = '''
def {name}(jackfield: Jackfield, inputs: {inputs}, **options: Unpack[Options]) -> {output}:
    """{about}

    :raises InvocationFailed: if it did not succeed.
    """
    call = {{"connector": {connector}, "action": {action}, "inputs": dict(inputs), **options}}
    return cast({cast}, jackfield.invoke(call).unwrap())
'''
_PLAIN = {
    "string": "str",
    "boolean": "bool",
    "integer": "int",
    "number": "float",
    "null": "None",
    "any": "Any",
}

_RESERVED = (
    "Any",
    "Jackfield",
    "Literal",
    "NotRequired",
    "Options",
    "Required",
    "TypedDict",
    "Unpack",
)


class Python:
    """Spelling of types in Python."""

    def plain(self, name: str) -> str:
        """Return the Python type of a JSON type."""
        return _PLAIN[name]

    def choice(self, values: Sequence[Any]) -> str:
        """Return a ``Literal`` type of values."""
        return f"Literal[{', '.join(_literal(value) for value in values)}]"

    def array(self, item: str) -> str:
        """Return a list type."""
        return f"list[{item}]"

    def mapping(self, value: str) -> str:
        """Return a dictionary type with string keys."""
        return f"dict[str, {value}]"

    def union(self, types: Sequence[str]) -> str:
        """Return a union type; ``Any`` if a member is ``Any``."""
        return "Any" if "Any" in types else " | ".join(dict.fromkeys(types))

    def declared(self, name: str, members: Sequence[Member]) -> str:
        """Return a ``TypedDict``: as a class, or as a call if a member's name is no Python
        identifier.
        """
        rows = [
            (
                row.name,
                f"Required[{row.type}]" if row.required else f"NotRequired[{row.type}]",
                row.about,
            )
            for row in members
        ]
        if all(row.name.isidentifier() and not keyword.iskeyword(row.name) for row in members):
            lines = [
                f"    {key}: {kind}" + (f'\n    """{_quoted(about)}"""' if about else "")
                for key, kind, about in rows
            ]
            return f"class {name}(TypedDict, total=False):\n" + "\n".join(lines) + "\n"
        inside = "\n".join(
            f'    {literal(key)}: "{kind}",'
            if '"' not in kind
            else f"    {literal(key)}: {kind!r},"
            for key, kind, _ in rows
        )
        return f"{name} = TypedDict({literal(name)}, {{\n{inside}\n}}, total=False)\n"


def written(manifest: Manifest) -> str:
    """Return the module of a connector's typed callers."""
    parts = [
        _HEAD.format(
            title=first_sentence(manifest.title), key=manifest.key, version=manifest.version
        )
    ]
    names = Names(_RESERVED)
    return "".join(
        [*parts, *(_of_action(manifest, action, names) for action in manifest.actions.values())]
    )


def _of_action(manifest: Manifest, action: ActionManifest, names: Names) -> str:
    name, brought = pascal(action.key), [field for field, _ in action.defaults]
    shares = action.definitions is not None
    inputs = TypeReader(Python(), action.inputs, names, lenient=brought, shares=shares)
    output = TypeReader(Python(), action.output or {}, names, shares=shares)
    given, returned = inputs.whole(f"{name}Inputs"), output.whole(f"{name}Output")
    body = _FUNCTION.format(
        name=function_name(action.key),
        inputs=given,
        output=returned,
        cast=repr(returned),
        connector=literal(manifest.key),
        action=literal(action.key),
        about=_quoted(first_sentence(action.title) or action.key),
    )
    return "\n\n".join([*inputs.declarations, *output.declarations, body.lstrip("\n")]) + "\n\n"


def function_name(key: str) -> str:
    """Return an action's key in snake_case, with an underscore added if it is a keyword of
    Python.
    """
    found = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key).lower()
    return f"{found}_" if keyword.iskeyword(found) else found


def module_name(key: str) -> str:
    """Return the name of a connector's module, such as `http_calls`, which hides no library."""
    return f"{re.sub(r'[^a-z0-9]+', '_', key.lower())}_calls"


def _literal(value: Any) -> str:
    return repr(value) if value is None or isinstance(value, bool) else literal(value)


def _quoted(text: str) -> str:
    return text.rstrip('"') or "…"
