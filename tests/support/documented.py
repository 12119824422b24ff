"""Answers beside the OpenAPI document: the headers that a client may act on are there, and refusals
have a code that is explained.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from jackfield_service.shell.http.response_headers import HEADERS, PACES, headers_of
from jackfield_service.shell.http.table import OPERATIONS
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.requests.problem import explained
from replies import Reply

_NAME = re.compile(r"\\\{\w+\\\}")


@cache
def _patterns() -> Sequence[tuple[str, re.Pattern[str], Operation]]:
    paths = ((one, _NAME.sub("[^/]+", re.escape(one.path))) for one in OPERATIONS)
    return [(one.method, re.compile(path + r"(\?.*)?", re.DOTALL), one) for one, path in paths]


def undocumented(method: str, path: str, reply: Reply) -> set[str]:
    """Return the headers of an answer that the document has, and not for this operation and status;
    and the code of a refusal, if nothing explains it.
    """
    return _headers(method, path, reply) | _code(reply)


def _code(reply: Reply) -> set[str]:
    if reply.headers.get("content-type") != "application/problem+json":
        return set()
    said = reply.json
    places = ("about:blank", f"/docs#{said['code']}")  # a worker's probes have no page
    is_known = (
        said["code"] in explained()
        and said["type"].endswith(places)
        and said["status"] == reply.status
    )
    return set() if is_known else {f"{said}"}


def _headers(method: str, path: str, reply: Reply) -> set[str]:
    for known, pattern, operation in _patterns():
        if known == method and pattern.fullmatch(path):
            told = {*operation.answers, *operation.results, *operation.problems, 429, 500, 503}
            found = {name for name in HEADERS if name.lower() in reply.headers}.difference(
                PACES if reply.status >= 400 else ()
            )
            return (
                found - {*headers_of(OPERATIONS, operation, reply.status)}
                if reply.status in told
                else set()
            )
    return set()
