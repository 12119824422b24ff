"""Responses to requests that raised an error: problem documents, the same with and without ASGI."""

from __future__ import annotations

import logging

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.failures import exhausted
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.problem import Problem, of_error, problem

_LOG = logging.getLogger("jackfield.http")
_DAPR = (
    "Dapr's API is served with 'jackfield serve --components DIR'; components listed in "
    "JACKFIELD_CONNECTIONS are connections only"
)
_WORDS = {404: "no such resource", 405: "this method is not allowed here"}
EXPECTED = (Problem, HTTPException, ClientDisconnect, MemoryError, RuntimeError)
"""Errors that ``expected_response`` answers."""


def refused_status(error: HTTPException | Problem) -> int:
    """Return the status that answers a refusal."""
    return error.status if isinstance(error, Problem) else error.status_code


def expected_response(
    server: ServerContext,
    error: Exception,
    path: str,
    surface: str = "http",
    *,
    near: str | None = None,
) -> Response:
    """Answer a request that raised one of ``EXPECTED``; re-raise a RuntimeError that is no shortage
    of resources. ``near`` is the operation that resembles an unknown path.
    """
    meant = {} if near is None else {"hint": f"Did you mean {near}?"}
    if isinstance(error, Problem):
        error.members.update(meant)
        return problem(error, surface)
    if isinstance(error, HTTPException):
        text = _WORDS.get(error.status_code, "the request cannot be handled")
        if error.status_code == 404 and path.startswith("/v1.0/"):
            text = f"{text}: {_DAPR}"
        return problem(Problem(error.status_code, text, dict(error.headers or {}), **meant))
    if isinstance(error, ClientDisconnect):
        return Response(status_code=400)
    short = exhausted(error)
    if short is None:
        raise error
    # once a minute instead of a traceback per request
    if server.shortages.takes(short.message.encode()):
        _LOG.error("%s: requests get 503", short.message)
    return problem(of_error(short))


def bug_response(error: BaseException, identifier: str) -> Response:
    """Log an unexpected error in full and answer 500 with the request's id."""
    _LOG.error(
        "an unexpected %s", type(error).__name__, exc_info=error, extra={"requestId": identifier}
    )
    return problem(
        Problem(
            500, f"an unexpected error; the request is {identifier}", {"X-Request-Id": identifier}
        )
    )


def error_response(
    server: ServerContext, error: BaseException, identifier: str, surface: str = "http"
) -> Response:
    """Answer a request that raised any ``error``."""
    if isinstance(error, JackfieldError):
        return problem(of_error(error), surface)
    if isinstance(error, EXPECTED) and (
        not isinstance(error, RuntimeError) or exhausted(error) is not None
    ):
        return expected_response(server, error, "", surface)
    return bug_response(error, identifier)
