"""``select``: a part of an output, by a JMESPath expression
(https://jmespath.org/specification.html) within limits.

The caller chooses the expression, and so its cost: a few characters can double a value again and
again. Each step counts, and each list or object that an expression writes counts with all values
that it refers to. A function and a comparison pay before they run: ``PRICES`` has the price of each
function, and a function without a price is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import Parser
from jmespath.visitor import Options, TreeInterpreter

LONGEST = 2_000
"""Maximum characters of an expression."""
_STEPS = 500_000
"""Maximum number of steps of one expression: each visited node, and each created value."""
_LETTERS = 100
"""Number of characters of a created string that count as one step."""
_SEARCHED = 1_000
"""Number of characters of an existing string that are read or compared in one step."""
_SHORT, _LONGEST_NEEDLE = 30_000, 100
"""Lengths of a text and of a searched string below which CPython compares at each position."""
_DIGITS = 25
"""Maximum characters of a number that is not a large integer, in JSON."""
_ESCAPED = 12
"""Maximum characters of JSON for one character of a string: two escapes beyond U+FFFF."""
_NO_VALUE = "comes to an expression ('&'), which is no value"
_MAKES = frozenset({"multi_select_list", "multi_select_dict", "flatten", "slice"})
"""Types of nodes whose value may refer to a value more than once, or has as many entries as its
input.
"""


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
        found = _Priced.FUNCTION_TABLE.get(node["value"])
        if found is None or node["value"] not in PRICES:
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


def _free(*_arguments: Any) -> int:
    return 1


def _entries(*arguments: Any) -> int:
    """Price of reading each entry of lists and objects, and each text."""
    return sum(map(_length, arguments))


def _items(items: Any) -> int:
    """Price of reading each item of a list, and the texts among the items."""
    texts = [item for item in items if isinstance(item, str)] if isinstance(items, list) else []
    return _length(items) + sum(map(len, texts)) // _SEARCHED


def _length(value: Any) -> int:
    if isinstance(value, str):
        return 1 + len(value) // _SEARCHED
    return 1 + len(value) if isinstance(value, list | dict) else 1


def _affix(_text: Any, affix: Any) -> int:
    return _length(affix)


def _turned(value: Any) -> int:
    return 1 + len(value) // _LETTERS if isinstance(value, str) else _length(value)


def _search(subject: Any, searched: Any) -> int:
    if isinstance(subject, str) and isinstance(searched, str):
        is_naive = len(subject) < _SHORT and len(searched) < _LONGEST_NEEDLE
        return 1 + len(subject) * (len(searched) if is_naive else 1) // _SEARCHED
    return _weight(subject) if isinstance(searched, list | dict) else _items(subject)


def _joined(glue: Any, parts: Any) -> int:
    """Price of the joined text, which may be the glue many times over."""
    if not isinstance(parts, list):
        return 1
    letters = sum(len(part) for part in parts if isinstance(part, str))
    gaps = max(0, len(parts) - 1) * len(glue) if isinstance(glue, str) else 0
    return len(parts) + (letters + gaps) // _LETTERS


def _written(value: Any) -> int:
    """Price of a value's JSON, in which a character may take twelve."""
    if isinstance(value, str):
        return 1
    return _weight(value, _characters)


def _characters(value: Any) -> int:
    if isinstance(value, str):
        is_plain = value.isascii() and value.isprintable()
        return 2 * len(value) if is_plain else _ESCAPED * len(value)
    if not isinstance(value, int | float | None):
        raise SelectionError(_NO_VALUE)
    return max(_DIGITS, value.bit_length() // 3) if isinstance(value, int) else _DIGITS


def _string_length(value: Any) -> int:
    return len(value) if isinstance(value, str) else 0


def _weight(value: Any, letters: Callable[[Any], int] = _string_length) -> int:
    """Return the steps for a value and all values that it refers to, each as often as it is
    referred to. ``letters`` returns the characters of a value that has no entries.
    """
    steps, characters, waiting = 0, 0, [value]
    while waiting:
        found = waiting.pop()
        steps += 1
        if isinstance(found, Mapping):
            characters += sum(map(letters, found))
            waiting += found.values()
        elif isinstance(found, list | tuple):
            waiting += found
        else:
            characters += letters(found)
    return steps + characters // _LETTERS


def _compared(left: Any, right: Any) -> int:
    """Price of a comparison: values of different lengths are unequal at once."""
    if not isinstance(left, str | list | dict) or type(left) is not type(right):
        return 1
    if isinstance(left, str):
        return 1 + min(len(left), len(right)) // _SEARCHED
    return _weight(right) if len(left) == len(right) else 1


PRICES: Final[Mapping[str, Callable[..., int]]] = {
    "abs": _free,
    "avg": _entries,
    "ceil": _free,
    "contains": _search,
    "ends_with": _affix,
    "floor": _free,
    "join": _joined,
    "keys": _entries,
    "length": _free,
    "map": lambda _expression, items: _entries(items),
    "max": _items,
    "max_by": lambda items, _expression: _entries(items),
    "merge": _entries,
    "min": _items,
    "min_by": lambda items, _expression: _entries(items),
    "not_null": _free,
    "reverse": _turned,
    "sort": _items,
    "sort_by": lambda items, _expression: _entries(items),
    "starts_with": _affix,
    "sum": _entries,
    "to_array": _free,
    "to_number": _entries,
    "to_string": _written,
    "type": _free,
    "values": _entries,
}
"""Prices of the functions in steps, by their arguments, which may be of any type: what is made and
what is read. A result never refers to an argument's value more than once.
"""


class _Priced(Functions):  # type: ignore[misc]  # the package has no types
    """Functions that ask for their price before they run."""

    def __init__(self, take: Callable[[int], None]) -> None:
        super().__init__()
        self._take = take

    def call_function(self, function_name: str, resolved_args: list[Any]) -> Any:
        """Call a function, unless its price is more than the steps that are left."""
        price = PRICES.get(function_name)
        if price is None:
            raise SelectionError(f"has no function '{function_name[:80]}'")
        self._take(price(*resolved_args))
        found = super().call_function(function_name, resolved_args)
        if isinstance(found, float):
            _check_number(found)
        return found


class _Counted(TreeInterpreter):  # type: ignore[misc]  # the package has no types
    """Interpreter that counts its steps."""

    def __init__(self) -> None:
        super().__init__(Options(custom_functions=_Priced(self._take)))
        self._left = _STEPS
        self.COMPARATOR_FUNC = {
            name: partial(self._comparison, function)
            for name, function in TreeInterpreter.COMPARATOR_FUNC.items()
        }

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
            if isinstance(found, float):
                _check_number(found)
            self._take(1 + len(found) // _LETTERS if isinstance(found, str) else 1)
            if isinstance(found, Mapping):
                waiting += found.values()
            elif isinstance(found, list | tuple):
                waiting += found
            elif not isinstance(found, str | int | float | None):
                raise SelectionError(_NO_VALUE)

    def _comparison(self, function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        self._take(_compared(left, right))
        return function(left, right)

    def _take(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise SelectionError(f"takes more than {_STEPS:,} steps")


def _check_number(number: float) -> None:
    if not math.isfinite(number):
        raise SelectionError("comes to a number that JSON cannot have")
