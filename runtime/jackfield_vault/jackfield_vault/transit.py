"""Data keys wrapped by the Transit engine of HashiCorp Vault or OpenBao:
``vault-transit://MOUNT/KEY``.

The ids of installation, workspace and data key are sent as ``associated_data``, which authenticates
them, and as ``context``, from which keys with ``derived=true`` are derived. The engine's ``rewrap``
accepts no ``associated_data`` (path_rewrap.go, in Vault and in OpenBao), so a key is decrypted and
encrypted instead. Source: Vault API documentation, "Transit secrets engine".
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from jackfield.kernel.errors import Forbidden, Rejected, Unavailable
from jackfield.kernel.secrecy import SecretHolder
from jackfield_vault.wire import VaultFault, ask_vault

SCHEME = "vault-transit://"
_UNREADY = frozenset({408, 412, 429, 472, 473})
"""HTTP statuses of a node that is behind, rate limiting or a standby (Vault API documentation, HTTP
status codes; /sys/health).
"""
_BAD_REQUEST = 400
_SERVER_FAULT = 500
_NO_KEY = "encryption key not found"


class TransitKey(SecretHolder):
    """Key of a Transit engine. ``environment`` has Vault's variables; the token is read for each
    request.
    """

    def __init__(self, uri: str, environment: Mapping[str, str]) -> None:
        mount, _, name = uri.removeprefix(SCHEME).strip("/").rpartition("/")
        if not {"", ".", ".."}.isdisjoint([*mount.split("/"), name]):
            raise ValueError(f"it must be {SCHEME}MOUNT/KEY, such as {SCHEME}transit/jackfield")
        self.id = f"{SCHEME}{mount}/{name}"
        self._mount = mount
        self._name = name
        self._environment = environment
        self._seconds = float(environment["JACKFIELD_KEY_SERVICE_SECONDS"])

    def __repr__(self) -> str:
        return f"<TransitKey {self.id}>"

    def wrap(self, context: Mapping[str, str], data_key: bytes) -> bytes:
        """Encrypt a data key.

        :raises Unavailable: if Vault gives no answer.
        :raises Forbidden: if Vault refuses.
        """
        try:
            found = self._ask_transit("encrypt", context, plaintext=_text(data_key))
        except Rejected as fault:
            raise Forbidden(fault.message) from None
        return str(found.get("ciphertext", "")).encode("ascii", "replace")

    def unwrap(self, context: Mapping[str, str], wrapped: bytes) -> bytes:
        """Decrypt a data key.

        :raises Rejected: if this key did not encrypt it in this context.
        :raises Unavailable: as ``wrap`` does.
        :raises Forbidden: as ``wrap`` does.
        """
        found = self._ask_transit("decrypt", context, ciphertext=wrapped.decode("ascii", "replace"))
        try:
            return base64.b64decode(str(found.get("plaintext", "")), validate=True)
        except (binascii.Error, ValueError):
            raise Unavailable("Vault's response has no plaintext") from None

    def rewrap(self, context: Mapping[str, str], wrapped: bytes, source: str) -> bytes | None:
        """Encrypt with the newest version of the key a value that an earlier version encrypted;
        None for another key's value.

        :raises Rejected: as ``unwrap`` does.
        :raises Unavailable: as ``wrap`` does.
        :raises Forbidden: as ``wrap`` does.
        """
        return self.wrap(context, self.unwrap(context, wrapped)) if source == self.id else None

    def _ask_transit(
        self, operation: str, context: Mapping[str, str], **values: str
    ) -> Mapping[str, Any]:
        bound = _text(json.dumps(dict(context), sort_keys=True, separators=(",", ":")).encode())
        path = f"/v1/{quote(self._mount)}/{operation}/{quote(self._name)}"
        body = {**values, "context": bound, "associated_data": bound}
        try:
            answer = ask_vault(path, self._environment, timeout=self._seconds, body=body)
        except VaultFault as fault:
            raise _explained(fault) from None
        except ValueError as fault:
            raise Forbidden(str(fault)) from None
        found = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(found, dict):
            raise Unavailable("Vault's response is not one of the Transit engine")
        return found


def _explained(fault: VaultFault) -> Unavailable | Rejected | Forbidden:
    said = " ".join(": ".join([str(fault), *fault.errors[:1]]).split())[:300]
    if fault.status is None or fault.status in _UNREADY or fault.status >= _SERVER_FAULT:
        return Unavailable(said)
    if fault.status == _BAD_REQUEST and not any(_NO_KEY in error for error in fault.errors):
        return Rejected(said)
    return Forbidden(said)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
