"""Sign-ins of requests: a header field, a query parameter, a cookie, a leased token, or several
together.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Protocol
from urllib.parse import quote

from jackfield.connector import Detail, InvalidConnection, InvalidInput, Minted, OpenContext, Sent
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.dataclass import field as make_field
from jackfield.kernel.hidden import trimmed
from jackfield.kernel.secrecy import SecretHolder
from jackfield_http.headers import FRAMING, field, folded, is_fit

_LATIN = 0xFF
_BULLETS = frozenset("\u2022\u25cf\u2219\u26ab\u2b24*")
"""Characters that pages display in place of a secret's characters."""


class SignIn(Protocol):
    """Sign-in that adds credentials to requests to the connection's own server. Redirects to other
    servers drop the credentials.
    """

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the header fields to add."""

    def query(self) -> str:
        """Return the credentials in the query; usually empty."""

    @property
    def renewable(self) -> bool:
        """True if ``renew`` can replace credentials that the server rejects as expired."""

    def renew(self) -> None:
        """Drop the current credentials; the next request uses new ones."""


@dataclass(frozen=True, slots=True, repr=False)
class Fixed(SecretHolder):
    """Credentials that do not change: header fields, cookies and a query.

    ``path`` points at the connection's value in them, which follows ``prefix``.
    """

    headers: tuple[tuple[str, str], ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    path: str = ""
    prefix: str = ""
    _made: list[tuple[bytes, bytes]] = make_field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Build the header fields.

        :raises InvalidConnection: if a value is not valid in a header field.
        """
        for name, _ in self.headers:
            if folded(name) in FRAMING:
                raise _unfit(self.path, f"must not be sent as '{name}'", hint=None)
        try:
            object.__setattr__(self, "_made", [field(name, value) for name, value in self.headers])
        except InvalidInput:
            raise _unfit(self.path, _reason(self.headers[0][1].removeprefix(self.prefix))) from None

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the header fields to add."""
        return [*self._made]

    def query(self) -> str:
        """Return the parameters to add to the query."""
        if not self.parameters:
            return ""
        return "&".join(
            f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in self.parameters
        )

    @property
    def renewable(self) -> bool:
        """False: only the owner can replace fixed credentials."""
        return False

    def renew(self) -> None:
        """Do nothing: fixed credentials stay."""


def _unfit(
    path: str, reason: str, hint: str | None = "Copy the value again, and nothing around it."
) -> InvalidConnection:
    return InvalidConnection(
        f"the value cannot be sent: it {reason}",
        details=[Detail(path, reason)],
        hint=hint,
        sent=Sent.NOTHING,
    )


def _reason(value: str) -> str:
    """Return the reason why a header field cannot carry a value, since its owner does not see the
    value in a password field.
    """
    if set(value) <= _BULLETS:
        return "is what is shown in place of the key: copy the key itself"
    number, found = next(
        (place, one) for place, one in enumerate(value, 1) if ord(one) > _LATIN or not is_fit(one)
    )
    shown = (
        "a line break"
        if found in "\r\n"
        else f"'{found}'"
        if found.isprintable()
        else f"the invisible character U+{ord(found):04X}"
    )
    return f"has {shown} as its character {number}, which a key cannot have"


def in_header(name: str, value: str, path: str = "", prefix: str = "") -> Fixed:
    """Return the sign-in by a header field whose value is ``prefix`` and the connection's value."""
    return Fixed(headers=((name, prefix + trimmed(value)),), path=path, prefix=prefix)


def bearer(token: str, path: str = "", prefix: str = "Bearer ") -> Fixed:
    """Return the sign-in by a bearer token after its scheme (RFC 6750).

    :raises InvalidConnection: if the token includes a scheme or a space.
    """
    text, scheme = trimmed(token), prefix.strip()
    if scheme and text.lower().startswith(f"{scheme.lower()} "):
        raise _unfit(path, f"begins with '{scheme}', which is added when it is sent: leave it out")
    if scheme == "Bearer" and " " in text:
        raise _unfit(path, "has a space, which a token cannot have")
    return in_header("Authorization", text, path, prefix)


def in_query(name: str, value: str) -> Fixed:
    """Return the sign-in by a query parameter. Servers and proxies may log it, so use it only for
    servers without another sign-in.
    """
    return Fixed(parameters=((name, trimmed(value)),))


def in_cookie(name: str, value: str, path: str = "") -> Fixed:
    """Return the sign-in by a cookie."""
    return Fixed(headers=(("Cookie", f"{name}={quote(trimmed(value), safe='')}"),), path=path)


def basic(username: str, password: str, path: str = "") -> Fixed:
    """Return the sign-in by user name and password (RFC 7617), in UTF-8."""
    if ":" in username:
        raise InvalidConnection(
            "the user name cannot be sent",
            details=[Detail("/username", "must not contain a colon")],
        )
    return in_header(
        "Authorization", f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}", path
    )


def kept(context: OpenContext, make: Callable[..., Fixed], *given: str) -> Fixed:
    """Return the credentials that ``make`` builds from ``given``, cached for the connection."""
    return context.cached((make, *given), lambda: make(*given))


class LeasedToken(SecretHolder):
    """Expiring token, leased by the runtime. Threads and processes share the token, and one of them
    renews it for all.

    ``outlasts`` is the option of ``OpenContext.lease``. ``prefix`` precedes the token in the header
    field.
    """

    def __init__(
        self,
        context: OpenContext,
        key: str,
        mint: Callable[[], Minted],
        *,
        outlasts: bool = False,
        prefix: str = "Bearer ",
    ) -> None:
        self._context = context
        self._key = key
        self._mint = mint
        self._outlasts = outlasts
        self._prefix = prefix
        self._lease: Minted | None = context.lease(key, mint, outlasts=outlasts)

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the ``Authorization`` field with the token."""
        if self._lease is None:
            self._lease = self._context.lease(self._key, self._mint, outlasts=self._outlasts)
        return in_header("Authorization", f"{self._prefix}{self._lease.value['token']}").fields()

    def query(self) -> str:
        """Return an empty string: a token does not belong in a URL."""
        return ""

    @property
    def renewable(self) -> bool:
        """True: a new token can be leased."""
        return True

    def renew(self) -> None:
        """Drop the token, unless another caller has renewed it; the next request leases a new
        one.
        """
        used, self._lease = self._lease, None
        if used is not None:
            self._context.drop(self._key, used)


@dataclass(frozen=True, slots=True, repr=False)
class Together:
    """Combination of sign-ins, for servers that require several credentials."""

    parts: tuple[SignIn, ...]

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the header fields of all parts."""
        return [one for part in self.parts for one in part.fields()]

    def query(self) -> str:
        """Return the query of all parts."""
        return "&".join(filter(None, (part.query() for part in self.parts)))

    @property
    def renewable(self) -> bool:
        """True if one of the parts can be renewed."""
        return any(part.renewable for part in self.parts)

    def renew(self) -> None:
        """Renew the renewable parts."""
        for part in self.parts:
            if part.renewable:
                part.renew()


ANONYMOUS = Fixed()
"""Sign-in without credentials."""
