"""Runtime with one connector at a fake of its provider; it leaves nothing behind."""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jackfield.catalog import Catalog
from jackfield.catalog.discovery import EntryPoint
from jackfield.kernel.errors import InvalidInvocation
from jackfield.manifest.manifest import Manifest
from jackfield.manifest.parts import package_of
from jackfield.runtime import Jackfield
from jackfield_market.testing.fake_service import ACCOUNTS, CLIENT, FakeService

REDIRECT = "https://localhost/oauth2/callback"
_SIMPLE = frozenset({"apiKey", "basic", "bearer"})
_GRANTED = ACCOUNTS | {CLIENT}

Json = Mapping[str, Any]


@contextmanager
def fake_runtime(
    manifest: Json, kind: str, truth: Json | None = None
) -> Iterator[tuple[Jackfield, FakeService]]:
    """Run a runtime that contains only the connector, with the addresses of a running fake.

    The fake is made from ``truth``, if given: another manifest of the connector, from which the
    connector's differences are found.
    """
    # several may run at once
    package = f"jackfield_try_{package_of(manifest['key']).removeprefix('jackfield_')}_{secrets.token_hex(4)}"
    with (
        FakeService(truth or manifest, kind).running() as fake,
        tempfile.TemporaryDirectory(prefix="jackfield-try-") as home,
    ):
        folder = Path(home) / "packages" / package
        folder.mkdir(parents=True)
        (folder / "connector.json").write_text(json.dumps(fake.moved(manifest)), encoding="utf-8")
        place = str(folder.parent)
        sys.path.insert(0, place)
        catalog = Catalog([EntryPoint(manifest["key"], f"{package}:http", manifest["key"])])
        environment = {"JACKFIELD_HOME": home}
        try:
            with Jackfield(
                connections=[],
                database_url=f"sqlite:///{home}/try.db",
                catalog=catalog,
                environment=environment,
                groups={},
            ) as found:
                yield found, fake
        finally:
            sys.path.remove(place)


def connect(jackfield: Jackfield, fake: FakeService, name: str, kind: str) -> dict[str, Any]:
    """Add a connection to the fake, approve it if necessary, and return the outcome of its test."""
    type_name = f"{fake.manifest['key']}/{kind}"
    # of the store, which is installed beside this package wherever connections are kept
    connections: Any = jackfield.connections
    connections.add(name, type_name, fake.values, test=False)
    if fake.needs_approval:
        authorizing = connections.authorizing()
        begun = authorizing.begin(name, REDIRECT)
        authorizing.complete(begun["id"], fake.approve(begun["url"]))
    shown: dict[str, Any] = connections.test(name)
    return shown


def kind_of(manifest: Json, wanted: str | None = None) -> str:
    """Return the key of the connection type to try.

    This is ``wanted`` if given, else a type with simple values, else a type that a person approves,
    else a type without sign-in.

    :raises InvalidInvocation: if the connector has code of its own, or no such type.
    """
    key, rows = manifest["key"], [row for row in manifest["connectionTypes"] if "http" in row]
    if not rows:
        hint = (
            f"Call it over a connection to the provider: 'jackfield connections add my-{key} "
            f"--type {key}/TYPE'. To prove it, give the "
            'connection the address {"$env": "URL"}: \'jackfield prove --base-url-variable URL -- '
            "jackfield invoke ...'."
        )
        raise InvalidInvocation(
            f"'{key}' has code of its own, so that no fake can be made of it", hint=hint
        )
    if wanted is not None and wanted not in [row["key"] for row in rows]:
        hint = f"It has {', '.join(row['key'] for row in rows)}."
        raise InvalidInvocation(
            f"'{key}' has no connection type '{wanted}' that can be tried", hint=hint
        )
    asked = [row for row in rows if wanted in (None, row["key"])]
    for kinds in (_SIMPLE, _SIMPLE | _GRANTED):
        for row in asked:
            used = _kinds(row)
            if used and used <= kinds:
                return str(row["key"])
    if (open_to_all := next((row for row in asked if not _kinds(row)), None)) is not None:
        return str(open_to_all["key"])
    unknown = sorted({kind for row in asked for kind in _kinds(row)} - _SIMPLE - _GRANTED)
    hint = (
        "Try another type with --type, or add a connection to the provider: 'jackfield "
        f"connections add my-{key} --type {key}/TYPE'."
    )
    raise InvalidInvocation(
        f"the fake of '{key}' cannot sign in by {', '.join(unknown)}", hint=hint
    )


def _kinds(row: Json) -> set[str]:
    return {str(part["kind"]) for part in row["http"]["credentials"]}


def first_read(manifest: Manifest, wanted: str | None = None) -> tuple[str, dict[str, Any]]:
    """Return the first action to call with its inputs: a list without required inputs, else another
    read with its example's inputs.

    :raises InvalidInvocation: if the connector has no such action.
    """
    reads = [action for action in manifest.actions.values() if action.effect == "read"]
    if wanted is not None:
        reads = [action for action in manifest.actions.values() if action.key == wanted]
    free = [action for action in reads if not action.inputs.get("required")]
    chosen = next((action for action in free if action.pagination is not None), None) or next(
        iter([*free, *reads]), None
    )
    if chosen is None:
        raise InvalidInvocation(
            f"'{manifest.key}' has no action to try", hint="Its manifest declares none."
        )
    rows = [
        one
        for action in manifest.raw["actions"]
        if action["key"] == chosen.key
        for one in action.get("examples", ())
    ]
    inputs = dict(rows[0]["invocation"]["inputs"]) if rows and chosen not in free else {}
    return chosen.key, inputs
