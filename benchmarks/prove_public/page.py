"""The page ``docs/prove-results.md``: one table row for each piece of software."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from benchmarks.prove_public.software import NONE_FOUND, Software

_BAD = ("sent twice", "reported falsely", "lost")
_GROUPS = (
    ("5xx", ("500", "503")),
    ("lost answer", ("reset", "closed", "silent")),
)
"""Situations that are shown as one word if all of them are there."""
_ORDER = (
    "sent twice",
    "reported falsely",
    "lost",
    "not judged",
    "not reached",
    "told as unknown",
    "sent once",
    "not sent, and told so",
)


@dataclass(frozen=True)
class Ours:
    """What became of the same write through jackfield: in a boundary (``once``), or by a
    connector's action.
    """

    way: str
    said: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What ``jackfield prove`` said about a row."""

    row: Software
    version: str
    said: dict[str, Any]
    seconds: float
    ours: Ours | None = None

    def beside(self, ours: Ours) -> Found:
        """Return it with what became of the write through jackfield."""
        return replace(self, ours=ours)

    @property
    def is_proved(self) -> bool:
        """True if the software, and jackfield beside it, were proved."""
        return all(
            "cases" in said and not _is_misled(said)
            for said in (self.said, *([self.ours.said] if self.ours else []))
        )

    @property
    def verdict(self) -> str:
        """Worst verdict about the writes."""
        return _verdict(self.said)

    def line(self) -> str:
        """Return it in one line."""
        beside = (
            f"; through jackfield ({self.ours.way}): {_verdict(self.ours.said)}"
            if self.ours
            else ""
        )
        return (
            f"{self.row.row} {self.version}: {_writes(self.said)} {self.verdict} "
            f"{', '.join(_situations(self.said))}{beside}"
        )

    def cells(self) -> Iterator[str]:
        """Yield the cells of its row."""
        promise, settings, verdict = self.row.promise, self.row.settings, self.verdict
        package = self.row.package
        name = (
            self.row.name
            if package.lower() in self.row.name.lower()
            else f"{self.row.name}, {package}"
        )
        yield f"{name} {self.version}" + (f" ({settings})" if settings else "")
        yield f"[{promise.text}]({promise.source})" if promise.text else NONE_FOUND
        yield f"`{_writes(self.said)}`"
        yield f"**{verdict}**: {', '.join(_situations(self.said))}" if verdict in _BAD else verdict
        yield (
            "not compared"
            if self.ours is None
            else f"`{self.ours.way}`: {_verdict(self.ours.said)}"
        )


def _all(said: dict[str, Any]) -> list[dict[str, Any]]:
    return [write for case in said.get("cases", ()) for write in case["writes"]]


def _is_misled(said: dict[str, Any]) -> bool:
    """Return whether it fails although it was answered well: the answers of the stand-in are not
    what it needs, and its row says nothing.
    """
    cells = (cell for write in _all(said) for cell in write["situations"])
    return any(
        cell["situation"] == "answered" and cell["verdict"] == "reported falsely" for cell in cells
    )


def _verdict(said: dict[str, Any]) -> str:
    if "cases" not in said:
        return f"not proved: {said['error']['message'][:160]}".replace("|", "/").replace("\n", " ")
    found = {str(write["verdict"]) for write in _all(said)}
    return min(found, key=_ORDER.index)


def _writes(said: dict[str, Any]) -> str:
    return ", ".join(dict.fromkeys(write["write"] for write in _all(said)))


def _situations(said: dict[str, Any]) -> Iterator[str]:
    """Yield the situations with a bad verdict, in short: of ``taken-reset`` the last word, and a
    group's name for all of it.
    """
    worst = _verdict(said)
    if worst not in _BAD:
        return
    cells = [
        cell["situation"]
        for write in _all(said)
        for cell in write["situations"]
        if cell["verdict"] == worst
    ]
    names = dict.fromkeys(re.sub(r"^taken-| of .*$", "", name) for name in cells)
    for group, members in _GROUPS:
        if all(member in names for member in members):
            names = {name: None for name in names if name not in members} | {group: None}
    yield from names


def shared(found: Sequence[Found]) -> list[Found]:
    """Return the rows; one without a boundary of its own has that of a row that makes the same
    write.
    """
    known: dict[str, Ours] = {}
    for one in found:
        if one.ours is not None and one.ours.way == "once":
            known.setdefault(_path(one.said), one.ours)
    return [
        one if one.ours or _path(one.said) not in known else one.beside(known[_path(one.said)])
        for one in found
    ]


def _path(said: dict[str, Any]) -> str:
    """Return the writes without the made-up host, which software that gets the provider's address
    does not name.
    """
    return _writes(said).replace(" api.example.com/", " /")


def page(found: Sequence[Found], day: date) -> str:
    """Return the page, with the day of the run."""
    head = (
        "software",
        "what its documentation says it repeats",
        "write",
        "when the answer is lost",
        "the same write through jackfield",
    )
    rows = [
        " | ".join(row)
        for row in (head, ("---",) * len(head), *(tuple(one.cells()) for one in found))
    ]
    twice = sum(one.verdict == "sent twice" for one in found)
    beside = [one.ours.said for one in found if one.ours is not None]
    wrong = sum(_verdict(said) in _BAD for said in beside)
    counted = (
        f"On {day.day} {day:%B %Y}, {twice} of {len(found)} sent the write twice in at least one "
        "situation. "
        f"Through jackfield, {wrong} of {len(beside)} went wrong."
    )
    return f"{_HEAD}\n{counted}\n{_HOW}\n" + "".join(f"| {row} |\n" for row in rows)


_HEAD = """# What well-known software sends twice

<!-- Made by `make prove-public`. -->
"""
_HOW = """
Each row is one write, with the software's own defaults or the settings in brackets, by [`jackfield prove`](prove.md). No service was called. A provider on this
machine stood in for each, and knew idempotency keys. `make prove-public ROW=octokit` proves one row, and `make prove-public` all of them, and writes this page.

- **sent twice**: the provider did it, the answer was lost in the ways named, and it was done again. `5xx` is 500 and 503, `lost answer` a reset, a close and silence,
  `half` half an answer, `always` the loss of all answers.
- told as unknown: an error came out, and nothing took effect twice.
- What documentation says is in our words, with its address. `no promise found` means that its README and reference, where we looked, say nothing of repeats.
- Through jackfield: an action of a connector, the same or its nearest; or the same code within [`once`](tutorial/once.md), its own retries off.
  Of the twelve situations six were played, one of each kind. A library that only sends HTTP has beside it the same request, sent in Python.

Read it fairly. "Sent twice" is no fault of software that says that it repeats: it tells what your code has to bring, a key or a look. Silence was 2 seconds, shorter
than most time-outs: what happens after those is not shown. A row whose address can be set had no proxy: within one, urllib3 takes a reset for the
proxy's failure, and repeats all methods. Rows of jira, PyGithub and google-api-python-client may be that, too. Nango's server is stood in for by the last package
of its rules. Prefect and Temporal are not here: each needs a server.
"""
