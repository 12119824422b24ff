"""``${ … }`` in configuration files and workflows: jq expressions, evaluated by the ``jq`` package
(extra ``workflow``).
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

_EMBEDDED = re.compile(r"\$\{([^}]*+)(\}|\Z)")
_SINGLE = re.compile(r"""("(?:[^"\\]++|\\(?:.|\Z))*(?:"|\Z))|'""", re.DOTALL)
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_WORD = re.compile(r"\s*(?!(?:true|false|null)\s*\Z)[A-Za-z_][A-Za-z0-9_]*\s*\Z")
_READ_FAULT = re.compile(
    r"(?:jq: )?(?:error: )?(?P<what>.*) at <top-level>, line (?P<line>[0-9]+), column "
    r"(?P<column>[0-9]+)",
    re.DOTALL,
)
_KIND = "(object|array|string|number|boolean|null)"
_NAMED = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "number": "a number",
    "boolean": "a boolean",
}
_VALUE_FAULTS = (
    (
        re.compile(rf'Cannot index {_KIND} with (?:{_KIND}|")', re.DOTALL),
        "{0} has no members named by {1}",
    ),
    (
        re.compile(rf"{_KIND} \(.*\) and {_KIND} \(.*\) cannot be (added|[a-z]+ed)", re.DOTALL),
        "{0} and {1} cannot be {2}",
    ),
    (re.compile(rf"Cannot iterate over {_KIND}"), "{0} cannot be iterated over"),
)
"""Regular expressions of jq's messages for values of a wrong type, and replacements that name only
the types, since jq quotes the values.
"""
_BUILT_IN = ("__loc__", "ENV")
_SHOWN = 80
_MAX_LENGTH = 8192
"""Maximum length of an expression, in characters. jq limits the depth; it cannot be interrupted, so
an expression's running time is up to its author.
"""


class ExpressionError(ValueError):
    """Expression that cannot be read or evaluated; the message quotes the expression, never a
    value. ``path`` is the field that contains it, ``""`` for an expression on its own.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path

    def under(self, member: str | int) -> ExpressionError:
        """Prefix the path with the member that contains the expression."""
        step = f"[{member}]" if isinstance(member, int) else str(member)[:80]
        return ExpressionError(
            self.reason,
            step + ("." if self.path and not self.path.startswith("[") else "") + self.path,
        )


def readable(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the environment that documents may read: not jackfield's own, such as
    the master key.
    """
    return {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith("JACKFIELD_")
    }


def check(value: Any) -> None:
    """Compile every expression in a value without evaluating it.

    :raises ExpressionError: if an expression cannot be compiled.
    """

    def one(text: str) -> None:
        if _is_whole(text):
            _compile_expression(_inside(text))

    _each(value, one)


def substitute(
    value: Any, given: Any, variables: Mapping[str, Any], *, embedded: bool = True
) -> Any:
    """Replace each ``${ … }`` in ``value`` by its result: of any type if it is the whole text, else
    as text (``embedded``).

    ``given`` is the input, ``.``; ``variables`` are the values of ``$name``.

    :raises ExpressionError: if an expression cannot be evaluated. In a text, everything else is
        left unchanged.
    """
    return _each(value, lambda text: _filled(text, given, variables, embedded=embedded))


def evaluate(text: str, given: Any, variables: Mapping[str, Any]) -> Any:
    """Evaluate an expression, with or without ``${ }`` around it.

    :raises ExpressionError: if it cannot be read or evaluated, or does not give exactly one value.
    """
    inside = _inside(text) if _is_whole(text) else text.strip()
    program = _compiled(inside, tuple(variables))
    try:
        # Take at most two values, so that an endless stream ends.
        environment = readable(os.environ) if "env" in inside.lower() else {}
        found = list(
            itertools.islice(
                program.input_text(json.dumps([given, dict(variables), environment])), 2
            )
        )
    except (ValueError, TypeError, RecursionError) as fault:
        raise ExpressionError(
            f"the expression '{inside[:_SHOWN]}': {_value_fault(str(fault))}"
        ) from None
    if len(found) != 1:
        raise ExpressionError(
            f"the expression '{inside[:_SHOWN]}' returns {'several' if found else 'no'} values; "
            "one is expected"
        )
    return found[0]


