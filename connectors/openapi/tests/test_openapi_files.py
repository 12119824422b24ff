"""Files of generated connectors: stored ones are sent as streams, and large ones that come back are
stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.catalog import Catalog
from jackfield.invocation import Result
from jackfield.testing import Answer, Provider, Request
from openapi_rig import document, generate, operation
from plugboard import declare, plugged

_SIZE = 3_000_000
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "type": "object",
    "required": ["photos"],
    "properties": {
        "name": {"type": "string"},
        "photos": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "scan": {"type": "string", "format": "binary"},
    },
}
_DOCUMENT = document(
    {
        "/raw": {
            "put": operation(
                operationId="putRaw",
                requestBody={"required": True, "content": {"image/*": _BINARY}},
            ),
            "get": operation(
                operationId="getRaw",
                responses={"200": {"description": "", "content": {"image/png": _BINARY}}},
            ),
        },
        "/any": {
            "get": operation(
                operationId="getAny", responses={"200": {"description": "", "content": {"*/*": {}}}}
            )
        },
        "/form": {
            "post": operation(
                operationId="postForm",
                requestBody={"content": {"multipart/form-data": {"schema": _FORM}}},
            )
        },
    },
    servers=[{"url": "https://api.acme.example"}],
)


def _script(_number: int, request: Request) -> Answer:
    headers = {
        "Content-Type": "image/png",
        "Content-Disposition": "attachment; filename*=UTF-8''Ada%20Gr%C3%BC%C3%9Fe.png",
    }
    return Answer(content=b"p" * _SIZE, headers=headers) if request.method == "GET" else Answer({})


class Rig:
    """The generated connector over a scripted provider, with a database."""

    def __init__(self, runtime: Jackfield, provider: Provider) -> None:
        self.runtime = runtime
        self.provider = provider

    def call(self, action: str, inputs: Mapping[str, Any]) -> Result:
        """Call an action."""
        connection = {"type": "acme/anonymous", "values": {"server": self.provider.url}}
        return self.runtime.invoke(
            {
                "connector": "acme",
                "action": action,
                "connection": connection,
                "inputs": dict(inputs),
            }
        )

    def stored(self) -> dict[str, str]:
        """A reference to a stored file of 3 MB."""
        return {"file": self.call("getRaw", {}).unwrap()["file"]["file"]}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A rig whose provider returns 3 MB for each GET."""
    generate(tmp_path, _DOCUMENT)
    declare(
        tmp_path / "made", "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"}
    )
    url = f"sqlite:///{tmp_path / 'acme.db'}"
    with (
        plugged(tmp_path / "made"),
        Provider(_script) as provider,
        Jackfield(catalog=Catalog.installed(), database_url=url) as runtime,
    ):
        yield Rig(runtime, provider)


@pytest.mark.parametrize("action", ["getRaw", "getAny"])
def test_large_files_are_stored_while_they_are_received(rig: Rig, action: str) -> None:
    """A response of more than 1 MiB is a stored file, whether the document says that it is binary
    or not.
    """
    result = rig.call(action, {})
    file = result.unwrap()["file"]
    assert (file["size"], file["contentType"], "expiresAt" in file, result.meta.warnings) == (
        _SIZE,
        "image/png",
        True,
        (),
    )
    assert file["name"] == "Ada Grüße.png"


def test_a_stored_file_is_sent_as_a_body(rig: Rig) -> None:
    """The body comes from the storage, with the media type of the file."""
    rig.call("putRaw", {"body": rig.stored()}).unwrap()
    request = rig.provider.requests[-1]
    assert (request.body, request.headers["Content-Type"], request.headers["Content-Length"]) == (
        b"p" * _SIZE,
        "image/png",
        str(_SIZE),
    )


def test_stored_files_are_parts_of_a_form(rig: Rig) -> None:
    """Stored files and files by value go out in one body."""
    stored = rig.stored()
    rig.call(
        "postForm",
        {
            "name": "ada",
            "photos": [stored, {"data": "AAE=", "contentType": "image/gif"}],
            "scan": stored,
        },
    ).unwrap()
    body = rig.provider.requests[-1].body
    assert (
        body.count(b"p" * _SIZE),
        body.count(b'name="photos"; filename='),
        b"\x00\x01" in body,
    ) == (2, 2, True)


def test_a_file_that_is_not_there(rig: Rig) -> None:
    """An ID of no file is refused at its place, before anything is sent; so it is in the form of
    manifest version 1.
    """
    inputs = {"photos": [{"file": "0197a2f0-0000-7000-8000-000000000000"}]}
    for given, place in ((inputs, "/photos/0/file"), ({"body": inputs}, "/body/photos/0/file")):
        result = rig.call("postForm", given)
        assert result.error is not None
        assert ([detail.path for detail in result.error.details], rig.provider.requests) == (
            [place],
            [],
        )


def test_an_empty_response_is_no_file(tmp_path: Path) -> None:
    """A 204 in place of a file gives an empty output; without a database a large file is part of
    the output.
    """
    generate(tmp_path, _DOCUMENT)
    declare(
        tmp_path / "made", "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"}
    )
    answers = [
        Answer(status=204, content=b""),
        Answer(content=b"q" * _SIZE, headers={"Content-Type": "image/png"}),
    ]
    with (
        plugged(tmp_path / "made"),
        Provider(answers) as provider,
        Jackfield(catalog=Catalog.installed(), database_url="none") as runtime,
    ):
        rig = Rig(runtime, provider)
        assert rig.call("getRaw", {}).unwrap() == {}
        assert len(rig.call("getRaw", {}).unwrap()["file"]["data"]) == _SIZE * 4 // 3
