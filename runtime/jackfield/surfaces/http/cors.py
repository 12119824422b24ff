"""Requests of browsers from other origins: Starlette's answers to preflights, refused and named as all others are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware

from jackfield.surfaces.shared.problem import Problem, problem
from jackfield.surfaces.shared.request_id import request_id

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.responses import Response

__all__ = ["Cors"]


class Cors(CORSMiddleware):
    """CORS for the origins that the operator names."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to ``OPTIONS`` of a browser."""
        found = super().preflight_response(request_headers)
        if found.status_code != 200:
            kept = {name: value for name, value in found.headers.items() if not name.startswith("content-")}
            found = problem(Problem(found.status_code, bytes(found.body).decode(), kept))
        found.headers["X-Request-Id"] = request_id(request_headers.raw).decode()
        return found
