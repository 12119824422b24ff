"""Jobs of bound actions. The action's request starts a job; further requests of its binding poll
it, fetch its result and cancel it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jackfield.connector import Progress, Sent, Unavailable
from jackfield.connector.jobs import NoOutput, PolledJob, Started, polled, polled_stored
from jackfield_http.answers import Answer
from jackfield_http.bindings.connection import BoundClient
from jackfield_http.bindings.requests import Files, request_of
from jackfield_http.bindings.responses import BoundOutput, as_output, body_of
from jackfield_http.client import HttpClient
from jackfield_http.jobs import ACCEPTED, Job
from jackfield_http.pointers import find
from jackfield_http.urls import Url, UrlError, parse_url

_NAMES = re.compile(r"\{([^{}/]+)\}")

Json = Mapping[str, Any]


class BoundJob:
    """Job of a bound action, described by the member ``job`` of the binding."""

    def __init__(self, key: str, binding: Json) -> None:
        row = binding["job"]
        self._key, self._server = key, binding.get("server", 0)
        self._handle: Mapping[str, str] = row["handle"]
        self._poll, self._result, self._cancel = (
            _complete(row["poll"]),
            row.get("result", {}),
            row.get("cancel"),
        )
        about = {name: row[name] for name in ("message", "percent") if name in row}
        self._job = Job(
            row.get("state"),
            frozenset(row.get("done", ())),
            frozenset(row.get("failed", ())),
            **about,
        )

    @property
    def can_cancel(self) -> bool:
        """True if the binding has a request that cancels the job."""
        return self._cancel is not None

    def is_over(self, answer: Answer) -> bool:
        """Return whether the response to the start already has the result: the job declares no
        state, and the status is not 202.
        """
        return self._job.state is None and answer.status != ACCEPTED

    def started(self, answer: Answer, inputs: Json) -> Started:
        """Return the job's handle from the response to the start, with the inputs that later
        requests need.

        :raises Unavailable: if the response lacks a part of the handle, or names a server that must
            not receive the connection's credentials. The job has started in both cases.
        """
        found = {name: self._part(name, place, answer) for name, place in self._handle.items()}
        wanted = {
            name
            for row in (self._poll, self._result, self._cancel or {})
            for name in _value_names(row)
        }
        return Started(
            {**{name: inputs[name] for name in wanted - found.keys() if name in inputs}, **found}
        )

    def poll(self, handle: Json, clients: BoundClient) -> PolledJob:
        """Request the state of the job. If it is done, return the output."""
        client = clients.of(self._server)
        found = self._job.judged(self._ask_provider(client, self._poll, handle, "poll"))
        if isinstance(found, Progress):
            return polled(found)
        if "member" in self._result:
            return polled(BoundOutput.of(as_output(found.json(self._result["member"]))))
        if "path" in self._result:
            found = self._ask_provider(client, _complete(self._result), handle, "result")
        elif "url" in self._result:
            found = self._fetched(client, find(found.json(), self._result["url"]))
        return polled_stored(BoundOutput.of(body_of(found, "auto")))

    def cancel(self, handle: Json, clients: BoundClient) -> NoOutput:
        """Request the cancellation of the job."""
        self._ask_provider(
            clients.of(self._server), _complete(self._cancel or {}), handle, "cancel"
        )
        return NoOutput()

    def _part(self, name: str, place: str, answer: Answer) -> Any:
        found = find(answer.json(), place) if place.startswith("/") else answer.headers.get(place)
        if found in (None, ""):
            raise self._unusable(
                f"the response to '{self._key}' has no '{place}', by which the job would be found"
            )
        if name not in (self._poll.get("to"), (self._cancel or {}).get("to")):
            return found
        try:
            url = answer.url.joined(str(found))
        except UrlError as error:
            raise self._unusable(f"the job's address in '{place}' {error}") from None
        if url.origin != answer.url.origin:
            raise self._unusable(
                f"the job's address in '{place}' is on another server than the connection's"
            )
        return str(url)

    def _ask_provider(self, client: HttpClient, row: Json, handle: Json, what: str) -> Answer:
        request = request_of(row, handle, Files())
        if "to" in row:
            url = parse_url(str(handle[row["to"]])).with_query(request.query)
        elif client.server is None:
            raise Unavailable("the connection names no server", repeatable=False)
        else:
            url = client.server.under(request.path, request.query)
        return self._sent(
            client, request.method, url, what, headers=request.headers, **request.options
        )

    def _fetched(self, client: HttpClient, address: object) -> Answer:
        """GET the result at an address that the provider gave. Credentials go to the connection's
        own server only.
        """
        try:
            url = (
                parse_url(str(address))
                if client.server is None
                else client.server.joined(str(address))
            )
        except UrlError as error:
            raise Unavailable(f"the address of the result {error}", sent=Sent.UNKNOWN) from None
        at_home = client.server is not None and url.origin == client.server.origin
        return self._sent(client if at_home else client.elsewhere(url), "GET", url, "result")

    def _sent(self, client: HttpClient, method: str, url: Url, what: str, **options: Any) -> Answer:
        return client.request(
            method, url, step=f"{self._key} ({what})", safe=method == "GET", **options
        )

    def _unusable(self, reason: str) -> Unavailable:
        return Unavailable(reason, sent=Sent.UNKNOWN, repeatable=False)


def _value_names(row: Json) -> list[str]:
    """Return the names of the values that a request needs."""
    members = row.get("body", {}).get("members", {})
    return [
        *_NAMES.findall(row.get("path", "")),
        *(one["input"] for one in row.get("parameters", ())),
        *members,
    ]


def _complete(row: Json) -> Json:
    """Return a request of a job as a binding. Its default method is GET; each name in its path is a
    value of the handle.
    """
    placed = {
        one.get("name", one["input"]) for one in row.get("parameters", ()) if one["in"] == "path"
    }
    path = row.get("path", "/")
    names = [{"input": name, "in": "path"} for name in _NAMES.findall(path) if name not in placed]
    return {
        "method": "GET",
        "response": {"read": "auto"},
        **row,
        "path": path,
        "parameters": [*row.get("parameters", ()), *names],
    }
