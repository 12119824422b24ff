"""``docs/reference/row.md``: the states of a call's row, drawn from the table that the journal acts
on, and from that of its statements.
"""

from __future__ import annotations

from collections.abc import Mapping

from generated.markdown import NOTICE, table
from jackfield_store.journal import row_states
from jackfield_store.recording.states import EVENTS, STATEMENTS, STATES, TABLE

_HEAD = """# Row of a call

The journal has one row for each call. The process that runs the call knows the state of the row; each event leads to a state,
and each end to a statement. What the table does not have does not happen. `jackfield_store/recording/states` is this table, and
`jackfield_store/recording/record` acts on it, also for work that is no call of a connector (`recording/rows`)."""
_DATABASE = """## Row in the database

Other processes change the row as well: workers, recovery, people, retention. Each event leads from one state to another by one
statement of `jackfield_store/journal` (`approvals`, `jobs` and the like are its modules; `twins` is one of `recording`), whose condition
holds in this state. A test executes each of them in each state, on SQLite and on PostgreSQL."""


def page() -> str:
    """The page."""
    cells = [
        [f"`{state}`", event, f"`{after}`", statement or ""]
        for (state, event), (after, statement) in TABLE.items()
    ]
    pairs = [
        [f"`{state}`", event, f"`{after}`", f"`{name}`"]
        for (state, event), (after, name) in row_states.TABLE.items()
    ]
    known = [
        [f"`{name}`", sentence, f"`{sql}`" if sql else ""]
        for name, (sentence, sql) in row_states.STATES.items()
    ]
    return (
        "\n\n".join(
            [
                NOTICE,
                _HEAD,
                table(["state", "event", "next state", "written"], cells),
                "## States",
                _named("state", STATES),
                "## Events",
                _named("event", EVENTS),
                "## What is written",
                _named("written", STATEMENTS),
                _DATABASE,
                table(["state", "event", "next state", "statement"], pairs),
                table(["state", "meaning", "condition"], known),
            ]
        )
        + "\n"
    )


def _named(what: str, sentences: Mapping[str, str]) -> str:
    return table(
        [what, "meaning"], [[f"`{name}`", sentence] for name, sentence in sentences.items()]
    )
