"""The server's certificate, read again when its files change: new connections get the new
certificate, and nothing is restarted.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable

from jackfield.kernel.errors import InvalidInvocation

_LOG = logging.getLogger("jackfield.http")


def check_certificate(certificate: str, key: str | None) -> None:
    """Check that a certificate and its key can be served.

    :raises InvalidInvocation: if they cannot be used.
    """
    try:
        # Without a password callback OpenSSL would prompt at the terminal, in each worker.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, lambda: "")
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise InvalidInvocation(
            f"--certificate and --key cannot be used: {reason}",
            hint=(
                "Give the paths of a certificate and of its own key without a pass phrase, "
                "both PEM."
            ),
        ) from None


class Certificates:
    """TLS contexts made by ``make`` from two files. Each handshake uses the newest."""

    def __init__(
        self, certificate: str, key: str | None, make: Callable[[], ssl.SSLContext]
    ) -> None:
        self._certificate, self._key, self._make = certificate, key, make
        self._seen = self._found = self._stamp()
        self.context = make()
        """Context that listens; it hands each handshake over to the newest one."""
        self._newest = self.context
        self.context.sni_callback = self._hand_over

    def changed(self) -> bool:
        """Return whether the files differ from the files read last and have not changed since the
        previous call, hence are completely written.
        """
        found = self._stamp()
        settled, self._found = found == self._found, found
        return settled and found != self._seen

    def renewed(self) -> Callable[[], None]:
        """Read the files and return a function that puts them into use.

        :raises InvalidInvocation: if they cannot be used. The earlier files stay in use, and
            ``changed`` is False until the files change again.
        """
        self._seen = self._stamp()
        check_certificate(self._certificate, self._key)
        fresh = self._make()

        def use() -> None:
            self._newest = fresh
            _LOG.info("new connections get the certificate that is in '%s' now", self._certificate)

        return use

    def _hand_over(
        self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        connection.context = self._newest

    def _stamp(self) -> tuple[tuple[int, int, int] | None, ...]:
        """Return a stamp that changes when a file, or the target of a link to it, changes."""
        return tuple(map(_identity, filter(None, (self._certificate, self._key))))


def _identity(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
