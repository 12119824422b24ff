"""The pages of a connect session in one language: what a person sees at each step, and where the steps lead. The only script is the one by
which a page in a frame lets the window that it opens go to the provider."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from textwrap import indent
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.responses import HTMLResponse, Response

from jackfield.kernel.errors import InvalidConnection, JackfieldError
from jackfield.kernel.markup import Markup, Node
from jackfield_console.connect_cards import card, grouped, icon
from jackfield_console.connect_words import Words
from jackfield_console.connection import cure
from jackfield_console.layout.assets import asset
from jackfield_console.layout.components import badge, csrf_field, guide, h, json_text, line
from jackfield_console.layout.theme import source_of, style_of
from jackfield_console.plain_form import fields
from jackfield_platform.tenants.connect_session import ConnectSession
from jackfield_platform.tenants.connecting import Connecting
from jackfield_server.shared.operations.connect import SESSION
from jackfield_server.shared.requests.prefix import START, below_prefix
from jackfield_store.management.authorizing import DECLINED

_MOST, _FEW = 40, 8
"""Types or connections that are offered at once, so that a page with a logo has less than 60 kB; from which on they can be searched."""
_POLICY = (
    "default-src 'none'; style-src 'self' {style}; img-src 'self' data:; {scripts}form-action 'self'; base-uri 'none'; "
    "frame-ancestors {frames}"
)

_GUIDES_POLICY = re.compile(r"^( *)```json$.*?^ *```$", re.MULTILINE | re.DOTALL)
"""Policy in a guide, for what most platforms call."""


def returning(found: ConnectSession, **members: str) -> str:
    """Return the address of the platform's page to which the browser goes."""
    parts = urlsplit(found.wanted.return_to)
    query = "&".join(filter(None, (parts.query, urlencode({"session": found.id, **members}))))
    return urlunsplit(parts._replace(query=query))


def progress(sessions: Connecting | None, found: ConnectSession) -> str:
    """Return how far the session has come, as one word that changes with it."""
    authorization = sessions.approvals.state(found)["status"] if sessions is not None and found.task == "authorize" else ""
    return f"{found.status}-{authorization}"


