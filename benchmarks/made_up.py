"""Made-up OpenAPI documents of all sizes, for machines without a collection of public ones: the
same ones every time.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

_SECTORS = [
    "Billing",
    "Fleet",
    "Clinic",
    "Harbour",
    "Ledger",
    "Campus",
    "Parcel",
    "Energy",
    "Museum",
    "Ticketing",
]
_NAMES = ["Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gorse", "Hazel", "Ivy", "Juniper"]
_THINGS = [
    "invoice",
    "order",
    "customer",
    "parcel",
    "shipment",
    "ticket",
    "message",
    "contact",
    "deal",
    "event",
    "task",
    "refund",
    "label",
    "report",
    "member",
    "payment",
    "vehicle",
    "patient",
    "course",
    "lecture",
    "meter",
    "tariff",
    "painting",
    "exhibition",
    "seat",
    "venue",
    "driver",
    "route",
    "berth",
    "crane",
    "container",
    "subscription",
    "coupon",
    "device",
    "sensor",
    "alert",
    "dashboard",
    "policy",
    "claim",
    "quote",
    "branch",
    "teller",
    "loan",
    "deposit",
    "student",
    "teacher",
    "grade",
    "exam",
    "ward",
    "nurse",
    "recipe",
    "menu",
    "booking",
    "room",
    "guest",
    "flight",
    "gate",
    "baggage",
]
_QUALITIES = [
    "",
    "archived ",
    "draft ",
    "shared ",
    "pending ",
    "recurring ",
    "external ",
    "default ",
]
_SENTENCE = "It has the state that the last change left, as all regions of the service see it."
_KINDS: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "integer"},
    {"type": "boolean"},
    {"type": "string", "format": "date-time"},
    {"type": "number"},
]
_SECURITY: list[dict[str, Any]] = [
    {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    {"type": "http", "scheme": "bearer"},
    {"type": "http", "scheme": "basic"},
    {
        "type": "oauth2",
        "flows": {
            "clientCredentials": {
                "tokenUrl": "https://id.example.com/token",
                "scopes": {"all": "Everything"},
            }
        },
    },
]
_MOST = 2_000


def documents(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents. Half of them have fewer than 15 operations, one in ten more than
    100, a few more than 1,000.
    """
    for number in range(count):
        chance = random.Random(number)
        wanted = min(_MOST, int(14 * 2 ** chance.gauss(0, 2.2)) + 1)
        yield f"made-up-{number}", json.dumps(_document(number, wanted, chance)).encode()


def _document(number: int, wanted: int, chance: random.Random) -> dict[str, Any]:
    title = f"{_NAMES[number % 10]} {_SECTORS[number // 10 % 10]} {number}"
    nouns = [f"{quality}{thing}" for quality in _QUALITIES for thing in _THINGS]
    chance.shuffle(nouns)
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    left = wanted
    for turn in range(wanted):
        noun = nouns[turn % len(nouns)] + (f" {turn // len(nouns)}" if turn >= len(nouns) else "")
        name = "".join(word.capitalize() for word in noun.split())
        schemas[name] = _schema(noun, chance, list(schemas))
        for path, methods in _paths(noun, name).items():
            paths[path] = dict(list(methods.items())[: max(0, left)])
            left -= len(paths[path])
        if left <= 0:
            break
    return {
        "openapi": "3.0.3",
        "info": {
            "title": title,
            "version": "1.0.0",
            "description": f"Work with the {nouns[0]}s of {title}. {_SENTENCE}",
        },
        "servers": [{"url": f"https://api{number}.example.com/v1"}],
        "security": [{"main": []}],
        "paths": {path: row for path, row in paths.items() if row},
        "components": {"schemas": schemas, "securitySchemes": {"main": chance.choice(_SECURITY)}},
    }


def _schema(noun: str, chance: random.Random, known: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": {"type": "string", "readOnly": True, "description": f"Identifier of the {noun}."}
    }
    for _ in range(chance.randint(3, 18)):
        word = chance.choice(_THINGS)
        fields[f"{word}{chance.choice(['Id', 'Name', 'Count', 'State', 'At'])}"] = {
            **chance.choice(_KINDS),
            "description": f"The {word} that the {noun} belongs to. {_SENTENCE}",
        }
    if known:
        fields["related"] = {
            "type": "array",
            "items": {"$ref": f"#/components/schemas/{chance.choice(known)}"},
        }
    return {"type": "object", "description": f"A {noun}.", "properties": fields}


def _paths(noun: str, name: str) -> dict[str, dict[str, Any]]:
    shape = {"$ref": f"#/components/schemas/{name}"}
    body = {"required": True, "content": {"application/json": {"schema": shape}}}
    one = {"200": {"description": "Done.", "content": {"application/json": {"schema": shape}}}}
    rows = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": shape},
            "next_page_token": {"type": "string"},
        },
    }
    several = {"200": {"description": "Done.", "content": {"application/json": {"schema": rows}}}}
    place = "/" + noun.replace(" ", "-") + "s"
    about = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": f"Identifier of the {noun}.",
    }
    listing = [
        {
            "name": "page_token",
            "in": "query",
            "schema": {"type": "string"},
            "description": "The next page's token.",
        },
        {
            "name": "page_size",
            "in": "query",
            "schema": {"type": "integer", "maximum": 100},
            "description": "Number of rows of a page.",
        },
    ]

    def row(verb: str, more: str = "", **rest: Any) -> dict[str, Any]:
        return {
            "operationId": f"{verb}{name}{more}",
            "summary": f"{verb.capitalize()} a {noun}{more and 's'}",
            "description": f"{verb.capitalize()}s a {noun}. {_SENTENCE}",
            "tags": [noun.rsplit(maxsplit=1)[-1]],
            **rest,
        }

    return {
        place: {
            "get": row("list", "s", parameters=listing, responses=several),
            "post": row("create", requestBody=body, responses=one),
        },
        f"{place}/{{id}}": {
            "get": row("get", parameters=[about], responses=one),
            "patch": row("update", parameters=[about], requestBody=body, responses=one),
            "delete": row(
                "delete", parameters=[about], responses={"204": {"description": "Gone."}}
            ),
        },
    }
