"""The pages of a connect session in one language: the content of each step, and the destinations of
its links.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from textwrap import indent
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.responses import Response

from jackfield.connections.connection_types import ConnectionKind
from jackfield.kernel.errors import Detail, InvalidConnection, JackfieldError
from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.components import badge, guide, h, json_text, line
from jackfield_service.shell.pages.layout.drawn import parted
from jackfield_service.shell.pages.layout.plain_form import Choices, fields
from jackfield_service.subjects.connect.access import role_of, stack_of
from jackfield_service.subjects.connect.connecting import Connecting
from jackfield_service.subjects.connect.drawn import named_state, row_state, session_state
from jackfield_service.subjects.connect.faults import concerns, failed_step, steps_of
from jackfield_service.subjects.connect.operations import SESSION
from jackfield_service.subjects.connect.pages.approval import breakable, progress, titled
from jackfield_service.subjects.connect.pages.cards import LIGHT, card, grouped, icon
from jackfield_service.subjects.connect.pages.facts import FEW, FactPages, operations
from jackfield_service.subjects.connect.records import ConnectRecord
from jackfield_service.subjects.connect.session import (
    CANCELLED,
    ConnectSession,
    Wanted,
    account_in_full,
    account_named,
)
from jackfield_service.subjects.connections.pages.connection import cure
from jackfield_store.connections.connection_rows import secret_places

_MOST = 40
"""Maximum number of types or connections on a page: a page with a logo has less than 60 kB. More
than ``FEW`` can be searched.
"""

_SMALL = "muted small"
_SHORT_ADVICE = 120
"""Maximum number of characters of advice that is repeated at a field; longer advice, such as a
trust policy, appears only above the form.
"""
_GUIDES_POLICY = re.compile(r"^( *)```json$.*?^ *```$", re.MULTILINE | re.DOTALL)
"""Regular expression of the policy in a guide, which covers the calls of most platforms."""
_DONE = Markup(
    '<svg class="icon done" viewBox="0 0 32 32" aria-hidden="true"><circle cx="16" cy="16" r="16"/>'
    '<path d="M9 16.5l5 5 9-10" fill="none" stroke-width="3"/></svg>'
)
_LINK = re.compile(
    r"(?<!!)\[([^\[\]]{1,100})\]\((https://[^\s()]{1,500})\)|<https://([^\s<>]{1,500})>"
)
_REGION = re.compile(r"[a-z]{2}[a-z0-9-]{1,30}")
_ROLE = re.compile(r"(arn:[a-z-]+:iam::\d{12}:role/).*")
_ACCOUNT = re.compile(r"\d{12}")
_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
"""Hosts of AWS consoles by the partition of an ARN; all others use console.aws.amazon.com."""
_STACKS = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
"""Regions of stacks by the partition of an ARN; a role has no region, so that any region serves."""


def _region(wanted: Wanted) -> str:
    """Return the region in which a stack creates the role: the platform's, or a usual one of the
    principal's partition.
    """
    given = wanted.values.get("region")
    if isinstance(given, str) and _REGION.fullmatch(given):
        return given
    return _STACKS.get(_partition(wanted), "us-east-1")


def _partition(wanted: Wanted) -> str:
    return wanted.principal.split(":")[1] if wanted.principal.startswith("arn:") else ""


def _with_role(schema: Mapping[str, Any], documents: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a form whose example of a role has the name of the role that the
    template creates.
    """
    if "cloudFormation" not in documents:
        return schema
    name = role_of(documents)
    named = {
        key: {
            **field,
            "examples": [
                _ROLE.sub(lambda found: f"{found[1]}{name}", str(one)) for one in field["examples"]
            ],
        }
        for key, field in schema["properties"].items()
        if any(_ROLE.match(str(one)) for one in field.get("examples", ()))
    }
    return {**schema, "properties": {**schema["properties"], **named}}


def _where(about: str, label: str) -> Markup | None:
    """Render the first link of a guide, which leads to the values, for display next to their
    fields; None if there is no link.
    """
    link = _LINK.search(about)
    if link is None:
        return None
    address, words = (link[2], link[1]) if link[2] else (f"https://{link[3]}", link[3])
    return h.p(
        label,
        " ",
        h.a(words, href=address, target="_blank", rel="noopener noreferrer"),
        class_="hint",
    )


def returning(found: ConnectSession, **members: str) -> str:
    """Return the address of the platform's page to which the browser returns, with the session's ID
    and ``members``.
    """
    parts = urlsplit(found.wanted.return_to)
    query = "&".join(filter(None, (parts.query, urlencode({"session": found.id, **members}))))
    return urlunsplit(parts._replace(query=query))


