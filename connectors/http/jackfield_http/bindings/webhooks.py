"""Webhooks of bound connectors: their signatures, the place of an event in a request, and the
requests that register the URL at the provider.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

from jackfield.connector import (
    DeclarationError,
    Forged,
    Hook,
    HookRequest,
    Malformed,
    Received,
    Sent,
    TriggerEvent,
    Unavailable,
    Unfinished,
    Webhook,
    scheme_of,
)
from jackfield.connector.models import Inputs
from jackfield.connector.signatures import Scheme, Signature, form_text, moment
from jackfield_http.bindings.connection import BoundClient
from jackfield_http.bindings.requests import Files
from jackfield_http.bindings.responses import BoundOutput
from jackfield_http.bindings.steps import sent
from jackfield_http.challenges import Challenge, challenge_of
from jackfield_http.graphql import is_refused
from jackfield_http.pointers import find

OTHER = "other"
"""Type of events whose own type the trigger does not list. They are events only if ``other`` is one
of the trigger's types.
"""

Json = Mapping[str, Any]


def webhook_of(row: Json, inputs: type[Inputs]) -> Webhook:
    """Return the webhook for a row of a manifest's ``triggers``.

    :raises DeclarationError: if the row has no supported signature: anyone could forge its events.
    """
    about, http = row.get("webhook", {}), row.get("http", {})
    if "signature" not in about:
        raise DeclarationError(
            f"the webhook '{row['key']}' has no 'signature': without one, anybody can forge its "
            "events"
        )
    scheme, event = scheme_of(about["signature"]), http.get("event", {})
    _check_reading(row["key"], event, scheme)
    found = Webhook(
        scheme,
        about.get("maxBodyBytes", 1024 * 1024),
        key=row["key"],
        title=row["title"],
        inputs=inputs,
        event=BoundOutput,
        types=row.get("types", ()),
        permissions=row.get("permissions"),
        examples=row.get("examples", ()),
        setup=row.get("setup", ""),
    )
    handshake = challenge_of(http["challenge"]) if "challenge" in http else None
    found.receive(_Reading(row.get("types") or (row["key"],), event, handshake))
    if handshake is not None:
        found.handshake(handshake.before)
        found.learns = bool(handshake.secret)
    found.description = row["description"]
    if "register" in http:
        registration = _Registration(row["key"], http["register"], learns=found.learns)
        found.enable(registration.enable)
        found.disable(registration.disable)
    return found


_TOLD = ("marker", "reference", "account")
"""Members that let an event be evidence of a call."""


def _check_reading(key: str, about: Json, scheme: Scheme) -> None:
    """Check that the signature covers the parts of a request from which the event is made.

    :raises DeclarationError: if the signature does not cover them.
    """
    signed = scheme.signed if isinstance(scheme, Signature) else ""
    if isinstance(about.get("marker"), Mapping) and "{url}" not in signed:
        raise DeclarationError(
            f"the webhook '{key}' takes a marker from the query, which its signature does not cover"
        )
    if (about.get("read") == "form") != ("{form}" in signed):
        raise DeclarationError(
            f"the webhook '{key}' reads a form if, and only if, its signature covers one"
        )


class _Reading:
    """Reader of the event in a verified request."""

    def __init__(self, types: Any, about: Json, challenge: Challenge | None) -> None:
        self._types = frozenset(types)
        self._first = next(iter(types))
        self._about = about
        self._challenge = challenge

    def __call__(self, request: HookRequest, hook: Hook) -> Received:
        """Return the event; no event for a handshake, or for an event that the trigger does not
        watch.
        """
        body = _form(request) if self._about.get("read") == "form" else request.json()
        answered = None if self._challenge is None else self._challenge.after(request, body, hook)
        if answered is not None:
            return answered
        items = find(body, self._about["items"]) if "items" in self._about else [body]
        if not isinstance(items, list):
            raise Malformed
        found = [(item, self._key(request, item)) for item in items if isinstance(item, Mapping)]
        if items and all(key is None for _, key in found):
            # of several, those that are none keep no other away: the provider would send all of
            # them again, in vain
            raise Malformed
        kinds = [(item, key, self._kind(request, item)) for item, key in found]
        return Received(
            [self._event(request, item, key, kind) for item, key, kind in kinds if kind is not None]
        )

    def _event(
        self, request: HookRequest, body: Json, given: str | None, kind: str
    ) -> TriggerEvent:
        key = _digest(request, body, is_part=True, is_form=False) if given is None else given
        at = find(body, self._about["at"]) if "at" in self._about else None
        when = moment(str(at)) if isinstance(at, str | int) else at
        return TriggerEvent(dict(body), key, kind, when, **self._evidence(request, body))

    def _evidence(self, request: HookRequest, body: Json) -> dict[str, Any]:
        """Return the members that make the event evidence, as far as the request has them. Return
        an empty object for an event without the reference, since the provider reports other objects
        at the same address, too.
        """
        found: dict[str, Any] = {}
        for name in _TOLD:
            places = self._about.get(name, ())
            if isinstance(places, Mapping):
                given = parse_qs(request.query_string).get(places["query"], ())
                found |= {name: given[0]} if len(given) == 1 else {}
                continue
            for place in (places,) if isinstance(places, str) else places:
                if isinstance(value := find(body, place), str | int):
                    found[name] = str(value)
                    break
        if "reference" in self._about and not found.get("reference"):
            found.pop("marker", None)
        return found

    def _key(self, request: HookRequest, body: Json) -> str | None:
        """Return the key that identifies a repeated event: a signed ID, otherwise a digest of the
        signed content. Header fields are unsigned and do not count. None if the event lacks its
        declared ID.
        """
        places = self._about.get("key")
        if places is None:
            return _digest(
                request,
                body,
                is_part="items" in self._about,
                is_form=self._about.get("read") == "form",
            )
        found = [find(body, place) for place in ((places,) if isinstance(places, str) else places)]
        if not all(isinstance(one, str | int) and one != "" for one in found):
            return None
        return str(found[0]) if isinstance(places, str) else json.dumps(found)

    def _kind(self, request: HookRequest, body: Json) -> str | None:
        """Return the type of the event; None if the trigger does not watch it.

        :raises Forged: if a header field names a type that differs from the signed body's.
        """
        about = self._about.get("type")
        if about is None:
            return str(self._first)
        if "header" not in about:
            said = next(
                (
                    found
                    for place in about["members"]
                    if isinstance(found := find(body, place), str)
                ),
                "",
            )
            plain = "".join(
                letter if letter.isascii() and letter.isalnum() else "_" for letter in said
            )
            names = (
                plain[:1].lower() + plain[1:],
                plain.lower() if plain.isupper() else OTHER,
                OTHER,
            )
            return next((name for name in names if name in self._types), None)
        kind = request.headers.get(about["header"], "")
        if kind not in self._types:
            return None
        proof = about["proven"][kind]
        if any(find(body, place) is None for place in proof["by"]) or any(
            find(body, place) is not None for place in proof.get("without", ())
        ):
            raise Forged("the header field names a type that the signed body does not have")
        return kind


def _form(request: HookRequest) -> dict[str, Any]:
    """Return the members of a form. A repeated member becomes a list."""
    found: dict[str, Any] = {}
    for name, value in request.form():
        known = found.get(name)
        found[name] = (
            value
            if known is None
            else [*known, value]
            if isinstance(known, list)
            else [known, value]
        )
    return found


def _digest(request: HookRequest, event: Json, *, is_part: bool, is_form: bool) -> str:
    """Return a digest that identifies an event. For a form, the signed text is joined without
    separators: moving bytes between a name and its value must not give another digest.
    """
    if is_form:
        return sha256(f"{request.query_string}{form_text(request)}".encode()).hexdigest()
    return sha256(
        json.dumps(event, sort_keys=True).encode() if is_part else request.body
    ).hexdigest()


def _identified(item: Any, place: str) -> Any:
    """Return the ID of a registration. For an address, the ID is its last part, which requests have
    in their paths.
    """
    found = find(item, place)
    return (
        found.rpartition("/")[2]
        if isinstance(found, str) and found.startswith("https://")
        else found
    )


class _Registration:
    """Registration of a webhook's URL by requests of the manifest. Each request may be repeated: an
    existing registration is found by its URL.
    """

    def __init__(self, key: str, about: Json, *, learns: bool = False) -> None:
        self._key = key
        self._about = about
        self._learns = learns

    def enable(self, hook: Hook, clients: BoundClient) -> dict[str, Any] | Unfinished:
        """Find the registration and correct it, or create one if no registration with a known
        secret exists. Return its ID and its secret.
        """
        values, known = self._values(hook), hook.remote.get("hookId")
        found = self._registration_ids(values, clients)
        usable = [one for one in found if self._is_usable(one, known, hook)]
        for stale in found:
            if stale not in usable[:1]:
                self._send("remove", {**values, "hookId": stale}, clients)
        if usable:
            self._send("update", {**values, "hookId": usable[0]}, clients)
            return {**hook.remote, "hookId": usable[0]}
        if self._learns and "secret" in hook.remote:
            # a registration that is made anew has another secret, which is learnt while it is made
            return Unfinished({})
        answer = self._send("create", values, clients).json()
        made = {"hookId": _identified(answer, self._about.get("id", self._about["list"]["id"]))}
        if "tell" in self._about and made["hookId"] is not None:
            answer = self._send("tell", {**values, **made}, clients).json()
        made |= {"secret": find(answer, self._about["secret"])} if self._keeps_secret else {}
        if None in made.values():
            raise Unavailable(
                f"the answer to '{self._key}, create' names no registration",
                sent=Sent.UNKNOWN,
                repeatable=False,
            )
        return made

    def disable(self, hook: Hook, clients: BoundClient) -> None:
        """Remove all registrations of the URL. Missing registrations count as removed. A
        registration that the list lacks is removed if ``absent`` says how its provider refuses a
        missing one.
        """
        values = self._values(hook)
        known = [hook.remote.get("hookId")] if "absent" in self._about["remove"] else []
        for one in dict.fromkeys([*self._registration_ids(values, clients), *known]):
            if one is not None:
                self._send("remove", {**values, "hookId": one}, clients)

    def _is_usable(self, one: Any, known: Any, hook: Hook) -> bool:
        """Return whether a registration can be corrected and its requests verified. While the
        secret is learned, the ID is unknown.
        """
        if "update" not in self._about:
            return False
        if self._learns:
            return "secret" in hook.remote and known in (None, one)
        return not self._keeps_secret or (one == known and "secret" in hook.remote)

    @property
    def _keeps_secret(self) -> bool:
        """True if the provider makes the secret and returns it only once."""
        return "secret" in self._about

    def _values(self, hook: Hook) -> dict[str, Any]:
        given = hook.inputs.model_dump(by_alias=True, exclude_none=True)
        name = f"jackfield-{sha256(hook.url.encode()).hexdigest()[:16]}"
        return {
            **self._about.get("fixed", {}),
            **given,
            "hookUrl": hook.url,
            "hookSecret": hook.secret,
            "hookName": name,
        }

    def _registration_ids(self, values: Json, clients: BoundClient) -> list[Any]:
        """Return the IDs of the registrations of the URL."""
        about = self._about["list"]
        answer = self._send("list", values, clients)
        items = (
            find(answer.json(), about.get("items", ""))
            if answer.status not in about.get("absent", ())
            else None
        )
        return [
            _identified(item, about["id"])
            for item in items or ()
            if find(item, about["url"]) == values["hookUrl"]
        ]

    def _send(self, name: str, values: Json, clients: BoundClient) -> Any:
        row = self._about[name]
        # GraphQL refuses with status 200
        failed = is_refused if "/query" in row.get("body", {}).get("members", {}).values() else None
        return sent(
            row,
            f"{self._key}, {name}",
            values,
            Files(),
            clients.of(0),
            safe=name in ("list", "tell"),
            failed=failed,
        )
