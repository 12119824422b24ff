"""Operations whose path resembles an unknown path: ``/approve`` for ``:approve``, or a slash at the
end.

Only the table of operations decides, which /openapi.json shows to everyone: the result depends
neither on existing objects nor on the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

from jackfield_service.shell.operations.operation import Operation

_PARAMETER = re.compile(r"\{[A-Za-z]+\}")
_VERB = re.compile(r"([:/])([A-Za-z-]+)\Z")
"""Regular expression of the last word of a path, and the separator before it."""
_LONGEST = 1000


def near_operation(operations: Iterable[Operation], method: str, path: str) -> str | None:
    """Return the method and path of the operation that resembles a request's; None if no operation
    resembles it, or the path is an operation's.

    The two paths differ by a slash at the end, or by ``:`` instead of ``/`` before the last word,
    or the reverse.
    """
    method, bare = "GET" if method == "HEAD" else method, path.rstrip("/")
    if len(path) > _LONGEST or not bare:
        return None
    known = [operation.path for operation in operations if operation.method == method]
    meant = (
        None
        if any(_VERB.search(one) is not None and _fits(one, path) for one in known)
        else _meant(known, path, bare)
    )
    return None if meant is None else f"{method} {meant}"


def _meant(known: Sequence[str], path: str, bare: str) -> str | None:
    found = _VERB.search(bare)
    if found is not None:
        other = f"{bare[: found.start()]}{':' if found[1] == '/' else '/'}{found[2]}"
        for one in known:
            verb = _VERB.search(one)
            if verb is not None and verb[2] == found[2] and _fits(one, other):
                return one
    return next((one for one in known if bare != path and _fits(one, bare)), None)


def _fits(template: str, path: str) -> bool:
    return _pattern(template).fullmatch(path) is not None


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(map(re.escape, _PARAMETER.split(template))))
