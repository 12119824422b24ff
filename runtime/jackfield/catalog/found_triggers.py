"""Search over the triggers of installed connectors, by the same words as for actions and by the
types of their events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from jackfield.catalog.found import FoundTrigger
from jackfield.catalog.postings import PostingsDraft
from jackfield.catalog.words import Words
from jackfield.kernel.dataclass import dataclass
from jackfield.manifest.manifest import ActionRow, Manifest

Row = Sequence[str]
"""Row of a trigger: connector, its title, key of the trigger, title, description, kind, and the
types of its events in one string.
"""


@dataclass(frozen=True, slots=True)
class _Watched:
    """Connector in the form that an index reads, with triggers instead of actions."""

    key: str
    title: str
    triggers: tuple[Row, ...]
    description: str = ""
    is_generated: bool = False
    virtual: bool = True
    rank: int = 0

    def rows(self) -> Iterator[ActionRow]:
        """Yield a row for each trigger."""
        for _, _, key, title, description, _, types in self.triggers:
            yield ActionRow(key, title, description, "read", keywords=types)


def trigger_rows(manifest: Manifest) -> Iterator[Row]:
    """Yield the search rows of a connector's triggers."""
    for trigger in manifest.triggers.values():
        types = " ".join(trigger.types).replace("_", " ")
        yield [
            manifest.key,
            manifest.title,
            trigger.key,
            trigger.title,
            trigger.description.partition("\n")[0],
            trigger.kind,
            types,
        ]


def matching_triggers(rows: Sequence[Row], words: str | None) -> list[FoundTrigger]:
    """Return the triggers that contain every word of the query, apart from stop words, best first.
    Return no trigger for an empty query, and all for None.
    """
    if words is None:
        return [_trigger_from(row) for row in rows]
    draft = PostingsDraft()
    for key, several in groupby(rows, key=itemgetter(0)):
        triggers = tuple(several)
        draft.add(_Watched(key, triggers[0][1], triggers))
    by_name = {(row[0], row[2]): row for row in rows}
    found, _ = Words(draft.table()).find(words) if rows and words.strip() else ([], False)
    return [_trigger_from(by_name[row.connector, row.action]) for row in found if row.exact]


def _trigger_from(row: Row) -> FoundTrigger:
    key, _, trigger, title, description, kind, _ = row
    return FoundTrigger(key, trigger, title, description, kind)
