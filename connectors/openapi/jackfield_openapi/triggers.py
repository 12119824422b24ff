"""Triggers that an overlay declares: webhooks whose events the document describes, and polled
lists.

A document describes a provider's requests, neither their authenticity nor the identity of a
repeated event. So nothing becomes a trigger by itself: the overlay names a signature for a webhook,
and for a poll the members that identify new items.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jackfield.connector import DeclarationError, Inputs, pointer
from jackfield.connector.schemas import schema_fault
from jackfield.kernel.definitions import references
from jackfield.kernel.pointers import names
from jackfield.manifest.triggers import CHANGES
from jackfield_http.bindings.polls import POLL
from jackfield_http.bindings.webhooks import webhook_of
from jackfield_http.words import POINTER, closed, some
from jackfield_openapi.contents import is_json
from jackfield_openapi.judging import Judge, refused
from jackfield_openapi.pointing import Pointing
from jackfield_openapi.proof import closure
from jackfield_openapi.schemas import Schemas

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_TEXTS: Json = {"type": "array", "items": _TEXT}
_OBJECT: Json = {"type": "object"}
_SECONDS: Json = {"type": "number", "exclusiveMinimum": 0}


TRIGGER = closed(
    {
        "title": _TEXT,
        "description": _TEXT,
        "inputs": {"type": ["object", "array"], "items": _TEXT},
        "event": _OBJECT,
        "from": some(POINTER),
        "types": _TEXTS,
        "signature": _OBJECT,
        "http": {"type": "object", "properties": {"poll": POLL}},
        "setup": _TEXT,
        "permissions": _OBJECT,
        "examples": {"type": "array", "items": _OBJECT},
        "interval": closed({"defaultSeconds": _SECONDS, "minSeconds": _SECONDS}),
    },
    ["title", "description"],
)
_JUDGE = Judge({"type": "object", "additionalProperties": TRIGGER})
_METHODS = ("post", "put")
_OTHERS = re.compile("[^A-Za-z0-9]")
_COMBINING = ("allOf", "anyOf", "oneOf")


class Triggers:
    """Triggers that ``x-jackfield`` of a document declares. Their events are converted with the
    document's other schemas.

    :raises InvalidInput: if a declaration is not valid, or its ``from`` names no request with JSON.
    """

    def __init__(self, extension: Any, pointing: Pointing, schemas: Schemas) -> None:
        self._given: Json = extension.get("triggers", {}) if isinstance(extension, dict) else {}
        self._schemas = schemas
        _JUDGE.check(self._given, "triggers")
        self._events = {
            key: [*_events(key, given.get("from", ()), pointing, schemas)]
            for key, given in self._given.items()
        }

    @property
    def read(self) -> set[str]:
        """JSON Pointers in the document from which events are read."""
        return {place for given in self._given.values() for place in given.get("from", ())}

    def rows(self, manifest: Json) -> list[Json]:
        """Return the triggers in the manifest's form, after all schemas are converted.

        :raises InvalidInput: if a webhook has no signature, or a poll is not valid.
        """
        return [self._row(key, given, manifest) for key, given in self._given.items()]

    def _row(self, key: str, given: Json, manifest: Json) -> Json:
        http, signature = given.get("http", {}), given.get("signature")
        poll = http.get("poll")
        if signature is None and (poll is None or http.keys() != {"poll"} or "from" in given):
            raise refused(
                f"the trigger '{key}' is a webhook and has no 'signature': without one, anybody "
                "can forge its events"
            )
        if poll is None and not {"event", "from"} & given.keys():
            raise refused(
                f"the trigger '{key}' needs 'event', the schema of its events, or 'from', the "
                "place of the document that has it"
            )
        polled = None if poll is None else _polled(key, given, manifest)
        own, compares, registers = (
            given.get("inputs", {}),
            poll is not None and "id" in poll,
            "register" in http,
        )
        inputs = own if isinstance(own, dict) else _inputs_of(key, own, polled)
        event = given.get("event") or self._event(key, polled, poll)
        types = (
            given.get("types")
            or [*self._types(key, event, http)]
            or ([key + change for change in CHANGES] if compares else [key])
        )
        row: Json = {
            "key": key,
            "title": given["title"],
            "description": given["description"],
            "kind": "poll" if signature is None else "webhook",
            "inputs": {"type": "object", "additionalProperties": False, "properties": {}, **inputs},
            "event": {"type": "object", **event},
            "types": types,
            "needsConnection": registers or poll is not None,
            **(
                {}
                if signature is None
                else {"webhook": {"registers": registers, "signature": signature}}
            ),
            **({"interval": given.get("interval", {})} if poll is not None else {}),
            **({"compares": True} if compares else {}),
            **{name: given[name] for name in ("setup", "permissions") if name in given},
            "examples": given.get("examples", []),
            "http": http,
        }
        if signature is not None:
            try:
                webhook_of(row, Inputs)
            except DeclarationError as error:
                raise refused(f"the trigger '{key}': {error}") from None
        return row

    def _event(self, key: str, polled: Json | None, poll: Json | None) -> Json:
        """Return the schema of an event: of the document's requests, else of a list's item. An
        unknown or too costly schema accepts any object.
        """
        found, definitions = self._events[key], self._schemas.definitions
        if not found and polled is not None and poll is not None:
            found = [*_items(polled["output"], names(poll["items"]), definitions)][:1]
        if not found:
            return {}
        schema = found[0] if len(found) == 1 else {"anyOf": found}
        uses = {name: tuple(references(one)) for name, one in definitions.items()}
        used = closure(schema, definitions, uses)
        whole = {**schema, "$defs": dict(sorted(used.items()))} if used else schema
        fault = schema_fault(whole)
        if fault is not None:
            self._schemas.report.lossy(
                "schema is too costly",
                pointer("x-jackfield", "triggers", key),
                f"any event is accepted: {fault}",
            )
            return {}
        return whole

    def _types(self, key: str, event: Json, http: Json) -> Iterator[str]:
        """Yield the event types: the constants in the requests' schemas at the member that the
        overlay declares.
        """
        about = http.get("event", {}).get("type", {})
        for place in about.get("members", ()) if self._events[key] else ():
            for value in dict.fromkeys(_constants(event, names(place), event.get("$defs", {}))):
                yield _OTHERS.sub("_", value)


def _events(key: str, places: list[str], pointing: Pointing, schemas: Schemas) -> Iterator[Json]:
    """Yield the schemas of the requests at ``places``: entries of ``webhooks``, or of ``callbacks``
    of an operation.

    :raises InvalidInput: if a place has no request with a JSON body.
    """
    for place in places:
        found = [*_bodies(place, pointing)]
        if not found:
            raise refused(
                f"the trigger '{key}': 'from' names no webhook or callback with a body of JSON: "
                f"'{place[:200]}'"
            )
        for schema, at in found:
            converted = schemas.output(schema, at)
            yield converted if isinstance(converted, dict) else {}


def _bodies(place: str, pointing: Pointing) -> Iterator[tuple[Any, str]]:
    try:
        item, at = pointing.resolved(pointing.find(place), place)
        entries = (
            {at: item}
            if any(name in item for name in _METHODS)
            else {at + pointer(name): one for name, one in item.items()}
        )
        for where, entry in entries.items():
            for method in _METHODS:
                if isinstance(entry, dict) and isinstance(entry.get(method), dict):
                    body, there = pointing.resolved(
                        entry[method].get("requestBody"), where + pointer(method, "requestBody")
                    )
                    for media, about in body.get("content", {}).items():
                        if is_json(media) and isinstance(about, dict) and "schema" in about:
                            yield about["schema"], there + pointer("content", media, "schema")
                            break
    except (LookupError, AttributeError):
        return


def _polled(key: str, given: Json, manifest: Json) -> Json:
    """Return the action that a trigger polls.

    :raises InvalidInput: if the action does not read or lacks an input, or the poll does not define
        new items.
    """
    poll, where = given["http"]["poll"], f"'poll' of the trigger '{key}'"
    reads: dict[str, Json] = {
        one["key"]: one for one in manifest["actions"] if one["effect"] == "read"
    }
    action = reads.get(poll["action"])
    if action is None:
        raise refused(f"{where} needs an 'action' that reads: '{poll['action']}' is none")
    asked = [poll[name]["input"] for name in ("since", "cursor") if name in poll]
    known, own = action["inputs"].get("properties", {}), given.get("inputs", {})
    unknown = next((name for name in [*poll.get("inputs", {}), *asked] if name not in known), None)
    if unknown is not None:
        raise refused(f"{where} names the input '{unknown}', which '{action['key']}' has not")
    passed = {
        *poll.get("inputs", {}),
        *asked,
        *(own if isinstance(own, list) else own.get("properties", {})),
    }
    missing = next(
        (name for name in action["inputs"].get("required", ()) if name not in passed), None
    )
    if missing is not None:
        raise refused(
            f"{where} leaves out the input '{missing}', which '{action['key']}' requires: add it "
            "to 'inputs'"
        )
    fault = _open_question(poll, is_webhook="signature" in given)
    if fault is not None:
        raise refused(f"{where} {fault}")
    return action


def _open_question(poll: Json, *, is_webhook: bool) -> str | None:
    """Return the fault in a poll's identification of new items; None without a fault."""
    if ("id" in poll) == ("key" in poll):
        return (
            "needs either 'key', the members that make an event the same, or 'id', to "
            "compare the list with what it was"
        )
    if "id" in poll:
        others = next((name for name in ("at", "since", "cursor") if name in poll), None)
        if is_webhook:
            return "cannot compare a list beside a webhook: their events would differ"
        return None if others is None else f"compares a list, which takes no '{others}'"
    if "cursor" not in poll and "at" not in poll:
        return "needs 'at', the time of an item, or 'cursor': nothing else tells what is new"
    return (
        "has 'since' and 'cursor': a list is read from one of them"
        if {"cursor", "since"} <= poll.keys()
        else None
    )


