"""A dry run may return a preview, computed from the inputs alone; and an action that contacts
nobody needs no connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from inmemory import installed
from jackfield import Jackfield
from jackfield.connector import (
    ConnectionType,
    Connector,
    DeclarationError,
    Field,
    Inputs,
    OpenContext,
    Output,
)
from jackfield.invocation import Result

pytestmark = pytest.mark.above_sql

SECRET = "hunter2-hunter2"


class Token(ConnectionType):
    """A token."""

    key, title = "token", "Token"
    token: str = Field(secret=True, description="The token.")

    def open(self, context: OpenContext) -> Any:
        """Open nothing."""
        return self.token


class Letter(Inputs):
    """A letter."""

    text: str = Field("", description="Its text.")
    preview: bool = Field(False, description="Return the letter in a dry run.")


class Written(Output):
    """A letter as it would be sent."""

    letter: str = Field(schema={"maxLength": 40})


class Sent(Output):
    """Proof."""

    number: int


def write(letter: Letter) -> Written:
    """Write the letter."""
    if letter.text == "broken":
        raise RuntimeError(SECRET)
    return Written(letter=f"Dear reader, {letter.text}")


def _post() -> Connector:
    post = Connector("post", title="Post", version="1.0.0", connections=[Token])

    @post.action("send", effect="write", preview=write)
    def send(letter: Letter, token: str) -> Sent:
        """Send a letter."""
        return Sent(number=len(letter.text) + len(token))

    @post.action("count", effect="read", needs_connection=False)
    def count(letter: Letter) -> Sent:
        """Count characters."""
        return Sent(number=len(letter.text))

    return post


@contextmanager
def opened(folder: Path) -> Iterator[Jackfield]:
    """A Jackfield with two connections that fit, and a journal."""
    values = {name: {"type": "post/token", "values": {"token": SECRET}} for name in ("one", "two")}
    url = f"sqlite:///{folder / 'jackfield.db'}"
    with (
        installed(folder / "post", _post()) as catalog,
        Jackfield(
            connections=[{"connections": values}], database_url=url, catalog=catalog
        ) as jackfield,
    ):
        yield jackfield


def _sent(jackfield: Jackfield, action: str = "send", **more: Any) -> Result:
    inputs = {"text": more.pop("text", "hello"), "preview": more.pop("preview", True)}
    return jackfield.invoke({"connector": "post", "action": action, "inputs": inputs, **more})


def test_a_dry_run_returns_the_preview(tmp_path: Path) -> None:
    """The preview is the output, the connection's secret is masked in it, and the journal does not
    keep it.
    """
    with opened(tmp_path) as jackfield:
        found = _sent(jackfield, connection="one", dryRun=True)
        assert (found.status, found.output, found.meta.attempts) == (
            "succeeded",
            {"letter": "Dear reader, hello"},
            0,
        )
        masked = _sent(jackfield, connection="one", dryRun=True, text=SECRET)
        assert masked.output is not None
        assert SECRET not in masked.output["letter"]
        plain = _sent(jackfield, connection="one", dryRun=True, preview=False)
        assert (plain.status, plain.output) == ("succeeded", None)
        assert jackfield.journal is not None
        kept = [entry.to_json() for entry in jackfield.journal.entries()[0]]
    assert len(kept) == 3
    assert not any("output" in entry for entry in kept)


def test_a_preview_needs_a_dry_run(tmp_path: Path) -> None:
    """Whoever asks for a preview does not expect the action to run: without 'dryRun' the input is
    refused.
    """
    with opened(tmp_path) as jackfield:
        found = _sent(jackfield, connection="one")
    assert found.error is not None
    assert (found.error.code, [item.path for item in found.error.details]) == (
        "invalid_input",
        ["/preview"],
    )


@pytest.mark.parametrize(("text", "code"), [("x" * 100, "invalid_output"), ("broken", "internal")])
def test_a_wrong_preview_is_the_authors_mistake(tmp_path: Path, text: str, code: str) -> None:
    """A preview that breaks its schema, or raises, fails the dry run; nothing of its text is
    shown.
    """
    with opened(tmp_path) as jackfield:
        found = _sent(jackfield, connection="one", dryRun=True, text=text)
    assert found.error is not None
    assert found.error.code == code
    assert SECRET not in str(found.to_json())


def test_an_action_that_contacts_nobody_needs_no_connection(tmp_path: Path) -> None:
    """Several connections fit, and none has to be named; an action that needs one is refused."""
    with opened(tmp_path) as jackfield:
        assert _sent(jackfield, "count", preview=False).output == {"number": 5}
        assert _sent(jackfield, "count", preview=False, connection="one").output == {"number": 5}
        refused = _sent(jackfield, preview=False)
    assert refused.error is not None
    assert [item.path for item in refused.error.details] == ["/connection"]


class Bare(Inputs):
    """No input 'preview'."""


def _of_nothing(_bare: Bare) -> Written:
    return Written(letter="")


def _with_client(_letter: Letter, _token: str) -> Written:
    return Written(letter="")


@pytest.mark.parametrize(
    ("inputs", "more", "words"),
    [
        (Bare, {"preview": _of_nothing}, "needs the input 'preview'"),
        (Letter, {"preview": _of_nothing}, "must take the action's inputs"),
        (Letter, {"preview": _with_client}, "must take the action's inputs, and nothing else"),
        (Letter, {"needs_connection": False}, "takes a client, so it needs a connection"),
    ],
)
def test_what_cannot_be_declared(inputs: type[Inputs], more: dict[str, Any], words: str) -> None:
    """A preview without its input, of other inputs or with a client, and a client without a
    connection, are refused at declaration.
    """

    def act(_inputs: Inputs, _client: str) -> Sent:
        return Sent(number=0)

    act.__annotations__["_inputs"] = inputs
    with pytest.raises(DeclarationError, match=words):
        Connector("post", title="Post", version="1.0.0").action("send", **more)(act)
