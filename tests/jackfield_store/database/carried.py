"""Databases that jackfield of the commit d8093255 had made, the last with the tables of version 65:
SQL of each kind, and what was in it.

In the workspace ``default`` there are calls of the connector ``bell`` (one has ended, one is in
doubt, two were running when their process died, one of them from the queue, one waits for an
approval, one is approved, one is queued, one is queued for later), of ``bureau`` (two are in doubt,
one was running) and of ``furnace`` (a job under way, a queued one), a schedule and a callback.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from jackfield_store.journal.process import place

_FOLDER = Path(__file__).with_name("d8093255")
_PLACED = "UPDATE instances SET place = {}"


class Carried(NamedTuple):
    """One of these databases: when it was made, its master key, its invocations by what they are,
    and what had reached the providers.
    """

    made: float
    master: str
    ids: dict[str, str]
    bells: list[str]
    tickets: list[dict[str, Any]]
    starts: list[str]


def carried(url: str) -> Carried:
    """Fill the database at a URL, which is empty; the processes that had died with it were of this
    machine's present boot.
    """
    kind = "sqlite" if url.startswith("sqlite") else "postgresql"
    text = (_FOLDER / f"{kind}.sql").read_text(encoding="utf-8")
    if kind == "sqlite":
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(text)
            with connection:
                connection.execute(_PLACED.format("?"), (place(),))
                connection.execute("DELETE FROM clock")
    else:
        with psycopg.connect(url) as connected:
            connected.execute(text.encode())
            connected.execute(_PLACED.format("%s").encode(), (place(),))
    return Carried(**json.loads((_FOLDER / f"{kind}.json").read_text(encoding="utf-8")))
