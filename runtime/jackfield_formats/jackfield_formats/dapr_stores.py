"""Dapr's secret stores: a JSON file, the environment, mounted Kubernetes Secrets, and types that
packages declare in the entry points ``jackfield.secret_stores`` (HashiCorp Vault, AWS, Kubernetes
by its API).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

from jackfield.catalog.loading import package_of
from jackfield.connections.documents import DocumentError, documents, read_text
from jackfield.connections.formats import Surroundings
from jackfield.connections.secret_references import ask_store, read_reference, secret_store
from jackfield.kernel.dataclass import dataclass
from jackfield_formats.translating import ForeignError

STORE_PREFIX = "secretstores."
_KUBERNETES = "kubernetes"
"""Name of the store that a sidecar in Kubernetes has without a component, and the default store of
its components.
"""
_VARIABLE = "JACKFIELD_KUBERNETES_SECRETS"
_MOUNT = "/etc/jackfield/secrets"
_VAULT = "https://127.0.0.1:8200"
_PREFIX = "dapr"
_KNOWN = ("local.env", "local.file", _KUBERNETES, "hashicorp.vault")
_KNOWN_WITH_AWS = ("aws.secretmanager", "aws.parameterstore")
_UNSAFE = {
    "skipverify": "Vault's certificate is always verified: set 'caCert' or 'caPem'",
    "tlsservername": "is not supported: let 'vaultAddr' name the host that the certificate is for",
}

_Read = Callable[[object, Mapping[str, str]], str]
"""Function that reads a secret from a store that a package declares."""


def is_readable(name: str, environment: Mapping[str, str]) -> bool:
    """Return whether ``envRef`` may read the variable: never the sidecar's own or jackfield's; in
    Kubernetes, only variables in DAPR_ENV_KEYS.
    """
    upper = name.upper()
    if (
        not upper
        or " " in upper
        or upper == "APP_API_TOKEN"
        or upper.startswith(("DAPR_", "JACKFIELD_"))
    ):
        return False
    allowed = environment.get("DAPR_ENV_KEYS")
    return allowed is None or upper in allowed.upper().split()


class SecretStore(Protocol):
    """Secret store in which a ``secretKeyRef`` is resolved."""

    def find(self, name: str, key: str) -> str | None:
        """Return the secret's value; None if the store has no such secret."""


def open_store(
    kind: str, values: Mapping[str, str], folder: str, around: Surroundings
) -> SecretStore:
    """Open a secret store. A relative path of a file starts in the current folder or in ``folder``.

    :raises ForeignError: if the store has another type, or its file cannot be read.
    """
    given = {name.lower(): value for name, value in values.items()}
    if kind == "secretstores.local.env":
        return _Variables(given.get("prefix", ""), around.environment)
    if not around.reads_files:
        raise ForeignError(
            "spec.type: this document is not allowed to read this server's secrets, as a secret "
            "store does"
        )
    if kind == "secretstores.local.file":
        separator = given.get("nestedseparator") or ":"
        return _FileStore(
            _content(given.get("secretsfile", ""), folder),
            separator,
            several=given.get("multivalued", "").lower() == "true",
        )
    if kind == f"{STORE_PREFIX}{_KUBERNETES}":
        return _kubernetes_secrets(around, given)
    if kind == "secretstores.hashicorp.vault":
        read = _declared(kind)
        if read is None:
            package, command = package_of("jackfield.secret_stores", kind)
            raise ForeignError(
                f"spec.type: the secret store '{kind}' needs the package {package}, which is not "
                f"installed: {command}"
            )
        return _VaultStore(given, around.environment, read)
    return _DeclaredStore(given, around.environment, _declared(kind) or partial(_refuse, kind))


def _refuse(kind: str, _reference: object, _environment: Mapping[str, str]) -> str:
    """Refuse to read from a store of an unknown type. A store that no component uses causes only a
    remark.
    """
    raise ForeignError(_unknown_store(kind))


def _declared(kind: str) -> _Read | None:
    """Return the reader of secrets for a type of stores; None if no package declares it.

    :raises ForeignError: if the reader cannot be imported, or two packages declare it.
    """
    try:
        store = secret_store(kind)
    except ValueError as error:
        raise ForeignError(f"spec.type: {error}") from None
    return None if store is None else partial(ask_store, kind, store)


def default_store(around: Surroundings) -> str | None:
    """Return the store of a component that names none: ``kubernetes`` in a pod, else None."""
    return _KUBERNETES if around.reads_files and _in_kubernetes(around.environment) else None


def built_in_store(name: str, around: Surroundings) -> SecretStore | None:
    """Return the store that exists without a component, ``kubernetes``; None for another name."""
    return _kubernetes_secrets(around, {}) if around.reads_files and name == _KUBERNETES else None


