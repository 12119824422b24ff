"""TLS contexts of clients."""

from __future__ import annotations

import ssl


def client_context(cafile: str | None = None, capath: str | None = None, cadata: str | None = None) -> ssl.SSLContext:
    """Return a context that verifies the server's name and certificate, by the machine's authorities unless others are given.

    A connection that is cut does not count as ended: some builds of Python set ``OP_IGNORE_UNEXPECTED_EOF``, with which it would.

    :raises OSError: if the authorities cannot be read (``ssl.SSLError``, if a file has none).
    """
    context = ssl.create_default_context(cafile=cafile, capath=capath, cadata=cadata)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context
