"""Bodies of requests, judged by the shapes that the API's description publishes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.requests import Request

from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield_service.shell.requests.body import computed, crowded, decoded, read_body
from jackfield_service.shell.requests.problem import of_error
from jackfield_service.shell.resource.judged import judge_of, without_nulls

LARGEST = 1024 * 1024
"""Maximum size of most bodies, in bytes."""


async def members_of(
    request: Request,
    shape: str,
    most: int = LARGEST,
    *,
    drops_nulls: bool = False,
) -> dict[str, Any]:
    """Read a body of at most ``most`` bytes that has the shape of this name. An empty body is an
    object without members, if the shape needs none. With ``drops_nulls``, a member that is null
    counts as absent, unless its shape allows null.

    :raises TooLarge: if it has more bytes.
    :raises InvalidInvocation: if it is not JSON.
    :raises Problem: 400 with a Detail for each fault, if it does not have the shape.
    """
    text = await read_body(request, most)
    compiled = judge_of(shape)
    is_left_out = not text and not compiled.judge({})
    body = {} if is_left_out else await decoded(text, request)
    if drops_nulls:
        body = without_nulls(body, compiled)
    step = partial(compiled.judge, body)
    if found := await computed(request, step) if crowded(body, len(text)) else step():
        raise of_error(invalid_body(found), 400)
    return dict(body)


def invalid_body(found: Sequence[Detail]) -> InvalidInvocation:
    """Return the error for a body with these faults."""
    count = (
        "1 member of the body is" if len(found) == 1 else f"{len(found)} members of the body are"
    )
    return InvalidInvocation(f"{count} not valid", details=found, hint="See the details.")