def is_known(kind: str) -> bool:
    """Return whether jackfield's own packages support a type."""
    return kind.removeprefix(STORE_PREFIX) in (*_KNOWN, *_KNOWN_WITH_AWS)


def _unknown_store(kind: str) -> str:
    """Return the reason why a secret store of an unknown type is refused."""
    known = f"{', '.join(_KNOWN)}; with jackfield-aws also {' and '.join(_KNOWN_WITH_AWS)}"
    return (
        f"spec.type: the secret store '{kind[:80]}' is not known; known, after "
        f"'secretstores.': {known}"
    )


def _kubernetes_secrets(around: Surroundings, given: Mapping[str, str]) -> SecretStore:
    """Return the store of Kubernetes Secrets, which are mounted in the folder that ``given`` or the
    environment names. In a pod without a named folder, they are mounted in the default folder, or
    read by the API.
    """
    folder = given.get("secretspath") or around.environment.get(_VARIABLE)
    mounted = _MountedSecrets(folder or _MOUNT)
    is_asked = not folder and around.environment.get("KUBERNETES_SERVICE_HOST")
    read = _declared(f"{STORE_PREFIX}{_KUBERNETES}") if is_asked else None
    return (
        mounted
        if read is None
        else _PodSecrets(mounted, _DeclaredStore(given, around.environment, read))
    )


def _in_kubernetes(environment: Mapping[str, str]) -> bool:
    """Return whether ``kubernetes`` is the default secret store: in a pod, or if a folder of
    mounted Secrets is named.
    """
    return bool(environment.get("KUBERNETES_SERVICE_HOST") or environment.get(_VARIABLE))


class _Variables:
    """Store ``secretstores.local.env``: each variable is a secret, whose only key is the variable's
    name.
    """

    def __init__(self, prefix: str, environment: Mapping[str, str]) -> None:
        self._prefix = prefix
        self._environment = environment

    def find(self, name: str, key: str) -> str | None:
        variable = f"{self._prefix}{name}"
        return (
            self._environment.get(variable)
            if key == name and is_readable(variable, self._environment)
            else None
        )


class _FileStore:
    """Store ``secretstores.local.file``: nested names are joined by a separator; with ``several``,
    a secret is a whole top-level object.
    """

    def __init__(self, content: Mapping[str, Any], separator: str, *, several: bool) -> None:
        self._separator = separator
        self._several = several
        self._secrets = (
            {
                name: dict(_flat(value, "", separator))
                if isinstance(value, dict | list)
                else {name: _text(value)}
                for name, value in content.items()
            }
            if several
            else {name: {name: value} for name, value in _flat(content, "", separator)}
        )

    def find(self, name: str, key: str) -> str | None:
        found = self._secrets.get(name)
        # the parts of a nested name may be given separately
        if found is None and not self._several:
            name = key = f"{name}{self._separator}{key}"
            found = self._secrets.get(name)
        return found.get(key) if found is not None else None


def _content(path: str, folder: str) -> Mapping[str, Any]:
    if not path or "\0" in path:
        raise ForeignError("spec.metadata: 'secretsFile' must be the path of a JSON file")
    # A sidecar resolves paths in its own start folder; a file that is shipped beside the component
    # is found from any folder.
    candidates = (path, os.path.join(folder, path))
    found = next((item for item in candidates if os.path.isfile(item)), path)
    try:
        content = next(documents(read_text(found), "secrets.json"))
    except DocumentError as error:
        raise ForeignError(f"spec.metadata: secretsFile '{path[:200]}': {error}") from None
    if not isinstance(content, Mapping):
        raise ForeignError(f"spec.metadata: secretsFile '{path[:200]}': it must contain an object")
    return content


def _flat(value: object, name: str, separator: str) -> Iterator[tuple[str, str]]:
    members = (
        value.items()
        if isinstance(value, Mapping)
        else enumerate(value)
        if isinstance(value, list)
        else None
    )
    if members is None:
        yield name, _text(value)
        return
    for key, item in members:
        yield from _flat(item, f"{name}{separator}{key}" if name else str(key), separator)


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


class _MountedSecrets:
    """Store ``secretstores.kubernetes``: each Secret is a folder, mounted as a volume, and each of
    its keys a file.
    """

    def __init__(self, folder: str) -> None:
        self._folder = os.path.expanduser(folder)

    def find(self, name: str, key: str) -> str | None:
        """Return a key's value.

        :raises ForeignError: if it is not mounted; the message names the folder.
        """
        _check_names(name, key)
        try:
            return read_reference(os.path.join(self._folder, name, key), ".")
        except ValueError as error:
            advice = (
                f"mount the Secret '{name[:80]}' at {self._folder}/{name[:80]}, or name "
                f"another folder in {_VARIABLE}"
            )
            raise ForeignError(f"secretKeyRef: {error}; {advice}") from None


