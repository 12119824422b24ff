"""All routes of the API in one table, by path: served by the application, described by OpenAPI and
exercised by the tests.

Subjects have their own operations (``http.OPERATIONS``); this module has the operations on the
server and its documents.
"""

from __future__ import annotations

from jackfield_service.shell.finding import surfaces
from jackfield_service.shell.http import openapi, probes
from jackfield_service.shell.http.list_views import with_views
from jackfield_service.shell.http.query_parts import TEXT
from jackfield_service.shell.operations.operation import Operation

_OWN: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/healthz",
        probes.healthy,
        None,
        "health",
        "Liveness: the process responds.",
        {200: "Healthy"},
    ),
    Operation(
        "GET",
        "/readyz",
        probes.ready,
        None,
        "readiness",
        "Readiness: requests are accepted.",
        {200: "Healthy"},
        problems=(503,),
    ),
    Operation(
        "GET",
        "/metrics",
        probes.metrics,
        "read",
        "metrics",
        "Show the metrics for Prometheus.",
        {200: "text/plain"},
    ),
    Operation(
        "GET",
        "/openapi.json",
        openapi.served,
        None,
        "openapi",
        "Show this document.",
        {200: "Schema", 304: ""},
        query={"connector": TEXT},
        headers=("If-None-Match",),
        problems=(404,),
    ),
    Operation(
        "GET",
        "/docs",
        openapi.docs,
        None,
        "docs",
        "Show this document as a web page.",
        {200: "text/html"},
        query={"connector": TEXT},
        problems=(404,),
    ),
)


def _place(operation: Operation) -> tuple[bool, str]:
    return not operation.path.startswith("/v1/"), operation.path


OPERATIONS = with_views(
    sorted((*(one for module in surfaces("http") for one in module.OPERATIONS), *_OWN), key=_place)
)