class View(FactPages):
    """All pages of one session for one browser."""

    _typed: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        *about: Any,
        suggest: Callable[[str, ConnectionKind], Choices] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(*about, **more)
        self._suggest = suggest or (lambda _name, _kind: {})

    def begin(
        self,
        sessions: Connecting,
        found: ConnectSession,
        address: str,
        only: tuple[str, ConnectionKind] | None = None,
        *,
        leads: bool = False,
        is_led: bool = False,
    ) -> Response:
        """Render a link's first page: opening it changes nothing, only a press on the button does.
        It names the ``only`` type, if there is one. If the button ``leads`` to the provider, the
        page says so, and a person presses it. Otherwise the script presses it for a person who
        ``is_led`` here by the platform's own page.
        """
        provider = self._words.provider(*only, {}) if only else ""
        asked, only_if = self._request_lines(found, provider), self._only_if(is_led=is_led)
        label = self.say("approve", provider=provider) if leads and only else self.say("begin")
        button = h.div(h.button(label, class_="primary"), class_="actions")
        form = h.form(
            self.token(found.id),
            button,
            method="post",
            action=address,
            data_begins=is_led and not leads,
        )
        key = "form_title" if found.wanted.mode == "connect" else "again_title"
        others = self.say("manage_title" if found.wanted.mode == "manage" else "title")
        title = self.say(key, type=self._words.whole_title(*only)) if only else others
        picture = self._icon(*only, found) if only else None
        told: Node = None if found.wanted.mode == "manage" else h.p(self._time(), class_=_SMALL)
        if only and (leads or sessions.trusts(found, only[1])):
            told = self._facts(sessions, found, only)
        lead = self._before_leaving(sessions, found, only[1]) if only else None
        return self.page(
            title,
            asked,
            lead,
            form,
            told,
            only_if,
            self._turning_back(found, address),
            picture=picture,
        )

    def _before_leaving(
        self, sessions: Connecting, found: ConnectSession, kind: ConnectionKind
    ) -> Node:
        """Render the host of the sign-in, or the prerequisites of a role, for a person who has not
        started.
        """
        if sessions.trusts(found, kind):
            before = self.say("external_before", platform=self._platform or self.say("external_us"))
            return h.p(before) if found.wanted.mode == "connect" else None
        host = sessions.approval(found, kind).host if kind.about.authorizes else ""
        return h.p(self.say("approve_lead", host=host)) if host else None

    def at_once(self, sessions: Connecting, found: ConnectSession, address: str) -> Response:
        """Render the first page of a link for a session with one value to enter: the button that
        begins it also sends the value.
        """
        kind = sessions.kind(found)
        form, facts = (
            self._entry(sessions, found, kind, {}, address=address),
            self._facts(sessions, found, (found.type, kind)),
        )
        asked = self._request_lines(found, self._words.provider(found.type, kind, {}))
        title = self.say("form_title", type=self._words.whole_title(found.type, kind))
        return self.page(
            title,
            asked,
            form,
            facts,
            self._only_if(),
            self._turning_back(found, address),
            picture=self._icon(found.type, kind, found),
            follows="end",
        )

    def _request_lines(self, found: ConnectSession, provider: str) -> list[Node]:
        platform, user = self._platform, found.wanted.user_name or found.wanted.user
        key = (
            "begin_manage"
            if found.wanted.mode == "manage"
            else "begin_asked_provider"
            if provider
            else "begin_asked"
        )
        asked = h.p(self.say(key, platform=platform, provider=provider)) if platform else None
        who = (
            h.p(self.say("begin_user", user=user), class_="muted")
            if user and found.wanted.verify == "link"
            else None
        )
        return [asked, who, None if platform else h.p(self.say("begin_lead"))]

    def _only_if(self, *, is_led: bool = False) -> Markup | None:
        """Render a warning for a person who apparently did not come from the platform; None for
        other people.
        """
        platform = self._platform
        return (
            h.p(self.say("begin_only", platform=platform), class_=_SMALL)
            if platform and not is_led
            else None
        )

    def no_cookie(self, address: str, *, framed: bool) -> Response:
        """Render the note that the browser stores no cookie here. In a frame, offer a window of its
        own, which stores it and which the frame follows.
        """
        if not framed:
            return self.refusal(
                "no_cookies",
                403,
                h.p(h.a(self.say("no_cookies_again"), href=address, class_="button primary")),
            )
        link = h.a(
            self.say("own_window"),
            href=address,
            class_="button primary",
            target="_blank",
            rel="noopener",
        )
        return self.page(
            self.say("title"),
            h.p(self.say("no_cookie"), role="alert"),
            h.p(link),
            status=403,
            follows="end",
        )

    def stale(self, address: str) -> Response:
        """Render the note that a form does not belong to this browser's current page, with a link
        to that page.
        """
        link = h.a(self.say("go_on"), href=address, class_="button primary")
        return self.refusal("foreign", 403, h.p(link))

    def shown(
        self,
        sessions: Connecting,
        found: ConnectSession,
        words: str = "",
        error: JackfieldError | None = None,
        *,
        at_once: bool = False,
        typed: Mapping[str, str] | None = None,
        anew: bool = False,
    ) -> Response:
        """Render the session's current step; ``anew`` replaces the requested page. With
        ``at_once``, the browser moves on automatically, to the provider or to the test of the
        entered values. Values that were ``typed``, and refused with an ``error``, are still in the
        form.
        """
        self._now(sessions, found)
        self._typed, self._anew = typed or {}, anew
        if sessions.trials.is_busy(found) and not found.is_over:
            return self._busy(found)
        if found.is_over:
            return self.ended(
                found, sessions.show(found.id).get("account"), self._title(sessions, found)
            )
        if found.task == "authorize" and not (
            found.status == "saved" and self._returned and self._place != "frame"
        ):
            return self._approval(sessions, found, error, at_once=at_once)
        if found.status == "saved":
            back, late = self._step("finish", self._returns()), self._late(plain=True)
            return self.page(
                self.say("return_title"),
                h.p(self.say("return_lead")),
                back,
                late,
                patience=self.patience,
            )
        if self._place == "window":
            return self._window_is_done()
        return self._at_task(sessions, found, words, error, at_once=at_once)

    def _busy(self, found: ConnectSession) -> Response:
        """Render the note that a test is running, whoever started it: a second test would only take
        longer.
        """
        check = h.noscript(
            h.p(h.a(self.say("busy_check"), href=f"{SESSION}/{found.id}", class_="button"))
        )
        return self.page(
            self.say("busy_title"),
            h.p(self.say("busy_lead"), class_="notice running", role="status"),
            check,
            self._seconds(),
        )

    def _at_task(
        self,
        sessions: Connecting,
        found: ConnectSession,
        words: str,
        error: JackfieldError | None,
        *,
        at_once: bool,
    ) -> Response:
        failed = self._failed(sessions, found, error) if error is not None else None
        if not found.task:
            listed = self._choose if found.wanted.mode == "connect" else self._manage
            return listed(sessions, found, words, failed)
        if found.task == "remove":
            title, remove = (
                self.say("remove_title", type=self._listed_title(sessions, found)),
                self._step("finish", self.say("remove"), danger=True),
            )
            account, lead = self._same_account(sessions, found), h.p(self.say("remove_lead"))
            return self.page(title, failed, account, lead, remove, self._seconds(), follows="end")
        return (
            self._account(sessions, found)
            if found.passed and error is None
            else self._form(sessions, found, error, at_once=at_once)
        )

    def _now(self, sessions: Connecting, found: ConnectSession) -> None:
        """Update the page to the session's state after a step; the page follows changes from this
        state.
        """
        self._found, self._state = found, progress(sessions, found)
        self._drawn = (session_state(sessions, found),)

    def still(self, sessions: Connecting, found: ConnectSession, form: Mapping[str, str]) -> bool:
        """Return whether a form was rendered from the current state of the session, and of the
        connection that the form names.
        """
        self._now(sessions, found)
        named = form.get("connection")
        return self.is_current(
            parted(form.get("csrf", ""))[1],
            None if named is None else named_state(sessions, found, named),
        )

    def leaving(self, sessions: Connecting, found: ConnectSession, proof: str) -> Response:
        """Render the last page, which leads back to the platform, or waits in its frame until the
        platform has confirmed.
        """
        self._now(sessions, found)
        members = {"proof": proof} if proof else {}
        address = returning(found, **members) if found.wanted.return_to else ""
        if not address:
            return self.shown(sessions, found)
        back = h.p(h.a(self._returns(), href=address, class_="button primary"))
        tells = {"status": found.status, **members}
        late, patience = (None, 0.0) if found.is_over else (self._late(plain=True), self.patience)
        lead = h.p(self.say("return_lead"))
        return self.page(
            self.say("return_title"),
            lead,
            back,
            late,
            onward=address,
            tells=tells,
            patience=patience,
        )

    def ended(
        self, found: ConnectSession, account: Mapping[str, Any] | None = None, title: str = ""
    ) -> Response:
        """Render the end of a session; without a ``title``, for a browser that has not started
        it.
        """
        status = 200 if title else 403
        back = self._way_back(found) if title else None
        if found.unchanged:
            leaves, lead = self._leaves() if title else None, h.p(self.say("unchanged_lead"))
            return self.page(
                self.say("unchanged_title"),
                lead,
                back,
                leaves,
                tells={"status": found.status},
                status=status,
            )
        if found.status == "granted":
            removed = found.task == "remove"
            named = title or self.say("account_title")
            done = self.say(
                "removed_lead" if removed else "done_lead", type=named[:1].upper() + named[1:]
            )
            known = self._words.account(account) if title and not removed else ""
            short = "" if known != account_named(account) or ":" in known else known
            heading = self.say(
                "removed_title" if removed else "done_account" if short else "done_title",
                account=short,
            )
            lead = h.p(done, title=titled(account) if known else None)
            whole = h.p(breakable(known), class_="muted") if known and not short else None
            return self.page(
                heading,
                lead,
                whole,
                back,
                tells={"status": found.status},
                status=status,
                picture=_DONE,
            )
        if found.blocked and found.status == "failed" and title:
            tells = {"status": found.status, "reason": found.reason}
            return self.page(
                self.say("over_title"),
                self._blocked(found),
                h.p(self._again("over_next")),
                back,
                tells=tells,
                status=status,
            )
        tells = {"status": found.status, "reason": found.reason}
        if found.reason == CANCELLED:
            lead, leaves = h.p(self.say("cancelled_lead")), self._leaves()
            return self.page(
                self.say("cancelled_title"), lead, back, leaves, tells=tells, status=status
            )
        expired = found.status == "expired"
        reason = (
            self.say("over_expired")
            if expired
            else self.say("over_lead", reason=self._words.of(found.reason))
        )
        lead = h.p(reason, " ", self._again("over_next"), class_="notice bad", role="alert")
        return self.page(
            self.say("expired_title" if expired else "over_title"),
            lead,
            back,
            tells=tells,
            status=status,
        )

    def _leaves(self) -> Markup:
        """Return the element that makes the script leave automatically: a window that was at the
        provider closes itself, the platform closes others.
        """
        return (
            h.p(data_closes=True, hidden=True)
            if self._place == "window"
            else h.p(data_leaves=True, hidden=True)
        )

    def _way_back(self, found: ConnectSession) -> Markup | None:
        """Render the link back to the platform, or for a frame, which is on the platform's page
        already, a button that closes it; None without an address.
        """
        if self._place == "frame":
            return h.p(
                h.button(self.say("close"), type="button", data_leaves=True, class_="primary")
            )
        return (
            h.p(h.a(self._returns(), href=returning(found), class_="button primary"))
            if found.wanted.return_to
            else None
        )

    def _returns(self) -> str:
        """Return the text of the link back to the platform, with its name."""
        return (
            self.say("return_to", platform=self._platform) if self._platform else self.say("return")
        )

    def _choose(
        self, sessions: Connecting, found: ConnectSession, words: str, failed: Markup | None
    ) -> Response:
        offered = sessions.offered(found)
        groups = grouped(self._words, offered, words)
        cards = [card(self._words, types, found.wanted.icons) for types in groups[:_MOST]]
        box = self._search(found, words, len({name.partition("/")[0] for name, _ in offered}))
        more = self._rest(len(groups))
        if not offered:
            return self.page(
                self.say("choose_title"),
                h.p(self.say("choose_empty"), class_="empty"),
                self._way_back(found),
                self._seconds(),
            )
        listed = (
            self._formed("choose", h.ul(cards, class_="cards")) if cards else self._unfound(found)
        )
        return self.page(
            self.say("choose_title"),
            failed,
            h.p(self.say("choose_lead")),
            box,
            listed,
            more,
            self._seconds(),
            wide=True,
        )

    def _unfound(self, found: ConnectSession) -> list[Markup]:
        """Render the note that a search has no results, with the link back to the whole list."""
        all_ = h.a(self.say("choose_all"), href=f"{SESSION}/{found.id}", class_="button")
        return [h.p(self.say("choose_none"), class_="empty"), h.p(all_)]

    def _done(self) -> Markup:
        """Render the button for a person who has seen the list and makes no further change."""
        return self._step("cancel", self.say("manage_done"))

    def _search(self, found: ConnectSession, words: str, count: int) -> Markup | None:
        field = h.input(type="search", id="q", name="q", value=words)
        asked = [
            h.label(self.say("choose_search"), for_="q"),
            field,
            h.button(self.say("choose_search")),
        ]
        return (
            h.form(asked, action=f"{SESSION}/{found.id}", class_="searching")
            if count > FEW
            else None
        )

    def _rest(self, count: int) -> Markup | None:
        return (
            h.p(self.say("choose_more", count=count - _MOST), class_="muted")
            if count > _MOST
            else None
        )

    def _manage(
        self, sessions: Connecting, found: ConnectSession, words: str, failed: Markup | None
    ) -> Response:
        managed, wanted = list(self._titled_rows(sessions, found)), words.casefold().split()
        fitting = [
            one
            for one in managed
            if all(word in f"{one[1]} {one[2]}".casefold() for word in wanted)
        ]
        labels = Counter(
            label
            for label, _ in {
                (account, account_in_full(row.get("account"))) for row, _, account, _ in managed
            }
        )
        rows = [
            self._managed_card(
                found,
                self._row_icon(sessions, found, row, title, record),
                row,
                title,
                account,
                several=labels[account] > 1,
            )
            for row, title, account, record in fitting[:_MOST]
        ]
        if not managed:
            lead = self.say("manage_empty", platform=self._platform or self.say("somebody"))
            return self.page(
                self.say("manage_title"),
                failed,
                h.p(lead[:1].upper() + lead[1:], class_="empty"),
                self._done(),
            )
        listed = h.ul(rows, class_="cards") if rows else self._unfound(found)
        box, more = self._search(found, words, len(managed)), self._rest(len(fitting))
        return self.page(
            self.say("manage_title"), failed, box, listed, more, self._done(), wide=True
        )

    @staticmethod
    def _row_icon(
        sessions: Connecting,
        found: ConnectSession,
        row: Mapping[str, Any],
        title: str,
        record: ConnectRecord,
    ) -> Markup | None:
        """Render the picture of the connector for which a connection was made; None if its type is
        not installed.
        """
        kind = sessions.known_kind(str(row["type"]))
        return (
            None
            if kind is None
            else icon(record.type_of(kind), kind, title, found.wanted.icons, LIGHT)
        )

    def _titled_rows(
        self, sessions: Connecting, found: ConnectSession
    ) -> Iterator[tuple[Mapping[str, Any], str, str, ConnectRecord]]:
        """Yield each connection with its title for the customer, its account and its record; the
        connection's own name is only for the platform. Equal titles are numbered.
        """
        seen, records, none = Counter[tuple[str, str]](), sessions.records(), ConnectRecord()
        for row in sessions.managed(found):
            kind, account = sessions.known_kind(str(row["type"])), account_named(row.get("account"))
            record = records.get(str(row["name"]), none)
            title = (
                self._row_title(found, row, kind, record)
                if kind is not None
                else self.say("account_title")
            )
            same = title, account_in_full(row.get("account"))
            seen[same] += 1
            count = seen[same]
            yield row, title if count == 1 else f"{title} ({count})", account, record

    def _listed_title(self, sessions: Connecting, found: ConnectSession) -> str:
        """Return the title of the session's existing connection as in the list, with its number."""
        titles = (
            title
            for row, title, *_ in self._titled_rows(sessions, found)
            if row["name"] == found.connection
        )
        return next(titles, None) or self._title(sessions, found)

    def _managed_card(
        self,
        found: ConnectSession,
        shown: Markup | None,
        row: Mapping[str, Any],
        title: str,
        account: str,
        *,
        several: bool,
    ) -> Markup:
        """Render a connection with its picture ``shown``. Its account has its ID if ``several``
        accounts share its label.
        """
        whose = row.get("account")
        account = account_in_full(whose) if several else self._words.account(whose)
        name = ", ".join(filter(None, (title, account)))
        again = h.button(
            self.say("again"), name="step", value="again", aria_label=f"{self.say('again')}: {name}"
        )
        remove = h.button(
            self.say("remove"),
            name="step",
            value="remove",
            class_="danger",
            aria_label=f"{self.say('remove')}: {name}",
        )
        buttons = h.div(again, remove if found.wanted.mode == "manage" else None, class_="actions")
        form = self._formed(
            "",
            h.input(type="hidden", name="connection", value=str(row["name"])),
            buttons,
            of=row_state(row),
        )
        heading = h.h2(shown, title, " ", self._status(str(row.get("status", "untested"))))
        return h.li(
            heading,
            h.p(breakable(account), title=titled(whose)) if account else None,
            form,
            class_="card",
        )

    def _form(
        self,
        sessions: Connecting,
        found: ConnectSession,
        error: JackfieldError | None,
        *,
        at_once: bool = False,
    ) -> Response:
        kind = sessions.kind(found)
        schema = self._words.schema(found.type, kind, sessions.form(found)[0])
        faults = (
            {item.path: self._fault_of(item) for item in error.details if item.path}
            if isinstance(error, InvalidConnection)
            else {}
        )
        marked = faults or self._test_refusals(sessions, found)
        again = found.task == "replace"
        title = self.say(
            "again_title" if again else "form_title", type=self._title(sessions, found)
        )
        external = sessions.external_id(found)
        before = self._access(sessions, found, external)
        role = sessions.documents(found).get("identityPolicy", {}) if external is not None else None
        facts = (
            None
            if marked and role is None
            else self._facts(sessions, found, (found.type, kind), role)
        )
        then = h.h2(self.say("external_then")) if external is not None else None
        at_field = bool(marked) and not found.blocked
        cures = self._cures(found, schema["properties"], external) if at_field else None
        form = self._entry(
            sessions,
            found,
            kind,
            marked,
            cures,
            begins=at_once and not found.trial and error is None and bool(found.values),
        )
        several = not again and not found.wanted.connection and len(sessions.offered(found)) > 1
        back = self._step("back", self.say("back"), plain=True) if several else None
        trial = self._trial(found, schema["properties"], external, is_cured=at_field)
        body = [self._faults(sessions, found, error, faults), None if at_field else trial, form]
        described = self._words.description(found.type, kind)
        said = [field.get("description") for field in schema["properties"].values()]
        return self.page(
            title,
            h.p(line(described)) if described not in said else None,
            self._same_account(sessions, found),
            facts if role is not None else None,
            before,
            body if then is None else h.section(then, body, class_="card stack"),
            h.details(h.summary(self.say("details")), trial)
            if at_field and trial is not None
            else None,
            facts if role is None else None,
            self._seconds(back),
            picture=self._picture(sessions, found),
            follows="end",
            wide=before is not None,
        )

    def _entry(
        self,
        sessions: Connecting,
        found: ConnectSession,
        kind: ConnectionKind,
        marked: Mapping[str, str],
        cures: Node = None,
        *,
        address: str = "",
        begins: bool = False,
    ) -> Markup:
        """Render the form for the person's values, with refused values ``marked``, and its
        ``cures`` below. At the ``address`` of a link that has not started, the form also begins the
        session.
        """
        schema, values, stored = sessions.form(found)
        values = {**values, **self._shown_again(kind, schema)}
        schema = self._words.schema(found.type, kind, schema)
        external = None if address else sessions.external_id(found)
        schema = schema if external is None else _with_role(schema, sessions.documents(found))
        about = (
            self._words.setup(found.type, kind, for_client="clientId" in schema["properties"])
            if schema["properties"]
            else ""
        )
        policy = self._needed(sessions, found) if external is None else ""
        if policy:
            about = _GUIDES_POLICY.sub(
                lambda block: indent(f"```json\n{policy}\n```", block[1]), about, count=1
            )
        return self._formed(
            "submit",
            fields(
                schema,
                values,
                stored,
                marked,
                self.say,
                self._suggest(found.type, kind),
                kind.about.auth,
            ),
            cures,
            _where(about, self.say("guide_link")),
            None if policy or external is not None else self._rights(found, kind),
            h.details(h.summary(self.say("guide")), guide(about)) if about else None,
            h.div(h.button(self.say("approve_begin"), class_="primary"), class_="actions"),
            of=found.id if address else None,
            address=address,
            begins=begins,
        )

    def _shown_again(self, kind: ConnectionKind, schema: Mapping[str, Any]) -> dict[str, str]:
        """Return the values that the person has typed into the fields of a form, without
        secrets.
        """
        hidden = {path.split("/")[1] for path in secret_places(kind.schema, self._typed)}
        return {
            name: text
            for name, text in self._typed.items()
            if name in schema["properties"] and name not in hidden
        }

    def _test_refusals(self, sessions: Connecting, found: ConnectSession) -> dict[str, str]:
        """Return the entered values that the test has refused, by JSON Pointer."""
        step, names = failed_step(steps_of(found.trial)), sessions.refused(found)
        if step is None or not names:
            return {}
        fields = sessions.form(found)[0]["properties"]
        advice, words = self._advice(step), self._words
        told = (
            words.summary(step)
            if step.get("values")
            else words.refusal(fields[names[0]], self._provider(sessions, found))
        )
        told += f" {advice}" if 0 < len(advice) <= _SHORT_ADVICE else ""
        return {f"/{name}": told for name in names}

    def _fault_of(self, item: Detail) -> str:
        return (
            self.say("needs_value")
            if item.keyword == "required"
            else self._words.fault_of_value(item.message)
        )

    def _faults(
        self,
        sessions: Connecting,
        found: ConnectSession,
        error: JackfieldError | None,
        faults: Mapping[str, str],
    ) -> Node:
        """Render faults of values without a field by name, faults that the platform must mend, or
        errors without a place; None for faults at fields, which the form shows.
        """
        if error is None:
            return None
        if not faults or sessions.trials.is_platforms(found, error):
            return self._failed(sessions, found, error)
        entered = sessions.form(found)[0]["properties"]
        hidden = [
            f"{path[1:]}: {text}"
            for path, text in faults.items()
            if path.split("/")[1] not in entered
        ]
        if not hidden:
            return None
        return h.p(
            self.say("wrong"),
            [[h.br(), text] for text in hidden],
            class_="notice bad",
            role="alert",
            tabindex="-1",
        )

    def _access(
        self, sessions: Connecting, found: ConnectSession, external: str | None
    ) -> Markup | None:
        """Render the first steps of the account's owner: the External ID, and the documents that
        create the role. Without an External ID, render the policy that the entered key needs, None
        if it is unknown.
        """
        if external is None:
            policy = self._needed(sessions, found)
            return (
                h.details(h.summary(self.say("needed")), self._code(policy, self.say("needed")))
                if policy
                else None
            )
        made, again = sessions.documents(found), "_again" if found.task == "replace" else ""
        template = (
            self._template(found, stack_of(made), made, again) if "cloudFormation" in made else []
        )
        policies = [
            h.details(h.summary(self.say(key)), self._code(json_text(made[name]), self.say(key)))
            for name, key in (
                ("trustPolicy", "external_trust"),
                ("identityPolicy", "external_permissions"),
            )
            if name in made
        ]
        platform = self._platform or self.say("external_us")
        title, lead = (
            self.say(f"external_title{again}", platform=platform),
            h.p(self.say(f"external_lead{again}")),
        )
        own = [
            h.p(self.say("external_hand_id")),
            self._code(external, self.say("external_id"), whole=True),
        ]
        by_hand: Node = [own, policies if again or not template else self._by_hand(made)]
        if template:
            account = _ACCOUNT.search(found.asked.principal)
            trusted = (
                h.p(self.say("external_account", platform=platform), ": ", h.strong(account[0]))
                if account
                else None
            )
            by_hand = h.details(
                h.summary(self.say("external_by_hand")), h.div(trusted, by_hand, class_="stack")
            )
        return h.section(h.h2(title), lead, template, by_hand, class_="card stack")

    def _by_hand(self, made: Mapping[str, Any]) -> Markup:
        """Render the steps by which a person creates the role in the IAM console."""
        shown = (
            ("role", json_text(made["trustPolicy"]), "external_trust"),
            ("name", role_of(made), "external_name"),
            ("policy", json_text(made["identityPolicy"]), "external_permissions"),
        )
        steps = [
            h.li(
                self.say(f"external_hand_{step}"),
                self._code(text, self.say(label), whole=step == "name"),
            )
            for step, text, label in shown
        ]
        return h.ol(steps, h.li(self.say("external_hand_arn")), class_="stack")

    def _template(
        self, found: ConnectSession, stack: str, made: Mapping[str, Any], again: str
    ) -> list[Markup]:
        """Render the template of the role, which is the quickest method, and the command that
        creates the role, or changes a role created from the template.
        """
        region = _region(found.wanted)
        where = f"--region {region} --stack-name {stack} --template-file {stack}.json"
        command = f"aws cloudformation deploy {where} --capabilities CAPABILITY_NAMED_IAM"
        offered = h.p(
            h.a(
                self.say("external_template"),
                href=f"{SESSION}/{found.id}/template",
                class_="button",
                download=f"{stack}.json",
            )
        )
        console = f"https://{_CONSOLES.get(_partition(found.wanted), 'console.aws.amazon.com')}/cloudformation/home?region={region}"
        create = h.a(
            self.say("external_step_open"),
            href=f"{console}#/stacks/create/template",
            target="_blank",
            rel="noopener noreferrer",
        )
        steps = h.ol(
            h.li(offered),
            h.li(create, ". ", self.say("external_step_region", region=region)),
            h.li(self.say("external_step_upload", file=f"{stack}.json")),
            h.li(
                self.say("external_step_name"),
                self._code(stack, self.say("external_name"), whole=True),
            ),
            h.li(self.say("external_step_submit")),
            h.li(self.say("external_step_output")),
            class_="stack",
        )
        return [
            h.h3(self.say("external_quickest")),
            *([h.p(self.say("external_use_again", stack=stack)), offered] if again else [steps]),
            *(
                []
                if again
                else [
                    self._handover(
                        found,
                        stack,
                        f"{console}#/stacks/create/template",
                        made["identityPolicy"],
                        offered,
                    )
                ]
            ),
            h.details(
                h.summary(self.say("external_document")),
                self._code(json_text(made["cloudFormation"]), self.say("external_document")),
            ),
            h.details(
                h.summary(self.say("external_command")),
                h.p(self.say("external_command_lead")),
                self._code(command, "AWS CLI"),
            ),
        ]

    def _handover(
        self,
        found: ConnectSession,
        stack: str,
        console: str,
        policy: Mapping[str, Any],
        offered: Markup,
    ) -> Markup:
        """Render a message for an administrator: the steps, the value to send back, and the
        permissions of the role. It contains no secret and no access to the session.
        """
        listed = [*operations(policy), *operations(policy, test=True)]
        allows = (
            self.say("handover_allows", permissions=", ".join(listed))
            if 0 < len(listed) <= FEW
            else self.say("handover_policy")
        )
        about = {
            "platform": self._platform or self.say("somebody"),
            "principal": found.asked.principal,
            "allows": allows,
        }
        text = self.say(
            "handover",
            file=f"{stack}.json",
            stack=stack,
            console=console,
            region=_region(found.wanted),
            **about,
        )
        lead = self.say("handover_lead", platform=about["platform"], time=self._left())
        return h.details(
            h.summary(self.say("handover_title")),
            h.div(
                h.p(lead),
                offered,
                self._code(text[:1].upper() + text[1:], self.say("handover_title")),
                class_="stack",
            ),
        )

    def _cures(self, found: ConnectSession, fields: Collection[str], external: str | None) -> Node:
        """Render the remedies for refused values that are too long for a field."""
        shown = [
            self._cure(step, external)
            for step in self._steps(found, fields)
            if len(self._advice(step)) > _SHORT_ADVICE
        ]
        return h.div(shown, class_="notice warn") if shown else None

    def _cure(self, step: Mapping[str, Any], external: str | None) -> Markup | None:
        advice, label = self._advice(step), self.say("cure_needed")
        return (
            cure(
                advice, external, self.say("cure", hint="{}"), lambda text: self._code(text, label)
            )
            if advice
            else None
        )

    @staticmethod
    def _steps(found: ConnectSession, fields: Collection[str]) -> list[Mapping[str, Any]]:
        return [step for step in steps_of(found.trial) if concerns(step, fields)]

    def _trial(
        self,
        found: ConnectSession,
        fields: Collection[str],
        external: str | None,
        *,
        is_cured: bool = False,
    ) -> Markup | None:
        """Render the results of the test that concern the person; ``fields`` are the form's. With
        ``is_cured``, long advice is not repeated, since it appears above. None without a test.
        """
        if not found.trial:
            return None
        if found.blocked and not found.passed:
            return self._blocked(found)
        steps = self._steps(found, fields)
        rows = [
            h.li(
                h.p(
                    h.strong(self._words.of(str(item["title"]))),
                    ": ",
                    self.say(self._outcome(item)),
                ),
                self._words.told(item),
                None
                if is_cured and len(self._advice(item)) > _SHORT_ADVICE
                else self._cure(item, external),
            )
            for item in steps
        ]
        if all(step["passed"] for step in steps):
            return (
                h.details(h.summary(self.say("details")), h.ul(rows, class_="stack"))
                if rows
                else None
            )
        lead = (
            None
            if found.passed
            else h.p(self.say("failed_lead"), class_="notice bad", role="alert", tabindex="-1")
        )
        return h.section(
            h.h2(self.say("tested_title")), lead, h.ul(rows, class_="stack"), class_="card stack"
        )

    @staticmethod
    def _outcome(step: Mapping[str, Any]) -> str:
        return (
            "passed" if step["passed"] else "not_passed" if step.get("mandatory", True) else "noted"
        )

    def _advice(self, step: Mapping[str, Any]) -> str:
        return (
            ""
            if step["passed"]
            else self._words.hint(str(step.get("hint") or ""), str(step.get("code") or ""))
        )

    def _status(self, status: str) -> Markup:
        return badge(status, self.say(f"status_{status}"))

    def _account(self, sessions: Connecting, found: ConnectSession) -> Response:
        key, tone = (
            ("no_account", "good") if found.trial.get("status") == "ok" else ("not_checked", "")
        )
        told = self._connecting(found.trial.get("account")) or h.p(
            self.say(key), class_=f"notice {tone}".strip(), role="status"
        )
        entered = sessions.form(found)[0]["properties"]
        again, title = (
            self._step("change", self._words.change(entered), plain=True),
            self._title(sessions, found),
        )
        asked = (
            self.say("again_title", type=title) if found.task == "replace" else self._asks(title)
        )
        return self.page(
            asked,
            told,
            self._whom_in_short(found),
            self._step("finish", self.say("connect")),
            self._seconds(again),
            self._trial(found, entered, None),
            picture=self._picture(sessions, found),
            follows="end",
        )
