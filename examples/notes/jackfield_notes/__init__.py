"""Notes for jackfield."""

import base64
from collections.abc import Iterator
from typing import Any, ClassVar

from jackfield.connector import (
    Account,
    ConnectionType,
    Connector,
    Field,
    File,
    Inputs,
    OpenContext,
    Output,
    Pagination,
    Step,
    current_call,
)
from jackfield_notes.client import NotesClient, explain


class NotesToken(ConnectionType):
    """A notes server and a token for it."""

    key: ClassVar[str] = "notesToken"
    title: ClassVar[str] = "Notes Token"
    auth: ClassVar[str] = "apiKey"
    setup: ClassVar[str] = "Open **Settings** on the notes server, select **New token**, and copy it."
    reports_begin: ClassVar[bool] = True

    url: str = Field(title="Server", examples=["https://notes.example.com"], destination=True, schema={"format": "uri"})
    token: str = Field(title="Token", secret=True, schema={"minLength": 1})

    def open(self, context: OpenContext) -> NotesClient:
        """Return a client; opening sends nothing."""
        return NotesClient(self.url, self.token, context.guard)

    def test(self, context: OpenContext) -> Iterator[Step | Account]:
        """Read one note; nothing is changed."""
        self.open(context).call("GET", "/notes?limit=1")
        yield Step("token", "The server accepts the token", passed=True, message="It returned a note.")


ICON = "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'><circle cx='12' cy='12' r='9'/></svg>"
connector = Connector("notes", title="Notes", version="1.0.0", connections=[NotesToken], explain=explain, icon=ICON)


class NewNote(Inputs):
    """Note to add."""

    text: str = Field(title="Text", description="The note's text.", multiline=True, schema={"minLength": 1, "maxLength": 1000})
    tags: tuple[str, ...] = Field((), title="Tags", description="Words to find the note by.")
    picture: File | None = Field(None, title="Picture", description="A picture to show beside the note.")


class Note(Output):
    """The stored note."""

    note_id: str = Field(alias="id", title="Note ID")


def example(action: str, inputs: dict[str, Any], output: dict[str, Any]) -> dict[str, Any]:
    """Return an example for the manifest."""
    invocation = {"connector": "notes", "action": action, "connection": "my-notes", "inputs": inputs}
    meta = {"invocationId": "0197a2f0-0000-7000-8000-000000000000", "attempts": 1, "durationMs": 12.5, "replayed": False}
    return {"title": action, "invocation": invocation, "result": {"status": "succeeded", "output": output, "meta": meta}}


@connector.action(
    "addNote",
    effect="idempotent",
    idempotent_by="key",
    key_kept=86400,
    permissions={"notes": ["notes:write"]},
    examples=[example("addNote", {"text": "Buy milk"}, {"id": "n1"})],
)
def add_note(note: NewNote, client: NotesClient) -> Note:
    """Add a note."""
    body = {"text": note.text, "tags": note.tags}
    if note.picture is not None:
        body["picture"] = {"type": note.picture.content_type, "data": base64.b64encode(note.picture.content).decode()}
    call = current_call()
    key = {"Idempotency-Key": call.idempotency_key} if call is not None else {}
    stored = client.call("POST", "/notes", body, "store the note", **key)
    return Note(note_id=stored["id"])


class NoteQuery(Inputs):
    """Part of the list to fetch."""

    next_token: str | None = Field(None, title="Next Token", description="Where to continue.")
    fetch_all: bool = Field(False, title="Fetch All", description="True to fetch every page.")


class Notes(Output):
    """A page of notes."""

    notes: tuple[str, ...] = Field(title="Notes")
    next_token: str | None = Field(None, alias="nextToken", title="Next Token")


@connector.action(
    "listNotes",
    effect="read",
    pagination=Pagination("nextToken", "nextToken", "notes", all_input="fetchAll"),
    examples=[example("listNotes", {}, {"notes": ["n0", "n1"]})],
)
def list_notes(query: NoteQuery, client: NotesClient) -> Notes:
    """List notes, a page at a time."""
    page = client.call("GET", f"/notes?after={query.next_token or ''}")
    return Notes(notes=page["notes"], next_token=page.get("next"))