def _inputs_of(key: str, chosen: list[str], polled: Json | None) -> Json:
    """Return the schema of a trigger's inputs, copied from the polled action.

    :raises InvalidInput: if the action lacks one of the inputs.
    """
    known = {} if polled is None else polled["inputs"].get("properties", {})
    unknown = next((name for name in chosen if name not in known), None)
    if polled is None or unknown is not None:
        raise refused(
            f"the trigger '{key}': 'inputs' lists names of inputs of the action that it polls, "
            f"and '{unknown}' is none"
        )
    required = [name for name in polled["inputs"].get("required", ()) if name in chosen]
    return {
        "properties": {name: known[name] for name in chosen},
        **({"required": required} if required else {}),
    }


def _items(schema: Any, steps: list[str], definitions: Json) -> Iterator[Json]:
    """Yield the schemas of the items of a list at the end of a path of names."""
    for node in _branches(schema, definitions):
        if steps:
            yield from _items(node.get("properties", {}).get(steps[0]), steps[1:], definitions)
        elif isinstance(node.get("items"), dict):
            yield node["items"]


def _constants(schema: Any, steps: list[str], definitions: Json) -> Iterator[str]:
    for node in _branches(schema, definitions):
        if steps:
            yield from _constants(node.get("properties", {}).get(steps[0]), steps[1:], definitions)
        else:
            yield from (
                value
                for value in [node.get("const"), *node.get("enum", ())]
                if isinstance(value, str)
            )


def _branches(schema: Any, definitions: Json, seen: set[str] | None = None) -> Iterator[Json]:
    """Yield a schema and the schemas that it is composed of. Each reference is followed once, since
    references may be circular.
    """
    seen = set() if seen is None else seen
    if not isinstance(schema, dict):
        return
    yield schema
    reference = str(schema.get("$ref", ""))
    if reference not in seen:
        seen.add(reference)
        yield from _branches(definitions.get(reference.removeprefix("#/$defs/")), definitions, seen)
    for part in (one for name in _COMBINING for one in schema.get(name, ())):
        yield from _branches(part, definitions, seen)
