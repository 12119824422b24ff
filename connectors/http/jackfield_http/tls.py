"""TLS contexts: the machine's certificate authorities, or the connection's own, and a client
certificate.
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import Any, cast

from jackfield.connector import Detail, InvalidConnection
from jackfield.wire.tls import client_context


class DefaultContext:
    """TLS context that verifies the server by the machine's certificate authorities.

    They are loaded for the first TLS connection, since loading takes 25 ms and other servers do not
    need them.
    """

    __slots__ = ("_loaded",)
    _loaded: ssl.SSLContext

    def __getattr__(self, name: str) -> Any:
        if name != "_loaded":
            return getattr(self._loaded, name)
        self._loaded = client_context()
        return self._loaded


def tls_context(
    authority: str | None = None, certificate: str | None = None, private_key: str | None = None
) -> ssl.SSLContext:
    """Return a TLS context that verifies the server, from PEM strings.

    :raises InvalidConnection: if a string is not PEM, or the key does not belong to the
        certificate.
    """
    if authority is None and certificate is None:
        return cast("ssl.SSLContext", DefaultContext())
    context = client_context()
    if authority is not None:
        try:
            context.load_verify_locations(cadata=authority)
        except (ssl.SSLError, ValueError):
            raise _refusal("/caCertificate", "is not a certificate in PEM form") from None
    if certificate is not None and private_key is not None:
        _load(context, certificate, private_key)
    return context


def _load(context: ssl.SSLContext, certificate: str, private_key: str) -> None:
    """Load a client certificate. The ssl module reads only files, so a temporary file exists during
    the load, readable by this user only.
    """
    with tempfile.TemporaryDirectory(prefix="jackfield-") as folder:
        file = Path(folder) / "client.pem"
        file.touch(mode=0o600)
        file.write_text(f"{private_key.strip()}\n{certificate.strip()}\n", encoding="utf-8")
        try:
            context.load_cert_chain(file, password=_no_password)
        except (ssl.SSLError, ValueError, OSError):
            raise _refusal(
                "/privateKey",
                "does not belong to the certificate, is encrypted, or is not in PEM form",
            ) from None


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _refusal(path: str, text: str) -> InvalidConnection:
    return InvalidConnection(
        "the connection's certificate cannot be used",
        details=[Detail(path, text)],
        hint="Paste the whole PEM text, with its lines '-----BEGIN' and '-----END'.",
    )
