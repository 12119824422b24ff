"""Rebuild of the shipped index, and of the table of operations that need botocore's client, for a
newer botocore: ``python -m jackfield_aws.virtual.index_change [--check]``.

It prints added and removed operations and changed effects, since an operator's offers must not
change unnoticed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from jackfield_aws.direct import light
from jackfield_aws.virtual.index import Index, build

_FILE = Path(__file__).with_name("index.bin")


def changes(old: Index, new: Index) -> list[str]:
    """Return the differences of two indexes, one line per operation: ``+ s3.NewThing (write)``."""
    before, after = _effects(old), _effects(new)
    came = [f"+ {name} ({after[name]})" for name in after.keys() - before.keys()]
    went = [f"- {name}" for name in before.keys() - after.keys()]
    other = [
        f"! {name}: {before[name]} is now {after[name]}"
        for name in before.keys() & after.keys()
        if before[name] != after[name]
    ]
    return sorted([*came, *went, *other], key=lambda line: line[2:])


def _effects(index: Index) -> dict[str, str]:
    return {
        f"{service}.{name}": effect
        for service in index.services
        for name, _, effect in index.rows(service)
    }


def _content(index: Index) -> object:
    services = {
        name: (head.title, head.description, index.rows(name))
        for name, head in index.services.items()
    }
    return index.botocore, index.connection_types, services


def main(argv: list[str] | None = None) -> int:
    """Write the index of the installed botocore and print the changes; with ``--check``, write
    nothing and return 1 if it differs.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if the index differs"
    )
    check = parser.parse_args(argv).check
    content, old = build(), Index()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.bin"
        path.write_bytes(content)
        new = Index(str(path))
        about = f"botocore {old.botocore} -> {new.botocore}: {len(new.services)} services"
        sys.stdout.writelines(f"{line}\n" for line in (*changes(old, new), about))
        # not the bytes: other versions of zlib compress otherwise
        differs = _content(old) != _content(new)
    plain = json.dumps(light.build(), separators=(",", ":")) + "\n"
    differs |= plain != Path(light.TABLE).read_text(encoding="utf-8")
    if differs and not check:
        _FILE.write_bytes(content)
        Path(light.TABLE).write_text(plain, encoding="utf-8")
    return 1 if differs and check else 0


if __name__ == "__main__":
    sys.exit(main())
