"""Secrets of Kubernetes, read by its API with the service account of the pod: Dapr's secret store
``secretstores.kubernetes``, for Secrets that are not mounted.

The account is a folder with the files ``token``, ``ca.crt`` and ``namespace``, which Kubernetes
mounts and renews. The server's certificate is verified against that authority.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import os
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from jackfield.wire.tls import client_context

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_VARIABLE = "JACKFIELD_KUBERNETES_ACCOUNT"
_TIMEOUT = 10.0
"""Seconds for the connection, and for each read."""
_LARGEST = 4 * 1024 * 1024
"""Maximum bytes of an answer that are read: a Secret has at most 1 MiB, which base64 lengthens."""


def read(reference: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Return a key of a Secret, read from inside a pod.

    :raises ValueError: if the API does not return it; the message contains no secret.
    """
    folder, host = environment.get(_VARIABLE) or _ACCOUNT, environment["KUBERNETES_SERVICE_HOST"]
    if not os.path.exists(os.path.join(folder, "token")):
        raise ValueError(f"the pod has no service account in {folder}")
    store, name, key = reference["store"], str(reference["name"]), str(reference["key"])
    if store.get("kubeconfigpath"):
        raise ValueError(
            "'kubeconfigPath' is not supported: the API is asked as the service account of the pod"
        )
    namespace = (
        store.get("defaultnamespace")
        or os.environ.get("NAMESPACE")
        or _read_account_file(folder, "namespace")
        or "default"
    )
    return _key(_secret(host, folder, namespace, name), namespace, name, key)


def _read_account_file(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return file.read(_LARGEST).strip()
    except (OSError, UnicodeDecodeError) as error:
        if name == "namespace":
            return ""
        raise ValueError(
            f"the file '{name}' of the pod's service account cannot be read: "
            f"{getattr(error, 'strerror', 'no text')}"
        ) from None


def _secret(host: str, folder: str, namespace: str, name: str) -> Mapping[str, Any]:
    """Return the ``data`` of a Secret.

    :raises ValueError: if the API cannot be reached or refuses.
    """
    token, place = (
        _read_account_file(folder, "token"),
        f"'{name[:80]}' in the namespace '{namespace[:80]}'",
    )
    if not token or not token.isascii() or not token.isprintable():
        raise ValueError("the token of the pod's service account is malformed")
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets/{quote(name, safe='')}"
    status, body = _answer(host, folder, path, token)
    if status != http.HTTPStatus.OK:
        raise ValueError(
            _REASONS.get(
                status, f"the Kubernetes API answered HTTP status {status} for {{place}}"
            ).format(place=place)
        )
    data = _data(body)
    if data is None:
        raise ValueError(f"the Kubernetes API returned no Secret for {place}")
    return data


def _data(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    data = (found.get("data") or {}) if isinstance(found, Mapping) else None
    return data if isinstance(data, Mapping) else None


_REASONS = {
    401: (
        "the Kubernetes API rejects the token of the pod's service account, asked for the "
        "Secret {place}"
    ),
    403: (
        "the pod's service account may not read the Secret {place}: bind it to a Role with "
        "the verb 'get' on this Secret"
    ),
    404: "there is no Secret {place}",
}


def _answer(host: str, folder: str, path: str, token: str) -> tuple[int, bytes]:
    port = (
        os.environ.get("KUBERNETES_SERVICE_PORT_HTTPS")
        or os.environ.get("KUBERNETES_SERVICE_PORT")
        or "443"
    )
    try:
        context = client_context(cadata=_read_account_file(folder, "ca.crt"))
        connection = http.client.HTTPSConnection(host, int(port), timeout=_TIMEOUT, context=context)
        try:
            connection.request(
                "GET",
                path,
                headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            )
            answer = connection.getresponse()
            return answer.status, answer.read(_LARGEST)
        finally:
            connection.close()
    except ssl.SSLCertVerificationError as error:
        raise ValueError(
            f"the certificate of the Kubernetes API cannot be verified: {error.verify_message}"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise ValueError(
            f"the Kubernetes API at {host}:{port} cannot be reached: "
            f"{getattr(error, 'strerror', None) or type(error).__name__}"
        ) from None


def _key(data: Mapping[str, Any], namespace: str, name: str, key: str) -> str:
    if key not in data:
        known = ", ".join(sorted(map(str, data)))[:200] or "no keys"
        raise ValueError(
            f"the Secret '{name[:80]}' in the namespace '{namespace[:80]}' has no key "
            f"'{key[:80]}'; it has {known}"
        )
    try:
        return base64.b64decode(str(data[key]), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError(f"the key '{key[:80]}' of the Secret '{name[:80]}' is no text") from None
