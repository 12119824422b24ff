"""Compare the lists that are found in 16 documents of their owners with a table made by hand:
``make campaign openapi-lists``.

The documents are not part of the project. ``openapi_lists.json`` says where each is published, by
repository, path, commit and digest, and how its lists go on, by the words and types of the
document. Put them into a folder as ``KEY/PATH`` and name it in ``JACKFIELD_DOCUMENTS``. A list is
wrong if it is found in another way than the table says, switched on where it says "suggested", or
not in the table at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from jackfield_openapi.command import command

_TABLE = Path(__file__).with_suffix(".json")
_FOLDER = Path(os.environ.get("JACKFIELD_DOCUMENTS", ".cache/documents"))
_FACTS = ("input", "response", "header", "more", "last", "first", "items")

Json = Mapping[str, Any]


def found(path: Path) -> dict[str, str]:
    """Return how each list of a document goes on, by its path; what is only suggested begins with a
    question mark.
    """
    with tempfile.TemporaryDirectory() as folder:
        with redirect_stdout(StringIO()):
            command([str(path), "--out", folder, "--key", "listed", "--json"])
        manifest = json.loads((Path(folder) / "jackfield_listed" / "connector.json").read_bytes())
    actions = [action for action in manifest["actions"] if "paging" in action["http"]]
    return {
        action["http"]["path"]: ("" if "pagination" in action else "?")
        + _way(action["http"]["paging"])
        for action in actions
    }


def _way(row: Json) -> str:
    return " ".join([row["kind"], *(f"{name}={row[name]}" for name in _FACTS if name in row)])


def expected(row: Json) -> dict[str, str]:
    """Return what the table says about a document, in the same form."""
    return {
        path: mark + way
        for mark, ways in (("", row["paged"]), ("?", row["suggested"]))
        for way, paths in ways.items()
        for path in paths
    }


def differences(row: Json, path: Path) -> Iterator[str]:
    """Yield a sentence for each list that is wrong."""
    if not path.is_file():
        yield f"{path} is missing: it is {row['path']} of {row['repository']} at {row['commit']}"
        return
    if hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
        yield f"{path} is another version than that of {row['commit']}"
        return
    ours, theirs = found(path), expected(row)
    for place in sorted({*ours, *theirs}):
        if ours.get(place) != theirs.get(place):
            yield (
                f"{row['key']} {place}: {ours.get(place, 'no pages')}, and not "
                f"{theirs.get(place, 'no pages')}"
            )


def main() -> int:
    """Print one line for each document, and one for each list that is wrong."""
    rows, wrong = json.loads(_TABLE.read_bytes()), 0
    for row in rows:
        faults = [*differences(row, _FOLDER / row["key"] / row["path"])]
        wrong += len(faults)
        paged, suggested = (sum(map(len, row[name].values())) for name in ("paged", "suggested"))
        sys.stdout.write(
            f"{row['key']}: {paged} lists, {suggested} suggested, {len(faults)} wrong\n"
        )
        sys.stdout.writelines(f"  {fault}\n" for fault in faults)
    sys.stdout.write(f"{len(rows)} documents, {wrong} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
