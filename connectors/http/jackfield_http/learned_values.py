"""Public values of a connection that a provider names when a person approves: its server, a tenant,
an account.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector import Detail, InvalidConnection, OpenContext, pointer
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield_http.client import HttpClient
from jackfield_http.pointers import find
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import in_header
from jackfield_http.urls import UrlError, parse_url, server_url

_LONGEST = 500
"""Maximum number of characters of a value."""
_SHOWN = 10
"""Maximum number of choices that a message lists."""
_WITHIN = 12.0
"""Timeout in seconds of the request for the choices, equal to the token endpoint's."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Places of the values, by the name of the connection's value.

    - ``answer``: JSON Pointers into the answer of the token endpoint. ``callback``: parameters with
      which the browser returns.
    - ``after``: one further GET with the new token. ``get`` is its URL, ``items`` points at a list
      of choices in its answer. ``values`` are pointers into a choice, ``by`` pointers to the
      members that name it. ``choose`` is the connection value that selects a choice.
    - ``hosts``: hosts that a learned ``server`` may have, exactly or as ``*.example.com``. It must
      be https.
    """

    answer: Mapping[str, str] = field(default_factory=dict)
    callback: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    chosen: str = ""
    """Value of the connection that selects a choice."""

    def values(
        self,
        context: OpenContext,
        settings: ClientSettings,
        token: str,
        body: Mapping[str, Any],
        answer: Mapping[str, str],
    ) -> dict[str, str]:
        """Return the values of an approval, after at most one request with its token.

        :raises InvalidConnection: if a value is missing, a server is on another host, or the
            connection names none of several choices.
        """
        found = {name: _text(find(body, place), name) for name, place in self.answer.items()}
        found |= {
            name: _text(answer.get(parameter), name) for name, parameter in self.callback.items()
        }
        if self.after:
            found |= self._read_account(context, settings, token)
        if "server" in found:
            self._check_server(found["server"])
        return found

    def _read_account(
        self, context: OpenContext, settings: ClientSettings, token: str
    ) -> dict[str, str]:
        url = server_url(self.after["get"])
        settings = replace(settings, server=url, announces=False, headers={}, within=_WITHIN)
        api = HttpClient(context, settings, in_header("Authorization", f"Bearer {token}"))
        said = api.request("GET", url, step="read the accounts of the approval").json()
        listed = find(said, self.after["items"]) if self.after.get("items") else said
        choices = [
            one
            for one in (listed if isinstance(listed, list) else [listed])
            if isinstance(one, Mapping)
        ]
        choice = self._choice(choices)
        return {
            name: _text(find(choice, place), name) for name, place in self.after["values"].items()
        }

    def _choice(self, choices: list[Mapping[str, Any]]) -> Mapping[str, Any]:
        by, name = self.after.get("by", ()), self.after.get("choose", "")
        fitting = (
            [one for one in choices if self.chosen in {str(find(one, place)) for place in by}]
            if self.chosen
            else choices
        )
        if len(fitting) == 1:
            return fitting[0]
        if not choices:
            raise InvalidConnection(
                "the approval gives access to no account",
                hint="Give the person access to one, then connect again.",
            )
        shown = (
            ", ".join(str(find(one, by[0]))[:100] for one in choices[:_SHOWN])
            if by
            else f"{len(choices)} of them"
        )
        raise InvalidConnection(
            f"the approval gives access to several accounts: {shown}",
            details=[
                Detail(pointer(name), "does not name one of them" if self.chosen else "is missing")
            ]
            if name
            else [],
            hint=f"Set '{name}' of the connection to one of them, then connect again."
            if name
            else "Approve one of them only.",
        )

    def _check_server(self, text: str) -> None:
        try:
            url = parse_url(text)
        except UrlError:
            url = None
        host = "" if url is None else url.host.lower()
        is_known = any(
            host == one or (one.startswith("*.") and host.endswith(one[1:])) for one in self.hosts
        )
        if url is None or not (
            text.rstrip("/") in self.hosts or (url.scheme == "https" and is_known)
        ):
            raise InvalidConnection(
                "the provider named a server that the connector does not know",
                hint=(
                    "Check that the connection's application is registered at this provider; "
                    "set 'server' if the address is right."
                ),
            )


NOTHING_LEARNED = Learned()
"""Declaration for providers whose answers have only the tokens."""


def _text(value: Any, name: str) -> str:
    if (
        isinstance(value, bool)
        or not isinstance(value, str | int)
        or not str(value)
        or len(str(value)) > _LONGEST
    ):
        text = f"the provider's answer to the approval lacks '{name}'"
        raise InvalidConnection(text, hint="Connect again, and approve all that the provider asks.")
    return str(value)
