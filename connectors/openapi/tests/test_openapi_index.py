"""A connector of hundreds of actions is listed from its index; an action's schemas are read from
the manifest when it is used.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield.catalog.comparing import mismatch
from jackfield.catalog.indexed import read_manifest
from jackfield.manifest.manifest import Manifest
from jackfield.manifest.reading import INDEX, MANIFEST, ManifestError
from jackfield.testing import Answer, Provider
from jackfield_http.bindings.connector import bound
from jackfield_openapi.conversion import Converted
from jackfield_openapi.project import files_of, write
from jackfield_openapi.report import Report
from openapi_rig import document, generate, installed, operation


def _many(count: int = 300) -> dict[str, Any]:
    item = {
        "type": "object",
        "properties": {"näme": {"type": "string"}, "next": {"$ref": "#/components/schemas/Item"}},
    }
    media = {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}
    responses = {"200": {"description": "", "content": media}}
    paths = {
        f"/t{number}/{{id}}": {
            "put": operation(
                operationId=f"putThing{number}",
                summary=f"Put the thing ü {number}",
                parameters=[
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                requestBody={"required": True, "content": media},
                responses=responses,
            )
        }
        for number in range(count)
    }
    return document(paths, components={"schemas": {"Item": item}})


def test_the_index_leads_to_the_whole_manifest(tmp_path: Path) -> None:
    """Every action and its schemas are the same, whether the manifest is read at once or by its
    index.
    """
    whole = Manifest.from_json(generate(tmp_path, _many()))
    folder = tmp_path / "made" / "jackfield_acme"
    found = read_manifest(str(folder))
    assert list(found.actions) == list(whole.actions)
    assert "inputs" not in json.loads((folder / INDEX).read_bytes())["manifest"]["actions"][0]
    for key in ("putThing0", "putThing299"):
        one, other = found.actions[key], whole.actions[key]
        assert (one.inputs, one.output, one.effect, one.title) == (
            other.inputs,
            other.output,
            other.effect,
            other.title,
        )
        assert one.content.row == other.content.row
    assert found.whole() == whole.raw
    assert mismatch(bound(whole.raw), found, {*found.actions}) is None


def test_an_indexed_connector_is_called(tmp_path: Path) -> None:
    """Its actions run, with closed inputs at any depth."""
    manifest = generate(tmp_path, _many())
    with (
        Provider([Answer({"näme": "x"})]) as provider,
        installed(tmp_path, manifest, {"server": provider.url}) as jackfield,
    ):
        called = {
            "connector": "acme",
            "action": "putThing7",
            "connection": "main",
            "inputs": {"id": "1", "next": {"näme": "ü"}},
        }
        assert jackfield.invoke(called).unwrap() == {"näme": "x"}
        refused = jackfield.invoke({**called, "inputs": {"id": "1", "next": {"name": "ü"}}})
    assert provider.requests[0].path == "/t7/1"
    assert refused.error is not None
    assert [detail.path for detail in refused.error.details] == ["/next/name"]


def test_an_index_of_another_manifest_is_refused(tmp_path: Path) -> None:
    """An index that does not fit its manifest, or says something else about an action, is never
    believed.
    """
    generate(tmp_path, _many())
    folder = tmp_path / "made" / "jackfield_acme"
    index = json.loads((folder / INDEX).read_bytes())
    index["manifest"]["actions"][0]["effect"] = "read"
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(ManifestError, match="disagree about the action 'putThing0'"):
        _ = read_manifest(str(folder)).actions["putThing0"].inputs
    (folder / MANIFEST).write_bytes((folder / MANIFEST).read_bytes() + b" ")
    with pytest.raises(ManifestError, match="belongs to another"):
        read_manifest(str(folder))


def test_a_small_connector_has_no_index(tmp_path: Path) -> None:
    """Up to ten actions are read at once."""
    generate(tmp_path, _many(3))
    assert not (tmp_path / "made" / "jackfield_acme" / INDEX).exists()


def test_five_thousand_actions_are_never_read_whole(tmp_path: Path) -> None:
    """They are listed, described and called although the bytes of all others are blank: nothing but
    the action in use is read.
    """
    manifest = generate(tmp_path, _many(101))
    folder, key = tmp_path / "made" / "jackfield_acme", "putThing4999"
    row = manifest["actions"][0]
    manifest["actions"] = [
        {**row, "key": f"putThing{number}", "http": {**row["http"], "path": f"/t{number}/{{id}}"}}
        for number in range(5_000)
    ]
    write(
        tmp_path / "made",
        files_of(Converted(manifest, Report(), {}, {"actions": []}), "x.json", b"", ()),
    )
    content = bytearray((folder / MANIFEST).read_bytes())
    for row in json.loads((folder / INDEX).read_bytes())["manifest"]["actions"]:
        if row["key"] != key:
            start, length = row["at"]
            content[start : start + length] = b" " * length
    (folder / MANIFEST).write_bytes(content)
    found = read_manifest(str(folder))
    assert (len(found.actions), "next" in found.actions[key].inputs["properties"]) == (5_000, True)
    called = {
        "connector": "acme",
        "action": key,
        "connection": "main",
        "inputs": {"id": "1", "body": {"näme": "x"}},
    }
    with (
        Provider([Answer({"näme": "x"})]) as provider,
        installed(tmp_path, manifest, {"server": provider.url}) as jackfield,
    ):
        assert jackfield.invoke(called).unwrap() == {"näme": "x"}
