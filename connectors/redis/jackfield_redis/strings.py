"""Actions for single values."""

from __future__ import annotations

from jackfield.connector import Field, Inputs, Output
from jackfield.connector.binary import Encoding, decoded, encoded, encoding_field, encoding_output
from jackfield_redis import answers
from jackfield_redis.client import RedisClient
from jackfield_redis.connector import UNRECORDED, connector
from jackfield_redis.session import Argument
from jackfield_redis.values import TEXT, expiry_field, key_field

_INT64 = 2**63


class Key(Inputs):
    """Key to read."""

    key: str = key_field()


class NewValue(Inputs):
    """Value to store."""

    key: str = key_field()
    value: str = Field(title="Value", description="The value.", multiline=True, schema=TEXT)
    encoding: Encoding = encoding_field()
    expire_seconds: int | None = expiry_field(
        None, "Seconds until the key is deleted; empty to keep it.", blank="absent"
    )

    @property
    def command(self) -> list[Argument]:
        """Command that stores the value."""
        expiry: list[Argument] = [] if self.expire_seconds is None else ["EX", self.expire_seconds]
        return ["SET", self.key, encoded(self.value, self.encoding, "/value"), *expiry]


class Value(Output):
    """Value of a key."""

    found: bool = Field(title="Found", description="True if the key exists.")
    value: str | None = Field(None, title="Value", description="Its value.")
    encoding: Encoding = encoding_output()


class Stored(Output):
    """Outcome of storing a value."""

    stored: bool = Field(
        title="Stored", description="True if the value was stored, false if the key existed."
    )


class Increment(Inputs):
    """Number to change."""

    key: str = key_field()
    by: int = Field(
        1,
        title="By",
        blank="absent",
        description="What to add; negative to subtract.",
        schema={"minimum": -_INT64, "maximum": _INT64 - 1},
    )


class Number(Output):
    """Number after the change."""

    value: int = Field(title="Value", description="The new value.")


@connector.action(
    "getValue",
    effect="read",
    examples=[
        ("Read a cart", {"key": "cart:7"}, {"found": True, "value": "lamp", "encoding": "text"})
    ],
)
def get_value(asked: Key, client: RedisClient) -> Value:
    """Read the value of a key (GET)."""
    answer = client.read(answers.value, "GET", asked.key)
    (value,), encoding = decoded([answer])
    return Value(found=answer is not None, value=value, encoding=encoding)


@connector.action(
    "setValue",
    effect="idempotent",
    examples=[
        (
            "Keep a session",
            {"key": "session:7", "value": "ada", "expireSeconds": 3600},
            {"stored": True},
        )
    ],
)
def set_value(new: NewValue, client: RedisClient) -> Stored:
    """Store a value, whether the key exists or not (SET)."""
    client.change(answers.anything, *new.command)
    return Stored(stored=True)


@connector.action(
    "setValueIfAbsent",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[
        (
            "Take a lock",
            {"key": "lock:import", "value": "worker-1", "expireSeconds": 60},
            {"stored": True},
        )
    ],
    keywords=("lock", "set if not exists"),
)
def set_value_if_absent(new: NewValue, client: RedisClient) -> Stored:
    """Store a value unless the key exists (SET with NX), such as a lock."""
    return Stored(stored=client.change(answers.value, *new.command, "NX") is not None)


@connector.action(
    "incrementValue",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[("Count a visit", {"key": "visits"}, {"value": 42})],
    keywords=("counter", "decrement"),
)
def increment_value(asked: Increment, client: RedisClient) -> Number:
    """Add to a whole number (INCRBY). A key that does not exist counts as 0."""
    return Number(value=client.change(answers.number, "INCRBY", asked.key, asked.by))
