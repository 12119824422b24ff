"""The pages of a connect session whose account is approved at a provider: before, during and after
the approval or refusal.

Three kinds of windows show them. A *page* has started the session and goes to the provider itself.
A *frame* has started it, too, and opens a window for the provider. A *window* is such a window, or
another device. The page and the frame lead: they alone begin, and begin again. A window finishes
its approval, or tells the person where to continue, and follows the session.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from starlette.responses import Response

from jackfield.connections.connection_types import ConnectionKind
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.components import h
from jackfield_service.shell.requests.prefix import START
from jackfield_service.subjects.connect.approvals import OTHER_ACCOUNT
from jackfield_service.subjects.connect.connecting import Connecting
from jackfield_service.subjects.connect.operations import SESSION
from jackfield_service.subjects.connect.pages.cards import HEAVY, icon
from jackfield_service.subjects.connect.pages.frame import Pages
from jackfield_service.subjects.connect.pages.words import role_named
from jackfield_service.subjects.connect.records import ConnectRecord
from jackfield_service.subjects.connect.session import (
    ConnectSession,
    account_named,
    is_another,
    told_apart,
)
from jackfield_store.keys.sealing import digest
from jackfield_store.management.authorizing import DECLINED

Place = Literal["page", "frame", "window"]
"""Kinds of windows that show the pages."""
_SHORT = 12
_PARTS = re.compile(r"(?<=[:/])(?=[^ :/])")


def progress(sessions: Connecting, found: ConnectSession) -> str:
    """Return the progress of a session as one word, which changes with the session's state and with
    each attempt at the provider.
    """
    authorization = sessions.approvals.state(found)["status"] if found.task == "authorize" else ""
    busy, met = "busy" if sessions.trials.is_busy(found) else "", "met" if found.met else ""
    return "-".join((found.status, found.task, authorization, _attempt(found), busy, met))


def titled(account: Mapping[str, Any] | None) -> str | None:
    """Return the full ID of an account that is displayed by its label, or the ARN of a role that is
    displayed by its name; else None.
    """
    known = account or {}
    if role_named(str(known.get("label") or "")):
        return str(known["label"])
    return (
        str(known["id"])
        if known.get("label") and known.get("id") not in (None, known["label"])
        else None
    )


def breakable(text: str) -> Node:
    """Render a string that may break after the parts of an ARN or address, not within a name."""
    first, *rest = _PARTS.split(text)
    return [first, [[Markup("<wbr>"), part] for part in rest]]


def _attempt(found: ConnectSession) -> str:
    return digest(found.authorization)[:_SHORT] if found.authorization else ""


class ApprovalPages(Pages):
    """Pages of one session in one window, of the kind ``place``. ``returned`` is true for a browser
    that came back from the provider with an approval, ``back`` for one that came back with any
    answer. ``starts`` is the prefix of links to approvals for other devices.
    """

    patience = 20.0
    """Seconds that a page waits for the platform's confirmation before it tells the person that
    leaving is possible.
    """

    def __init__(
        self,
        locale: str,
        found: ConnectSession | None = None,
        csrf: str = "",
        *,
        place: Place = "page",
        returned: bool = False,
        back: bool = False,
        starts: str = "",
        **follows: Any,
    ) -> None:
        super().__init__(locale, found, csrf, **follows)
        self._place = place
        self._returned = returned
        self._back = back
        self._starts = starts

    def _title(self, sessions: Connecting, found: ConnectSession) -> str:
        """Return the customer's name for the connected service, never the connection's name."""
        try:
            kind = sessions.kind(found)
            row = self._row(sessions, found)
            return (
                self._words.whole_title(found.type, kind)
                if row is None
                else self._row_title(found, row, kind, found.record)
            )
        except JackfieldError:
            return self.say("account_title")

    def _row_title(
        self,
        found: ConnectSession,
        row: Mapping[str, Any],
        kind: ConnectionKind,
        record: ConnectRecord,
    ) -> str:
        """Name an existing connection. In a list, its own title precedes the session's, which is
        for all connections of the type.
        """
        own = "" if found.wanted.connection else self._words.kept_title(record)
        return own or self._words.listed_title(
            record.type_of(kind), kind, row.get("values", {}), record
        )

    @staticmethod
    def _row(sessions: Connecting, found: ConnectSession) -> Mapping[str, Any] | None:
        """Return the stored connection of the session; None if it is not stored yet."""
        return next(
            (row for row in sessions.managed(found) if row["name"] == found.connection), None
        )

    def _provider(self, sessions: Connecting, found: ConnectSession) -> str:
        """Return the provider's name; if the connection type cannot be read, its host, or an empty
        string without a host.
        """
        try:
            kind, row = sessions.kind(found), self._row(sessions, found) or {}
            return self._words.provider(
                found.type, kind, row.get("values", {}), found.record if row else None
            )
        except JackfieldError:
            return urlsplit(found.host).hostname or ""

    def _picture(self, sessions: Connecting, found: ConnectSession) -> Markup | None:
        try:
            return self._icon(found.type, sessions.kind(found), found)
        except JackfieldError:
            return None

    def _icon(self, name: str, kind: ConnectionKind, found: ConnectSession) -> Markup:
        return icon(name, kind, self._words.provider(name, kind, {}), found.wanted.icons, HEAVY)

    def _same_account(self, sessions: Connecting, found: ConnectSession) -> Markup | None:
        """Render the account of the session's existing connection; None if it is unknown."""
        account = (self._row(sessions, found) or {}).get("account")
        return (
            h.p(h.strong(breakable(name), title=titled(account)))
            if (name := self._words.account(account))
            else None
        )

    def _connecting(self, account: Mapping[str, Any] | None) -> Markup | None:
        """Render the account that is about to be connected; None if it is unknown."""
        text = (
            breakable(self.say("account", account=self._words.account(account)))
            if account
            else None
        )
        return (
            h.p(text, class_="notice good", role="status", title=titled(account)) if text else None
        )

    def _whom(self, found: ConnectSession) -> Node:
        """Render the platform and the user for whom the account is connected."""
        platform, user = self._platform, found.wanted.user_name or found.wanted.user
        names = [
            h.p(self.say("whom_platform", platform=platform)) if platform else None,
            h.p(self.say("begin_user", user=user)) if user else None,
        ]
        return [*names, h.p(self.say("whom_only"))]

    def _whom_in_short(self, found: ConnectSession) -> Markup:
        """Render the platform, the host of its confirming page, and the user, for the person who
        began in this browser.
        """
        user, asks = (
            found.wanted.user_name or found.wanted.user,
            self._platform or self.say("somebody"),
        )
        host = (
            urlsplit(found.wanted.return_to).hostname if found.wanted.verify == "confirm" else None
        )
        named = f"{asks[:1].upper()}{asks[1:]}{f' ({host})' if host else ''}"
        return h.p(self.say("finish_for" if user else "finish_whom", platform=named, user=user))

    def stranger(self, found: ConnectSession, address: str, *, tried: bool = False) -> Response:
        """Render the page before the provider for another browser than the session's: the
        beneficiary of the approval, and the way to prove that the same person has started the
        session. No site may frame it.
        """
        wrong = (
            h.p(self.say("code_wrong", left=found.tries), class_="notice bad", role="alert")
            if tried
            else None
        )
        if not found.nonce and not found.code:
            refused = h.p(self.say("start_elsewhere"), role="alert", class_="notice bad")
            return self.page(self.say("over_title"), wrong or refused, status=403, framed=False)
        waits = self._nonce_form(address, found.start) if found.nonce else None
        box = h.input(
            id="code",
            name="code",
            inputmode="numeric",
            autocomplete="off",
            maxlength="12",
            required=True,
        )
        button = h.div(h.button(self.say("approve_begin"), class_="primary"), class_="actions")
        label = h.label(self.say("code_label"), for_="code")
        typed = (
            h.form(
                self.token(found.start),
                label,
                box,
                button,
                method="post",
                action=address,
                class_="stack",
            )
            if found.code
            else None
        )
        return self.page(
            self.say("start_title"),
            self._whom(found),
            wrong,
            waits,
            h.p(self.say("code_lead")) if found.code else None,
            typed,
            status=403 if tried else 200,
            framed=False,
        )

    def _nonce_form(self, address: str, start: str) -> Markup:
        nonce = h.input(type="hidden", name="nonce", value="")
        return h.form(
            self.token(start),
            nonce,
            h.p(self.say("start_waits")),
            method="post",
            action=address,
            id="asks",
        )

    def to_provider(self, address: str) -> Response:
        """Redirect a browser to the provider, by a page."""
        return self.onward(
            address,
            self.say("start_title"),
            self.say("approve", provider=urlsplit(address).hostname or ""),
        )

    def _approval(
        self,
        sessions: Connecting,
        found: ConnectSession,
        error: JackfieldError | None,
        *,
        at_once: bool,
    ) -> Response:
        """Render an approval that begins, continues or has an answer; with ``at_once``, the browser
        goes to the provider automatically.
        """
        state = sessions.approvals.state(found)
        answered = state["status"] == "answered"
        if answered and self._returned and self._place != "frame":
            return self._approved(sessions, found, error)
        if answered or (found.status == "saved" and state["status"] != "failed"):
            return self._approved_elsewhere(sessions, found)
        if state.get("reason") == OTHER_ACCOUNT and error is None:
            return self._other_account(sessions, found)
        declined = state.get("reason") == DECLINED
        if self._place == "window":
            return self._window_is_done(self._provider(sessions, found) if declined else "")
        if declined and error is None:
            return self._declined(found, self._provider(sessions, found))
        failed = self._failed(sessions, found, error) if error is not None else None
        if state["status"] == "failed":
            reason = self._words.of(str(state.get("reason", "")))
            refused = h.p(
                self.say("approve_failed", reason=reason), class_="notice bad", role="alert"
            )
            failed = self._blocked(found) if found.blocked else refused
        return self._before(sessions, found, failed, at_once=at_once)

    def _before(
        self, sessions: Connecting, found: ConnectSession, failed: Markup | None, *, at_once: bool
    ) -> Response:
        provider, picture = self._provider(sessions, found), self._picture(sessions, found)
        title = self.say(
            "form_title" if found.created else "again_title", type=self._title(sessions, found)
        )
        account = self._same_account(sessions, found)
        if failed is not None or not found.start:
            again = self._step(
                "approve", self.say("approve_again" if found.start else "approve_begin")
            )
            lead = h.p(self.say("approve_first"))
            return self.page(
                title, account, failed or lead, again, self._seconds(), picture=picture
            )
        link = h.a(
            self.say("approve", provider=provider),
            href=f"{START}/{found.start}",
            class_="button primary",
            data_nonce=found.nonce or None,
            target="_blank" if found.wanted.origins else None,
            rel="noopener" if found.wanted.origins else None,
        )
        again = h.div(self._step("approve", self.say("approve_again"), plain=True), id="restart")
        check = self._check(found) if found.wanted.origins or found.code else None
        lead = h.p(self.say("approve_lead", host=urlsplit(found.host).hostname or ""))
        return self.page(
            title,
            account,
            lead,
            h.p(link),
            self._window_notes(provider),
            self._device(sessions, found),
            check,
            self._seconds(again),
            onward=f"{START}/{found.start}" if at_once else "",
            picture=picture,
        )

    def _window_notes(self, provider: str) -> list[Markup]:
        """Render the notes that the script shows once it has opened the provider's window, can no
        longer observe it, or could not open it.
        """
        notes = {"window-open": "", "window-closed": "warn", "window-blocked": "bad"}
        return [
            h.p(
                self.say(name.replace("-", "_"), provider=provider),
                id=name,
                class_=f"notice {tone}".strip(),
                role="status",
                hidden=True,
            )
            for name, tone in notes.items()
        ]

    def _approved(
        self, sessions: Connecting, found: ConnectSession, error: JackfieldError | None
    ) -> Response:
        host = urlsplit(found.wanted.return_to).hostname or ""
        remains = (
            h.p(self.say("approved_remains", host=host))
            if found.wanted.verify == "confirm"
            else None
        )
        failed = self._failed(sessions, found, error) if error is not None else None
        if is_another(sessions.account(found), found.met):
            return self._other_allowed(sessions, found, failed, remains)
        told = self.say("approved_lead", provider=self._provider(sessions, found))
        lead = h.p(told, class_="notice good", role="status", title=titled(found.met))
        whom = [self._whom_in_short(found)] if self._is_own(found) else [self._whom(found), remains]
        asked = self._asks(account_named(found.met) or self._title(sessions, found))
        finish, picture = self._step("finish", self.say("finish")), self._picture(sessions, found)
        return self.page(
            asked, failed, lead, whom, finish, self._seconds(), picture=picture, follows="end"
        )

    def _asks(self, account: str) -> str:
        """Return the question whether an account is to be connected to the platform."""
        platform = self._platform
        return self.say(
            "account_asked_for" if platform else "account_asked_alone",
            account=account,
            platform=platform,
        )

    def _is_own(self, found: ConnectSession) -> bool:
        """Return whether the browser has started the session, or is a window that its frame has
        opened with a nonce instead of a code. Another device may belong to another person, who sees
        the requester and the beneficiary in full.
        """
        return self._place == "page" or bool(found.nonce)

    def _named_accounts(self, sessions: Connecting, found: ConnectSession) -> dict[str, str]:
        """Return the words for the provider, the account found there, the connection's account and
        the platform.
        """
        now, before = told_apart(found.met, sessions.account(found))
        asks = self._platform or self.say("somebody")
        return {
            "provider": self._provider(sessions, found),
            "now": now,
            "before": before,
            "platform": asks,
        }

    def _other_account(self, sessions: Connecting, found: ConnectSession) -> Response:
        """Render the note that a person has signed in with another account; only the browser that
        was at the provider learns which account.
        """
        about, picture = self._named_accounts(sessions, found), self._picture(sessions, found)
        lead = h.p(
            self.say("other_you" if self._back and found.met else "other_somebody", **about),
            class_="notice warn",
            role="alert",
        )
        if self._place == "window":
            return self.page(
                self.say("other_title"),
                lead,
                h.p(self.say("other_window", **about)),
                picture=picture,
            )
        new = (
            h.p(self.say("other_new", **about), class_="muted")
            if self._back and found.met
            else None
        )
        again = self._step("approve", self.say("other_again", **about))
        return self.page(
            self.say("other_title"),
            lead,
            h.p(self.say("other_next", **about)),
            again,
            new,
            self._seconds(),
            picture=picture,
        )

    def _other_allowed(
        self,
        sessions: Connecting,
        found: ConnectSession,
        failed: Markup | None,
        remains: Markup | None,
    ) -> Response:
        """Render the choice to connect another account than the connection's, which the platform
        allows.
        """
        about = self._named_accounts(sessions, found)
        lead = h.p(self.say("other_allowed", **about), class_="notice warn", role="alert")
        use = self._step("finish", self.say("other_use", **about))
        again = (
            self._step("approve", self.say("other_again", **about), plain=True)
            if self._place != "window"
            else None
        )
        return self.page(
            self.say("other_title"),
            failed,
            lead,
            self._whom(found),
            remains,
            use,
            self._seconds(again),
            picture=self._picture(sessions, found),
            follows="end",
        )

    def _approved_elsewhere(self, sessions: Connecting, found: ConnectSession) -> Response:
        """Render the page that waits while the person finishes in the window or on the device that
        came back from the provider, and then for the platform's confirmation. Only a browser that
        was at the provider, or whose frame opened that window with a nonce, sees the account. The
        button to continue is in the window; this page has the alternative.
        """
        if found.status == "saved":
            return self._waiting()
        was_there = (self._back or bool(found.nonce)) and not is_another(
            sessions.account(found), found.met
        )
        account = self._connecting(found.met) if was_there else None
        here = self._step("finish", self.say("finish_here"), plain=True) if self._returned else None
        again = (
            self._step("approve", self.say("approve_again"), plain=True)
            if self._place != "window"
            else None
        )
        return self.page(
            self.say("approved_title"),
            account,
            h.p(self.say("approved_elsewhere")),
            h.noscript(self._check(found)),
            self._seconds(here, again) if self._place != "window" else here,
            picture=self._picture(sessions, found),
        )

    def _waiting(self) -> Response:
        """Render the note that the platform's confirmation is pending, and after a while that the
        person need not wait on this page.
        """
        return self.page(
            self.say("return_title"),
            h.p(self.say("saved_lead", platform=self._platform or self.say("somebody"))),
            self._late(),
            patience=self.patience,
        )

    def _late(self, *, plain: bool = False) -> Markup:
        """Render the options of a person whose confirmation takes long, which the script reveals.
        They are ``plain`` next to a primary button.
        """
        leave = h.button(
            self.say("close"),
            type="button",
            data_leaves=True,
            class_="quiet" if plain else "primary",
        )
        lead = h.p(self.say("saved_late", platform=self._platform or self.say("somebody")))
        return h.div(lead, leave, id="late", class_="notice", role="status", hidden=True)

    def _declined(self, found: ConnectSession, provider: str) -> Response:
        """Render a refusal at the provider, after which the person may try again."""
        lead = h.p(self.say("declined_lead", provider=provider), role="alert")
        again = self._step("approve", self.say("declined_again"))
        tells = {"status": "declined", "attempt": _attempt(found)}
        return self.page(self.say("declined_title"), lead, again, self._seconds(), tells=tells)

    def _window_is_done(self, declined: str = "") -> Response:
        """Render the note, for the window that was at the provider, that the person continues
        elsewhere. The script closes the window if the browser allows it. ``declined`` names a
        provider at which the person refused.
        """
        lead = h.p(self.say("declined_lead", provider=declined), role="alert") if declined else None
        closes = h.p(self.say("window_done"), data_closes=True)
        return self.page(self.say("declined_title" if declined else "window_title"), lead, closes)

    def _device(self, sessions: Connecting, found: ConnectSession) -> Markup | None:
        """Render the step to approve on another device, or its link and code; None if the session
        does not allow it. It serves a person whose account is there, or whose window did not open.
        """
        if not found.allows_devices:
            return None
        if not found.code:
            lead = self.say("device_whom", provider=self._provider(sessions, found))
            return h.div(
                h.p(lead),
                self._step("device", self.say("device"), plain=True),
                class_="muted small",
            )
        shown = [
            self._code(f"{self._starts}/{found.start}", self.say("device_link"), whole=True),
            self._code(found.code, self.say("code_label"), whole=True),
        ]
        return h.section(
            h.h2(self.say("device")), h.p(self.say("device_lead")), shown, class_="card stack"
        )

    def _code(self, text: str, label: str, *, whole: bool = False) -> Markup:
        """Render a value that a person copies; the script shows the button. With ``whole`` it never
        breaks; other values break between words, and within a word only if it is longer than a
        line.
        """
        told = h.span(role="status", class_="small muted")
        name = f"{self.say('copy')}: {label}"
        button = h.button(
            self.say("copy"),
            type="button",
            class_="quiet",
            hidden=True,
            data_copies=self.say("copied"),
            aria_label=name,
        )
        spaced = [[" " * (place > 0), h.span(word)] for place, word in enumerate(text.split(" "))]
        words = text if whole else breakable(text) if "\n" in text else spaced
        shown = h.pre(
            h.code(words),
            tabindex="0",
            role="region",
            aria_label=label,
            class_="unbroken" if whole else None,
        )
        copies = h.div(told, button, class_="copies")
        return (
            h.div(copies, shown, class_="code short")
            if whole
            else h.div(shown, copies, class_="code")
        )

    def _check(self, found: ConnectSession) -> Markup:
        """Render the link to continue without the script, which otherwise follows automatically;
        the script shows the link once its window has opened.
        """
        return h.p(
            h.a(self.say("approve_check"), href=f"{SESSION}/{found.id}"),
            id=None if found.code else "check",
        )
