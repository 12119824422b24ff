"""``jackfield convert`` in this process."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any
from unittest import mock

from jackfield.cli.main import main


def convert(form: str, document: object, *words: str) -> dict[str, Any]:
    """The answer of the command to a document on stdin, which is JSON unless it is a text or
    bytes.
    """
    text = document if isinstance(document, str | bytes) else json.dumps(document)
    answer = io.StringIO()
    content = io.TextIOWrapper(
        io.BytesIO(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    )
    with mock.patch.object(sys, "stdin", content), contextlib.redirect_stdout(answer):
        code = main(["convert", form, "-", *words])
    found: dict[str, Any] = json.loads(answer.getvalue())
    assert code == (2 if found.get("refused") or "error" in found else 0)
    return found


def notes(found: dict[str, Any], kind: str = "differences") -> dict[str, str]:
    """The messages of an answer by path, without that about the region."""
    return {
        note["path"]: note["message"]
        for note in found[kind]
        if "'awsRegion'" not in note["message"]
    }
