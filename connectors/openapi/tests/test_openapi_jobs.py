"""Jobs of connectors without code: an overlay says how what a request has started is polled,
fetched and cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clocks import StillClock
from jackfield import Jackfield, Result
from jackfield.catalog import Catalog
from jackfield.testing import Answer, Provider, Request
from openapi_rig import document, generate, operation
from plugboard import declare, plugged

REPORT = {"type": "object", "properties": {"rows": {"type": "integer"}}}
PROJECT = {"name": "project", "in": "path", "required": True, "schema": {"type": "string"}}
BY_STATE = {
    "handle": {"id": "/id"},
    "poll": {"path": "/projects/{project}/exports/{id}"},
    "state": "/state",
    "done": ["DONE"],
    "failed": ["FAILED", "STOPPED"],
    "message": "/why",
    "percent": "/percent",
    "result": {"path": "/projects/{project}/exports/{id}/rows"},
    "cancel": {"method": "POST", "path": "/projects/{project}/exports/{id}/cancel"},
}
BY_ADDRESS = {
    "handle": {"operation": "Operation-Location"},
    "poll": {"to": "operation"},
    "cancel": {"to": "operation", "method": "DELETE"},
}
DOCUMENT = document(
    {
        "/projects/{project}/exports": {
            "post": operation(
                parameters=[PROJECT], **{"x-jackfield": {"key": "export", "job": BY_STATE}}
            )
        },
        "/projects/{project}/exports/{id}/rows": {
            "get": {
                "responses": {
                    "200": {"description": "", "content": {"application/json": {"schema": REPORT}}}
                },
                "operationId": "rows",
            }
        },
        "/scans": {"post": operation(**{"x-jackfield": {"key": "scan", "job": BY_ADDRESS}})},
        "/prints": {
            "post": operation(
                **{
                    "x-jackfield": {
                        "key": "print",
                        "job": {
                            **BY_STATE,
                            "poll": {"path": "/prints/{id}"},
                            "result": {"member": "/pages"},
                        },
                    }
                },
            )
        },
    }
)


class Site:
    """A provider with jobs: each poll has the next of the ``answers`` in turn, the last one again
    and again.
    """

    def __init__(self) -> None:
        self.answers: list[Answer] = [Answer({"state": "BUSY", "percent": 40})]
        self.seen: list[str] = []

    def __call__(self, _number: int, request: Request) -> Answer:
        """Note the request, and answer it."""
        self.seen.append(f"{request.method} {request.path}")
        if request.path.endswith("/rows"):
            return Answer({"rows": 7})
        if request.path.endswith("/cancel") or request.method == "DELETE":
            self.answers = [
                Answer({"state": "STOPPED", "why": "by request"}),
                Answer({"message": "gone"}, 404),
            ]
            return Answer({})
        if request.method == "POST":
            located = (
                {"Operation-Location": "/operations/7?v=1"} if request.path == "/scans" else {}
            )
            return Answer({"id": "a b"}, 202, located)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Acme:
    """The generated connector over the site, with a journal; time passes where a call waits."""

    def __init__(self, runtime: Jackfield, site: Site, manifest: Mapping[str, Any]) -> None:
        self.runtime, self.site = runtime, site
        self.actions = {action["key"]: action for action in manifest["actions"]}

    def call(self, action: str, seconds: float = 60.0, **inputs: Any) -> Result:
        """Call an action."""
        return self.runtime.invoke(
            {
                "connector": "acme",
                "action": action,
                "connection": "main",
                "inputs": inputs,
                "timeoutSeconds": seconds,
            }
        )


@contextmanager
def opened(folder: Path, site: Site) -> Iterator[Acme]:
    """Generate the connector and open a runtime over the site."""
    manifest = generate(folder, DOCUMENT)
    declare(
        folder / "made", "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"}
    )
    with plugged(folder / "made"), Provider(site) as provider:
        connections = [
            {
                "connections": {
                    "main": {"type": "acme/anonymous", "values": {"server": provider.url}}
                }
            }
        ]
        url = f"sqlite:///{folder / 'acme.db'}"
        with Jackfield(
            catalog=Catalog.installed(),
            connections=connections,
            database_url=url,
            clock=StillClock(),
        ) as runtime:
            yield Acme(runtime, site, manifest)


@pytest.fixture(name="acme")
def _acme(tmp_path: Path) -> Iterator[Acme]:
    with opened(tmp_path, Site()) as found:
        yield found


def test_a_job_by_states_is_polled_fetched_and_cancelled(acme: Acme) -> None:
    """Inputs and answers fill the paths of polls; ``Retry-After`` and the percentage are heeded;
    the end is a request for the result.
    """
    assert [acme.actions["export"][name] for name in ("kind", "cancellable")] == ["job", True]
    assert acme.actions["export"]["output"]["properties"] == REPORT["properties"]
    acme.site.answers = [
        Answer({"state": "BUSY", "percent": 40}, headers={"Retry-After": "600"}),
        Answer({"state": "DONE"}),
    ]
    found = acme.call("export", 30, project="p/q")
    assert (found.status, found.progress) == ("running", {"fraction": 0.4, "text": "BUSY"})
    assert found.wait(500).status == "running"
    ended = found.wait()
    assert (ended.output, ended.meta.attempts, ended.meta.warnings) == ({"rows": 7}, 1, ())
    at = "/projects/p%2Fq/exports"
    assert acme.site.seen == [f"POST {at}", *[f"GET {at}/a%20b"] * 2, f"GET {at}/a%20b/rows"]
    acme.site.answers = [Answer({"state": "BUSY"})]
    second = acme.call("export", 30, project="p")
    assert acme.runtime.cancel(second.meta.invocation_id)
    stopped = second.wait()
    assert stopped.error is not None
    assert (stopped.error.code, "by request" in stopped.error.message) == ("cancelled", True)
    assert acme.site.seen.count("POST /projects/p/exports/a%20b/cancel") == 1
    acme.site.answers = [Answer({"state": "DONE", "pages": [1, 2]})]
    assert acme.call("print").output == {"items": [1, 2]}


def test_a_job_by_its_address_runs_while_the_status_is_202(acme: Acme) -> None:
    """The address comes from a header field; the first response that is not 202 is the output."""
    acme.site.answers = [Answer({}, 202), Answer({"text": "scanned"})]
    assert acme.call("scan").output == {"text": "scanned"}
    assert acme.site.seen == ["POST /scans", *["GET /operations/7?v=1"] * 2]


@pytest.mark.parametrize("address", ["", "https://elsewhere.example/operations/7"])
def test_a_job_that_cannot_be_polled_is_in_doubt(tmp_path: Path, address: str) -> None:
    """It has started, but its address is missing, or on a server that must not see the
    credentials.
    """

    class Odd(Site):
        def __call__(self, number: int, request: Request) -> Answer:
            found = super().__call__(number, request)
            return (
                Answer({}, 202, {"Operation-Location": address} if address else {})
                if request.method == "POST"
                else found
            )

    with opened(tmp_path, Odd()) as acme:
        found = acme.call("scan")
        assert found.error is not None
        assert (found.status, "Operation-Location" in found.error.message) == ("in_doubt", True)
        assert acme.site.seen == ["POST /scans"]
