"""The words of a connect session's pages: of the pages themselves, of connection types, of tests
and of errors, in one language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from jackfield.connections.connection_types import ConnectionKind
from jackfield.connections.locales import LOCALES, texts_of
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.hints import worded
from jackfield.kernel.markup import Markup, Node
from jackfield.kernel.walk import extension
from jackfield_service.shell.pages.layout.components import h
from jackfield_service.subjects.connect.labels import in_language
from jackfield_service.subjects.connect.records import ConnectRecord
from jackfield_service.subjects.connect.session import ConnectSession, account_named

_TITLE = "title"
_ROLE = re.compile(r"arn:[a-z-]+:iam::(\d{4})(\d{4})(\d{4}):role/(?:.*/)?([^/]+)")
_NOUNS = ("key", "token", "password")
"""Last words of titles of secrets that have texts of their own."""


def locale_of(request: Request, wanted: str) -> str:
    """Return the session's language: the platform's choice, or the first available language of the
    browser.
    """
    accepted = [
        part.partition(";")[0].strip().lower()[:2]
        for part in request.headers.get("accept-language", "").split(",")
    ]
    return next((one for one in (wanted, *accepted) if one in LOCALES), LOCALES[0])


@cache
def _texts(locale: str) -> Mapping[str, str]:
    found: dict[str, str] = json.loads(
        (Path(__file__).parent / "texts" / f"{locale}.json").read_text(encoding="utf-8")
    )
    return found


class Words:
    """Texts of one session's pages in one language, with the platform's labels. ``found`` is None
    without a session.
    """

    def __init__(self, locale: str, found: ConnectSession | None = None) -> None:
        self.locale = locale
        self._own = _texts(locale)
        self._texts = texts_of(locale)
        self._labels: Mapping[str, Any] = found.wanted.labels if found is not None else {}
        self._brought: Mapping[str, Any] = found.wanted.values if found is not None else {}
        self._types = found.wanted.types if found is not None else ()
        self._kept: Mapping[str, Any] = found.record.labels if found is not None else {}

    def say(self, key: str, **values: object) -> str:
        """Return a text of the pages, with its values filled in."""
        return self._own[key].format(**values)

    def of(self, text: str) -> str:
        """Return the translation of a connector's or error's text; the text itself if it has no
        translation.
        """
        return self._texts.of(text)

    def fault_of_value(self, message: str) -> str:
        """Return the fault of a value in the session's language. An untranslated fault follows a
        general introduction in that language.
        """
        found = self._texts.find(message)
        general = self._texts.find("code#value") if found is None else None
        return (
            f"{general} ({self.say('in_english')}: {message})"
            if general is not None
            else found or message
        )

    def hint(self, hint: str | None, code: str = "") -> str:
        """Return the customer's next step; an empty string without a hint. A hint without a
        translation is replaced by the general text for its error's code.
        """
        text = (worded(hint, "console") or "").strip()
        general = (
            self._texts.find(f"code#{code}#hint")
            if text and self._texts.find(text) is None
            else None
        )
        return self._texts.hint(text) if general is None else general

    def kept_title(self, record: ConnectRecord) -> str:
        """Return the title that a session has stored with a connection; an empty string without
        such a title.
        """
        return str(in_language(record.labels, self.locale).get(_TITLE) or "")

    def connector(self, name: str, kind: ConnectionKind) -> str:
        """Return the name of a type's connector: by the type's name, or, for a family's type, the
        family's title.
        """
        key = name.partition("/")[0]
        connector = next((one for one in kind.manifests if one.key == key), None)
        return (
            self.of(connector.title)
            if connector is not None
            else self._texts.about(key, _TITLE, kind.manifests[0].title)
        )

    def labelled(self, name: str, kind: ConnectionKind, record: ConnectRecord | None = None) -> str:
        """Return the title of a type in the session's labels, or in the labels of its connection's
        ``record``; an empty string if they have no title for it.
        """
        return str(self._label(name, kind, record).get(_TITLE) or "")

    def title(self, name: str, kind: ConnectionKind) -> str:
        """Return the title of a type from the platform, or else from its author."""
        return self.labelled(name, kind) or self._texts.about(
            kind.full_name, _TITLE, kind.about.title
        )

    def way(self, name: str, kind: ConnectionKind) -> str:
        """Return the label of a type among several types of a connector: the platform's label,
        "Sign in with …", or the type's title.
        """
        named = self.labelled(name, kind)
        return named or (
            self.say("way", provider=self.connector(name, kind))
            if kind.about.authorizes
            else self.title(name, kind)
        )

    def whole_title(self, name: str, kind: ConnectionKind) -> str:
        """Return the title of a type with its connector, unless the title contains the
        connector's.
        """
        return self.listed_title(name, kind, {})

    def provider(
        self,
        name: str,
        kind: ConnectionKind,
        values: Mapping[str, Any],
        record: ConnectRecord | None = None,
    ) -> str:
        """Return a person's name for the provider of a connection with these values: the platform's
        word, the server's name, or the connector's.
        """
        return self._server_named(name, kind, values, record) or self.connector(name, kind)

    def listed_title(
        self,
        name: str,
        kind: ConnectionKind,
        values: Mapping[str, Any],
        record: ConnectRecord | None = None,
    ) -> str:
        """Return the title of a connection with these values. For a type for any server, it is the
        platform's name, which the person knows. If the type is the session's only one of its
        connector, it is the connector's name alone.
        """
        if named := self._server_named(name, kind, values, record):
            return named
        title, connector = self.title(name, kind), self.connector(name, kind)
        if [one for one in self._types if one.partition("/")[0] == name.partition("/")[0]] == [
            name
        ]:
            return connector
        return title if connector.casefold() in title.casefold() else f"{connector}: {title}"

    def _server_named(
        self,
        name: str,
        kind: ConnectionKind,
        values: Mapping[str, Any],
        record: ConnectRecord | None = None,
    ) -> str:
        if labelled := self.labelled(name, kind, record):
            return labelled
        server = self._brought.get("server", values.get("server"))
        return (
            urlsplit(server).hostname or ""
            if "server" in kind.schema.get("required", ()) and isinstance(server, str)
            else ""
        )

    def description(self, name: str, kind: ConnectionKind) -> str:
        """Return the description of a type."""
        labelled = self._label(name, kind).get("description")
        return (
            self._texts.about(
                kind.full_name, "description", " ".join(kind.about.description.split())
            )
            if labelled is None
            else str(labelled)
        )

    def setup(self, name: str, kind: ConnectionKind, *, for_client: bool = True) -> str:
        """Return the guide to a type's values, in Markdown: the platform's own text, else the
        type's. The guide to an approval is about the platform's client at the provider: it is
        included with ``for_client`` only.
        """
        labelled = self._label(name, kind).get("setup")
        if labelled is not None:
            return str(labelled)
        return (
            self._texts.about(kind.full_name, "setup", kind.about.setup)
            if for_client or not kind.about.authorizes
            else ""
        )

    def schema(self, name: str, kind: ConnectionKind, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return a form's schema with the labels and descriptions of its fields."""
        labels = self._label(name, kind).get("fields", {})
        found = self._texts.schema(schema)
        return {
            **found,
            "properties": {
                key: {**field, **labels.get(key, {})} for key, field in found["properties"].items()
            },
        }

    def _label(
        self, name: str, kind: ConnectionKind, record: ConnectRecord | None = None
    ) -> Mapping[str, Any]:
        kept = self._kept if record is None else record.labels
        return in_language(
            self._labels.get(name) or self._labels.get(kind.full_name) or kept, self.locale
        )

    def advice(self, hint: str | None, code: str = "") -> Markup | None:
        """Render the customer's next step; None without a hint."""
        found = self.hint(hint, code)
        return h.p(self.say("cure", hint=found), class_="hint-next") if found else None

    def told(self, step: Mapping[str, Any]) -> Node:
        """Render the message of a test's step. The provider's own words are marked. An untranslated
        text of ours is replaced by the general text for the error's code, with the original below.
        """
        message, said = str(step["message"]), (step.get("provider") or {}).get("message") or ""
        return self._message_node(message, self.of(message), str(step.get("code") or ""), said)

    def summary(self, step: Mapping[str, Any]) -> str:
        """Return the message of a failed test step in one text of the reader's language, without
        the provider's own words.
        """
        message, said = str(step["message"]), (step.get("provider") or {}).get("message") or ""
        text = self._general(message, str(step.get("code") or "")) or self.of(message)
        before, found, _ = text.partition(f": {said}") if said else (text, "", "")
        return _sentence(f"{before}." if found else text)

    def refusal(self, field: Mapping[str, Any], provider: str) -> str:
        """Return the message that a provider did not accept the entered value, which it calls by
        the last word of the field's title.
        """
        noun = str(field.get("title", "")).rpartition(" ")[2].casefold()
        return self.say(f"refused_{noun if noun in _NOUNS else 'value'}", provider=provider)

    def change(self, fields: Mapping[str, Any]) -> str:
        """Return the label of the button back to a form with these fields; a single field is called
        by the last word of its title.
        """
        titles = [str(field.get("title", "")) for field in fields.values()]
        noun = titles[0].rpartition(" ")[2].casefold() if len(titles) == 1 else ""
        return self.say(f"change_{noun}" if noun in _NOUNS else "change")

    def scope(self, name: str, kind: ConnectionKind) -> str:
        """Return the explanation of a scope: from the type's texts, the titles of its field, or
        OpenID Connect; otherwise return the scope itself.
        """
        titles: Mapping[str, str] = extension(kind.schema["properties"].get("scopes")).get(
            "titles", {}
        )
        known = self.of(titles[name]) if name in titles else self._own.get(f"scope_{name}", name)
        return self._texts.about(kind.full_name, f"scope {name}", known)

    def account(self, account: Mapping[str, Any] | None) -> str:
        """Return the name of an account. A role of AWS has its name and account number, as in the
        console of AWS.
        """
        name = account_named(account)
        found = role_named(name)
        return self.say("role_account", role=found[0], account=found[1]) if found else name

    def _general(self, message: str, code: str) -> str | None:
        """Return the text for an error's code, if the message has no translation; else None."""
        return self._texts.find(f"code#{code}") if self._texts.find(message) is None else None

    def _message_node(
        self, message: str, known: str, code: str, said: str, class_: str | None = None
    ) -> Node:
        general = self._general(message, code)
        if general is None:
            return h.p(_quoted(known, said), class_=class_)
        wording = h.details(
            h.summary(self.say("in_english")), h.p(_quoted(message, said), lang="en")
        )
        return [h.p(general, class_=class_), wording]

    def fault(self, error: JackfieldError, connection: str = "") -> Markup:
        """Render an error: its message and hint. The name of a ``connection`` is left out, since
        only the platform uses it.
        """
        message = self.of(error.message)
        for quoted in (f" '{connection}'", f" „{connection}“") if connection else ():
            message = message.replace(quoted, "")
        said = error.provider.message if error.provider is not None else None
        told = self._message_node(
            error.message, message[:1].upper() + message[1:], error.code, said or "", "message"
        )
        return h.div(
            told,
            self.advice(error.hint, error.code),
            class_="notice bad",
            role="alert",
            tabindex="-1",
        )


def role_named(arn: str) -> tuple[str, str] | None:
    """Return the name and the account number in the ARN of an AWS role; None for any other
    string.
    """
    found = _ROLE.fullmatch(arn)
    return (found[4], "-".join(found.group(1, 2, 3))) if found else None


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def _quoted(text: str, said: str) -> Node:
    before, found, after = text.partition(said) if said else (text, "", "")
    return [before, h.q(found, translate="no"), after] if found else text
