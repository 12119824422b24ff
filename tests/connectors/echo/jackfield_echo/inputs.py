"""What the echo's actions take and give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import WithJsonSchema

from jackfield.connector import Detail, Field, Inputs, Output

__all__ = [
    "Fault",
    "Gate",
    "Heard",
    "Keep",
    "Kept",
    "NoteEvent",
    "Page",
    "PageQuery",
    "Say",
    "Watch",
    "Wrong",
]

_FILE: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"data": {"type": "string"}, "contentType": {"type": "string"}},
            "required": ["data"],
            "additionalProperties": False,
        },
    ],
}
_PAIR: dict[str, Any] = {
    "type": "object",
    "properties": {"key": {"type": "string"}, "value": _FILE},
    "required": ["key", "value"],
    "additionalProperties": False,
}
_FILES: dict[str, Any] = {
    "anyOf": [{"type": "object", "additionalProperties": _FILE}, {"type": "array", "items": _PAIR}]
}

File = Annotated[str | Mapping[str, Any], WithJsonSchema(_FILE)]
Files = Annotated[Mapping[str, Any] | tuple[Mapping[str, Any], ...], WithJsonSchema(_FILES)]
FilePairs = Annotated[
    tuple[Mapping[str, Any], ...], WithJsonSchema({"type": "array", "items": _PAIR})
]
AnyObject = Annotated[Mapping[str, Any], WithJsonSchema({"type": "object"})]


class Fault(Inputs):
    """How the other side fails; each try of the fault ``name`` until ``tries`` are used up (None:
    always).
    """

    kind: Literal[
        "refusedConnection",
        "throttled",
        "serverError",
        "reset",
        "rejected",
        "unauthenticated",
        "bug",
    ]
    tries: int | None = None
    name: str = "fault"


class Gate(Inputs):
    """A port of 127.0.0.1 to wait at until whoever listens there closes; ``before`` anything counts
    as sent, or after.
    """

    port: int
    before: bool = False


class Say(Inputs):
    """What to say back, and how it goes wrong."""

    text: str = Field(
        title="Text", description="What to say.", from_connection="greeting", multiline=True
    )
    times: int = Field(
        1, title="Times", description="How often to say it.", schema={"minimum": 1, "maximum": 100}
    )
    loud: bool = Field(False, title="Loud", description="Whether to say it in capitals.")
    voice: Literal["alto", "bass"] | None = Field(None, title="Voice", options="voices")
    words: tuple[str, ...] | None = Field(
        None, title="Words", description="More to say, a list and nothing else."
    )
    names: tuple[str, ...] | str | None = Field(
        None, title="Names", description="One name or more."
    )
    files: Files | None = Field(None, title="Files", description="Files by name.")
    pairs: FilePairs | None = Field(None, title="Pairs", description="Files as a list.")
    picture: File | None = Field(None, title="Picture", description="One file.")
    data: AnyObject | None = Field(None, title="Data", description="Any object.")
    reveal: bool = Field(
        False, title="Reveal", description="Whether to say the connection's token too."
    )
    fault: Fault | None = Field(None, title="Fault")
    gate: Gate | None = Field(None, title="Gate")


class Heard(Output):
    """What came back: the text, and all other inputs that were given."""

    text: str
    inputs: Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]
    tries: int


class Keep(Inputs):
    """A value to keep under a key."""

    key: str = Field(title="Key")
    value: str = Field(title="Value")
    fault: Fault | None = Field(None, title="Fault")
    gate: Gate | None = Field(None, title="Gate")


class Kept(Output):
    """What is kept now."""

    key: str
    value: str


class PageQuery(Inputs):
    """Which items to list."""

    total: int = Field(
        10,
        title="Total",
        description="How many items there are.",
        schema={"minimum": 0, "maximum": 1000},
    )
    page_size: int = Field(4, title="Page Size", schema={"minimum": 1, "maximum": 100})
    next_token: str | None = Field(
        None, title="Next Token", description="Where to go on.", schema={"pattern": "^[0-9]+$"}
    )
    fetch_all: bool = Field(False, title="Fetch All", description="Whether to fetch all pages.")
    loop: bool = Field(False, title="Loop", description="Whether the token leads nowhere.")
    fault: Fault | None = Field(None, title="Fault")


class Page(Output):
    """One page of items, and where the next one begins."""

    items: tuple[str, ...] = Field(alias="Items")
    next_token: str | None = Field(None, alias="NextToken")


class Wrong(Output):
    """What the action ``wrong`` says that it gives: text."""

    text: Any = Field(schema={"type": "string"})


class Watch(Inputs):
    """Which notes to watch."""

    word: str | None = Field(None, title="Word", description="Only notes with this word.")
    page_size: int = Field(100, title="Page Size", schema={"minimum": 1, "maximum": 1000})
    fault: Fault | None = Field(None, title="Fault")

    def rules(self) -> Iterable[Detail]:
        """Yield the fault of a blank word, which no note would lack."""
        if self.word is not None and not self.word.strip():
            yield Detail("/word", "is blank")

    def fits(self, note: Mapping[str, Any]) -> bool:
        """Return whether a note has the word."""
        return self.word is None or self.word in note["text"]


class NoteEvent(Output):
    """A note."""

    id: str
    text: str
