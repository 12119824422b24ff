"""What is certain of a call: each cell of its tables is played by calls, and a mistake in a cell is
seen by who called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from jackfield import Result
from jackfield.call import certainty as c
from jackfield.call.certainty import Consequence
from jackfield.connector import Pagination, Rejected, Sent, Unavailable, current_call
from jackfield.kernel.errors import Conflict
from scripted import Answer, Page, Script, runtime, scripted

pytestmark = pytest.mark.above_sql

LOST = Unavailable("cut", sent=Sent.UNKNOWN)
UNSENT = Unavailable("down", sent=Sent.NOTHING)
NO = Rejected("no", sent=Sent.REFUSED)
THERE = Conflict("it is there", sent=Sent.REFUSED)
PAGES = Pagination("nextToken", "NextToken", "Items", all_input="fetchAll")
FIRST = Page(items=("a",), next_token="2")


class Larger(Answer):
    """An answer with a member that was not declared."""

    more: str = "odd"


def part(last: Exception) -> Callable[[], Any]:
    """A turn whose first request succeeds, and whose second ends in an error."""

    def send() -> Exception:
        call = current_call()
        assert call is not None
        call.answered()
        call.begin("second")
        return last

    return send


def under_its_key(turn: Any) -> Callable[[], Any]:
    """A turn whose client sends the idempotency key."""

    def send() -> Any:
        call = current_call()
        assert call is not None
        assert call.idempotency_key
        return turn() if callable(turn) else turn

    return send


@dataclass(frozen=True)
class Scene:
    """Turns that an action meets, and what its caller is told."""

    turns: tuple[Any, ...]
    told: str
    on_doubt: str = "report"
    repeat_ok: tuple[str, ...] = ()
    begins: bool = True
    pages: bool = False

    def play(self, folder: Path, kind: str) -> str:
        """Make the call; return what its caller is told."""
        is_keyed = kind == c.KEYED
        turns = [under_its_key(turn) for turn in self.turns] if is_keyed else self.turns
        connector = scripted(
            Script(*turns, begins=self.begins),
            effect="idempotent" if is_keyed else kind,  # type: ignore[arg-type]
            idempotent_by="key" if is_keyed else None,
            repeat_ok=self.repeat_ok,
            gives_nothing=self.repeat_ok != (),
            pages=PAGES if self.pages else None,
        )
        given: dict[str, Any] = {"onDoubt": self.on_doubt} if self.on_doubt != "report" else {}
        given |= {"inputs": {"fetchAll": True}} if self.pages else {}
        folder.mkdir(parents=True, exist_ok=True)
        with runtime(folder, connector, database_url="none") as board:
            return seen(board.ask(**given))


def seen(result: Result) -> str:
    """Say what a caller is told: the outcome, the attempts, and what the words claim."""
    error, warnings = result.error, result.meta.warnings or ()
    words = [result.status if error is None else f"{result.status} {error.code}"]
    words.append(f"after {result.meta.attempts}")
    text = "" if error is None else error.message
    claims = {
        "earlier": "an earlier attempt may have taken effect",
        "last": "(it may have taken effect)",
        "answered": "was answered with success",
        "part": "has partly taken effect",
    }
    words += [name for name, claim in claims.items() if claim in text]
    words += ["warned"] if any("earlier attempt" in one["message"] for one in warnings) else []
    return ", ".join(words)


def _alike(kind: str, *more: tuple[str, tuple[Scene, ...], tuple[Consequence, ...]]) -> Any:
    """Return the cells that all effects have alike, and those of this one."""
    return {(kind, event): (scenes, mistakes) for event, scenes, mistakes in (*_ALIKE, *more)}


_REFUSED = (
    c.REFUSED,
    (
        Scene((UNSENT, "at last"), "succeeded, after 2"),
        Scene((UNSENT, NO), "failed rejected, after 2"),
    ),
    (
        Consequence(c.UNCLEAR, c.BY_ERROR),
        Consequence(c.UNREPEATABLE, c.BY_ERROR),
        Consequence(c.NOTHING, c.NEVER),
    ),
)
_ALIKE = (
    _REFUSED,
    (
        c.SUCCEEDED,
        (
            Scene((FIRST, Page(items=("b",))), "succeeded, after 1", pages=True),
            Scene((FIRST, NO), "failed rejected, after 2", pages=True),
        ),
        (Consequence(c.NOTHING), Consequence(c.ANSWERED | c.UNREPEATABLE)),
    ),
    (
        c.UNREPORTED,
        (Scene(("hi",), "succeeded, after 1", begins=False),),
        (Consequence(c.SILENT),),
    ),
)
_ANSWERED = Scene((Larger(text="hi"),), "in_doubt in_doubt, after 1, answered")
_UNUSABLE = (c.UNUSABLE, (_ANSWERED,), (Consequence(c.NOTHING), Consequence(c.UNCLEAR)))
_SAFE = (
    c.LOST,
    (
        Scene((LOST, "at last"), "succeeded, after 2"),
        Scene((LOST, NO), "failed rejected, after 2, earlier"),
        Scene((LOST, THERE), "succeeded, after 2, warned", repeat_ok=("conflict",)),
    ),
    (
        Consequence(c.NOTHING, c.BY_ERROR),
        Consequence(c.UNCLEAR | c.UNREPEATABLE, c.BY_ERROR),
        Consequence(c.UNCLEAR),
    ),
)
CELLS: Mapping[tuple[str, str], tuple[tuple[Scene, ...], tuple[Consequence, ...]]] = {
    **_alike(
        c.READ,
        (
            c.LOST,
            (
                Scene((LOST, "at last"), "succeeded, after 2"),
                Scene((LOST, NO), "failed rejected, after 2"),
            ),
            (
                Consequence(c.UNCLEAR, c.BY_ERROR),
                Consequence(c.UNREPEATABLE, c.BY_ERROR),
                Consequence(c.NOTHING),
            ),
        ),
    ),
    **_alike(c.IDEMPOTENT, _SAFE, _UNUSABLE),
    **_alike(
        c.KEYED,
        (
            c.LOST,
            (
                Scene((LOST, "at last"), "succeeded, after 2"),
                Scene((LOST, NO), "in_doubt in_doubt, after 2, earlier"),
            ),
            (
                Consequence(c.UNCLEAR, c.BY_ERROR),
                Consequence(c.UNREPEATABLE, c.BY_ERROR),
                Consequence(c.UNCLEAR | c.UNREPEATABLE),
            ),
        ),
        (
            c.PART_REFUSED,
            (
                Scene((part(UNSENT), "at last"), "succeeded, after 2"),
                Scene((part(NO),), "in_doubt in_doubt, after 1, part"),
                Scene(
                    (part(UNSENT), THERE),
                    "in_doubt in_doubt, after 2, part",
                    repeat_ok=("conflict",),
                ),
            ),
            (
                Consequence(c.NOTHING, c.BY_ERROR),
                Consequence(c.UNCLEAR | c.UNREPEATABLE, c.BY_ERROR),
                Consequence(c.UNREPEATABLE),
            ),
        ),
        (
            c.PART_LOST,
            (
                Scene((part(LOST), "at last"), "succeeded, after 2"),
                Scene((part(LOST), NO), "in_doubt in_doubt, after 2, earlier, part"),
            ),
            (
                Consequence(c.UNCLEAR, c.BY_ERROR),
                Consequence(c.UNREPEATABLE, c.BY_ERROR),
                Consequence(c.UNCLEAR | c.UNREPEATABLE),
            ),
        ),
        _UNUSABLE,
    ),
    **_alike(
        c.WRITE,
        (
            c.LOST,
            (
                Scene((LOST,), "in_doubt in_doubt, after 1"),
                Scene((LOST, "at last"), "succeeded, after 2", on_doubt="retry"),
                Scene((LOST, NO), "in_doubt in_doubt, after 2, earlier", on_doubt="retry"),
            ),
            (
                Consequence(c.UNCLEAR, c.BY_CALLER),
                Consequence(c.UNREPEATABLE, c.BY_CALLER),
                Consequence(c.UNCLEAR | c.UNREPEATABLE, c.BY_ERROR),
                Consequence(c.UNCLEAR | c.UNREPEATABLE),
            ),
        ),
        (
            c.PART_REFUSED,
            (
                Scene((part(UNSENT), "at last"), "in_doubt in_doubt, after 1, part"),
                Scene(
                    (part(UNSENT), "at last"),
                    "in_doubt in_doubt, after 1, part",
                    on_doubt="retry",
                ),
            ),
            (
                Consequence(c.NOTHING),
                Consequence(c.UNREPEATABLE, c.BY_ERROR),
                Consequence(c.UNREPEATABLE, c.BY_CALLER),
            ),
        ),
        (
            c.PART_LOST,
            (
                Scene((part(LOST), "at last"), "in_doubt in_doubt, after 1, part"),
                Scene(
                    (part(LOST), "at last"),
                    "in_doubt in_doubt, after 1, part",
                    on_doubt="retry",
                ),
            ),
            (
                Consequence(c.UNCLEAR),
                Consequence(c.UNCLEAR | c.UNREPEATABLE, c.BY_ERROR),
                Consequence(c.UNCLEAR | c.UNREPEATABLE, c.BY_CALLER),
            ),
        ),
        _UNUSABLE,
    ),
}
"""The calls that play each cell, and mistakes in it that they must show."""

VERDICTS: Mapping[int, tuple[str, Scene, str]] = {
    c.NOTHING: (c.WRITE, Scene((NO,), "failed rejected, after 1"), c.EARLIER),
    c.UNCLEAR: (
        c.IDEMPOTENT,
        Scene((LOST, NO), "failed rejected, after 2, earlier"),
        c.AS_IT_IS,
    ),
    c.ANSWERED: (
        c.READ,
        Scene((FIRST, NO), "failed rejected, after 2", pages=True),
        c.EARLIER,
    ),
    c.UNCLEAR | c.ANSWERED: (
        c.IDEMPOTENT,
        Scene((LOST, FIRST, NO), "failed rejected, after 3", pages=True),
        c.EARLIER,
    ),
    c.UNREPEATABLE: (c.WRITE, Scene((part(NO),), "in_doubt in_doubt, after 1, part"), c.AS_IT_IS),
    c.UNCLEAR | c.UNREPEATABLE: (
        c.KEYED,
        Scene((LOST, NO), "in_doubt in_doubt, after 2, earlier"),
        c.UNKNOWN,
    ),
    c.UNREPEATABLE | c.ANSWERED: (c.WRITE, _ANSWERED, c.UNKNOWN),
    c.UNCLEAR | c.UNREPEATABLE | c.ANSWERED: (
        c.KEYED,
        Scene((LOST, Larger(text="hi")), "in_doubt in_doubt, after 2, answered"),
        c.UNKNOWN,
    ),
}
"""A call that ends with these facts, and another verdict that it must show."""


@pytest.mark.parametrize("cell", CELLS, ids=", ".join)
def test_each_cell_is_played_and_matters(tmp_path: Path, cell: tuple[str, str]) -> None:
    """Calls end as the cell says; with a mistake in it, one of them ends otherwise."""
    scenes, mistakes = CELLS[cell]
    for number, scene in enumerate(scenes):
        assert scene.play(tmp_path / f"right-{number}", cell[0]) == scene.told
    for mistake in mistakes:
        with mock.patch.object(c, "TABLE", {**c.TABLE, cell: mistake}):
            found = [
                scene.play(tmp_path / f"{mistake.adds}-{mistake.repeats}-{number}", cell[0])
                for number, scene in enumerate(scenes)
            ]
        assert found != [scene.told for scene in scenes], mistake


@pytest.mark.parametrize("known", VERDICTS)
def test_each_verdict_is_told(tmp_path: Path, known: int) -> None:
    """What is known decides what a caller is told; another verdict is told otherwise."""
    kind, scene, mistake = VERDICTS[known]
    assert scene.play(tmp_path / "right", kind) == scene.told
    with mock.patch.object(c, "VERDICTS", {**c.VERDICTS, known: mistake}):
        assert scene.play(tmp_path / "wrong", kind) != scene.told


def test_an_unreported_success_is_blamed_where_its_answer_cannot_be_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody knows whether it needed a request: its author is told; of a reported one nothing."""
    blame = "an attempt ended without 'Call.begin()'"
    _ANSWERED.play(tmp_path / "reported", c.WRITE)
    assert blame not in caplog.text
    Scene((Larger(text="hi"),), "", begins=False).play(tmp_path / "unreported", c.WRITE)
    assert blame in caplog.text


def test_the_tables_are_whole() -> None:
    """Each cell has its calls; each name stands in a table, and has its sentence."""
    assert set(CELLS) == set(c.TABLE)
    assert set(VERDICTS) == set(c.VERDICTS)
    assert {kind for kind, _ in c.TABLE} == set(c.EFFECTS)
    assert {event for _, event in c.TABLE} == set(c.EVENTS)
    assert {row.repeats for row in c.TABLE.values()} == set(c.REPEATS)
    assert {*c.VERDICTS.values()} == set(c.TOLD)
    assert sum(c.FACTS) == c.UNCLEAR | c.UNREPEATABLE | c.ANSWERED | c.SILENT
