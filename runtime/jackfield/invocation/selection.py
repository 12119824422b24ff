"""``select``: a part of an output, by a JMESPath expression
(https://jmespath.org/specification.html) within limits.

The caller chooses the expression, and so its cost: a few characters can double a value again and
again. Each step counts, and each value made by a step counts with all values that it refers to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import Parser
from jmespath.visitor import TreeInterpreter

LONGEST = 2_000
"""Maximum characters of an expression."""
_STEPS = 500_000
"""Maximum number of steps of one expression: each visited node, and each created value."""
_LETTERS = 100
"""Number of characters of a created string that count as one step."""
_MAKES = frozenset(
    {"function_expression", "multi_select_list", "multi_select_dict", "flatten", "slice"}
)
"""Types of nodes whose value may be larger than its inputs."""


class SelectionError(Exception):
    """Error for an expression that is not valid, or cannot be applied to an output. The message
    says why, and quotes nothing of the output.
    """


def check_selection(expression: str) -> None:
    """Check an expression without an output: its syntax, and the names and argument counts of its
    functions.

    :raises SelectionError: if it cannot be applied to any output.
    """
    for node in _nodes(_parsed(expression)):
        if node["type"] != "function_expression":
            continue
        found = Functions.FUNCTION_TABLE.get(node["value"])
        if found is None:
            raise SelectionError(f"has no function '{node['value'][:80]}'")
        signature, given = found["signature"], len(node["children"])
        most = None if signature and signature[-1].get("variadic") else len(signature)
        if given < len(signature) or (most is not None and given > most):
            count = (
                f"{len(signature)}{' or more' if most is None else ''} "
                f"argument{'' if len(signature) == 1 else 's'}"
            )
            raise SelectionError(f"gives '{node['value']}' {given} instead of {count}")


def selection(expression: str, output: Mapping[str, Any]) -> Any:
    """Return the selection of an expression in an output; None if nothing matches.

    :raises SelectionError: if a function gets an argument of a wrong type, or the limits are
        exceeded.
    """
    counted = _Counted()
    try:
        found = counted.visit(_parsed(expression), output)
        counted.count(found)
    except JMESPathError as error:
        raise SelectionError(_refusal(error)) from None
    except (RecursionError, ArithmeticError, TypeError, ValueError, AttributeError):
        raise SelectionError("cannot be applied to this output") from None
    return found


def _parsed(expression: str) -> Any:
    if not 0 < len(expression) <= LONGEST:
        raise SelectionError(f"must have 1 to {LONGEST:,} characters")
    try:
        return Parser().parse(expression).parsed
    except JMESPathError as error:
        position = getattr(error, "lex_position", getattr(error, "lexer_position", None))
        raise SelectionError(
            "is no JMESPath expression"
            + ("" if position is None else f": see character {position + 1}")
        ) from None
    except (RecursionError, ValueError, Warning):
        # of a literal without quotes, where a host makes errors of warnings
        raise SelectionError("is no JMESPath expression") from None


def _nodes(node: Any) -> Iterator[Any]:
    waiting = [node]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict) and "type" in found:
            yield found
            waiting += found["children"]


def _refusal(error: JMESPathError) -> str:
    """Return the message of an error, without the value that caused it."""
    name = getattr(error, "function_name", None)
    if name is None:
        return "cannot be applied to this output"
    expected = ", ".join(getattr(error, "expected_types", ()))
    actual = getattr(error, "actual_type", None)
    return (
        f"'{name}' takes {expected}, and got {actual}"
        if expected and actual
        else f"'{name}' cannot take what it is given"
    )


class _Counted(TreeInterpreter):  # type: ignore[misc]  # the package has no types
    """Interpreter that counts its steps."""

    def __init__(self) -> None:
        super().__init__()
        self._left = _STEPS

    def visit(self, node: Any, *values: Any, **more: Any) -> Any:
        """Evaluate a node."""
        self._take(1)
        found = super().visit(node, *values, **more)
        if node["type"] in _MAKES:
            self.count(found)
        return found

    def count(self, value: Any) -> None:
        """Count a value and all values that it refers to, each as often as it is referred to."""
        waiting = [value]
        while waiting:
            found = waiting.pop()
            if isinstance(found, float) and not math.isfinite(found):
                raise SelectionError("comes to a number that JSON cannot have")
            self._take(1 + len(found) // _LETTERS if isinstance(found, str) else 1)
            if isinstance(found, Mapping):
                waiting += found.values()
            elif isinstance(found, list | tuple):
                waiting += found
            elif not isinstance(found, str | int | float | None):
                raise SelectionError("comes to an expression ('&'), which is no value")

    def _take(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise SelectionError(f"takes more than {_STEPS:,} steps")