def _filled(text: str, given: Any, variables: Mapping[str, Any], *, embedded: bool) -> Any:
    if _is_whole(text):
        return evaluate(text, given, variables)
    if not embedded or "${" not in text:
        return text

    def one(found: re.Match[str]) -> str:
        # Keep a shell's variable, and an unclosed bracket (matching to the end keeps the search
        # linear).
        if not found[2] or _WORD.match(found[1]) or not _is_readable(found[1].strip()):
            return found[0]
        value = evaluate(found[1], given, variables)
        return "" if value is None else _as_text(value)

    return _EMBEDDED.sub(one, text)


def _as_text(value: object) -> str:
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    )


def _is_whole(text: str) -> bool:
    trimmed = text.strip()
    return trimmed.startswith("${") and trimmed.endswith("}") and "${" not in trimmed[2:]


def _inside(text: str) -> str:
    return text.strip()[2:-1].strip()


def _each(value: Any, change: Callable[[str], Any]) -> Any:
    """Change each text in a value; a fault names the field."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _member(name, item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [_member(number, item, change) for number, item in enumerate(value)]
    return value


def _member(name: str | int, value: Any, change: Callable[[str], Any]) -> Any:
    try:
        return _each(value, change)
    except ExpressionError as error:
        raise error.under(name) from None


def _is_readable(text: str) -> bool:
    _jq()  # a missing package is not a fault of the text
    try:
        _compile_expression(text)
    except ExpressionError:
        return False
    return True


def _compile_expression(text: str) -> None:
    _compiled(text, tuple(dict.fromkeys(_VARIABLE.findall(text))))


def _jq() -> Any:
    """Import the package.

    :raises ExpressionError: if it is not installed.
    """
    try:
        import jq
    except ImportError:
        raise ExpressionError(
            "expressions need the package 'jq': pip install 'jackfield[workflow]'"
        ) from None
    return jq


@lru_cache(maxsize=256)
def _compiled(text: str, names: tuple[str, ...]) -> Any:
    if len(text) > _MAX_LENGTH:
        raise ExpressionError(
            f"the expression '{text[:_SHOWN]}' has more than {_MAX_LENGTH:,} characters"
        )
    jq = _jq()
    program = _SINGLE.sub(lambda found: found[1] or '"', text)
    bound = "".join(
        f". as {{${name}}} | "
        for name in names
        if _VARIABLE.fullmatch(f"${name}") and name not in _BUILT_IN
    )
    # Put the program on its own lines, so that jq reports lines and columns of the author's text.
    given = ". as [$jackfield_input, $jackfield_variables, $ENV] | def env: $ENV;"
    source = f"{given} ($jackfield_variables | {bound}$jackfield_input | (\n{program}\n))"
    try:
        return jq.compile(source)
    except UnicodeError:
        raise ExpressionError(
            f"the expression {text[:_SHOWN]!a} cannot be read: it is not valid Unicode"
        ) from None
    except ValueError as error:
        raise ExpressionError(
            f"the expression '{text[:_SHOWN]}' cannot be read: {_read_fault(str(error), program)}"
        ) from None


def _read_fault(said: str, program: str) -> str:
    """Shorten jq's message about a program to the fault and its place."""
    found = _READ_FAULT.match(said)
    if found is None:
        return said.splitlines()[0][:200]
    line, lines = int(found["line"]) - 1, program.count("\n") + 1
    if line > lines:
        return "it ends too early, or a bracket is closed that was not opened"
    return (
        f"{found['what'][:120]} at {f'line {line}, ' if lines > 1 else ''}column {found['column']}"
    )


def _value_fault(said: str) -> str:
    for pattern, words in _VALUE_FAULTS:
        if found := pattern.match(said):
            return words.format(
                *(_NAMED.get(item, item) if item else "a text" for item in found.groups())
            )
    return "it cannot be evaluated"
