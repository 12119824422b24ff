"""Connectors generated from documents, installed into a folder, and called through the library."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jackfield.catalog import Catalog
from jackfield_openapi.command import command
from jackfield_store.runtime import Jackfield
from plugboard import declare, plugged


def document(paths: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An OpenAPI 3.0 document of these paths."""
    return {
        "openapi": "3.0.3",
        "info": {"title": "Acme", "version": "1.0"},
        "paths": dict(paths),
        **more,
    }


def operation(**more: Any) -> dict[str, Any]:
    """An operation that answers with an object."""
    response = {"description": "", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"responses": {"200": response}, **more}


def generate(folder: Path, source: Mapping[str, Any], *options: str) -> dict[str, Any]:
    """Generate a connector into ``folder / "made"``; its manifest."""
    path = folder / "openapi.json"
    path.write_text(json.dumps(source), encoding="utf-8")
    command([str(path), "--out", str(folder / "made"), "--json", *options])
    found: dict[str, Any] = json.loads(
        next((folder / "made").glob("*/connector.json")).read_bytes()
    )
    return found


@contextmanager
def installed(
    folder: Path, manifest: Mapping[str, Any], connection: Mapping[str, Any]
) -> Iterator[Jackfield]:
    """Run a runtime that has the generated connector, and one connection named ``main``."""
    made, key = folder / "made", manifest["key"]
    declare(
        made,
        f"jackfield-{key}",
        "jackfield.connectors",
        {key: f"jackfield_{key.replace('-', '_')}:http"},
    )
    connections = [
        {
            "connections": {
                "main": {
                    "type": f"{key}/{manifest['connectionTypes'][0]['key']}",
                    "values": dict(connection),
                }
            }
        }
    ]
    with (
        plugged(made),
        Jackfield(
            connections=connections, catalog=Catalog.installed(), database_url="none"
        ) as jackfield,
    ):
        yield jackfield
