"""Secrets in HashiCorp Vault: ``{"$vault": {"path": "acme/ses", "field": "secretAccessKey"}}``,
version 2 of the KV engine over HTTP.

Source: Vault API documentation, "KV secrets engine - version 2", Read secret version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from jackfield.kernel.clock import patience
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Sent, Unavailable
from jackfield_vault.wire import VaultFault, ask_vault

_TIMEOUT = 10.0
"""Maximum timeout in seconds for the connection and for each read; a call's own deadline shortens
it.
"""
_SHORTEST = 0.001
_MEMBERS = {"path", "field", "mount", "version"}
_SHAPE = (
    '\'$vault\' takes {"path": …, "field": …} and optionally "mount" (default: secret) and '
    '"version" (default: the newest)'
)
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

    :raises ValueError: if the reference is not valid, or Vault does not return the secret; the
        message contains no secret.
    """
    wanted, field = _parsed_target(target)
    found = _fields(wanted, environment).get(field)
    if not isinstance(found, str) or not found:
        raise ValueError(f"the secret has no string in its field '{field[:80]}'")
    return found


def vault_secret(target: object, environment: Mapping[str, str]) -> str:
    """Read a secret for a reference: the secret store ``vault``.

    :raises ValueError: as ``read_vault``.
    :raises Unavailable: if Vault gives no answer now.
    """
    try:
        return read_vault(target, environment)
    except VaultFault as fault:
        if fault.is_outage:
            raise Unavailable(str(fault), sent=Sent.NOTHING) from None
        raise


def whole_secret(target: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Return all fields of the newest version of the secret at ``mount`` and ``path``, as JSON:
    Dapr's ``secretstores.hashicorp.vault``.

    :raises ValueError: as ``read_vault``.
    """
    mount, path = target["mount"], target["path"]
    if not _is_path(mount) or not _is_path(path):
        raise ValueError(
            "the path of a secret in Vault has no empty parts, and none that are '.' or '..'"
        )
    return json.dumps(_fields(_Wanted(path, mount), environment))


def _fields(wanted: _Wanted, environment: Mapping[str, str]) -> Mapping[str, Any]:
    return _content(
        ask_vault(
            wanted.address,
            environment,
            timeout=max(_SHORTEST, patience(_TIMEOUT)),
            statuses=_STATUSES,
        ),
        wanted,
    )


def _parsed_target(target: object) -> tuple[_Wanted, str]:
    if not isinstance(target, Mapping) or not target.keys() <= _MEMBERS:
        raise ValueError(_SHAPE)
    texts = [
        target.get(name, default)
        for name, default in (("path", None), ("field", None), ("mount", "secret"))
    ]
    version = target.get("version")
    if not all(isinstance(text, str) and text for text in texts) or not (
        _is_path(str(texts[0])) and _is_path(str(texts[2]))
    ):
        raise ValueError(_SHAPE)
    if version is not None and (
        not isinstance(version, int) or isinstance(version, bool) or version < 1
    ):
        raise ValueError(_SHAPE)
    path, field, mount = texts
    return _Wanted(str(path), str(mount), version), str(field)


def _is_path(text: str) -> bool:
    return {"", ".", ".."}.isdisjoint(text.strip("/").split("/"))


def _content(answer: Any, wanted: _Wanted) -> Mapping[str, Any]:
    outer = answer.get("data") if isinstance(answer, dict) else None
    fields = outer.get("data") if isinstance(outer, dict) else None
    if not isinstance(outer, dict) or not isinstance(fields, dict) or "metadata" not in outer:
        raise ValueError(f"'{wanted.mount[:80]}' is not a KV engine of version 2")
    return fields
