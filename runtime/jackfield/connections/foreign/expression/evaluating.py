"""What an expression comes to, and texts with expressions in them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jackfield.connections.foreign.expression.lexing import SyntaxFault
from jackfield.connections.foreign.expression.parsing import Node, parse
from jackfield.connections.foreign.expression.values import EvaluationFault, added, compared, is_true, member, shown

__all__ = ["ExpressionError", "check", "evaluate", "substitute"]

_EMBEDDED = re.compile(r"\$\{([^}]*+)(\}|\Z)")
_SINGLE = re.compile(r"""("(?:[^"\\]++|\\(?:.|\Z))*+(?:"|\Z))|'""", re.DOTALL)
_JQ_FAULT = re.compile(r"(?:jq: )?(?:error: )?(?P<what>.*) at <top-level>, line (?P<line>[0-9]+), column (?P<column>[0-9]+)", re.DOTALL)
_SHOWN = 80


class ExpressionError(ValueError):
    """An expression cannot be read or evaluated; the message quotes the expression, never a value. ``path`` is the field that it is in,
    ``""`` where the expression is all there is."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path

    def under(self, member: str | int) -> ExpressionError:
        """The same of what has this one as a member."""
        step = f"[{member}]" if isinstance(member, int) else str(member)[:80]
        return ExpressionError(self.reason, step + ("." if self.path and not self.path.startswith("[") else "") + self.path)


def check(value: Any) -> None:  # noqa: ANN401 (any JSON value)
    """Read every expression in a value, and evaluate none.

    :raises ExpressionError: for one that cannot be read.
    """

    def one(text: str) -> None:
        if _is_whole(text):
            _compiled(_inside(text))

    _each(value, one)


def substitute(value: Any, given: Any, variables: Mapping[str, Any], *, embedded: bool = True) -> Any:  # noqa: ANN401 (any JSON value)
    """``value`` with each ``${ … }`` replaced by what it comes to: of any kind where it is the whole text, else as text (``embedded``).

    ``given`` is the input, ``.``; ``variables`` are what ``$name`` stands for.

    :raises ExpressionError: where one cannot be evaluated. In the middle of a text, what is no expression stays as it is.
    """
    return _each(value, lambda text: _filled(text, given, variables, embedded=embedded))


def evaluate(text: str, given: Any, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 (any JSON value)
    """What an expression, with or without ``${ }`` around it, comes to.

    :raises ExpressionError: where it cannot be read or evaluated.
    """
    inside = _inside(text) if _is_whole(text) else text.strip()
    run = _compiled(inside)
    try:
        return run(given, variables)
    except EvaluationFault as fault:
        raise ExpressionError(f"the expression '{inside[:_SHOWN]}': {fault}") from None


def _filled(text: str, given: Any, variables: Mapping[str, Any], *, embedded: bool) -> Any:  # noqa: ANN401 (any JSON value)
    if _is_whole(text):
        return evaluate(text, given, variables)
    if not embedded or "${" not in text:
        return text

    def one(found: re.Match[str]) -> str:
        if not found[2]:  # no bracket closes from here on; matching to the end keeps the search linear
            return found[0]
        try:
            parse(found[1])
        except SyntaxFault:
            return found[0]
        value = evaluate(found[1], given, variables)
        return "" if value is None else shown(value)

    return _EMBEDDED.sub(one, text)


def _is_whole(text: str) -> bool:
    trimmed = text.strip()
    return trimmed.startswith("${") and trimmed.endswith("}") and "${" not in trimmed[2:]


def _inside(text: str) -> str:
    return text.strip()[2:-1].strip()


def _each(value: Any, change: Callable[[str], Any]) -> Any:  # noqa: ANN401 (any JSON value)
    """The value with each of its texts changed; a fault names the field."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _member(name, item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [_member(number, item, change) for number, item in enumerate(value)]
    return value


def _member(name: str | int, value: Any, change: Callable[[str], Any]) -> Any:  # noqa: ANN401 (any JSON value)
    try:
        return _each(value, change)
    except ExpressionError as error:
        raise error.under(name) from None


@lru_cache(maxsize=256)
def _compiled(text: str) -> Callable[[Any, Mapping[str, Any]], Any]:
    try:
        tree = parse(text)
    except SyntaxFault as fault:
        return _by_jq(text, fault)
    return lambda given, variables: _value(tree, given, variables)


def _by_jq(text: str, fault: SyntaxFault) -> Callable[[Any, Mapping[str, Any]], Any]:
    """The expression as the jq package runs it: with the variables that it names."""
    try:
        import jq  # noqa: PLC0415 (an extra, and only for what is beyond our own language)
    except ImportError:
        raise ExpressionError(
            f"the expression '{text[:_SHOWN]}' cannot be read: {fault}; more than paths, '//', texts, lists, '+', comparisons and 'if' "
            "needs the extra 'jq'"
        ) from None
    program = _SINGLE.sub(lambda found: found[1] or '"', text)
    names = tuple(dict.fromkeys(re.findall(r"\$([A-Za-z_][A-Za-z0-9_]*)", program)))
    bound = "".join(f". as {{${name}}} | " for name in names if name not in ("__loc__", "ENV"))
    # on lines of its own, so that jq counts lines and columns of what somebody wrote
    source = f". as [$jackfield_input, $jackfield_variables] | ($jackfield_variables | {bound}$jackfield_input | (\n{program}\n))"
    try:
        compiled = jq.compile(source)
    except ValueError as error:
        raise ExpressionError(f"the expression '{text[:_SHOWN]}' cannot be read: {_reason(str(error), program)}") from None

    def run(given: Any, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 (any JSON value)
        try:
            found = compiled.input_text(json.dumps([given, dict(variables)])).all()
        except (ValueError, TypeError):
            raise EvaluationFault("it cannot be evaluated") from None
        if len(found) != 1:
            raise EvaluationFault(f"it gives {len(found)} values where one is expected")
        return found[0]

    return run


def _reason(said: str, program: str) -> str:
    """What jq says of a program, with the place in it."""
    found = _JQ_FAULT.match(said)
    if found is None:
        return said.splitlines()[0][:200]
    line, lines = int(found["line"]) - 1, program.count("\n") + 1
    if line > lines:
        return "it ends too soon, or closes what it has not opened"
    return f"{found['what'][:120]} at {f'line {line}, ' if lines > 1 else ''}column {found['column']}"


def _value(node: Node, given: Any, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401, C901, PLR0911, PLR0912 (one case for each kind of node)
    parts = node.parts

    def part(number: int) -> Any:  # noqa: ANN401 (any JSON value)
        return _value(parts[number], given, variables)

    match node.kind:
        case "input":
            return given
        case "constant":
            return parts[0]
        case "variable":
            if parts[0] not in variables:
                raise EvaluationFault(f"'${parts[0]}' is not defined")
            return variables[parts[0]]
        case "member":
            return member(part(0), parts[1])
        case "index":
            return member(part(0), part(1))
        case "text":
            return "".join(item if isinstance(item, str) else shown(_value(item, given, variables)) for item in parts)
        case "list":
            return [_value(item, given, variables) for item in parts]
        case "add":
            return added(part(0), part(1))
        case "compare":
            return compared(parts[0], part(1), part(2))
        case "pipe":
            return _value(parts[1], part(0), variables)
        case "not":
            return not is_true(given)
        case "and":
            return is_true(part(0)) and is_true(part(1))
        case "or":
            return is_true(part(0)) or is_true(part(1))
        case "if":
            return part(1) if is_true(part(0)) else part(2)
    left = part(0)  # "alternative"
    return left if is_true(left) else part(1)
