"""GraphQL: the effect of a document, as a server determines the operation that it executes.

https://spec.graphql.org/October2021/#sec-Executing-Requests
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

_TOKEN = re.compile(
    r'"""(?:[^"\\]++|\\"""|\\(?!""")|"(?!""))*(?:"""|\Z)|"(?:\\[^\n\r]|[^"\\\n\r]++)*"?|#[^\n\r]*|@?[_A-Za-z][_0-9A-Za-z]*|[{}()\[\]]'
)
"""Regular expression of strings, comments, names, directives and brackets of a document; the rest
is irrelevant here. An unterminated string extends to the end of its line or document: otherwise the
search would restart at each quote.
"""


def effect_of(document: object, name: object = None) -> Literal["read", "write"]:
    """Return the effect of a document: ``read`` if the executed operation is a query, or all
    operations are if no name is given.
    """
    found = _definitions(document) if isinstance(document, str) else ()
    kinds = {kind for kind, own in found if kind != "fragment" and name in (None, "", own)}
    return "read" if kinds == {"query"} else "write"


def _definitions(document: str) -> Iterator[tuple[str, str]]:
    """Yield kind and name of each definition of a document; the name of an anonymous one is
    empty.
    """
    head: list[str] = []
    depth = 0
    for part in _TOKEN.findall(document):
        if part in "{([":
            depth += 1
        elif part in "})]":
            depth -= 1
            if depth == 0 and part == "}":
                yield (head[0], head[1] if len(head) > 1 else "") if head else ("query", "")
                head = []
        elif depth == 0 and part[0] not in '"#@':
            head.append(part)
