"""One page of a connect session: its head, its look, the sites that may frame it, and the events
that its script follows and reports.

Every page of a participant follows its session until the session's end, and reports to the
platform's page that frames or has opened it. The script has no other task; the forms work without
it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Literal

from starlette.responses import HTMLResponse, Response

from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.assets import asset
from jackfield_service.shell.pages.layout.components import csrf_field, h
from jackfield_service.shell.pages.layout.drawn import drawn_from, is_current
from jackfield_service.shell.pages.layout.theme import source_of, style_of
from jackfield_service.shell.requests.prefix import below_prefix
from jackfield_service.subjects.connect.connecting import Connecting
from jackfield_service.subjects.connect.faults import UNREACHED, Asked, is_platforms
from jackfield_service.subjects.connect.operations import SESSION
from jackfield_service.subjects.connect.pages.words import Words
from jackfield_service.subjects.connect.session import ConnectSession

_LOG = logging.getLogger("jackfield.connect")
Follows = Literal["all", "end"]
"""Changes of its session after which a page moves on: all changes, or only the end, for pages on
which a person types or decides. No question is replaced while a person answers it.
"""
_TYPED = ("scheme", "https", "lines", "leave", "show", "hide")
"""Keys of the texts that the script shows about typed values."""
_POLICY = (
    "default-src 'none'; style-src 'self' {style}; img-src 'self' data:; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors {frames}"
)


def _brand(theme: Mapping[str, str]) -> list[Node]:
    """Render the requester: a logo and the name, or a logo that contains the name, which is its
    alternative text.
    """
    if "wordmark" in theme:
        return [h.img(src=theme["wordmark"], alt=theme.get("name", ""), class_="theirs")]
    return [
        h.img(src=theme["logo"], alt="", class_="theirs") if "logo" in theme else None,
        theme.get("name"),
    ]


class Pages:
    """Pages of one session for one browser, whose forms carry ``csrf``. ``address`` is the page to
    which the browser moves on when the state differs from ``state``; it is empty for a browser
    without access. The session lasts ``lasts`` more seconds.
    """

    def __init__(
        self,
        locale: str,
        found: ConnectSession | None = None,
        csrf: str = "",
        *,
        address: str = "",
        state: str = "",
        lasts: float = 0.0,
    ) -> None:
        self._words = Words(locale, found)
        self.say = self._words.say
        self._found = found
        self._csrf = csrf
        self._address = address
        self._state = state
        self._lasts = lasts
        self._drawn: tuple[object, ...] = ()
        self._anew = False

    def token(self, *state: object) -> Markup:
        """Render the token of a form, with the state of its page, and the form's own further
        ``state``.
        """
        return csrf_field(drawn_from(self._csrf, *self._drawn, *state))

    def is_current(self, digest: str, *state: object) -> bool:
        """Return whether a form's digest matches the state of this page, and the further
        ``state``.
        """
        return is_current(digest, *self._drawn, *state)

    def page(
        self,
        title: str,
        *content: Node,
        status: int = 200,
        onward: str = "",
        framed: bool = True,
        picture: Node = None,
        tells: Mapping[str, str] | None = None,
        follows: Follows = "all",
        patience: float = 0.0,
        wide: bool = False,
    ) -> Response:
        """Render a page, ``wide`` if it has several tasks, which moves on to the address ``onward``
        automatically. With ``framed``, only the session's own origins may frame it. The platform's
        page that frames or has opened it receives the messages ``tells``, and continues by itself.
        After ``patience`` seconds the platform's page gets the message that the confirmation is
        pending.
        """
        wanted = self._found.wanted if self._found is not None else None
        origins = wanted.origins if wanted is not None and framed else ()
        about = self._about(origins, onward, tells, follows, patience)
        metas = [
            h.meta(charset="utf-8"),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
        ]
        metas += [h.meta(name="color-scheme", content="light dark")]
        if onward:
            leads = h.meta(http_equiv="refresh", content=f"0;url={below_prefix(onward)}")
            metas.append(h.noscript(leads) if "data_onward" in about else leads)
        theme: Mapping[str, str] = wanted.theme if wanted is not None else {}
        style = style_of(theme.get("color", "").lower(), theme.get("scheme", ""))
        links: list[Node] = [
            h.link(rel="stylesheet", href=asset(name)) for name in ("console.css", "connect.css")
        ]
        links.append(h.style(Markup(style)) if style else None)
        links += [h.script(src=asset(name), defer=True) for name in ("typing.js", "connect.js")]
        anew = (
            h.p(self.say("moved"), class_="notice warn", role="alert", tabindex="-1")
            if self._anew
            else None
        )
        brand = _brand(theme)
        head = h.head(metas, h.title(title), links)
        above = h.p(brand, class_="brand") if any(brand) else None
        lost = (
            h.p(self._again("lost"), id="lost", class_="notice bad", role="alert", hidden=True)
            if "data_page" in about
            else None
        )
        below = (
            h.p(self.say("more_below"), id="below", aria_hidden="true", hidden=True)
            if origins
            else None
        )
        body = h.body(
            h.main(
                above,
                h.h1(picture, title),
                anew,
                lost,
                *content,
                class_=f"alone connect stack{' wide' * wide}",
                id="content",
                **about,
            ),
            below,
        )
        response = HTMLResponse(
            h.join([Markup("<!doctype html>"), h.html(head, body, lang=self._words.locale)]), status
        )
        frames = " ".join(origins) or "'none'"
        policy = _POLICY.format(frames=frames, style=source_of(style) if style else "").replace(
            " ;", ";"
        )
        response.headers.update(
            {
                "Content-Security-Policy": policy,
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-store",
            }
        )
        if not origins:
            response.headers["X-Frame-Options"] = "DENY"
        return response

    def _about(
        self,
        origins: tuple[str, ...],
        onward: str,
        tells: Mapping[str, str] | None,
        follows: Follows,
        patience: float,
    ) -> dict[str, str]:
        found, about = (
            self._found,
            {"data_words": json.dumps({key: self.say(f"typed_{key}") for key in _TYPED})},
        )
        if found is None:
            return about
        about["data_session"] = found.id
        if origins:
            about["data_origins"] = " ".join(origins)
            if tells:
                about["data_told"] = json.dumps({"session": found.id, **tells})
                about.update({"data_onward": onward} if onward else {})
        if self._address and not found.is_over:
            lasts = str(round(max(self._lasts, 0.0), 1))
            about.update(
                {
                    "data_page": below_prefix(self._address),
                    "data_state": self._state,
                    "data_follows": follows,
                    "data_lasts": lasts,
                }
            )
        if patience:
            about["data_patience"] = str(patience)
        return about

    def refusal(
        self,
        key: str,
        status: int,
        *content: Node,
        tells: str = "",
        framed: bool = True,
        follows: Follows = "end",
    ) -> Response:
        """Render the reason why the visitor can do nothing here, and the next step."""
        told = {"status": tells} if tells else None
        lead = h.p(self._again(key), role="alert", class_="notice bad")
        return self.page(
            self.say("over_title"),
            lead,
            *content,
            status=status,
            tells=told,
            framed=framed,
            follows=follows,
        )

    def fault(self, error: JackfieldError) -> Response:
        """Render an error at which the session cannot go on. For an error that the person cannot
        mend, the page has the session's ID to quote.
        """
        if self._found is None or not is_platforms(error, Asked()):
            return self.page(
                self.say("over_title"),
                self._fault(error),
                h.p(self._again("over_next")),
                status=error.http_status,
            )
        _LOG.warning(
            "connect session %s cannot be shown: %s (%s)", self._found.id, error.message, error.code
        )
        return self.page(
            self.say("over_title"),
            self._blocked(replace(self._found, blocked={})),
            status=error.http_status,
        )

    def onward(self, address: str, title: str, label: str) -> Response:
        """Lead a browser to the provider by a page: browsers would refuse a redirect after a form,
        since forms may lead to this server only.
        """
        link = h.a(label, href=address, class_="button primary", rel="noreferrer")
        return self.page(title, h.p(link), onward=address, framed=False)

    def _again(self, key: str) -> str:
        """Return a text that ends with the place where a person starts again."""
        platform = self._platform
        return self.say(
            key,
            again=self.say("again_at", platform=platform) if platform else self.say("again_there"),
        )

    @property
    def _platform(self) -> str:
        """Name of the requester: from the look of the page, or the platform's token. Empty for the
        operator, who has signed in by a link.
        """
        if self._found is None:
            return ""
        asked = self._found.asked_by
        name: str = self._found.wanted.theme.get("name") or (
            asked.get("name", "") if asked.get("kind") != "link" else ""
        )
        return name

    def _fault(self, error: JackfieldError) -> Markup:
        """Render an error without the connection's name, which a customer does not know."""
        return self._words.fault(error, self._found.connection if self._found is not None else "")

    def _blocked(self, found: ConnectSession) -> Markup:
        """Render the note that the platform has to mend a fault, with the reference that the person
        can quote.
        """
        platform = self._platform or self.say("somebody")
        told = self.say(
            "blocked_unreached" if found.blocked.get("code") in UNREACHED else "blocked",
            platform=platform,
        )
        reference = h.strong(
            str(found.blocked.get("reference") or found.id), class_="reference", translate="no"
        )
        label = [self.say("blocked_reference"), ": ", reference]
        next_ = h.p(self.say("blocked_next", platform=platform))
        return h.div(
            h.p(told[:1].upper() + told[1:], class_="message"),
            next_,
            h.p(label),
            class_="notice bad",
            role="alert",
            tabindex="-1",
        )

    def _failed(self, sessions: Connecting, found: ConnectSession, error: JackfieldError) -> Markup:
        """Render an error: as the platform's fault, or for the person who can mend it."""
        return (
            self._blocked(found)
            if sessions.trials.is_platforms(found, error)
            else self._fault(error)
        )

    def _formed(
        self, step: str, *content: Node, of: object = None, address: str = "", begins: bool = False
    ) -> Markup:
        """Render a form for a step, at an ``address`` of its own or the session's; ``of`` is the
        state of the named object. With ``begins``, the script sends the form.
        """
        own = h.input(type="hidden", name="step", value=step) if step else None
        address = address or (f"{SESSION}/{self._found.id}" if self._found is not None else "")
        works = self.say("testing" if step == "submit" else "working")
        told = h.p(class_="working", role="status", data_working=works)
        return h.form(
            self.token(of),
            own,
            *content,
            told,
            method="post",
            action=address,
            novalidate=True,
            class_="stack",
            data_begins=begins,
        )

    def _step(self, step: str, label: str, *, plain: bool = False, danger: bool = False) -> Markup:
        button = h.button(label, class_="quiet" if plain else "danger" if danger else "primary")
        return self._formed(step, h.div(button, class_="actions"))

    def _cancel(self) -> Markup:
        return self._step("cancel", self.say("cancel"), plain=True)

    def _turning_back(self, found: ConnectSession, address: str) -> Markup:
        """Render the button to cancel on a session's link, before the session begins."""
        button = h.div(h.button(self.say("cancel"), class_="quiet"), class_="actions")
        return h.div(self._formed("cancel", button, of=found.id, address=address), class_="seconds")

    def _seconds(self, *steps: Node) -> Markup:
        """Render the person's other options below the primary button, with the button to cancel
        last.
        """
        return h.div(*steps, self._cancel(), class_="seconds")