def _check_names(name: str, key: str) -> None:
    if any(part in (".", "..") or "/" in part or "\0" in part for part in (name, key)):
        raise ForeignError(
            f"secretKeyRef: '{name[:80]}' and '{key[:80]}' must be the name of a Kubernetes "
            "Secret and one of its keys"
        )


@dataclass(frozen=True, slots=True)
class _PodSecrets:
    """Store ``secretstores.kubernetes`` in a pod: a mounted Secret, else the answer of Kubernetes'
    API.
    """

    mounted: _MountedSecrets
    api: _DeclaredStore

    def find(self, name: str, key: str) -> str | None:
        """Return a key's value.

        :raises ForeignError: if it is neither mounted nor returned by the API.
        """
        _check_names(name, key)
        try:
            return self.mounted.find(name, key)
        except ForeignError as missing:
            try:
                return self.api.find(name, key)
            except ForeignError as error:
                raise ForeignError(
                    f"{error}; {missing.args[0].removeprefix('secretKeyRef: ')}"
                ) from None


class _VaultStore:
    """Store ``secretstores.hashicorp.vault``: version 2 of the KV engine. Without a token in the
    component, Vault's own variables supply it.
    """

    def __init__(
        self, values: Mapping[str, str], environment: Mapping[str, str], read: _Read
    ) -> None:
        for name, reason in _UNSAFE.items():
            if values.get(name, "").lower() not in ("", "false"):
                raise ForeignError(f"spec.metadata: '{name}': {reason}")
        if values.get("vaulttoken") and values.get("vaulttokenmountpath"):
            raise ForeignError(
                "spec.metadata: give 'vaultToken' or 'vaultTokenMountPath', not both"
            )
        kind = values.get("vaultvaluetype", "map").lower()
        if kind not in ("map", "text"):
            raise ForeignError("spec.metadata: 'vaultValueType' must be map or text")
        self._is_text = kind == "text"
        self._mount = values.get("enginepath") or "secret"
        self._prefix = (
            ""
            if values.get("vaultkvuseprefix", "").lower() == "false"
            else values.get("vaultkvprefix") or _PREFIX
        )
        self._environment = {
            **environment,
            **_vault_variables(values),
            "VAULT_ADDR": _vault_address(values, environment),
        }
        self._ask = read
        self._read: dict[str, Mapping[str, Any]] = {}

    def find(self, name: str, key: str) -> str | None:
        """Return the field ``key`` of a secret, or the whole secret as JSON for the value type
        ``text``; None if the secret has no such field.

        :raises ForeignError: if Vault does not return the secret.
        """
        path = f"{self._prefix}/{name}" if self._prefix else name
        if name not in self._read:
            try:
                self._read[name] = json.loads(
                    self._ask({"mount": self._mount, "path": path}, self._environment)
                )
            except ValueError as error:
                raise ForeignError(
                    f"secretKeyRef: '{self._mount[:80]}/{path[:80]}': {error}"
                ) from None
        fields = self._read[name]
        if self._is_text:
            return json.dumps(fields) if key == name else None
        found = fields.get(key)
        return found if isinstance(found, str) else None


def _vault_address(values: Mapping[str, str], environment: Mapping[str, str]) -> str:
    return values.get("vaultaddr") or environment.get("VAULT_ADDR") or _VAULT


def _vault_variables(values: Mapping[str, str]) -> dict[str, str]:
    """Return the component's settings as Vault's variables. A setting of the component replaces all
    variables with the same purpose.
    """
    trust = {
        "VAULT_CACERT_BYTES": values.get("capem", ""),
        "VAULT_CACERT": values.get("cacert", ""),
        "VAULT_CAPATH": values.get("capath", ""),
    }
    token = {
        "VAULT_TOKEN": values.get("vaulttoken", ""),
        "VAULT_TOKEN_FILE": values.get("vaulttokenmountpath", ""),
    }
    return {
        name: value
        for group in (trust, token)
        if any(group.values())
        for name, value in group.items()
    }


class _DeclaredStore:
    """Store that a package declares under its type. A reference is ``{"store", "name", "key"}``,
    where ``store`` has the component's metadata under names in lower case.
    """

    def __init__(
        self, values: Mapping[str, str], environment: Mapping[str, str], read: _Read
    ) -> None:
        self._values, self._environment = values, environment
        self._ask = read

    def find(self, name: str, key: str) -> str:
        """Return the secret's value.

        :raises ForeignError: if it cannot be read.
        """
        try:
            return self._ask(
                {"store": dict(self._values), "name": name, "key": key}, self._environment
            )
        except ForeignError:
            raise
        except ValueError as error:
            raise ForeignError(f"secretKeyRef '{name[:80]}': {error}") from None
