"""From tokens to a tree that can be evaluated. The order of precedence is jq's: ``|``, ``//``, ``or``, ``and``, comparisons, ``+``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jackfield.connections.foreign.expression.lexing import SyntaxFault, Token, tokens

__all__ = ["Node", "parse"]

_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_CONSTANTS = {"true": True, "false": False, "null": None}
_MAX_DEPTH = 50
_MAX_TOKENS = 400


@dataclass(frozen=True, slots=True)
class Node:
    """One operation and what it works on."""

    kind: str
    parts: tuple[Any, ...] = ()


def parse(text: str) -> Node:
    """The tree of an expression.

    :raises SyntaxFault: where it is none of this language.
    """
    found = tokens(text)
    if len(found) > _MAX_TOKENS:
        raise SyntaxFault(f"it has more than {_MAX_TOKENS} words and signs")
    return _whole(found, 0)


def _whole(found: tuple[Token, ...], depth: int) -> Node:
    parser = _Parser(found, depth)
    tree = parser.pipe()
    parser.take("end", "")
    return tree


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, found: tuple[Token, ...], depth: int) -> None:
        self._tokens = found
        self._at = 0
        self._depth = depth

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def take(self, kind: str, text: str) -> None:
        """Go past a token that must come now."""
        if not self._skip(kind, text):
            raise SyntaxFault(f"'{text or 'the end'}' is expected" + (f", not '{self._next.text}'" if self._next.text else ""))

    def _skip(self, kind: str, text: str) -> bool:
        if (self._next.kind, self._next.text) != (kind, text):
            return False
        self._at += 1
        return True

    def pipe(self) -> Node:
        """A whole expression: steps with ``|`` between them."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise SyntaxFault(f"it is nested deeper than {_MAX_DEPTH} levels")
        left = self._alternative()
        while self._skip("sign", "|"):
            left = Node("pipe", (left, self._alternative()))
        self._depth -= 1
        return left

    def _alternative(self) -> Node:
        left = self._either()
        return Node("alternative", (left, self._alternative())) if self._skip("sign", "//") else left

    def _either(self) -> Node:
        return self._chain(self._both, "or")

    def _both(self) -> Node:
        return self._chain(self._comparison, "and")

    def _chain(self, operand: Callable[[], Node], word: str) -> Node:
        left = operand()
        while self._skip("word", word):
            left = Node(word, (left, operand()))
        return left

    def _comparison(self) -> Node:
        left = self._sum()
        sign = self._next.text if self._next.kind == "sign" else ""
        if sign not in _COMPARISONS:
            return left
        self._at += 1
        return Node("compare", (sign, left, self._sum()))

    def _sum(self) -> Node:
        left = self._path()
        while self._skip("sign", "+"):
            left = Node("add", (left, self._path()))
        return left

    def _path(self) -> Node:
        left = self._term()
        while True:
            token = self._next
            if token.kind == "field":
                self._at += 1
                left = Node("member", (left, token.text[1:]))
            elif self._skip("sign", "["):
                left = self._index(left)
            elif self._skip("sign", "."):
                left = self._after_dot(left)
            else:
                return left

    def _index(self, left: Node) -> Node:
        key = self.pipe()
        self.take("sign", "]")
        return Node("index", (left, key))

    def _after_dot(self, left: Node) -> Node:
        if self._skip("sign", "["):
            return self._index(left)
        if self._next.kind != "text":
            raise SyntaxFault("a name is expected after '.'")
        return Node("index", (left, self._term()))

    def _term(self) -> Node:
        token = self._next
        self._at += 1
        match token.kind:
            case "number":
                return Node("constant", (float(token.text) if "." in token.text else int(token.text),))
            case "variable":
                return Node("variable", (token.text[1:],))
            case "field":
                return Node("member", (Node("input"), token.text[1:]))
            case "text":
                parts = (part if isinstance(part, str) else _whole(part, self._depth + 1) for part in token.parts)
                return Node("text", tuple(parts))
            case "word":
                return self._word(token.text)
        return self._sign(token)

    def _word(self, word: str) -> Node:
        if word in _CONSTANTS:
            return Node("constant", (_CONSTANTS[word],))
        if word == "not":
            return Node("not")
        if word != "if":
            raise SyntaxFault(f"'{word}' is not known")
        return self._condition()

    def _condition(self) -> Node:
        test = self.pipe()
        self.take("word", "then")
        yes = self.pipe()
        if self._skip("word", "elif"):
            return Node("if", (test, yes, self._condition()))
        no = self.pipe() if self._skip("word", "else") else Node("input")
        self.take("word", "end")
        return Node("if", (test, yes, no))

    def _sign(self, token: Token) -> Node:
        if token.text == "(":
            inside = self.pipe()
            self.take("sign", ")")
            return inside
        if token.text == "[":
            return self._list()
        if token.text == "-" and self._next.kind == "number":
            return Node("constant", (-self._term().parts[0],))
        if token.text == ".":
            if self._next.kind == "text":
                return Node("index", (Node("input"), self._term()))
            return Node("input")
        raise SyntaxFault(f"'{token.text}' is not expected" if token.text else "it ends too early")

    def _list(self) -> Node:
        items: list[Node] = []
        while not self._skip("sign", "]"):
            if items:
                self.take("sign", ",")
            items.append(self.pipe())
        return Node("list", tuple(items))
