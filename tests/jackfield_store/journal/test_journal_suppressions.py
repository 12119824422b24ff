"""A connection's guard refuses suppressed recipients of any connector, in one workspace, before
anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inmemory import installed
from jackfield.connector import (
    ConnectionType,
    Connector,
    Field,
    Inputs,
    OpenContext,
    Outcome,
    Output,
)
from jackfield.invocation import Result
from jackfield.invocation.provider_ids import reference_of
from jackfield_store.journal.outcomes import KEPT, note, sealed_outcome
from jackfield_store.journal.suppressions import Suppressions
from jackfield_store.runtime import Jackfield

SENT: list[Any] = []


class Token(ConnectionType):
    """A token."""

    key, title = "token", "Token"
    token: str = Field(secret=True, description="The token.")

    def open(self, context: OpenContext) -> Any:
        """Open nothing."""
        return self.token


class Copy(Inputs):
    """A copy."""

    number: str = Field(recipient=True, description="To whom.")


class Text(Inputs):
    """A text message."""

    to: str | tuple[str, ...] | None = Field(None, recipient=True, description="To whom.")
    copies: tuple[Copy, ...] = Field((), description="To whom as well.")


class Done(Output):
    """Proof."""

    id: str = Field(reference=True)


def _texts() -> Connector:
    texts = Connector("texts", title="Texts", version="1.0.0", connections=[Token])

    @texts.action("send", effect="write")
    def send(text: Text, token: str) -> Done:
        """Send a text message."""
        SENT.append(text.to)
        return Done(id=f"m-{len(SENT)}-{len(token)}")

    return texts


@contextmanager
def _opened(folder: Path, url: str, **guards: Any) -> Iterator[Jackfield]:
    values = {
        name: {"type": "texts/token", "values": {"token": "a-secret-4711"}}
        for name in ("one", "two")
    }
    with (
        installed(folder / "texts", _texts()) as catalog,
        Jackfield(
            connections=[{"connections": values}], database_url=url, catalog=catalog
        ) as opened,
    ):
        opened.access.workspaces.set("default", {"guards": guards})
        SENT.clear()
        yield opened


def _send(jackfield: Jackfield, connection: Any = "one", **inputs: Any) -> Result:
    return jackfield.invoke(
        {"connector": "texts", "action": "send", "connection": connection, "inputs": inputs}
    )


def _tell(
    jackfield: Jackfield,
    part: str,
    at: float,
    workspace: str = "default",
    message: str = "m-1",
    **more: Any,
) -> None:
    """An event says what became of a message."""
    vault, outcome = (
        jackfield.storage.vault,
        Outcome("failed", **{"severity": 50, "part": part, "suppresses": "bounce", **more}),
    )
    found = sealed_outcome(vault, workspace, reference_of("texts", message), at, outcome)
    jackfield.storage.database.record(lambda transaction: note(transaction, workspace, found))


def _places(result: Result) -> list[str]:
    assert result.error is not None
    assert (result.error.code, result.meta.attempts) == ("not_allowed", 0)
    return [detail.path for detail in result.error.details]


def test_recipients_of_any_kind_are_refused_where_they_stand(
    tmp_path: Path, database_url: str
) -> None:
    """Numbers, lists, members of a list's objects; with a guard of the connection, or of all others
    and of inline values.
    """
    with _opened(tmp_path, database_url, **{"*": {}, "two": {"refuse": False}}) as jackfield:
        now = jackfield.clock.time()
        _tell(jackfield, "+49 170 1", now)
        assert _places(_send(jackfield, to="+49 170 1 ")) == ["/to"]
        assert _places(
            _send(
                jackfield,
                to=["+49 170 2", "+49 170 1"],
                copies=[{"number": "+49 170 3"}, {"number": "+49 170 1"}],
            )
        ) == [
            "/to/1",
            "/copies/1/number",
        ]
        assert _places(
            _send(
                jackfield, {"type": "token", "values": {"token": "a-secret-4711"}}, to="+49 170 1"
            )
        ) == ["/to"]
        dry = jackfield.invoke(
            {
                "connector": "texts",
                "action": "send",
                "connection": "one",
                "inputs": {"to": "+49 170 1"},
                "dryRun": True,
            }
        )
        assert dry.status == "failed"
        assert SENT == []
        missing = _send(jackfield, copies=[]).error
        assert missing is not None
        assert (missing.code, missing.details[0].path) == ("invalid_input", "/to")
        assert [
            _send(jackfield, to="+49 170 2").status,
            _send(jackfield, "two", to="+49 170 1").status,
        ] == ["succeeded"] * 2
        jackfield.access.workspaces.set("default", {"guards": {"*": None}})
        assert _send(jackfield, to="+49 170 1").status == "succeeded"


def test_addresses_are_compared_however_they_are_written(tmp_path: Path) -> None:
    """Display names, brackets, comments, needless quotes, case and the spelling of a domain do not
    matter; what follows a plus does.
    """
    with _opened(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", one={}) as jackfield:
        _tell(jackfield, "Ada <ada+news@xn--strae-oqa.example>", jackfield.clock.time())
        for text in (
            "ADA+news@straße.example",
            '"Ada, C." <ada+news@xn--strae-oqa.EXAMPLE>',
            "ada+news@straße.example (Ada)",
            "bob@example.com; Ada, Countess <ada+news@straße。example>",
            "ada+news@straße.example(Ada)",
            "Ada <ada+news@straße.example> (C)",
            '"ada+news"@straße.example',
            r'Ada <"ad\a+news"@straße.example>',
            "bob@example.com\nada+news@straße.example",
        ):
            assert _places(_send(jackfield, to=text)) == ["/to"], text
        for text in (
            "ada@straße.example",
            "ada+news@strasse.example",
            '"ada+news@straße.example" <bob@example.com>',
            '"ada news"@straße.example',
        ):
            assert _send(jackfield, to=text).status == "succeeded", text


def test_a_suppression_is_of_one_workspace_and_ends(tmp_path: Path, database_url: str) -> None:
    """Neither another workspace's nor one of 400 days ago refuses anything; what is milder and
    later ends none.
    """
    with _opened(tmp_path, database_url, one={}) as jackfield:
        now = jackfield.clock.time()
        jackfield.access.workspaces.create("other")
        _tell(jackfield, "theirs@example.com", now, workspace="other")
        _tell(jackfield, "old@example.com", now - KEPT - 1, message="m-2")
        _tell(jackfield, "ours@example.com", now)
        _tell(jackfield, "ours@example.com", now + 1, severity=30, suppresses=None)
        assert _places(
            _send(jackfield, to=["theirs@example.com", "old@example.com", "ours@example.com"])
        ) == ["/to/2"]
        known = Suppressions(
            jackfield.storage.database, jackfield.storage.vault, "other", jackfield.clock
        )
        assert [item["recipient"] for item in known.page(None, 10)[0]] == ["theirs@example.com"]
        with jackfield.storage.database.read() as transaction:
            stored = transaction.execute(
                "SELECT * FROM outcomes WHERE workspace = :workspace", {"workspace": "other"}
            )
        assert "theirs" not in repr(
            [[getattr(row, name) for name in ("reference", "part", "sealed")] for row in stored]
        )


def test_a_guard_follows_a_connection_that_is_renamed(tmp_path: Path, database_url: str) -> None:
    """A paused connection stays paused under its new name, and an error says by what; suppressed
    recipients are refused there.
    """
    with _opened(tmp_path, database_url, hall={}) as jackfield:
        jackfield.connections.add("hall", "texts/token", {"token": "a-secret-4711"}, test=False)
        _tell(jackfield, "+49 170 1", jackfield.clock.time())
        jackfield.connections.rename("hall", "cellar")
        assert _places(_send(jackfield, "cellar", to="+49 170 1")) == ["/to"]
        paused = {
            "at": "2030-01-01T00:00:00Z",
            "bounces": 1200,
            "complaints": 0,
            "messages": 10_000,
        }
        jackfield.access.workspaces.set("default", {"guards": {"cellar": {"paused": paused}}})
        jackfield.connections.rename("cellar", "attic")
        error = _send(jackfield, "attic", to="+49 170 2").error
        assert error is not None
        assert "(1,200 bounces, 0 complaints, 10,000 messages)" in error.message
        assert set(jackfield.access.settings.guards) == {"attic"}
        jackfield.access.workspaces.set("default", {"guards": {"attic": None}})
        told = [
            (event.type, event.subject)
            for event in jackfield.events(types=["connection.paused", "connection.resumed"])
        ]
        # a rename is neither
        assert told == [("connection.paused", "cellar"), ("connection.resumed", "attic")]
