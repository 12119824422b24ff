"""Requests to HashiCorp Vault and OpenBao, with the address and identity from Vault's own
variables.

The variables are ``VAULT_ADDR``, ``VAULT_TOKEN`` or ``VAULT_TOKEN_FILE`` (written by Vault Agent),
``VAULT_NAMESPACE``, ``VAULT_CACERT``, ``VAULT_CACERT_BYTES`` and ``VAULT_CAPATH``;
``JACKFIELD_VAULT_HOSTS`` names its other nodes. TLS certificates are always verified.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

from jackfield.kernel.clock import monotonic
from jackfield.kernel.errors import InvalidConnection
from jackfield.wire.client import Wire
from jackfield.wire.connection import WireSettings
from jackfield.wire.faults import NAMES, Kind, WireFault
from jackfield.wire.guard import unseen
from jackfield.wire.head import field_of
from jackfield.wire.outbound import way_out
from jackfield.wire.tls import client_context
from jackfield.wire.urls import target_of

HOSTS = "JACKFIELD_VAULT_HOSTS"
"""Variable with further hosts of Vault, to which the host in ``VAULT_ADDR`` may redirect."""
_LARGEST = 1024 * 1024
_SHORTEST = 0.001
"""Minimum timeout in seconds: 0 would mean "do not block"."""
_REDIRECTS = 2
"""Maximum number of redirects; a standby node redirects clients to the active one (Vault
documentation, High availability).
"""
_STATUSES = {
    400: "Vault rejects the request",
    403: "Vault rejects the token, or the token is not allowed to do this",
    404: "Vault has nothing at this path",
    429: "Vault is rate limiting requests",
    503: "Vault is sealed or in maintenance",
}


_OUTAGES = (408, 412, 425, 429, 472, 473)
"""HTTP statuses that do not reject the request itself: of time and rate, and of nodes that cannot
answer now (Vault documentation, API).
"""
_SERVER = 500


class VaultFault(ValueError):
    """Error for a request that Vault did not fulfil. ``status`` is its response's status, None
    without a response; ``errors`` are the texts of Vault.
    """

    def __init__(self, text: str, status: int | None = None, errors: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.errors = errors
        self.is_outage = status in _OUTAGES or (status or 0) >= _SERVER
        """True if Vault may fulfil the same request later."""


def ask_vault(
    path: str,
    environment: Mapping[str, str],
    *,
    timeout: float,
    body: Mapping[str, Any] | None = None,
    statuses: Mapping[int, str] = _STATUSES,
) -> Any:
    """Read a path, or post ``body`` to it, and return the response. ``timeout`` in seconds covers
    the whole answer.

    :raises VaultFault: if Vault does not return a response with status 200.
    :raises ValueError: if one of Vault's variables is missing or wrong. No message contains a
        secret.
    """
    base = environment.get("VAULT_ADDR", "")
    if urlsplit(base).scheme not in {"http", "https"} or not urlsplit(base).hostname:
        raise ValueError(
            "VAULT_ADDR is not set to the URL of Vault, such as https://vault.example.com:8200"
        )
    headers = {
        "X-Vault-Token": _token(environment),
        "X-Vault-Request": "true",
        "Accept": "application/json",
    }
    if environment.get("VAULT_NAMESPACE"):
        headers["X-Vault-Namespace"] = environment["VAULT_NAMESPACE"]
    content = None if body is None else json.dumps(body).encode()
    status, found = _answer(base.rstrip("/") + path, headers, content, environment, timeout)
    if status != HTTPStatus.OK:
        raise VaultFault(
            statuses.get(status, f"Vault returned HTTP status {status}"), status, _errors(found)
        )
    if found is None:
        raise VaultFault("Vault's response is not JSON: check VAULT_ADDR", status)
    return found


def _token(environment: Mapping[str, str]) -> str:
    token = environment.get("VAULT_TOKEN", "")
    path = environment.get("VAULT_TOKEN_FILE")
    if not token and path:
        try:
            with open(path, encoding="utf-8") as file:
                token = file.read(_LARGEST)
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(
                "VAULT_TOKEN_FILE cannot be read: "
                f"{getattr(error, 'strerror', None) or 'it is not text'}"
            ) from None
    token = token.strip()
    if not token:
        raise ValueError("neither VAULT_TOKEN nor VAULT_TOKEN_FILE is set")
    if not token.isascii() or not token.isprintable():
        raise ValueError("the Vault token is malformed")
    return token


def _answer(
    url: str,
    headers: Mapping[str, str],
    content: bytes | None,
    environment: Mapping[str, str],
    timeout: float,
) -> tuple[int, Any]:
    ends = monotonic() + timeout
    for _ in range(_REDIRECTS + 1):
        try:
            status, location, body = _request(
                url, headers, content, environment, max(_SHORTEST, ends - monotonic())
            )
        except WireFault as fault:
            if fault.kind is Kind.CERTIFICATE:
                hint = fault.advice({**NAMES, "authority": "VAULT_CACERT"})
                raise VaultFault(
                    f"Vault's certificate cannot be verified: {fault.reason}. {hint}"
                ) from None
            unreached = VaultFault(f"Vault cannot be reached: {fault.words}")
            unreached.is_outage = True
            raise unreached from None
        except InvalidConnection as refusal:
            raise VaultFault(f"Vault cannot be reached: {refusal.message}") from None
        if status not in {301, 302, 303, 307, 308}:
            break
        url = _next(url, location, environment.get(HOSTS, ""))
    try:
        return status, json.loads(body)
    except (ValueError, RecursionError):
        return status, None


def _errors(found: Any) -> tuple[str, ...]:
    errors = found.get("errors") if isinstance(found, dict) else None
    return tuple(str(error) for error in errors) if isinstance(errors, list) else ()


def _next(url: str, location: str | None, known: str) -> str:
    """Return the URL to which a standby node redirects. The token, and perhaps a plain data key, is
    sent there. Refuse a redirect from TLS to plain text, and a host that is neither the same nor
    named by the operator.
    """
    found = urljoin(url, location or "")
    if not location or (urlsplit(url).scheme, urlsplit(found).scheme) not in {
        ("http", "http"),
        ("http", "https"),
        ("https", "https"),
    }:
        raise ValueError("Vault redirects to an address that is not safe to follow")
    host = urlsplit(found).hostname or ""
    if host not in {urlsplit(url).hostname, *known.replace(",", " ").lower().split()}:
        raise ValueError(
            f"Vault redirects to another host: if '{host[:200]}' is one of its nodes, name it in "
            "JACKFIELD_VAULT_HOSTS"
        )
    return found


def _request(
    url: str,
    headers: Mapping[str, str],
    content: bytes | None,
    environment: Mapping[str, str],
    timeout: float,
) -> tuple[int, str | None, bytes]:
    def trusted() -> ssl.SSLContext:
        pem, file, path = (
            environment.get(name) or None
            for name in ("VAULT_CACERT_BYTES", "VAULT_CACERT", "VAULT_CAPATH")
        )
        return client_context(
            cadata=pem, cafile=None if pem else file, capath=None if pem or file else path
        )

    end = monotonic() + timeout
    target, path, host = target_of(url)
    fields = [
        (b"Host", host),
        *((name.encode(), value.encode()) for name, value in headers.items()),
    ]
    if content is not None:
        fields.append((b"Content-Length", b"%d" % len(content)))
    wire = Wire(WireSettings(tls=trusted, route=way_out(environment)))
    with unseen():
        reply = wire.send(
            "GET" if content is None else "POST",
            target,
            path,
            fields,
            content,
            lambda: end - monotonic(),
            lambda: None,
        )
        return reply.status, field_of(reply.fields, b"location"), reply.read(_LARGEST)
