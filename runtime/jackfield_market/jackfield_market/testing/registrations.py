"""Conformance rules about the registration of webhooks, against a provider that stores
registrations, and fails on demand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from jackfield.connector import Hook, Registered
from jackfield.connector.triggers import Webhook
from jackfield.kernel.failures import Raised, attempt_foreign
from jackfield_market.testing.driving import SECRET, over_client
from jackfield_market.testing.loopback_provider import RESET, Answer, Provider, Request, Step
from jackfield_market.testing.playing import at
from jackfield_market.testing.subject import Rule, Subject
from jackfield_market.testing.webhooks import URL, hook_for, webhooks

_MOST = 12
"""Maximum number of requests of one registration."""
_LISTED = (
    " (the test's provider lists registrations as an array; 'registrations' of the first "
    "example is the JSON Pointer of yours)"
)


class RegistrationProvider:
    """Provider with a collection of registrations: POST adds one, GET lists, PATCH, PUT or POST to
    one changes it, DELETE removes it.

    ``items`` is the JSON Pointer of the list in a response, ``list_of`` the pointers for some
    paths; "" is the whole response. ``identifier`` is the pointer of the ID in a registration,
    ``address`` the pointer of its URL, if it differs from its place in the request. ``told`` are
    the pointers of ID and secret in the answer to a new registration. ``declared`` is a
    registration that a manifest declares; requests that match it are answered by it. ``breaks`` is
    the number of the request after which the connection is reset; the request was carried out.
    """

    def __init__(
        self,
        items: str = "",
        identifier: str = "/id",
        told: tuple[str, str] = ("/id", "/secret"),
        address: str | None = None,
        declared: Mapping[str, Any] | None = None,
    ) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.breaks = 0
        self.list_of: dict[str, str] = {}
        self._items = items
        self._identifier = identifier
        self._told = told
        self._address = address
        self._declared = declared
        self._made = 0

    def __call__(self, number: int, request: Request) -> Step:
        """Carry out one request; return its answer, or a reset."""
        answer = self._answer(request)
        return RESET if number == self.breaks else answer

    def urls(self) -> list[str]:
        """Return the registered URLs that are jackfield's."""
        return [URL for one in self.kept.values() if URL in json.dumps(one)]

    def _answer(self, request: Request) -> Answer:
        step = None if self._declared is None else declared_step(self._declared, request)
        return self._usual(request) if step is None else self._stepped(*step, request)

    def _stepped(self, name: str, identifier: str, request: Request) -> Answer:
        if name == "list":
            return Answer(self._list_body(self._items))
        if name == "create":  # a PUT to an existing one corrects it
            return (
                Answer({})
                if request.path.partition("?")[0].rpartition("/")[2] in self.kept
                else self._add(request)
            )
        if identifier not in self.kept:
            return Answer({"message": "there is no such registration"}, 404)
        if name == "tell":
            return Answer(_with({}, self._told[1], SECRET))
        if name == "remove":
            del self.kept[identifier]
        return Answer({})

    def _usual(self, request: Request) -> Answer:
        path = request.path.partition("?")[0].rstrip("/")
        identifier = path.rpartition("/")[2]
        if request.method == "GET":
            return Answer(
                self.kept[identifier]
                if identifier in self.kept
                else self._list_body(self.list_of.get(path, self._items))
            )
        if identifier in self.kept:
            if request.method == "DELETE":
                del self.kept[identifier]
                return Answer(status=204)
            self.kept[identifier] |= _body(request)
            return Answer(self.kept[identifier])
        if request.method == "DELETE" or identifier.startswith("reg-"):
            return Answer({"message": "there is no such registration"}, 404)
        return self._add(request)

    def _add(self, request: Request) -> Answer:
        self._made += 1
        name = f"reg-{self._made}"
        made = _with(_with(_body(request), "/id", name), self._identifier, name)
        if self._address is not None and URL in json.dumps(made):
            made = _with(made, self._address, URL)
        self.kept[name] = made
        return Answer(_with(_with(made, self._told[0], name), self._told[1], SECRET), 201)

    def _list_body(self, items: str) -> Any:
        found: Any = list(self.kept.values())
        for name in reversed(items.split("/")[1:]):
            found = {name: found}
        return found


