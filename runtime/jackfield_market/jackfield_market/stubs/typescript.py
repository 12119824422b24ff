"""Typed callers in TypeScript: an interface for the inputs and the output of each action, and a
function that calls it.
"""

from __future__ import annotations

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

_HEAD = """/** {title}: typed calls. Made by `jackfield stubs {key} --typescript` of version {version}; do not edit. */

/** Members of an invocation beside its inputs. */
export interface Options {{
  connection?: string;
  idempotencyKey?: string;
  timeoutSeconds?: number;
  onDoubt?: "report" | "settle" | "retry";
  partial?: "warn" | "fail";
  repeat?: boolean;
  context?: Record<string, unknown>;
}}

/** What runs an invocation and returns its output, such as a client of POST /v1/invocations. It throws if the call did not succeed. */
export interface Caller {{
  invoke(invocation: Options & {{ connector: string; action: string; inputs: object }}): Promise<unknown>;
}}

"""
_FUNCTION = """/** {about} */
export async function {name}(caller: Caller, inputs: {inputs}, options: Options = {{}}): Promise<{output}> {{
  return (await caller.invoke({{ ...options, connector: {connector}, action: {action}, inputs }})) as {output};
}}

"""
_PLAIN = {
    "string": "string",
    "boolean": "boolean",
    "integer": "number",
    "number": "number",
    "null": "null",
    "any": "unknown",
}
_RESERVED = frozenset(
    {
        "await",
        "break",
        "case",
        "catch",
        "class",
        "const",
        "continue",
        "debugger",
        "default",
        "delete",
        "do",
        "else",
        "enum",
        "export",
        "extends",
        "false",
        "finally",
        "for",
        "function",
        "if",
        "implements",
        "import",
        "in",
        "instanceof",
        "interface",
        "let",
        "new",
        "null",
        "package",
        "private",
        "protected",
        "public",
        "return",
        "static",
        "super",
        "switch",
        "this",
        "throw",
        "true",
        "try",
        "typeof",
        "var",
        "void",
        "while",
        "with",
        "yield",
    }
)
_GLOBAL = (
    "Array",
    "Caller",
    "Date",
    "Error",
    "Function",
    "Object",
    "Options",
    "Promise",
    "Record",
    "String",
)
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


class TypeScript:
    """Spelling of types in TypeScript."""

    def plain(self, name: str) -> str:
        """Return the TypeScript type of a JSON type."""
        return _PLAIN[name]

    def choice(self, values: Sequence[Any]) -> str:
        """Return a union of literal types."""
        return " | ".join(literal(value) for value in values)

    def array(self, item: str) -> str:
        """Return an array type."""
        return f"Array<{item}>"

    def mapping(self, value: str) -> str:
        """Return a record type with string keys."""
        return f"Record<string, {value}>"

    def union(self, types: Sequence[str]) -> str:
        """Return a union type; ``unknown`` if a member is ``unknown``."""
        return "unknown" if "unknown" in types else " | ".join(dict.fromkeys(types))

    def declared(self, name: str, members: Sequence[Member]) -> str:
        """Return the declaration of an interface."""
        lines = []
        for row in members:
            about = f"  /** {row.about} */\n" if row.about else ""
            key = row.name if _IDENTIFIER.fullmatch(row.name) else literal(row.name)
            lines.append(f"{about}  {key}{'' if row.required else '?'}: {row.type};")
        return f"export interface {name} {{\n" + "\n".join(lines) + "\n}\n"


def written(manifest: Manifest) -> str:
    """Return the module of a connector's typed callers."""
    head = _HEAD.format(
        title=first_sentence(manifest.title), key=manifest.key, version=manifest.version
    )
    names = Names(_GLOBAL)
    return head + "".join(
        _of_action(manifest, action, names) for action in manifest.actions.values()
    )


def _of_action(manifest: Manifest, action: ActionManifest, names: Names) -> str:
    name, brought = pascal(action.key), [field for field, _ in action.defaults]
    shares = action.definitions is not None
    inputs = TypeReader(TypeScript(), action.inputs, names, lenient=brought, shares=shares)
    output = TypeReader(TypeScript(), action.output or {}, names, shares=shares)
    given, returned = inputs.whole(f"{name}Inputs"), output.whole(f"{name}Output")
    own = f"{action.key}_" if action.key in _RESERVED else action.key
    body = _FUNCTION.format(
        about=first_sentence(action.title) or action.key,
        name=own,
        inputs=given,
        output=returned,
        connector=literal(manifest.key),
        action=literal(action.key),
    )
    return "\n".join([*inputs.declarations, *output.declarations, body])
