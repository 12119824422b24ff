"""The author's type for files: each form that a caller may give, and its schema."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from jackfield.connector import Field, File, Inputs
from jackfield.connector.manifests import model_schema
from jackfield.schema import compile_schema


class Picture(Inputs):
    """A picture."""

    first: File = Field(title="First", description="The one.")
    second: File | None = Field(None, title="Second", description="The other.")


SCHEMA = model_schema(Picture)


@pytest.mark.parametrize(
    ("given", "content", "kind"),
    [
        ("Grüße", "Grüße".encode(), "text/plain; charset=utf-8"),
        ("data:image/png;base64,AAEC", b"\0\1\2", "image/png"),
        ("data:,a%20b", b"a b", "text/plain"),
        ("data: none", b"data: none", "text/plain; charset=utf-8"),
        ({"data": "AA\nEC", "contentType": "image/png"}, b"\0\1\2", "image/png"),
        ({"data": "AAEC"}, b"\0\1\2", "application/octet-stream"),
    ],
)
def test_a_file_in_each_form(given: Any, content: bytes, kind: str) -> None:
    """What the schema takes becomes octets and a media type; its text shows neither."""
    assert compile_schema(SCHEMA).check({"first": given}).details == ()
    found = Picture.model_validate({"first": given})
    assert (found.first.content, found.first.content_type, found.second) == (content, kind, None)
    assert repr(found.first) == f"File({len(content)} bytes, {kind!r})"
    assert Picture(first=found.first).first is found.first


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"data": "?"}, "is not base64"),
        ({"data": "data:a/b;base64,aGk="}, "in place of the object"),
        (5, "is neither text"),
        ("data:;base64,?", "is not base64"),
    ],
)
def test_what_is_no_file(given: Any, told: str) -> None:
    """What is not base64, or no file at all, is refused."""
    with pytest.raises(ValidationError, match=told):
        Picture.model_validate({"first": given})


def test_surfaces_know_it_for_a_file() -> None:
    """The schema is the one by which the CLI, uploads and forms recognise a file, optional or
    not.
    """
    for name in ("first", "second"):
        branches = SCHEMA["properties"][name]["anyOf"]
        assert [set(branch.get("properties", ())) for branch in branches] == [
            set(),
            {"data", "contentType"},
        ]
