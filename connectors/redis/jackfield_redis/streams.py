"""Actions for streams and channels."""

from __future__ import annotations

from jackfield.connector import Field, Inputs, Output, Pagination
from jackfield.connector.binary import Encoding, encoded, encoding_field, encoding_output
from jackfield_redis import answers
from jackfield_redis.client import RedisClient
from jackfield_redis.connector import UNRECORDED, connector
from jackfield_redis.session import Argument
from jackfield_redis.values import FIELDS, NAME, TEXT, fields_of, key_field, pairs_of

_ID = {"pattern": "^[0-9]{1,20}(-[0-9]{1,20})?$"}
_MOST = 1000


class StreamQuery(Inputs):
    """Part of a stream."""

    key: str = key_field()
    after: str | None = Field(
        None,
        title="After",
        blank="absent",
        description="ID of the entry after which to begin; the first one by default.",
        examples=["1732723200000-0"],
        schema=_ID,
    )
    page_size: int = Field(
        200,
        title="Page Size",
        blank="absent",
        description="Entries of a page at most.",
        schema={"minimum": 1, "maximum": _MOST},
    )
    next_token: str | None = Field(
        None,
        title="Next Token",
        description="Token of the page to fetch.",
        blank="absent",
        schema=_ID,
    )
    fetch_all: bool = Field(
        False, title="Fetch All", description="True to fetch every page.", blank="absent"
    )


class Entry(Output):
    """Entry of a stream."""

    id: str = Field(
        title="ID", description="The entry's ID: milliseconds since 1970, and a number."
    )
    fields: dict[str, str] = Field(
        title="Fields",
        description="Its values by field. Of a field that comes twice, the last one counts.",
    )
    encoding: Encoding = encoding_output()


class Entries(Output):
    """Page of a stream."""

    entries: tuple[Entry, ...] = Field(title="Entries", description="The entries, oldest first.")
    next_token: str | None = Field(
        None, title="Next Token", description="Token of the next page, if there may be one."
    )


class NewEntry(Inputs):
    """Entry to add."""

    key: str = key_field()
    fields: dict[str, str] = Field(
        title="Fields", description="Values by field.", examples=[{"order": "7"}], schema=FIELDS
    )
    encoding: Encoding = encoding_field()
    max_length: int | None = Field(
        None,
        title="Max Length",
        blank="absent",
        description="Entries that the stream keeps, about: older ones are deleted.",
        schema={"minimum": 1, "maximum": 2**40},
    )


class Added(Output):
    """Entry that was added."""

    id: str = Field(title="ID", description="The entry's ID.")


class Message(Inputs):
    """Message to publish."""

    channel: str = Field(
        title="Channel", description="The channel's name.", examples=["orders"], schema=NAME
    )
    message: str = Field(
        title="Message", description="What to publish.", multiline=True, schema=TEXT
    )
    encoding: Encoding = encoding_field()


class Published(Output):
    """Receivers of a message."""

    receivers: int = Field(
        title="Receivers", description="Subscribers of this server that got it; nobody else will."
    )


@connector.action(
    "readStream",
    effect="read",
    pagination=Pagination("nextToken", "nextToken", "entries", all_input="fetchAll"),
    examples=[
        (
            "All entries",
            {"key": "events", "fetchAll": True},
            {"entries": [{"id": "1732723200000-0", "fields": {"order": "7"}, "encoding": "text"}]},
        )
    ],
)
def read_stream(query: StreamQuery, client: RedisClient) -> Entries:
    """Read entries of a stream, oldest first (XRANGE). They stay in it."""
    entries = entries_after(client, query.key, query.next_token or query.after, query.page_size)
    return Entries(
        entries=entries, next_token=entries[-1].id if len(entries) == query.page_size else None
    )


def entries_after(client: RedisClient, key: str, after: str | None, most: int) -> tuple[Entry, ...]:
    """Return up to ``most`` entries of a stream after an ID, or from the first entry if ``after``
    is None.
    """
    found: list[Entry] = []
    for entry_id, pairs in client.read(
        answers.entries, "XRANGE", key, f"({after}" if after else "-", "+", "COUNT", most
    ):
        fields, encoding = fields_of(pairs)
        found.append(Entry(id=entry_id, fields=fields, encoding=encoding))
    return tuple(found)


@connector.action(
    "addToStream",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[
        ("Tell of an order", {"key": "events", "fields": {"order": "7"}}, {"id": "1732723200000-0"})
    ],
    keywords=("append an event",),
)
def add_to_stream(new: NewEntry, client: RedisClient) -> Added:
    """Add an entry to a stream (XADD). A key that does not exist becomes a stream."""
    trim: list[Argument] = [] if new.max_length is None else ["MAXLEN", "~", new.max_length]
    return Added(
        id=client.change(
            answers.text, "XADD", new.key, *trim, "*", *pairs_of(new.fields, new.encoding)
        )
    )


@connector.action(
    "publishMessage",
    effect="write",
    no_evidence=UNRECORDED,
    examples=[("Tell of an order", {"channel": "orders", "message": "7"}, {"receivers": 1})],
)
def publish_message(new: Message, client: RedisClient) -> Published:
    """Publish a message to the current subscribers of a channel (PUBLISH)."""
    return Published(
        receivers=client.change(
            answers.number, "PUBLISH", new.channel, encoded(new.message, new.encoding, "/message")
        )
    )
