"""Forms from schemas: what docs/tutorial/forms.md says works with Ajv and react-jsonschema-form,
for each schema that we publish.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.schema.formats import FORMATS

_ROOT = Path(__file__).resolve().parents[3]
_PAGE = (_ROOT / "docs" / "tutorial" / "forms.md").read_text(encoding="utf-8")
_NODE = Path(sys.prefix) / "node"
_CURATED = ("aws-ses", "github", "http", "slack", "stripe")
_SAID_ON_THE_PAGE = {"password", "unix-time", "decimal"}

Form = tuple[str, Mapping[str, Any], list[Any]]
"""Name of an action or a connection type, its schema, and the inputs of its examples."""


def curated() -> Iterator[Form]:
    """Forms of the connectors that are written by hand."""
    with Jackfield(database_url="none", connections=[]) as jackfield:
        for key in _CURATED:
            (path,) = (_ROOT / "connectors" / key).glob("jackfield_*/connector.json")
            written = {
                one["key"]: one.get("examples", ())
                for one in json.loads(path.read_text(encoding="utf-8"))["actions"]
            }
            manifest = jackfield.catalog.find(key)
            for action in manifest.actions.values():
                examples = [one["invocation"]["inputs"] for one in written[action.key]]
                yield (
                    f"{key}/{action.key}",
                    action.inputs,
                    [one for one in examples if _is_whole(one, action.inputs)],
                )
            yield from (
                (f"{key}/{kind.key}", kind.schema, [])
                for kind in manifest.connection_types.values()
            )


def _is_whole(example: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    """Return whether an example has what the schema asks for: those of calls leave out what the
    connection brings, and refer to files.
    """
    return {*schema.get("required", ())} <= example.keys() and "$file" not in json.dumps(example)


def of_aws(count: int) -> Iterator[Form]:
    """Forms of actions of AWS: one each of so many services, by chance that is the same in each
    run.
    """
    chance = random.Random(count)
    with Jackfield(database_url="none", connections=[]) as jackfield:
        keys = sorted(
            entry.key for entry in jackfield.catalog.entries() if entry.key.startswith("aws.")
        )
        services = (jackfield.catalog.find(key) for key in chance.sample(keys, len(keys)))
        for service in islice((one for one in services if one.actions), count):
            action = chance.choice([*service.actions.values()])
            yield f"{service.key}/{action.key}", action.inputs, []


def drawn(folder: Path, forms: Iterator[Form]) -> str:
    """Draw the forms with the code of the page; return what was wrong."""
    if not (_NODE / "node_modules" / "@rjsf").exists():
        pytest.skip(
            "react-jsonschema-form is not installed in .venv/node ('make clients' does it, where "
            "there is npm)"
        )
    for name, code in zip(
        ("ajv", "rjsf"),
        re.findall(r"^```js\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL),
        strict=True,
    ):
        (folder / f"{name}.mjs").write_text(code, encoding="utf-8")
    shutil.copy(_ROOT / "tests" / "clients" / "forms.mjs", folder)
    (folder / "node_modules").symlink_to(_NODE / "node_modules")
    lines = "".join(
        json.dumps({"name": name, "schema": schema, "values": values}) + "\n"
        for name, schema, values in forms
    )
    done = subprocess.run(
        ["node", "forms.mjs"],
        cwd=folder,
        input=lines,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_each_form_of_a_connector_written_by_hand(tmp_path: Path) -> None:
    """Platform-user, F9: each compiles, is drawn whole, takes its examples, and refuses them
    without what is required.
    """
    forms = [*curated()]
    assert sum(len(values) for _, _, values in forms) > 20
    assert drawn(tmp_path, iter(forms)) == ""


@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.campaign)])
def test_forms_of_aws(tmp_path: Path, count: int) -> None:
    """The same of actions of AWS."""
    assert drawn(tmp_path, of_aws(count)) == ""


def test_the_judge_sees_what_is_wrong(tmp_path: Path) -> None:
    """A schema that no validator takes, an example that breaks its schema, and a member that
    nothing demands though it should.
    """
    closed = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    bad: list[Form] = [
        ("broken", {**closed, "anyOf": []}, []),
        ("refused", closed, [{"a": 1}]),
        ("whole", closed, [{"a": "x"}]),
    ]
    found = drawn(tmp_path, iter(bad))
    assert {line.partition(":")[0] for line in found.splitlines()} == {"broken", "refused"}


def test_the_page_has_every_format() -> None:
    """The table has each format that is asserted, and each that only describes, in the schemas
    written by hand.
    """
    table = {
        name
        for row in re.findall(r"^\| (`(?!format).*?) \|", _PAGE, re.MULTILINE)
        for name in re.findall(r"`([\w-]+)`", row)
    }
    assert table == {*FORMATS} | _SAID_ON_THE_PAGE
    used = {
        node["format"]
        for _, schema, _ in curated()
        for node in _all(schema)
        if isinstance(node.get("format"), str)
    }
    assert used - table <= {"repo.nwo"}


def _all(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    for member in (
        value.values()
        if isinstance(value, Mapping)
        else value
        if isinstance(value, list | tuple)
        else ()
    ):
        yield from _all(member)