class View:
    """Pages of one session for one browser, whose forms carry ``csrf``. ``returned`` is true for a browser that came back from the provider;
    ``starts`` is where links to approvals begin, as another device calls it."""

    def __init__(
        self, locale: str, sessions: Connecting | None = None, found: ConnectSession | None = None, csrf: str = "", *,
        returned: bool = False, starts: str = "",
    ) -> None:  # fmt: skip
        self._words = Words(locale, found)
        self.say = self._words.say
        self._sessions = sessions
        self._found = found
        self._csrf = csrf
        self._returned = returned
        self._starts = starts

    def page(
        self, title: str, *content: Node, status: int = 200, onward: str = "", scripted: bool = False, framed: bool = True,
        picture: Node = None, tells: Mapping[str, str] | None = None, state: str = "",
    ) -> Response:  # fmt: skip
        """Render a page, which leads to the address ``onward`` by itself. Only the session's own origins may frame it, if it is ``framed``;
        a ``scripted`` one runs the script between a frame and its window. A page of the platform that frames or has opened this one is told
        what it ``tells``, and is left to go on; one that waits for another window has the ``state`` whose end it waits for."""
        wanted = self._found.wanted if self._found is not None else None
        about: dict[str, str] = {}
        if self._found is not None and wanted is not None and wanted.origins and (tells or state):
            told = {"session": self._found.id, **(tells or {})}
            about = {"data_state": state, "data_page": below_prefix(f"{SESSION}/{self._found.id}")} if state else {
                "data_tells": json.dumps(told), "data_origins": " ".join(wanted.origins), "data_onward": onward,
            }  # fmt: skip
        scripted = scripted or bool(about)
        frames = " ".join(wanted.origins) if framed and wanted is not None and wanted.origins else "'none'"
        metas = [h.meta(charset="utf-8"), h.meta(name="viewport", content="width=device-width, initial-scale=1")]
        metas += [h.meta(name="color-scheme", content="light dark")]
        if onward:
            leads = h.meta(http_equiv="refresh", content=f"0;url={below_prefix(onward)}")
            metas.append(h.noscript(leads) if "data_tells" in about else leads)
        theme: Mapping[str, str] = wanted.theme if wanted is not None else {}
        style = style_of(theme.get("color", "").lower(), theme.get("scheme", ""))
        links = [h.link(rel="stylesheet", href=asset("console.css")), h.style(Markup(style)) if style else None]
        links += [h.script(src=asset("connect.js"), defer=True)] if scripted else []
        brand = [h.img(src=theme["logo"], alt="", class_="theirs") if "logo" in theme else None, theme.get("name")]
        head = h.head(metas, h.title(title), links)
        above = h.p(brand, class_="brand") if any(brand) else None
        body = h.body(h.main(above, h.h1(picture, title), *content, class_="alone connect stack", id="content", **about))
        response = HTMLResponse(h.join([Markup("<!doctype html>"), h.html(head, body, lang=self._words.locale)]), status)
        response.headers.update(
            {
                "Content-Security-Policy": _POLICY.format(
                    frames=frames, style=source_of(style) if style else "", scripts="script-src 'self'; connect-src 'self'; " if scripted else ""
                ).replace(" ;", ";"),
                "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
            }
        )  # fmt: skip
        if frames == "'none'":
            response.headers["X-Frame-Options"] = "DENY"
        return response

    def refusal(self, key: str, status: int) -> Response:
        """Render why there is nothing to do here."""
        return self.page(self.say("over_title"), h.p(self.say(key), role="alert", class_="notice bad"), status=status)

    def fault(self, error: JackfieldError) -> Response:
        """Render an error at which the session cannot go on."""
        return self.page(self.say("over_title"), self._words.fault(error), status=error.http_status)

    def stranger(self, found: ConnectSession, address: str, *, tried: bool = False) -> Response:
        """Render what another browser than the session's sees before the provider: for whom it would approve, and how to prove that the
        same person has begun. Nobody may frame it."""
        wrong = h.p(self.say("code_wrong", left=found.tries), class_="notice bad", role="alert") if tried else None
        if not found.nonce and not found.code:
            refused = h.p(self.say("start_elsewhere"), role="alert", class_="notice bad")
            return self.page(self.say("over_title"), wrong or refused, status=403, framed=False)
        waits = h.form(
            csrf_field(self._csrf), h.input(type="hidden", name="nonce", value=""), h.p(self.say("start_waits")), method="post",
            action=address, id="asks",
        ) if found.nonce else None  # fmt: skip
        box = h.input(id="code", name="code", inputmode="numeric", autocomplete="off", maxlength="12", required=True)
        typed = h.form(
            csrf_field(self._csrf), h.label(self.say("code_label"), for_="code"), box,
            h.div(h.button(self.say("approve_begin"), class_="primary"), class_="actions"), method="post", action=address, class_="stack",
        ) if found.code else None  # fmt: skip
        return self.page(
            self.say("start_title"), self._whom(found), wrong, waits, h.p(self.say("code_lead")) if found.code else None, typed,
            status=403 if tried else 200, scripted=bool(found.nonce), framed=False,
        )  # fmt: skip

    def onward(self, address: str) -> Response:
        """Lead a browser to the provider: a redirect after a form would be refused, since forms lead to this server only."""
        link = h.a(self.say("approve", host=urlsplit(address).hostname or ""), href=address, class_="button primary", rel="noreferrer")
        return self.page(self.say("start_title"), h.p(link), onward=address, framed=False)

    def _whom(self, found: ConnectSession) -> Node:
        """Name the platform and the user for whom the account is connected."""
        platform, user = _platform(found), found.wanted.user_name or found.wanted.user
        names = [
            h.p(self.say("whom_platform", platform=platform)) if platform else None,
            h.p(self.say("begin_user", user=user)) if user else None,
        ]
        return [*names, h.p(self.say("whom_only"))]

    def begin(self, found: ConnectSession, address: str) -> Response:
        """Render what a link shows: opening it changes nothing, a press on the button does."""
        platform, user = _platform(found), found.wanted.user_name or found.wanted.user
        asked = h.p(self.say("begin_asked", platform=platform)) if platform else None
        who = h.p(self.say("begin_user", user=user), class_="muted") if user and found.wanted.verify == "link" else None
        button = h.button(self.say("begin"), class_="primary")
        return self.page(
            self.say("title"), asked, who, h.p(self.say("begin_lead")),
            h.form(csrf_field(self._csrf), h.div(button, class_="actions"), method="post", action=address),
        )  # fmt: skip

    def shown(
        self, sessions: Connecting, found: ConnectSession, words: str = "", error: JackfieldError | None = None, *, at_once: bool = False
    ) -> Response:
        """Render where the session is; ``at_once``, the browser goes to the provider by itself."""
        if found.is_over:
            return self._over(found)
        if found.status == "saved" and found.task == "authorize" and not self._returned:
            return self._approved_elsewhere(found)
        if found.status == "saved":
            return self.page(self.say("return_title"), h.p(self.say("return_lead")), self._step("finish", self.say("return")))
        if not found.task:
            return self._choose(sessions, found, words) if found.wanted.mode == "connect" else self._manage(sessions, found, words)
        return self._at_task(sessions, found, error, at_once=at_once)

    def _at_task(self, sessions: Connecting, found: ConnectSession, error: JackfieldError | None, *, at_once: bool) -> Response:
        if found.task == "remove":
            title = self.say("remove_title", name=found.connection)
            return self.page(title, h.p(self.say("remove_lead")), self._step("finish", self.say("remove"), danger=True), self._cancel())
        if found.task == "authorize":
            return self._approve(sessions, found, error, at_once=at_once)
        if found.passed and error is None:
            return self._account(found)
        return self._form(sessions, found, error)

    def leaving(self, found: ConnectSession, proof: str) -> Response:
        """Render the last page, which leads back to the platform."""
        members = {"proof": proof} if proof else {}
        address = returning(found, **members) if found.wanted.return_to else ""
        if not address:
            return self._over(found)
        back = h.p(h.a(self.say("return"), href=address, class_="button primary"))
        tells = {"status": found.status, **members}
        return self.page(self.say("return_title"), h.p(self.say("return_lead")), back, onward=address, tells=tells)

    def _over(self, found: ConnectSession) -> Response:
        back = h.p(h.a(self.say("return"), href=returning(found), class_="button")) if found.wanted.return_to else None
        if found.status == "granted":
            key = "removed" if found.task == "remove" else "done"
            lead = h.p(self.say(f"{key}_lead", name=found.connection))
            return self.page(self.say(f"{key}_title"), lead, back, tells={"status": found.status})
        reason = self.say("over_expired") if found.status == "expired" else self._words.of(found.reason)
        lead = h.p(self.say("over_lead", reason=reason), class_="notice bad", role="alert")
        return self.page(self.say("over_title"), lead, back, tells={"status": found.status, "reason": found.reason})

    def _choose(self, sessions: Connecting, found: ConnectSession, words: str) -> Response:
        offered = sessions.offered(found)
        groups = grouped(self._words, offered, words)
        cards = [card(self._words, types, found.wanted.icons) for types in groups[:_MOST]]
        box = self._search(found, words, len({name.partition("/")[0] for name, _ in offered}))
        more = self._rest(len(groups))
        listed = self._formed("choose", h.ul(cards, class_="cards")) if cards else h.p(self.say("choose_none"), class_="empty")
        return self.page(self.say("choose_title"), h.p(self.say("choose_lead")), box, listed, more, self._cancel())

    def _search(self, found: ConnectSession, words: str, count: int) -> Markup | None:
        field = h.input(type="search", id="q", name="q", value=words)
        asked = [h.label(self.say("choose_search"), for_="q"), field, h.button(self.say("choose_search"))]
        return h.form(asked, action=f"{SESSION}/{found.id}", class_="searching") if count > _FEW else None

    def _rest(self, count: int) -> Markup | None:
        return h.p(self.say("choose_more", count=count - _MOST), class_="muted") if count > _MOST else None

    def _manage(self, sessions: Connecting, found: ConnectSession, words: str) -> Response:
        rows, managed, wanted = [], sessions.managed(found), words.casefold().split()
        fitting = [row for row in managed if all(word in f"{row['name']} {_account(row.get('account'))}".casefold() for word in wanted)]
        for row in fitting[:_MOST]:
            name, account = str(row["name"]), _account(row.get("account"))
            again = h.button(self.say("again"), name="step", value="again", aria_label=f"{self.say('again')}: {name}")
            remove = h.button(self.say("remove"), name="step", value="remove", class_="danger", aria_label=f"{self.say('remove')}: {name}")
            buttons = h.div(again, remove if found.wanted.mode == "manage" else None, class_="actions")
            form = self._formed("", h.input(type="hidden", name="connection", value=name), buttons)
            rows.append(
                h.li(
                    h.h2(name, " ", self._status(str(row.get("status", "untested")))),
                    h.p(account) if account else None,
                    form,
                    class_="card",
                )
            )
        listed = h.ul(rows, class_="cards") if rows else h.p(self.say("manage_none"), class_="empty")
        box, more = self._search(found, words, len(managed)), self._rest(len(fitting))
        return self.page(self.say("manage_title"), box, listed, more, self._cancel())

    def _form(self, sessions: Connecting, found: ConnectSession, error: JackfieldError | None) -> Response:
        kind = sessions.kind(found)
        schema, values, stored = sessions.form(found)
        schema = self._words.schema(found.type, kind, schema)
        faults = (
            {item.path: self._words.of(item.message) for item in error.details if item.path} if isinstance(error, InvalidConnection) else {}
        )
        again = found.task == "replace"
        title = (
            self.say("again_title", name=found.connection)
            if again
            else self.say("form_title", type=self._words.whole_title(found.type, kind))
        )
        button = self.say("test_again" if found.trial else "test") if not kind.about.authorizes else self.say("approve_begin")
        form = self._formed(
            "submit", fields(schema, values, stored, faults, self.say), h.div(h.button(button, class_="primary"), class_="actions")
        )
        external = sessions.external_id(found)
        before = self._access(sessions, found, external)
        then = h.h2(self.say("external_then")) if external is not None else None
        about = self._words.setup(kind) if schema["properties"] else ""
        if external is None and (policy := self._needed(sessions, found)):
            about = _GUIDES_POLICY.sub(lambda block: indent(f"```json\n{policy}\n```", block[1]), about, count=1)
        setup = h.details(h.summary(self.say("guide")), guide(about)) if about else None
        several = not again and not found.wanted.connection and len(sessions.offered(found)) > 1
        back = self._step("back", self.say("back"), plain=True) if several else None
        return self.page(
            title, h.p(line(self._words.description(found.type, kind))), self._faults(error, faults, schema["properties"]), self._trial(found, external), before, then, form, setup,
            back, self._cancel(), picture=icon(found.type, self._words.connector(found.type, kind), found.wanted.icons),
        )  # fmt: skip

    def _faults(self, error: JackfieldError | None, faults: Mapping[str, str], entered: Mapping[str, Any]) -> Node:
        """Render what is wrong; that of values which the person does not see, since the platform has locked them, by their names."""
        if error is None:
            return None
        hidden = [f"{path[1:]}: {text}" for path, text in faults.items() if path.split("/")[1] not in entered]
        told = h.p(self.say("wrong"), [[h.br(), text] for text in hidden], class_="notice bad", role="alert")
        return told if faults else self._words.fault(error)

    def _access(self, sessions: Connecting, found: ConnectSession, external: str | None) -> Markup | None:
        """Render what the owner of an account does first: the External ID, and the documents that create the role."""
        if external is None:
            policy = self._needed(sessions, found)
            return h.details(h.summary(self.say("needed")), _code(policy, self.say("needed"))) if policy else None
        made = sessions.documents(found) if found.task == "add" else {}
        stack = sessions.stack(found)
        command = f"aws cloudformation deploy --stack-name {stack} --template-file {stack}.json --capabilities CAPABILITY_NAMED_IAM"
        template = [
            h.p(h.a(self.say("external_template"), href=f"{SESSION}/{found.id}/template", class_="button", download=f"{stack}.json")),
            h.p(self.say("external_command")), _code(command, "AWS CLI"),
        ] if "cloudFormation" in made else []  # fmt: skip
        policies = [
            h.details(h.summary(self.say(key)), _code(json_text(made[name]), self.say(key)))
            for name, key in (("trustPolicy", "external_trust"), ("identityPolicy", "external_permissions"))
            if name in made
        ]
        return h.section(
            h.h2(self.say("external_title")), h.p(self.say("external_lead")), _code(external, self.say("external_id")), template, policies,
            class_="card stack",
        )  # fmt: skip

    def _needed(self, sessions: Connecting, found: ConnectSession) -> str:
        """Return the policy for whoever has the key that is entered, if the platform says what it will call."""
        made = sessions.documents(found) if found.task == "add" and (found.wanted.actions or found.wanted.calls) else {}
        return json_text(made["identityPolicy"]) if "identityPolicy" in made else ""

    def _trial(self, found: ConnectSession, external: str | None) -> Markup | None:
        steps: Iterable[Mapping[str, Any]] = (found.trial.get("lastTest") or {}).get("steps", ())
        if not found.trial:
            return None
        rows = [
            h.li(
                h.p(h.strong(self._words.of(str(item["title"]))), ": ", self.say(self._outcome(item))),
                h.p(self._words.of(str(item["message"]))),
                cure(advice, external, self.say("cure", hint="{}")) if (advice := self._advice(item)) else None,
            )
            for item in steps
        ]
        lead = None if found.passed else h.p(self.say("failed_lead"), class_="notice bad", role="alert")
        return h.section(h.h2(self.say("tested_title")), lead, h.ul(rows, class_="stack"), class_="card stack")

    @staticmethod
    def _outcome(step: Mapping[str, Any]) -> str:
        return "passed" if step["passed"] else "not_passed" if step.get("mandatory", True) else "noted"

    def _advice(self, step: Mapping[str, Any]) -> str:
        return "" if step["passed"] else self._words.hint(str(step.get("hint") or ""))

    def _status(self, status: str) -> Markup:
        return badge(status, self.say(f"status_{status}"))

    def _account(self, found: ConnectSession) -> Response:
        account = _account(found.trial.get("account"))
        key, tone = ("no_account", "good") if found.trial.get("status") == "ok" else ("not_checked", "")
        told = h.p(self.say("account", account=account) if account else self.say(key), class_=f"notice {tone}".strip(), role="status")
        again = self._step("change", self.say("change"), plain=True)
        return self.page(
            self.say("title"), told, h.p(self.say("account_as", name=found.connection)), self._step("finish", self.say("connect")),
            self._trial(found, None), again, self._cancel(),
        )  # fmt: skip

    def _approve(self, sessions: Connecting, found: ConnectSession, error: JackfieldError | None, *, at_once: bool = False) -> Response:
        state = sessions.approvals.state(found)
        if state["status"] == "answered" and not self._returned:
            return self._approved_elsewhere(found)
        if state["status"] == "answered":
            host = urlsplit(found.wanted.return_to).hostname or ""
            remains = h.p(self.say("approved_remains", host=host)) if found.wanted.verify == "confirm" else None
            failed = self._words.fault(error) if error is not None else None
            return self.page(
                self.say("approved_title"), failed, h.p(self.say("approved_lead")), self._whom(found), remains,
                self._step("finish", self.say("finish")), self._cancel(), state=progress(sessions, found),
            )  # fmt: skip
        failed = self._words.fault(error) if error is not None else None
        if state.get("reason") == DECLINED:
            lead = h.p(self.say("declined_lead", host=urlsplit(found.host).hostname or ""), role="alert")
            return self.page(self.say("declined_title"), lead, self._step("approve", self.say("declined_again")), self._cancel())
        if state["status"] == "failed":
            failed = h.p(self.say("approve_failed", reason=self._words.of(str(state.get("reason", "")))), class_="notice bad", role="alert")
        host = urlsplit(found.host).hostname or ""
        title = self.say("approve_title", host=host) if host else self.say("again_title", name=found.connection)
        if failed is not None or not found.start:
            again = self.say("approve_again" if found.start else "approve_begin")
            return self.page(title, failed, self._step("approve", again), self._cancel())
        link = h.a(
            self.say("approve", host=host), href=f"{START}/{found.start}", class_="button primary", data_nonce=found.nonce or None,
            target="_blank" if found.wanted.origins else None, rel="noopener" if found.wanted.origins else None,
        )  # fmt: skip
        again = self._step("approve", self.say("approve_again"), plain=True)
        check = self._check(found) if found.wanted.origins or found.code else None
        return self.page(
            title, h.p(self.say("approve_lead", host=host)), h.p(link), self._device(found), check, again, self._cancel(),
            scripted=bool(found.nonce), onward=f"{START}/{found.start}" if at_once else "", state=progress(sessions, found),
        )  # fmt: skip

    def _device(self, found: ConnectSession) -> Markup | None:
        """Offer another device, with a code: for a person whose account is there, or whose window could not be opened."""
        if not found.allows_devices:
            return None
        if not found.code:
            return self._step("device", self.say("device"), plain=True)
        shown = [_code(f"{self._starts}/{found.start}", self.say("device_link")), _code(found.code, self.say("code_label"))]
        return h.section(h.h2(self.say("device")), h.p(self.say("device_lead")), shown, class_="card stack")

    def _check(self, found: ConnectSession) -> Markup:
        return h.p(h.a(self.say("approve_check"), href=f"{SESSION}/{found.id}"))

    def _approved_elsewhere(self, found: ConnectSession) -> Response:
        """Render what a page shows while the person finishes in the window, or on the device, that came back from the provider."""
        again = self._step("approve", self.say("approve_again"), plain=True)
        return self.page(
            self.say("approved_title"), h.p(self.say("approved_elsewhere")), self._check(found),
            again if found.status != "saved" else None, self._cancel(), state=progress(self._sessions, found),
        )  # fmt: skip

    def _formed(self, step: str, *content: Node) -> Markup:
        own = h.input(type="hidden", name="step", value=step) if step else None
        address = f"{SESSION}/{self._found.id}" if self._found is not None else ""
        return h.form(csrf_field(self._csrf), own, *content, method="post", action=address, novalidate=True, class_="stack")

    def _step(self, step: str, label: str, *, plain: bool = False, danger: bool = False) -> Markup:
        button = h.button(label, class_="quiet" if plain else "danger" if danger else "primary")
        return self._formed(step, h.div(button, class_="actions"))

    def _cancel(self) -> Markup:
        return self._step("cancel", self.say("cancel"), plain=True)


def _platform(found: ConnectSession) -> str:
    """Name who asks: as the look of the page has it, or the platform's token."""
    name: str = found.wanted.theme.get("name") or found.asked_by.get("name", "")
    return name


def _account(account: Mapping[str, Any] | None) -> str:
    """Name an account by its ID and label."""
    known = account or {}
    return ", ".join(dict.fromkeys(str(part) for part in (known.get("id"), known.get("label")) if part))


def _code(text: str, label: str) -> Markup:
    return h.div(h.pre(h.code(text), tabindex="0", role="region", aria_label=label), class_="code")
