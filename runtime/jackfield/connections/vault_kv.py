"""Secrets in HashiCorp Vault: ``{"$vault": {"path": "acme/ses", "field": "secretAccessKey"}}``, version 2 of the KV engine over HTTP.

Address and identity come from Vault's own variables: ``VAULT_ADDR``, ``VAULT_TOKEN`` or ``VAULT_TOKEN_FILE`` (written by Vault Agent),
``VAULT_NAMESPACE``, ``VAULT_CACERT``, ``VAULT_CACERT_BYTES``, ``VAULT_CAPATH``. TLS certificates are always verified. Source: Vault API
documentation, "KV secrets engine - version 2", Read secret version.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from jackfield.dataclass import dataclass

_TIMEOUT = 10.0
"""Timeout in seconds for the connection and for each read."""
_LARGEST = 1024 * 1024
_REDIRECTS = 2
"""Maximum number of redirects; a standby node redirects clients to the active one (Vault documentation, High availability)."""
_MEMBERS = {"path", "field", "mount", "version"}
_SHAPE = '\'$vault\' takes {"path": …, "field": …} and optionally "mount" (default: secret) and "version" (default: the newest)'
_STATUSES = {
    400: "Vault rejects the request: check the path",
    403: "Vault rejects the token, or the token is not allowed to read the path",
    404: "the secret does not exist in Vault",
    429: "Vault is rate limiting requests",
    503: "Vault is sealed or in maintenance",
}


@dataclass(frozen=True, slots=True)
class _Wanted:
    path: str
    mount: str = "secret"
    version: int | None = None

    @property
    def address(self) -> str:
        """Path and query of the request."""
        query = f"?version={self.version}" if self.version is not None else ""
        return f"/v1/{quote(self.mount.strip('/'))}/data/{quote(self.path.strip('/'))}{query}"


def read_vault(target: object, environment: Mapping[str, str]) -> str:
    """Return the field of the secret that ``target`` names.

    :raises ValueError: if the reference is not valid, or Vault does not return the secret; the message contains no secret.
    """
    wanted, field = _wanted(target)
    found = _fields(wanted, environment).get(field)
    if not isinstance(found, str) or not found:
        raise ValueError(f"the secret has no string in its field '{field[:80]}'")
    return found


def read_fields(mount: str, path: str, environment: Mapping[str, str]) -> Mapping[str, Any]:
    """Return all fields of the newest version of a secret.

    :raises ValueError: as ``read_vault``.
    """
    if not _is_path(mount) or not _is_path(path):
        raise ValueError("the path of a secret in Vault has no empty parts, and none that are '.' or '..'")
    return _fields(_Wanted(path, mount), environment)


def _fields(wanted: _Wanted, environment: Mapping[str, str]) -> Mapping[str, Any]:
    base = environment.get("VAULT_ADDR", "")
    if urlsplit(base).scheme not in {"http", "https"} or not urlsplit(base).hostname:
        raise ValueError("VAULT_ADDR is not set to the URL of Vault, such as https://vault.example.com:8200")
    headers = {"X-Vault-Token": _token(environment), "X-Vault-Request": "true", "Accept": "application/json"}
    if environment.get("VAULT_NAMESPACE"):
        headers["X-Vault-Namespace"] = environment["VAULT_NAMESPACE"]
    return _content(_answer(base.rstrip("/") + wanted.address, headers, environment), wanted)


def _wanted(target: object) -> tuple[_Wanted, str]:
    if not isinstance(target, Mapping) or not target.keys() <= _MEMBERS:
        raise ValueError(_SHAPE)
    texts = [target.get(name, default) for name, default in (("path", None), ("field", None), ("mount", "secret"))]
    version = target.get("version")
    if not all(isinstance(text, str) and text for text in texts) or not (_is_path(str(texts[0])) and _is_path(str(texts[2]))):
        raise ValueError(_SHAPE)
    if version is not None and (not isinstance(version, int) or isinstance(version, bool) or version < 1):
        raise ValueError(_SHAPE)
    path, field, mount = texts
    return _Wanted(str(path), str(mount), version), str(field)


def _is_path(text: str) -> bool:
    return {"", ".", ".."}.isdisjoint(text.strip("/").split("/"))


def _token(environment: Mapping[str, str]) -> str:
    token = environment.get("VAULT_TOKEN", "")
    path = environment.get("VAULT_TOKEN_FILE")
    if not token and path:
        try:
            with open(path, encoding="utf-8") as file:
                token = file.read(_LARGEST)
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"VAULT_TOKEN_FILE cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}") from None
    token = token.strip()
    if not token:
        raise ValueError("neither VAULT_TOKEN nor VAULT_TOKEN_FILE is set")
    if not token.isascii() or not token.isprintable():
        raise ValueError("the Vault token is malformed")
    return token


def _answer(url: str, headers: Mapping[str, str], environment: Mapping[str, str]) -> Any:
    for _ in range(_REDIRECTS + 1):
        try:
            status, location, body = _request(url, headers, environment)
        except ssl.SSLCertVerificationError as error:
            raise ValueError(f"Vault's certificate cannot be verified: {error.verify_message}") from None
        except (OSError, http.client.HTTPException) as error:
            raise ValueError(f"Vault cannot be reached: {getattr(error, 'strerror', None) or type(error).__name__}") from None
        if status not in {301, 302, 303, 307, 308}:
            break
        url = _next(url, location)
    if status != http.HTTPStatus.OK:
        raise ValueError(_STATUSES.get(status, f"Vault returned HTTP status {status}"))
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("Vault's response is not JSON: check VAULT_ADDR") from None


def _next(url: str, location: str | None) -> str:
    """Return the URL to which a standby node redirects; refuse one from TLS to plain text, which would expose the token."""
    found = urljoin(url, location or "")
    if not location or (urlsplit(url).scheme, urlsplit(found).scheme) not in {("http", "http"), ("http", "https"), ("https", "https")}:
        raise ValueError("Vault redirects to an address that is not safe to follow")
    return found


def _request(url: str, headers: Mapping[str, str], environment: Mapping[str, str]) -> tuple[int, str | None, bytes]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        pem, file, path = (environment.get(name) or None for name in ("VAULT_CACERT_BYTES", "VAULT_CACERT", "VAULT_CAPATH"))
        context = ssl.create_default_context(cadata=pem, cafile=None if pem else file, capath=None if pem or file else path)
        connection = http.client.HTTPSConnection(host, parts.port, timeout=_TIMEOUT, context=context)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""), headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location"), answer.read(_LARGEST)
    finally:
        connection.close()


def _content(answer: Any, wanted: _Wanted) -> Mapping[str, Any]:
    outer = answer.get("data") if isinstance(answer, dict) else None
    fields = outer.get("data") if isinstance(outer, dict) else None
    if not isinstance(outer, dict) or not isinstance(fields, dict) or "metadata" not in outer:
        raise ValueError(f"'{wanted.mount[:80]}' is not a KV engine of version 2")
    return fields
