"""Runtimes whose calls a policy judges, with a connector of personal records: each action returns a
number that nobody may see.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inmemory import installed
from jackfield.callers import Caller
from jackfield.connector import (
    Call,
    Connector,
    Detail,
    FailedEntry,
    Inputs,
    JobFailed,
    Output,
    OutputFile,
    Pagination,
    Progress,
    Provider,
    Rejected,
    Unavailable,
    current_call,
)
from jackfield_store.database import open_database
from jackfield_store.runtime import Jackfield
from policy_stub import Policy

AGENT, MANAGER = Caller("agent", "invoke", remote=True), Caller("agent", "manage", remote=True)
NUMBER = "078-05-1120"
"""What a policy withholds."""

connector = Connector("people", title="People", version="1.0.0", connections=[])


class Who(Inputs):
    """Whose record."""

    name: str = "ada"
    limit: int = 10
    cursor: str | None = None


class Record(Output):
    """A record."""

    name: str
    number: str


class Records(Output):
    """A page of records."""

    records: list[Record]
    cursor: str | None = None


class Ordered(Output):
    """Handle of a job."""

    id: str


def _call() -> Call:
    found = current_call()
    assert found is not None
    return found


@connector.action("find", effect="read", needs_connection=False)
def find(who: Who) -> Record:
    """Find a record."""
    return Record(name=who.name, number=NUMBER)


@connector.action("save", effect="write", needs_connection=False)
def save(who: Who) -> Record:
    """Save a record."""
    _call().begin()
    return Record(name=who.name, number=NUMBER)


@connector.action(
    "page",
    effect="read",
    needs_connection=False,
    pagination=Pagination("cursor", "cursor", "records"),
)
def page(who: Who) -> Records:
    """List records; the cursor is the last number."""
    return Records(
        records=[Record(name=who.name, number=NUMBER)], cursor=None if who.cursor else NUMBER
    )


@connector.action("savePart", effect="write", needs_connection=False)
def save_part(who: Who) -> Record:
    """Save a record, and another one that is refused."""
    call = _call()
    call.begin()
    call.failed_in_part(
        [
            FailedEntry("/number", f"the number {NUMBER} is taken", input="/name"),
            Detail("/name", "so is the name"),
        ]
    )
    return Record(name=who.name, number=NUMBER)


@connector.action("refused", effect="read", needs_connection=False)
def refused(who: Who) -> Record:
    """Say why a record is not found, with the whole of it."""
    provider = Provider(
        "Hidden",
        f"{who.name} has the number {NUMBER}",
        400,
        None,
        {"number": NUMBER, "kind": "hidden"},
    )
    raise Rejected(
        f"the number {NUMBER} is hidden",
        details=[Detail("/name", f"see {NUMBER}")],
        provider=provider,
    )


@connector.action("says", effect="read", needs_connection=False)
def says(who: Who) -> Record:
    """Refuse in a sentence: no member of an error has the number."""
    said = f"{who.name} has the number {NUMBER}"
    raise Rejected(
        said,
        hint=f"Ask {NUMBER}.",
        provider=Provider(NUMBER, said, 400, NUMBER) if who.limit == 10 else None,
    )


@connector.action("halfway", effect="write", needs_connection=False)
def halfway(_who: Who) -> Record:
    """Fail after a step that told the number."""
    call = _call()
    call.begin("first")
    call.answered({"number": NUMBER})
    raise Unavailable("it went away")


class Scan(Output):
    """A record as a file."""

    name: str
    file: OutputFile


@connector.action("scan", effect="read", needs_connection=False)
def scan(who: Who) -> Scan:
    """Return a record as a file."""
    return Scan(name=who.name, file=OutputFile([NUMBER.encode()], "text/plain"))


@connector.action("order", kind="job", effect="write", needs_connection=False)
class Order:
    """Order a record, which comes later."""

    def start(self, who: Who) -> Ordered:
        """Order it."""
        return Ordered(id=who.name)

    def poll(self, ordered: Ordered) -> Progress | Record:
        """Look for it."""
        if ordered.id == "slow":
            return Progress(fraction=0.5, text=f"looks for {NUMBER}")
        if ordered.id == "ended":
            raise JobFailed(f"the job has ended as FAILED: {NUMBER}")
        if ordered.id == "nobody":
            raise JobFailed(
                f"no {NUMBER}", provider=Provider("Gone", "gone", 400, None, {"number": NUMBER})
            )
        return Record(name=ordered.id, number=NUMBER)


def hides(question: dict[str, Any]) -> dict[str, Any]:
    """A policy that withholds the number, wherever it stands."""
    if question["hook"] != "output":
        return {"allow": True}
    if NUMBER in str(question.get("error", {}).get("message")) and not question["output"]:
        return {"allow": False}
    return {"allow": True, "withhold": ["/number", "/records/0/number", "/cursor", "/file"]}


def call(action: str, **more: Any) -> dict[str, Any]:
    """A call of one of these actions."""
    return {"connector": "people", "action": action, "inputs": {}, **more}


@contextmanager
def judging(folder: Path, url: str, policy: Policy) -> Iterator[Jackfield]:
    """A runtime with that connector, whose calls a policy service judges."""
    open_database(url, migrate=True).close()
    with (
        installed(folder, connector) as catalog,
        Jackfield(
            database_url=url, environment=policy.environment, connections=(), catalog=catalog
        ) as jackfield,
    ):
        yield jackfield