def _with(body: Mapping[str, Any], place: str, value: Any) -> dict[str, Any]:
    """Return a body with a value at a JSON Pointer."""
    name, _, rest = place[1:].partition("/")
    inner = body.get(name)
    return {
        **body,
        name: _with(inner if isinstance(inner, Mapping) else {}, f"/{rest}", value)
        if rest
        else value,
    }


def _body(request: Request) -> dict[str, Any]:
    """Return the members of a request's body, or of the only member that holds them all."""
    found = sent_body(request)
    if not isinstance(found, dict):
        return {}
    only = next(iter(found.values())) if len(found) == 1 else None
    return only if isinstance(only, dict) else found


def _registry(about: Mapping[str, Any]) -> RegistrationProvider:
    """Return the provider of a webhook whose registration is declared in the manifest."""
    listed = about["list"]
    told = (about.get("id", listed["id"]), about.get("secret", "/secret"))
    return RegistrationProvider(listed.get("items", ""), listed["id"], told, listed["url"], about)


def declared_step(about: Mapping[str, Any], request: Request) -> tuple[str, str] | None:
    """Return the name of the declared request that ``request`` matches, with the registration's ID
    in it; None without a match.

    Requests of one method and path, such as GraphQL's, differ by the fixed members of their bodies.
    """
    path, fixed = request.path.partition("?")[0], about.get("fixed", {})
    for name in ("list", "create", "tell", "update", "remove"):
        row: Mapping[str, Any] = about.get(name, {})
        found = (
            re.fullmatch(f".*{_expression(row['path'])}", path)
            if row.get("method") == request.method
            else None
        )
        if found is None:
            continue
        sent, members = sent_body(request), row.get("body", {}).get("members", {})
        if all(
            _value(sent, members[one]) == str(fixed[one]) for one in fixed.keys() & members.keys()
        ):
            named = found.groupdict().get("hookId") or (
                _value(sent, members["hookId"]) if "hookId" in members else ""
            )
            return name, named
    return None


def _expression(path: str) -> str:
    """Return the regular expression of a path with values."""
    parts = re.split(r"\{(\w+)\}", path)
    return "".join(
        (f"(?P<{part}>[^/]+)" if part == "hookId" else "[^/]+") if place % 2 else re.escape(part)
        for place, part in enumerate(parts)
    )


def sent_body(request: Request) -> Any:
    """Return the body of a request: JSON, or the members of a form; empty if it is neither."""
    try:
        return request.json()
    except ValueError:
        return dict(parse_qsl(request.body.decode("utf-8", "replace")))


def _value(body: Any, name: str) -> str:
    return str(at(body, name if name.startswith("/") else f"/{name}"))


class _Registering:
    """Enabling and disabling of one webhook at one registry, for the first of its examples."""

    def __init__(self, subject: Subject, trigger: Webhook) -> None:
        example: Mapping[str, Any] = next(iter(trigger.examples), {})
        bound = trigger.key in subject.manifest.triggers and subject.manifest.triggers[
            trigger.key
        ].row.get("http", {})
        self.registry = (
            _registry(bound["register"])
            if bound
            else RegistrationProvider(example.get("registrations", ""))
        )
        self._subject = subject
        self._trigger = trigger
        self._hook = hook_for(trigger, example)

    def enable(self, remote: Mapping[str, Any], breaks: int = 0) -> Mapping[str, Any] | Raised:
        """Run ``enable`` with its earlier return value; return the new value, or the exception."""
        return self._run(self._trigger.enabled, remote, breaks)

    def disable(self, remote: Mapping[str, Any], breaks: int = 0) -> Mapping[str, Any] | Raised:
        """Run ``disable`` with ``enable``'s return value; return the new value, or the
        exception.
        """
        return self._run(self._trigger.disabled, remote, breaks)

    def _run(
        self, function: Callable[[Hook, Any], Any] | None, remote: Mapping[str, Any], breaks: int
    ) -> Mapping[str, Any] | Raised:
        if function is None:
            return {}
        hook = Hook(self._hook.url, self._hook.secret, self._hook.inputs, remote)
        self.registry.breaks = breaks
        with Provider(self.registry) as provider:
            found = attempt_foreign(
                over_client, self._subject, provider.url, lambda client: function(hook, client)
            )
            provider.settle()
        if isinstance(found, Raised):
            return found
        return dict((found.remote if isinstance(found, Registered) else found) or {})


