"""Dapr's bindings API as functions of a request, shared by HTTP and gRPC."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from jackfield.invocation import Result
from jackfield_dapr.sidecar.bindings import Binding
from jackfield_dapr.sidecar.calls import BindingError, ReadFile, Request, Response
from jackfield_service.shell.requests.web_pages import page_fault

MAX_BODY = 64 * 1024 * 1024
"""Maximum size of a request in bytes, as for invocations (docs/reference/invocation.md)."""
VERSION = "1.16.0-jackfield"
"""Sidecar version reported in metadata: the Dapr API level implemented here."""

Invoke = Callable[..., Result]
"""Signature of ``Jackfield.invoke``."""


def no_files(_identifier: str) -> bytes:
    """Return no content: without a store, outputs have their content inline."""
    return b""


@dataclass(slots=True, repr=False)
class DaprApi:
    """Bindings of one application; ``bindings`` is replaced as a whole when components are loaded
    again.

    ``token`` is DAPR_API_TOKEN; None disables authentication. Pages of the web origins in
    ``origins`` may call. With ``local``, only this machine may call: other names in ``Host`` are
    refused. ``read_file`` reads a stored file of an output.
    """

    bindings: Mapping[str, Binding]
    invoke: Invoke
    app_id: str = ""
    token: str | None = None
    origins: tuple[str, ...] = ()
    local: bool = False
    stopping: Event = field(default_factory=Event)
    read_file: ReadFile = no_files

    def allows(self, given: str | None) -> bool:
        """Return whether a caller with this token may call."""
        return not self.token or hmac.compare_digest(
            self.token.encode(), (given or "").encode("utf-8", "surrogateescape")
        )

    def page_fault(self, headers: Mapping[str, str]) -> str | None:
        """Return the reason why the web page behind a request may not call; None if it may. With a
        token, any host is accepted: a page cannot know the token.
        """
        origins = [headers["origin"]] if "origin" in headers else []
        local = self.local and not self.token
        return page_fault(
            origins,
            headers.get("sec-fetch-site", ""),
            headers.get("host", ""),
            allowed=self.origins,
            local=local,
        )

    def call(self, name: str, request: Request) -> Response:
        """Call a binding.

        :raises BindingError: if the call fails, with the full message that Dapr's clients expect.
        """
        try:
            return self._called(name, request)
        except BindingError as error:
            raise BindingError(
                f"error invoking output binding {name}: {error}", error.result
            ) from None

    def _called(self, name: str, request: Request) -> Response:
        if not request.operation:
            raise BindingError("operation field is missing from request")
        binding = self.bindings.get(name)
        if binding is None:
            raise BindingError(f"couldn't find output binding {name}")
        return binding.respond(request, self.invoke, self.read_file)

    def components(self) -> list[dict[str, Any]]:
        """List the loaded components in the form of Dapr's metadata."""
        return [
            {
                "name": binding.name,
                "type": binding.type,
                "version": binding.version,
                "capabilities": ["OUTPUT_BINDING"],
            }
            for binding in self.bindings.values()
        ]
