"""Dapr's bindings API as functions of a request: what HTTP and gRPC have in common."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from jackfield.invocation import Result
from jackfield.surfaces.dapr.bindings import Binding, BindingError, Request
from jackfield.surfaces.shared.web_pages import page_fault

__all__ = ["VERSION", "DaprApi", "Invoke"]

VERSION = "1.16.0-jackfield"
"""What metadata tell as the version of the sidecar: the API level that is spoken here."""

Invoke = Callable[[Mapping[str, Any]], Result]
"""``Jackfield.invoke``."""


@dataclass(frozen=True, slots=True, repr=False)
class DaprApi:
    """The bindings of one application. ``token`` is DAPR_API_TOKEN; None asks callers for none. ``origins`` are web origins whose pages
    may call; ``local`` says that only this machine is meant to call, so that other names in ``Host`` are refused."""

    bindings: Mapping[str, Binding]
    invoke: Invoke
    app_id: str = ""
    token: str | None = None
    origins: tuple[str, ...] = ()
    local: bool = False
    stopping: Event = field(default_factory=Event)

    def allows(self, given: str | None) -> bool:
        """Whether a caller with this token may call."""
        return not self.token or hmac.compare_digest(self.token.encode(), (given or "").encode("utf-8", "surrogateescape"))

    def page_fault(self, headers: Mapping[str, str]) -> str | None:
        """Explain why the web page behind a request may not call. A token vouches for the host: no page can know it."""
        origins = [headers["origin"]] if "origin" in headers else []
        local = self.local and not self.token
        return page_fault(origins, headers.get("sec-fetch-site", ""), headers.get("host", ""), allowed=self.origins, local=local)

    def call(self, name: str, request: Request) -> dict[str, str]:
        """Call a binding; the response's metadata.

        :raises BindingError: where that fails, with the whole text that Dapr's callers know.
        """
        try:
            return self._called(name, request)
        except BindingError as error:
            raise BindingError(f"error invoking output binding {name}: {error}", error.result) from None

    def _called(self, name: str, request: Request) -> dict[str, str]:
        if not request.operation:
            raise BindingError("operation field is missing from request")
        binding = self.bindings.get(name)
        if binding is None:
            raise BindingError(f"couldn't find output binding {name}")
        return binding.answer(self.invoke(binding.invocation(request)))

    def components(self) -> list[dict[str, Any]]:
        """The loaded components, as metadata list them."""
        return [
            {"name": binding.name, "type": binding.type, "version": binding.version, "capabilities": ["OUTPUT_BINDING"]}
            for binding in self.bindings.values()
        ]