def _each(subject: Subject) -> Iterator[tuple[Webhook, Callable[[], _Registering]]]:
    for trigger in webhooks(subject):
        if trigger.enabled is not None:
            yield trigger, lambda trigger=trigger: _Registering(subject, trigger)  # type: ignore[misc]


def _register_once(subject: Subject) -> Iterator[str]:
    for trigger, begin in _each(subject):
        at = begin()
        first = at.enable({})
        if isinstance(first, Raised):
            yield (
                f"'{trigger.key}' cannot be enabled: {type(first.error).__name__}: {first.error}"[
                    :200
                ]
                + _LISTED
            )
            continue
        if len(at.registry.urls()) != 1:
            yield f"'{trigger.key}' registers the URL {len(at.registry.urls())} times"
        attempt_foreign(json.dumps, first)
        second = at.enable(first)
        if isinstance(second, Raised) or len(at.registry.urls()) != 1:
            yield f"'{trigger.key}' does not find its registration when it is enabled again"
        for breaks in range(1, _MOST):
            at = begin()
            broken = at.enable({}, breaks)
            after = at.enable({})
            if isinstance(after, Raised) or len(at.registry.urls()) != 1:
                yield (
                    f"'{trigger.key}', enabled again after a crash at request {breaks}, is "
                    f"registered {len(at.registry.urls())} times"
                )
            if not isinstance(broken, Raised):
                break


def _unregister(subject: Subject) -> Iterator[str]:
    for trigger, begin in _each(subject):
        if trigger.disabled is None:
            yield f"'{trigger.key}' has enable and no disable: its registration would stay for ever"
            continue
        at = begin()
        remote = at.enable({})
        known = {} if isinstance(remote, Raised) else remote
        for what in ("is disabled", "is disabled again"):
            found = at.disable(known)
            if isinstance(found, Raised):
                yield (
                    f"'{trigger.key}' fails when it {what}: {type(found.error).__name__}: "
                    f"{found.error}"
                )[:200]
            elif at.registry.urls():
                yield f"'{trigger.key}' stays registered when it {what}"
        again = at.enable(known)
        if isinstance(again, Raised) or len(at.registry.urls()) != 1:
            yield f"'{trigger.key}' is not registered when it is enabled after it was disabled"


def _none(subject: Subject) -> str | None:
    return None if any(True for _ in _each(subject)) else "it has no webhook that registers its URL"


REGISTRATIONS = (
    Rule(
        "webhooks-register-once",
        "Enabling a webhook again, also after a crash at any request, leaves one registration.",
        _register_once,
        "silver",
        "Look for the hook's URL at the provider first; mend it, or create it. Name where your "
        "provider lists registrations, "
        "if its answer is no array, in the trigger's first example: 'registrations': '/hooks'.",
        drives=True,
        reason=_none,
    ),
    Rule(
        "webhooks-unregister",
        "Disabling a webhook removes its registration; if there is none, that is done.",
        _unregister,
        "silver",
        "Declare disable, and treat a 404 as done.",
        drives=True,
        reason=_none,
    ),
)
