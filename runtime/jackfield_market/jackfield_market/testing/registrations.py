"""Conformance rules about the registration of webhooks, against a provider that stores registrations, and fails on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from jackfield.connector import Hook, Registered
from jackfield.connector.triggers import Webhook
from jackfield.kernel.failures import Raised, attempt_foreign
from jackfield_market.testing.driving import SECRET, over_client
from jackfield_market.testing.loopback_provider import RESET, Answer, Provider, Request, Step
from jackfield_market.testing.subject import Rule, Subject
from jackfield_market.testing.webhooks import URL, hook_for, webhooks

_MOST = 12
"""Requests of one registration at most."""
_LISTED = " (the test's provider lists registrations as an array; 'registrations' of the first example is the JSON Pointer of yours)"


class RegistrationProvider:
    """Provider with a collection of registrations: POST adds one, GET lists, PATCH, PUT or POST to one changes it, DELETE removes it.

    ``items`` is the JSON Pointer of the list in a response, ``list_of`` the pointers for some paths; "" is the whole response.
    ``identifier`` is the pointer of the ID in a registration, ``address`` the pointer of its URL, if it differs from its place in the
    request. ``told`` are the pointers of ID and secret in the answer to a new one. ``breaks`` is the number of the request after which the
    connection is reset; the request was carried out.
    """

    def __init__(
        self, items: str = "", identifier: str = "/id", told: tuple[str, str] = ("/id", "/secret"), address: str | None = None
    ) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.breaks = 0
        self.list_of: dict[str, str] = {}
        self._items = items
        self._identifier = identifier
        self._told = told
        self._address = address
        self._made = 0

    def __call__(self, number: int, request: Request) -> Step:
        """Play one request."""
        answer = self._answered(request)
        return RESET if number == self.breaks else answer

    def urls(self) -> list[str]:
        """The registered URLs that are jackfield's."""
        return [URL for one in self.kept.values() if URL in json.dumps(one)]

    def _answered(self, request: Request) -> Answer:
        path = request.path.partition("?")[0].rstrip("/")
        identifier = path.rpartition("/")[2]
        if request.method == "GET":
            return Answer(self.kept[identifier] if identifier in self.kept else self._listed(self.list_of.get(path, self._items)))
        if identifier in self.kept:
            if request.method == "DELETE":
                del self.kept[identifier]
                return Answer(status=204)
            self.kept[identifier] |= _body(request)
            return Answer(self.kept[identifier])
        if request.method == "DELETE" or identifier.startswith("reg-"):
            return Answer({"message": "there is no such registration"}, 404)
        self._made += 1
        name = f"reg-{self._made}"
        made = _with(_with(_body(request), "/id", name), self._identifier, name)
        if self._address is not None and URL in json.dumps(made):
            made = _with(made, self._address, URL)
        self.kept[name] = made
        return Answer(_with(_with(made, self._told[0], name), self._told[1], SECRET), 201)

    def _listed(self, items: str) -> Any:
        found: Any = list(self.kept.values())
        for name in reversed(items.split("/")[1:]):
            found = {name: found}
        return found


def _with(body: Mapping[str, Any], place: str, value: Any) -> dict[str, Any]:
    """Return a body with a value at a JSON Pointer."""
    name, _, rest = place[1:].partition("/")
    inner = body.get(name)
    return {**body, name: _with(inner if isinstance(inner, Mapping) else {}, f"/{rest}", value) if rest else value}


def _body(request: Request) -> dict[str, Any]:
    if "json" in {name.lower(): value for name, value in request.headers.items()}.get("content-type", ""):
        found = request.json()
        (inner, *others) = found.values() if isinstance(found, dict) and found else (None,)
        return inner if isinstance(inner, dict) and not others else found if isinstance(found, dict) else {}
    return dict(parse_qsl(request.body.decode("utf-8", "replace")))


def _registry(about: Mapping[str, Any]) -> RegistrationProvider:
    """Return the provider of a webhook that is registered by data."""
    listed = about["list"]
    told = (about.get("id", listed["id"]), about.get("secret", "/secret"))
    return RegistrationProvider(listed.get("items", ""), listed["id"], told, listed["url"])


class _Registering:
    """Enables and disables one webhook at one registry, for the first of its examples."""

    def __init__(self, subject: Subject, trigger: Webhook) -> None:
        example: Mapping[str, Any] = next(iter(trigger.examples), {})
        bound = trigger.key in subject.manifest.triggers and subject.manifest.triggers[trigger.key].row.get("http", {})
        self.registry = _registry(bound["register"]) if bound else RegistrationProvider(example.get("registrations", ""))
        self._subject = subject
        self._trigger = trigger
        self._hook = hook_for(trigger, example)

    def enable(self, remote: Mapping[str, Any], breaks: int = 0) -> Mapping[str, Any] | Raised:
        """Run ``enable`` with its earlier return value."""
        return self._run(self._trigger.enabled, remote, breaks)

    def disable(self, remote: Mapping[str, Any], breaks: int = 0) -> Mapping[str, Any] | Raised:
        """Run ``disable``."""
        return self._run(self._trigger.disabled, remote, breaks)

    def _run(self, function: Callable[[Hook, Any], Any] | None, remote: Mapping[str, Any], breaks: int) -> Mapping[str, Any] | Raised:
        if function is None:
            return {}
        hook = Hook(self._hook.url, self._hook.secret, self._hook.inputs, remote)
        self.registry.breaks = breaks
        with Provider(self.registry) as provider:
            found = attempt_foreign(over_client, self._subject, provider.url, lambda client: function(hook, client))
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
            yield f"'{trigger.key}' cannot be enabled: {type(first.error).__name__}: {first.error}"[:200] + _LISTED
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
                yield f"'{trigger.key}', enabled again after a crash at request {breaks}, is registered {len(at.registry.urls())} times"
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
                yield f"'{trigger.key}' fails when it {what}: {type(found.error).__name__}: {found.error}"[:200]
            elif at.registry.urls():
                yield f"'{trigger.key}' stays registered when it {what}"
        again = at.enable(known)
        if isinstance(again, Raised) or len(at.registry.urls()) != 1:
            yield f"'{trigger.key}' is not registered when it is enabled after it was disabled"


def _none(subject: Subject) -> str | None:
    return None if any(True for _ in _each(subject)) else "it has no webhook that registers its URL"


REGISTRATIONS = (
    Rule("webhooks-register-once", "Enabling a webhook again, also after a crash at any request, leaves one registration.", _register_once,
         "silver", "Look for the hook's URL at the provider first; mend it, or create it. Name where your provider lists registrations, "
         "if its answer is no array, in the trigger's first example: 'registrations': '/hooks'.", drives=True, reason=_none),
    Rule("webhooks-unregister", "Disabling a webhook removes its registration; if there is none, that is done.", _unregister,
         "silver", "Declare disable, and treat a 404 as done.", drives=True, reason=_none),
)  # fmt: skip
