"""A small HashiCorp Vault on loopback: KV 2 and Transit engines, tokens, namespaces, faults,
redirects, with or without TLS.
"""

from __future__ import annotations

import base64
import os
import re
import ssl
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jackfield.testing import Answer, Provider, Request

NO_CONTEXT = "missing 'context' for key derivation; the key was created using a derived key"
"""Beginning of what Transit says of a derived key without a context."""


class Transit:
    """The Transit engine for aes256-gcm96 keys, as Vault 1.15 and OpenBao 2 answer: versions,
    derivation, associated data, its errors.

    ``requests`` lists the operations asked for; ``before`` is called first, ``denied`` are names
    that the token may not use.
    """

    def __init__(self) -> None:
        self.keys: dict[str, list[bytes]] = {}
        self.derived: set[str] = set()
        self.denied: set[str] = set()
        self.oldest: dict[str, int] = {}
        self.requests: list[tuple[str, str]] = []
        self.before: Callable[[], object] = lambda: None

    def make(self, name: str, *, derived: bool = False) -> None:
        """Create a key, or a new version of it."""
        self.keys.setdefault(name, []).append(os.urandom(32))
        self.derived |= {name} if derived else set()

    def asked(self, operation: str) -> int:
        """How often an operation was asked for."""
        return sum(1 for one, _ in list(self.requests) if one == operation)

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and body of a request."""
        operation, _, name = path.partition("/")
        self.requests.append((operation, name))
        self.before()
        if name in self.denied:
            return 403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}
        if name not in self.keys:
            return 400, {"errors": ["encryption key not found"]}
        context, bound = (
            base64.b64decode(body.get(member, "")) for member in ("context", "associated_data")
        )
        if name in self.derived and not context:
            return 400, {"errors": [NO_CONTEXT]}
        if operation == "encrypt":
            number, nonce = len(self.keys[name]), os.urandom(12)
            text = self._cipher(name, number, context).encrypt(
                nonce, base64.b64decode(body["plaintext"]), bound
            )
            return 200, {
                "data": {
                    "ciphertext": f"vault:v{number}:{base64.b64encode(nonce + text).decode()}",
                    "key_version": number,
                }
            }
        return self._decrypted(name, str(body["ciphertext"]), context, bound)

    def _decrypted(self, name: str, text: str, context: bytes, bound: bytes) -> tuple[int, Any]:
        found = re.fullmatch(r"vault:v(\d+):([A-Za-z0-9+/=]+)", text)
        if found is None:
            return 400, {"errors": ["invalid ciphertext: no prefix"]}
        number, content = int(found[1]), base64.b64decode(found[2])
        if number < self.oldest.get(name, 1):
            return 400, {
                "errors": ["ciphertext or signature version is disallowed by policy (too old)"]
            }
        try:
            plain = self._cipher(name, number, context).decrypt(content[:12], content[12:], bound)
        except (InvalidTag, IndexError):
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": base64.b64encode(plain).decode()}}

    def _cipher(self, name: str, number: int, context: bytes) -> AESGCM:
        key = self.keys[name][number - 1]
        return AESGCM(
            HKDF(SHA256(), 32, salt=None, info=context).derive(key) if name in self.derived else key
        )


class VaultServer:
    """A context manager. ``secrets`` are lists of versions (each an object of fields) by
    ``mount/path``; ``reads`` counts requests.

    ``transit`` is the engine of that name. ``token`` is what it takes, ``namespace`` what it must
    be told, ``status`` what it answers to everything, ``redirect`` where it sends its clients,
    ``body`` what it says instead of an answer.
    """

    def __init__(
        self,
        *,
        context: ssl.SSLContext | None = None,
        token: str = "root-token",
        namespace: str | None = None,
    ) -> None:
        self.secrets: dict[str, list[dict[str, Any]]] = {}
        self.transit = Transit()
        self.token = token
        self.namespace = namespace
        self.status: int | None = None
        self.redirect: str | None = None
        self.body: bytes | None = None
        self.reads: list[str] = []
        self._provider = Provider(self._reply, tls=context)
        self.url = self._provider.url
        """What VAULT_ADDR is."""

    def __enter__(self) -> Self:
        self._provider.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._provider.__exit__(*exception)

    def environment(self, **more: str) -> dict[str, str]:
        """The variables that lead to this server."""
        return {
            "VAULT_ADDR": self.url,
            "VAULT_TOKEN": self.token,
            "JACKFIELD_KEY_SERVICE_SECONDS": "30",
            **more,
        }

    def answer(
        self, path: str, token: str | None, namespace: str | None, body: Any = None
    ) -> tuple[int, Any]:
        """Status and body of a request."""
        parts = urlsplit(path)
        self.reads.append(path)
        if self.status is not None:
            return self.status, {"errors": ["as told"]}
        if token != self.token or (self.namespace is not None and namespace != self.namespace):
            return 403, {"errors": ["permission denied"]}
        if parts.path.startswith("/v1/transit/"):
            return self.transit.answer(parts.path.removeprefix("/v1/transit/"), body)
        mount, _, rest = unquote(parts.path).removeprefix("/v1/").partition("/data/")
        versions = self.secrets.get(f"{mount}/{rest}", [])
        version = int(parse_qs(parts.query).get("version", [str(len(versions))])[0])
        if not 1 <= version <= len(versions):
            return 404, {"errors": []}
        return 200, {"data": {"data": versions[version - 1], "metadata": {"version": version}}}

    def _reply(self, _number: int, request: Request) -> Answer:
        about = request.header("X-Vault-Token") or None, request.header("X-Vault-Namespace") or None
        status, found = self.answer(
            request.path, *about, request.json() if request.changes else None
        )
        if self.redirect is not None:
            return Answer(found, 307, {"Location": self.redirect}, self.body)
        return Answer(found, status, content=self.body)
