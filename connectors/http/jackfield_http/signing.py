"""Sign-ins that sign each request as a whole. The signers come from other packages, on which this
library does not depend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import entry_points
from typing import Any, Protocol

from jackfield.connector import InvalidConnection, OpenContext, Sent
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.secrecy import SecretHolder
from jackfield_http.bodies import Body
from jackfield_http.headers import field
from jackfield_http.sign_in import SignIn, Together
from jackfield_http.urls import Url

GROUP = "jackfield.bindings"
"""Entry points of signers, as ``TYPE.signer``: functions that accept the context and the
connection's values, and return a ``Signer``.
"""


class Signer(Protocol):
    """Signer of requests with one connection's credentials. Its arguments are plain values, so that
    a signer needs no import of this library.
    """

    def sign(
        self, method: str, url: str, fields: Sequence[tuple[str, str]], digest: str | None
    ) -> Mapping[str, str]:
        """Return the header fields to add to a request with these header fields.

        ``digest`` is the SHA-256 of the body in hexadecimal digits; None if the body can be read
        only once.

        :raises JackfieldError: if the request cannot be signed.
        """

    @property
    def renewable(self) -> bool:
        """True if ``renew`` can replace credentials that the server rejects as expired."""

    def renew(self) -> None:
        """Drop the current credentials."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Request before it is sent, in the form that its signature covers."""

    method: str
    url: Url
    fields: Sequence[tuple[bytes, bytes]]
    body: Body | None

    def digest(self) -> str | None:
        """Return the SHA-256 of the body; None if the body can be read only once. A file is read
        here and again when it is sent.
        """
        if self.body is None:
            return sha256(b"").hexdigest()
        if self.body.once:
            return None
        found = sha256()
        for chunk in self.body.chunks():
            found.update(chunk)
        return found.hexdigest()


class SignedRequests(SecretHolder):
    """Sign-in by a signature over each request."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return an empty list: ``sign`` adds the signature."""
        return []

    def query(self) -> str:
        """Return an empty string: the signature is in header fields."""
        return ""

    def sign(self, request: Outgoing) -> list[tuple[bytes, bytes]]:
        """Return the header fields with the signature of a request."""
        given = [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.fields]
        added = self._signer.sign(request.method, str(request.url), given, request.digest())
        return [field(name, value) for name, value in added.items()]

    @property
    def renewable(self) -> bool:
        """True if the signer's credentials can be renewed."""
        return self._signer.renewable

    def renew(self) -> None:
        """Drop the signer's credentials."""
        self._signer.renew()


def signatures(
    sign_in: SignIn, method: str, url: Url, fields: Sequence[tuple[bytes, bytes]], body: Body | None
) -> list[tuple[bytes, bytes]]:
    """Return the header fields of all signatures of a sign-in. ``fields`` already has the other
    credentials.
    """
    if isinstance(sign_in, Together):
        return [
            one for part in sign_in.parts for one in signatures(part, method, url, fields, body)
        ]
    return (
        sign_in.sign(Outgoing(method, url, fields, body))
        if isinstance(sign_in, SignedRequests)
        else []
    )


def find_signer(name: str, package: str) -> Callable[[OpenContext, Mapping[str, Any]], Signer]:
    """Return the function that makes signers of the type ``name``.

    :raises InvalidConnection: if no installed package provides it; the error recommends
        ``package``.
    """
    found = _load(name)
    if found is None:
        text = (
            f"connections of the type '{name}' need the package {package}, which is not "
            "installed here"
        )
        raise InvalidConnection(
            text, hint=f"Install {package}, and start jackfield again.", sent=Sent.NOTHING
        )
    return found


@cache
def _load(name: str) -> Callable[[OpenContext, Mapping[str, Any]], Signer] | None:
    point = next(iter(entry_points(group=GROUP, name=f"{name}.signer")), None)
    return None if point is None else point.load()
