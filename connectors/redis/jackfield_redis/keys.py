"""Actions for keys of any type."""

from __future__ import annotations

from typing import Any

from jackfield.connector import (
    Detail,
    Field,
    Inputs,
    InvalidInput,
    Output,
    Pagination,
    current_call,
)
from jackfield_redis import answers
from jackfield_redis.client import RedisClient
from jackfield_redis.connector import UNRECORDED, connector
from jackfield_redis.values import expiry_field, key_field

_KEYS: dict[str, Any] = {
    "minItems": 1,
    "maxItems": 1000,
    "items": {"type": "string", "minLength": 1, "maxLength": 65_536},
}
_TOKEN: dict[str, Any] = {"pattern": "^[0-9]{1,20}$"}


class KeyQuery(Inputs):
    """Keys to list."""

    pattern: str = Field(
        "*",
        title="Pattern",
        blank="absent",
        description="Pattern of the keys: * for any text, ? for a character, [ab] for one of some.",
        examples=["cart:*"],
        schema={"maxLength": 1000},
    )
    scan: int = Field(
        1000,
        title="Scan",
        blank="absent",
        description=(
            "Keys that the server looks at for one page: pages of a rare pattern may be empty."
        ),
        schema={"minimum": 1, "maximum": 10_000},
    )
    next_token: str | None = Field(
        None,
        title="Next Token",
        description="Token of the page to fetch.",
        blank="absent",
        schema=_TOKEN,
    )
    fetch_all: bool = Field(
        False, title="Fetch All", description="True to fetch every page.", blank="absent"
    )


class Keys(Output):
    """Page of keys."""

    keys: tuple[str, ...] = Field(
        title="Keys",
        description="The keys, in no order. One may come twice while the server changes its table.",
    )
    next_token: str | None = Field(
        None, title="Next Token", description="Token of the next page, if there is one."
    )


class KeyNames(Inputs):
    """Keys to delete."""

    keys: tuple[str, ...] = Field(
        title="Keys", description="The keys' names.", examples=[["cart:7"]], schema=_KEYS
    )


class Deleted(Output):
    """Keys that were deleted."""

    deleted: int = Field(title="Deleted", description="How many of them existed.")


class Expiry(Inputs):
    """Key to delete later."""

    key: str = key_field()
    expire_seconds: int = expiry_field(..., "Seconds from now until the key is deleted.")


class Found(Output):
    """Existence of a key."""

    found: bool = Field(title="Found", description="True if the key exists.")


@connector.action(
    "listKeys",
    effect="read",
    pagination=Pagination("nextToken", "nextToken", "keys", all_input="fetchAll"),
    examples=[("All carts", {"pattern": "cart:*", "fetchAll": True}, {"keys": ["cart:7"]})],
)
def list_keys(query: KeyQuery, client: RedisClient) -> Keys:
    """List keys by a pattern (SCAN). Keys that come or go meanwhile may be missed; keys that are
    not UTF-8 are left out.
    """
    cursor = query.next_token or "0"
    if int(cursor) >= 2**64:
        raise InvalidInput(
            "the page token cannot be read",
            details=[Detail("/nextToken", "is no token of this list")],
            hint="Begin anew.",
        )
    following, found = client.read(
        answers.page, "SCAN", cursor, "MATCH", query.pattern, "COUNT", query.scan
    )
    keys = [key for raw in found if (key := _text(raw)) is not None]
    if len(keys) < len(found) and (call := current_call()) is not None:
        call.warn("keys that are no UTF-8 are left out: no action can name them", "/keys")
    return Keys(keys=tuple(keys), next_token=following if following != "0" else None)


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


@connector.action(
    "deleteKeys",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[("Delete a cart", {"keys": ["cart:7"]}, {"deleted": 1})],
)
def delete_keys(asked: KeyNames, client: RedisClient) -> Deleted:
    """Delete keys with their values (DEL), all at once."""
    return Deleted(deleted=client.change(answers.number, "DEL", *asked.keys))


@connector.action(
    "expireKey",
    effect="idempotent",
    examples=[
        ("Delete a cart in a day", {"key": "cart:7", "expireSeconds": 86_400}, {"found": True})
    ],
)
def expire_key(asked: Expiry, client: RedisClient) -> Found:
    """Delete a key after some time (EXPIRE)."""
    return Found(
        found=bool(client.change(answers.number, "EXPIRE", asked.key, asked.expire_seconds))
    )
