"""Actions for hashes: values with named fields."""

from __future__ import annotations

from functools import partial
from typing import Any

from jackfield.connector import Field, Inputs, Output
from jackfield.connector.binary import Encoding, encoding_field, encoding_output
from jackfield_redis import answers
from jackfield_redis.client import RedisClient
from jackfield_redis.connector import connector
from jackfield_redis.values import FIELDS, fields_of, key_field, pairs_of

_NAMES: dict[str, Any] = {
    "uniqueItems": True,
    "maxItems": 1000,
    "items": {"type": "string", "maxLength": 65_536},
}


class Hash(Inputs):
    """Hash to read."""

    key: str = key_field()
    names: tuple[str, ...] = Field(
        (), title="Names", description="The fields to read; none for all of them.", schema=_NAMES
    )


class HashFields(Output):
    """Fields of a hash."""

    fields: dict[str, str] = Field(
        title="Fields", description="Values by field. Fields that do not exist are left out."
    )
    encoding: Encoding = encoding_output()


class NewFields(Inputs):
    """Fields to store."""

    key: str = key_field()
    fields: dict[str, str] = Field(
        title="Fields", description="Values by field.", examples=[{"state": "paid"}], schema=FIELDS
    )
    encoding: Encoding = encoding_field()


class StoredFields(Output):
    """Outcome of storing fields."""

    stored: bool = Field(title="Stored", description="True: the fields have these values.")


@connector.action(
    "getHash",
    effect="read",
    examples=[("An order", {"key": "order:7"}, {"fields": {"state": "paid"}, "encoding": "text"})],
)
def get_hash(asked: Hash, client: RedisClient) -> HashFields:
    """Read the fields of a hash (HGETALL, HMGET)."""
    if asked.names:
        values = client.read(
            partial(answers.found, count=len(asked.names)), "HMGET", asked.key, *asked.names
        )
        pairs = [
            part
            for name, value in zip(asked.names, values, strict=True)
            if value is not None
            for part in (name.encode(), value)
        ]
    else:
        pairs = client.read(answers.pairs, "HGETALL", asked.key)
    fields, encoding = fields_of(pairs)
    return HashFields(fields=fields, encoding=encoding)


@connector.action(
    "setHashFields",
    effect="idempotent",
    examples=[
        ("Mark an order as paid", {"key": "order:7", "fields": {"state": "paid"}}, {"stored": True})
    ],
)
def set_hash_fields(new: NewFields, client: RedisClient) -> StoredFields:
    """Store fields of a hash (HSET). Its other fields stay."""
    client.change(answers.anything, "HSET", new.key, *pairs_of(new.fields, new.encoding))
    return StoredFields(stored=True)
