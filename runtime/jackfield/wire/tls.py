"""TLS contexts of clients, and the reasons why a server's certificate is refused."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
from typing import Any

_FILE, _FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"
_DATES = frozenset({9, 10, 11, 12, 13, 14})
_NAMES = frozenset({62, 63, 64})
_ISSUERS = frozenset({2, 18, 19, 20, 21, 27, 33})
_STRICT = range(80, 94)
"""Codes of OpenSSL's x509_vfy.h for certificates that only its strict rules refuse."""

_MOST_NAMES, _LONGEST_NAME = 2, 60
"""Maximum number of quoted names of a refused certificate, and maximum length of each."""


class ConnectedSocket(ssl.SSLSocket):
    """Socket that begins TLS over a connection, and closes where that connection was reset before.

    ``ssl.SSLSocket`` asks for its peer first. Without one it does no handshake, or fails and stays
    open. The contexts of this module have it as their ``sslsocket_class``.
    """

    def getpeername(self) -> Any:
        """Return the peer's address.

        :raises ConnectionResetError: if there is no peer; the socket is closed then.
        """
        try:
            return super().getpeername()
        except OSError as error:
            if self.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):  # a listener has no peer
                raise
            self.close()
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from error


def client_context(
    cafile: str | None = None, capath: str | None = None, cadata: str | None = None
) -> ssl.SSLContext:
    """Return a context that verifies the server's name and certificate, by the machine's
    authorities unless others are given.

    A connection that is cut does not count as ended, although some builds of Python set
    ``OP_IGNORE_UNEXPECTED_EOF``.

    :raises OSError: if the authorities cannot be read (``ssl.SSLError``, if a file has none).
    """
    context = ssl.create_default_context(cafile=cafile, capath=capath, cadata=cadata)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    context.sslsocket_class = ConnectedSocket
    return context


def certificate_refusal(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    """Return why a certificate is refused, and the matching hint: about the clock, the name, the
    authority, or Python's strict rules. In the hint, ``{authority}`` is a placeholder for the
    setting that names a private authority.
    """
    reason, code = (error.verify_message or "it is not valid").rstrip("."), error.verify_code
    if code in _DATES:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return (
            reason,
            (
                "Compare the dates of the server's certificate with the clock of this machine, "
                f"which says {now}."
            ),
        )
    if code in _NAMES:
        return (
            reason,
            (
                "Check the server's name in its URL: the certificate is for another one, or a "
                "proxy answers in its place."
            ),
        )
    if code in _STRICT:
        return (
            reason,
            (
                "Python 3.13 and newer refuse certificates that RFC 5280 does not allow. Have "
                "its authority issue it again."
            ),
        )
    if code in _ISSUERS:
        private = (
            "If its authority, or that of a proxy which opens TLS, is a private one, set "
            "{authority}."
        )
        broken = broken_authorities()
        return (
            reason,
            (
                f"{f'{broken}. ' if broken else ''}{private} Otherwise the server leaves out an "
                "intermediate certificate."
            ),
        )
    return reason, "Look at the server's certificate, and at those of its authorities."


def unverified_context() -> ssl.SSLContext:
    """Return a context that accepts any certificate, for reading a certificate without sending
    anything.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.sslsocket_class = ConnectedSocket
    return context


def described(certificate: bytes) -> str:
    """Return a sentence with the issuer and the names of a certificate. A foreign certificate may
    raise any exception.
    """
    from cryptography import x509  # only where a certificate is refused

    found = x509.load_der_x509_certificate(certificate)
    issuer, *_ = [str(part.value) for part in reversed(list(found.issuer))] or ["nobody"]
    named = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = [f"'{str(one.value)[:_LONGEST_NAME]}'" for one in named][:_MOST_NAMES]
    return f"'{issuer[:_LONGEST_NAME]}' has issued it, for {', '.join(names)}."


def broken_authorities() -> str | None:
    """Return the fault of the certificate authorities that OpenSSL's variables name, which OpenSSL
    silently ignores; None if there is no fault.
    """
    file, folder = os.environ.get(_FILE), os.environ.get(_FOLDER)
    if file:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
        except OSError as error:
            reason = (
                "has no certificate in PEM form"
                if isinstance(error, ssl.SSLError)
                else f"cannot be read: {error.strerror}"
            )
            return f"The authorities of {_FILE} are missing: '{file[:200]}' {reason}"
    elif (
        folder
        and folder != os.devnull
        and not any(os.path.isdir(one) for one in folder.split(os.pathsep))
    ):
        return f"The authorities of {_FOLDER} are missing: '{folder[:200]}' is no folder"
    return None
