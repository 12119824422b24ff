"""Cookies of sessions and of browsers that approve connections, and CSRF tokens for forms."""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from jackfield_service.shell.process.settings import ServerSettings
from jackfield_service.shell.requests.prefix import current_prefix

_LONGEST = 1000
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_APPROVES = 3600
"""Seconds for which browsers store the cookies of an approval: of its start, and of the return from
the provider.
"""
_OUTLASTS = 86_400
"""Seconds after the end of a connect session for which its browser still gets the message that it
has ended.
"""
_BEGUN = 600
"""Seconds for which a browser stores the cookie of a started sign-in."""


class CookieJar:
    """Cookies of one server: HttpOnly always; behind TLS also Secure and bound to the host (RFC
    6265bis, ``__Host-``). Without TLS the port is in the name, since browsers share cookies between
    the ports of a host. All are SameSite=Strict, except the cookies of browsers that approve a
    connection or sign in, which must be sent when the provider's page redirects back (Lax).
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._secure = settings.behind_proxy or settings.certificate is not None
        self._suffix = "" if self._secure else f"_{settings.port}"

    @property
    def is_secure(self) -> bool:
        """True if browsers send these cookies over HTTPS only."""
        return self._secure

    @property
    def _session(self) -> str:
        return f"{self._bound}jackfield{self._suffix}"

    @property
    def _visitor(self) -> str:
        return f"{self._bound}jackfield_visitor{self._suffix}"

    @property
    def _approver(self) -> str:
        return f"{self._bound}jackfield_approver{self._suffix}"

    def _begun(self, state: str) -> str:
        return f"{self._bound}jackfield_signin_{sha256(state.encode('utf-8', 'replace')).hexdigest()[:16]}{self._suffix}"

    def _connect(self, session: str) -> str:
        return f"{self._bound}jackfield_connect_{session}{self._suffix}"

    def _returned(self, session: str) -> str:
        return f"{self._bound}jackfield_returned_{session}{self._suffix}"

    @property
    def _bound(self) -> str:
        """Prefix of cookie names: ``__Host-`` requires the path ``/``, so below a path only
        ``__Secure-`` works.
        """
        return "" if not self._secure else "__Secure-" if current_prefix() else "__Host-"

    def session(self, request: Request) -> tuple[str, str] | None:
        """Return the workspace and the secret in the request's session cookie; None without one."""
        owner, dot, secret = request.cookies.get(self._session, "")[:_LONGEST].partition(".")
        if not dot or not secret:
            return None
        try:
            return urlsafe_b64decode(owner + "=" * (-len(owner) % 4)).decode(), secret
        except ValueError:
            return None

    def begin(self, response: Response, workspace: str, secret: str) -> None:
        """Set the session cookie, which lasts until the browser is closed."""
        owner = urlsafe_b64encode(workspace.encode()).decode().rstrip("=")
        self._set(response, self._session, f"{owner}.{secret}")
        self._drop(response, self._visitor)

    def end(self, response: Response) -> None:
        """Delete the session cookie."""
        self._drop(response, self._session)

    def visitor(self, request: Request) -> str | None:
        """Return the secret that a visitor has before signing in, which the CSRF token of the
        sign-in form is derived from; None without a valid cookie.
        """
        return _own(request, self._visitor) or None

    def greet(self, response: Response, visitor: str | None) -> str:
        """Set the cookie with the visitor's secret, a new secret if ``visitor`` is None, and return
        the secret.
        """
        secret = visitor or secrets.token_urlsafe(32)
        self._set(response, self._visitor, secret)
        return secret

    def approver(self, request: Request) -> str:
        """Return the secret of a browser that has opened a start link; an empty string if it has
        none.
        """
        return _own(request, self._approver)

    def mark(self, response: Response, approver: str) -> None:
        """Set the secret of a browser that opens a start link."""
        response.set_cookie(
            self._approver,
            approver,
            max_age=_APPROVES,
            path=current_prefix() or "/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def beginning(self, request: Request, state: str) -> str:
        """Return the text of the sign-in that this browser started under ``state``; an empty string
        without such a sign-in.
        """
        return request.cookies.get(self._begun(state), "")

    def note_beginning(self, response: Response, state: str, text: str) -> None:
        """Set the cookie of a started sign-in. It is SameSite=Lax, so that browsers send it when
        the provider's page redirects back. Each sign-in has its own cookie, so that the pages of a
        browser do not disturb each other.
        """
        response.set_cookie(
            self._begun(state),
            text,
            max_age=_BEGUN,
            path=current_prefix() or "/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def drop_beginning(self, response: Response, state: str) -> None:
        """Delete the cookie of an answered sign-in."""
        response.delete_cookie(
            self._begun(state),
            path=current_prefix() or "/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def connecting(self, request: Request, session: str) -> str:
        """Return the secret of a browser on the page of a connect session; an empty string if it
        has none.
        """
        return _own(request, self._connect(session))

    def note_connecting(
        self, response: Response, session: str, secret: str, *, lasts: int, framed: bool
    ) -> Response:
        """Set the secret of a browser on the page of a connect session of ``lasts`` seconds, and
        return the response. For a page that other sites may frame, the cookie is Secure and
        partitioned by site (CHIPS).
        """
        own = (
            f"{self._connect(session)}={secret}; Path={current_prefix() or '/'}; HttpOnly; "
            f"Max-Age={lasts + _OUTLASTS}"
        )
        secure = "; Secure" if self._secure else ""
        across = "; SameSite=None; Partitioned" if framed and self._secure else "; SameSite=Lax"
        response.headers.append("set-cookie", f"{own}{secure}{across}")
        return response

    def returned(self, request: Request, session: str) -> str:
        """Return the secret of a browser that came back from the provider for a connect session; an
        empty string if it has none.
        """
        return _own(request, self._returned(session))

    def note_returned(self, response: Response, session: str, secret: str) -> Response:
        """Set the secret of a browser that returns from the provider, and return the response. The
        provider's page has a window of its own, even if the connect page is framed.
        """
        response.set_cookie(
            self._returned(session),
            secret,
            max_age=_APPROVES,
            path=current_prefix() or "/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )
        return response

    def _set(self, response: Response, name: str, value: str) -> None:
        response.set_cookie(
            name,
            value,
            path=current_prefix() or "/",
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )

    def _drop(self, response: Response, name: str) -> None:
        response.delete_cookie(
            name,
            path=current_prefix() or "/",
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )


def _own(request: Request, name: str) -> str:
    """Return the secret in a cookie; an empty string if it does not have the form of this server's
    secrets, since other sites can set cookies, too.
    """
    found = request.cookies.get(name, "")
    return found if _SECRET.fullmatch(found) else ""


def csrf_token(secret: str) -> str:
    """Derive the CSRF token of a session's forms; it cannot be computed without the cookie's
    secret.
    """
    return hmac.digest(secret.encode("utf-8", "replace"), b"jackfield console form", "sha256").hex()


def same_token(given: str, secret: str) -> bool:
    """Return whether a form's CSRF token equals the session's; compared in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), csrf_token(secret).encode())
