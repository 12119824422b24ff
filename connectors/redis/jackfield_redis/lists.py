"""Actions for lists, which serve as queues."""

from __future__ import annotations

from typing import Any, Literal

from jackfield.connector import Field, Inputs, Output
from jackfield.connector.binary import Encoding, decoded, encoded, encoding_field, encoding_output
from jackfield_redis import answers
from jackfield_redis.client import RedisClient
from jackfield_redis.connector import UNRECORDED, connector
from jackfield_redis.values import LONGEST, key_field, texts

_MOST_ITEMS = 1000
_ITEMS: dict[str, Any] = {
    "minItems": 1,
    "maxItems": _MOST_ITEMS,
    "items": {"type": "string", "maxLength": LONGEST},
}
_INDEX = {"minimum": -(2**31), "maximum": 2**31 - 1}
_COUNT = {"minimum": 1, "maximum": _MOST_ITEMS}
End = Literal["first", "last"]


class Part(Inputs):
    """Part of a list."""

    key: str = key_field()
    start: int = Field(
        0,
        title="Start",
        blank="absent",
        description="Index of the first item, from 0; negative from the end.",
        schema=_INDEX,
    )
    count: int = Field(
        100,
        title="Count",
        blank="absent",
        description="How many items to read at most.",
        schema=_COUNT,
    )


class Items(Output):
    """Items of a list."""

    items: tuple[str, ...] = Field(title="Items", description="The items, in their order.")
    encoding: Encoding = encoding_output()


class Push(Inputs):
    """Items to add."""

    key: str = key_field()
    items: tuple[str, ...] = Field(
        title="Items",
        description="The items, in their order in the list.",
        examples=[["a"]],
        schema=_ITEMS,
    )
    end: End = Field(
        "last",
        title="End",
        blank="absent",
        description="Whether they become the first or the last ones.",
    )
    encoding: Encoding = encoding_field()


class Length(Output):
    """Length of a list."""

    length: int = Field(title="Length", description="Items that the list has now.")


class Pop(Inputs):
    """Items to take."""

    key: str = key_field()
    count: int = Field(
        1, title="Count", blank="absent", description="How many to take at most.", schema=_COUNT
    )
    end: End = Field(
        "first",
        title="End",
        blank="absent",
        description="Whether to take the first or the last ones.",
    )


@connector.action(
    "listItems",
    effect="read",
    examples=[
        ("The first jobs", {"key": "jobs", "count": 2}, {"items": ["a", "b"], "encoding": "text"})
    ],
)
def list_items(part: Part, client: RedisClient) -> Items:
    """Read items of a list (LRANGE). They stay in it."""
    last = part.start + part.count - 1
    items, encoding = decoded(
        client.read(
            answers.found, "LRANGE", part.key, part.start, -1 if part.start < 0 <= last else last
        )
    )
    return Items(items=texts(items), encoding=encoding)


@connector.action(
    "pushItems",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[("Queue a job", {"key": "jobs", "items": ["a"]}, {"length": 1})],
    keywords=("enqueue", "append to a list"),
)
def push_items(new: Push, client: RedisClient) -> Length:
    """Add items to a list (RPUSH, LPUSH), all at once. A key that does not exist becomes a list."""
    items = [encoded(item, new.encoding, f"/items/{place}") for place, item in enumerate(new.items)]
    if new.end == "first":
        return Length(length=client.change(answers.number, "LPUSH", new.key, *reversed(items)))
    return Length(length=client.change(answers.number, "RPUSH", new.key, *items))


@connector.action(
    "popItems",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[("Take a job", {"key": "jobs"}, {"items": ["a"], "encoding": "text"})],
    keywords=("dequeue", "take from a list"),
)
def pop_items(asked: Pop, client: RedisClient) -> Items:
    """Take items from a list (LPOP, RPOP). They are then in no list: if the answer is lost, so are
    they.
    """
    command = "LPOP" if asked.end == "first" else "RPOP"
    items, encoding = decoded(client.change(answers.found, command, asked.key, asked.count))
    return Items(items=texts(items), encoding=encoding)
