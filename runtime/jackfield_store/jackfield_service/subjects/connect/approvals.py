"""Approvals of connect sessions at a provider: the browser that may go there, and the browser that
came back.

The link to an approval can be forwarded, like the session's own. So it works only in the browser
that began the session. A window opened by a framed page has no cookie of the session, and brings a
nonce. On another device a person types a code. The returning browser gets a secret, and only that
browser can finish: the sender of a link can never finish another person's approval.
"""

from __future__ import annotations

import contextlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import Forbidden, InvalidInvocation, JackfieldError
from jackfield_service.subjects.connect.session import ConnectSession, is_another
from jackfield_service.subjects.connect.table import ConnectTable, SessionMoved, unknown
from jackfield_store.keys.sealing import digest, new_secret

if TYPE_CHECKING:
    from jackfield_service.subjects.connect.trials import Trials
    from jackfield_store.management.authorizing import Authorizing, Completed

OTHER_ACCOUNT = "the person has signed in with another account"
"""Reason of an approval that ended because of another account."""
_TRIES = 3
_DIGITS = 6


class WrongCode(InvalidInvocation):
    """Error for a nonce or a code that does not belong to the approval."""

    http_status = 403


class SessionApprovals:
    """Approvals of one workspace's connect sessions. ``authorizing`` returns the authorizations
    that a session has started, ``account`` the account of its connection.
    """

    def __init__(
        self,
        table: ConnectTable,
        authorizing: Callable[[ConnectSession], Authorizing],
        account: Callable[[ConnectSession], Mapping[str, Any]],
        trials: Trials,
    ) -> None:
        self._table = table
        self._authorizing = authorizing
        self._account = account
        self._trials = trials

    def begin(self, found: ConnectSession, redirect_uri: str, return_to: str) -> ConnectSession:
        """Begin the approval of a stored connection.

        :raises JackfieldError: if the authorization cannot be started.
        """
        begun = self._authorizing(found).begin(
            found.connection, redirect_uri, return_to=return_to, browser=found.key
        )
        fresh: dict[str, Any] = {
            "nonce": new_secret() if found.wanted.origins else "",
            "code": "",
            "tries": 0,
            "status": "testing",
        }
        fresh |= {"met": {}, "blocked": {}}
        return self._table.change(
            found, authorization=begun["id"], start=begun["link"], host=begun["url"], **fresh
        )

    def state(self, found: ConnectSession) -> dict[str, Any]:
        """Return the state of the approval at the provider: ``pending``, ``answered`` or
        ``failed``.
        """
        if not found.authorization:
            return {"status": "none"}
        try:
            return self._authorizing(found).poll(found.authorization)
        except JackfieldError as error:
            return {"status": "failed", "reason": error.message}

    def leads(self, found: ConnectSession, start: str) -> bool:
        """Return whether a link leads to the session's pending approval."""
        return bool(found.start) and hmac.compare_digest(
            found.start.encode(), start.encode("utf-8", "surrogatepass")
        )

    def came_back(self, found: ConnectSession, secret: str) -> bool:
        """Return whether the browser with this secret returned from the provider with the answer of
        the session's approval.
        """
        if not found.authorization or not secret:
            return False
        try:
            return self._authorizing(found).came_back(found.authorization, secret)
        except JackfieldError:
            return False

    def led_from(self, found: ConnectSession, *, framed: bool) -> ConnectSession:
        """Record whether the leading window is a frame. Of two windows of a session, the last
        opened one leads.
        """
        if found.framed == framed or found.is_over:
            return found
        with contextlib.suppress(SessionMoved):
            return self._table.change(found, framed=framed)
        return self._table.find(found.id)

    def note_back(self, identifier: str, secret: str) -> None:
        """Record the browser that returned from the provider: it may watch the session, also after
        a refusal, but not act on it.
        """
        for _ in range(_TRIES):
            found = self._table.find(identifier)
            if found.is_over:
                return
            # another request has changed the session at the same moment
            with contextlib.suppress(SessionMoved):
                self._table.change(found, apart=digest(secret))
                return

    def answered(self, identifier: str, answer: Completed) -> None:
        """Record the browser that returned from the provider, and its answer. Look the account up
        now, so that the person sees it, and any difference from the connection's account, before
        anything is finished.
        """
        if not answer.proof:
            return
        self.note_back(identifier, answer.proof)
        found = self._table.find(identifier)
        if answer.declined:
            error = Forbidden(f"the provider refused the approval ({answer.declined})")
            if self._trials.is_platforms(found, error, answer.declined):
                self._trials.note(found, error)
        elif found.task == "authorize" and not found.is_over:
            self._meet(found)

    def _meet(self, found: ConnectSession) -> None:
        """Determine the account with which a person has signed in; another account ends the
        approval, unless the platform allows it.
        """
        try:
            account = self._authorizing(found).exchange(found.authorization, browser=found.key)
        except JackfieldError as error:
            self._trials.noted(found, error)
            return
        if account is None:
            return
        met = {"id": account.id, "label": account.label}
        if not found.wanted.other_account and is_another(self._account(found), met):
            self._authorizing(found).abandon(found.authorization, OTHER_ACCOUNT)
        for _ in range(_TRIES):
            now = self._table.find(found.id)
            if now.is_over or now.authorization != found.authorization:
                return
            # another request has changed the session at the same moment
            with contextlib.suppress(SessionMoved):
                self._table.change(now, met=met)
                return

    def take_code(self, found: ConnectSession) -> ConnectSession:
        """Make a code that lets a browser on another device open the provider's page.

        :raises SessionMoved: if the session does not allow it, or waits for no approval.
        """
        if not found.start or not found.allows_devices:
            raise SessionMoved(
                "no other device can approve here",
                hint="Approve in the browser in which you began.",
            )
        return self._table.change(
            found, code=f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}}", tries=_TRIES
        )

    def open(
        self, found: ConnectSession, start: str, visitor: str, *, nonce: str = "", code: str = ""
    ) -> str:
        """Return the provider's address for the browser ``visitor``, which is not the session's;
        from then on, only this browser's answer counts.

        :raises UnknownSession: if the link leads nowhere any more.
        :raises WrongCode: if neither the nonce nor the code is right; the third wrong code ends the
            code.
        :raises JackfieldError: if a browser has opened the link before.
        """
        if found.is_over or not self.leads(found, start):
            raise unknown()
        if not (
            found.nonce
            and hmac.compare_digest(found.nonce.encode(), nonce.encode("utf-8", "surrogatepass"))
        ):
            found = self._spent(found, code)
        return self._authorizing(found).open_link(found.authorization, start, visitor)

    def _spent(self, found: ConnectSession, code: str) -> ConnectSession:
        """Use up the code if ``code`` is right, else one of its tries. Of several simultaneous
        tries, one counts.

        :raises WrongCode: if the code is wrong.
        """
        given = "".join(code.split())
        if found.code and hmac.compare_digest(
            found.code.encode(), given.encode("utf-8", "surrogatepass")
        ):
            return self._table.change(found, code="", tries=0, nonce="")
        if found.code:
            left = found.tries - 1
            self._table.change(found, tries=left, code=found.code if left > 0 else "")
        raise WrongCode(
            "the code is not the one that is shown where the session was begun",
            hint="Ask for another code there.",
        )
