"""``jackfield files``: in and out by the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from file_places import Place, folder
from http_stand import clean

pytest_plugins = ["warm"]


def run(place: Place, tmp_path: Path, *words: str, stdin: bytes = b"") -> tuple[int, bytes]:
    """Run a command in a process of its own."""
    environment = clean(tmp_path / "home", **place.environment)
    command = [sys.executable, "-m", "jackfield", "files", *words]
    done = subprocess.run(
        command, env=environment, input=stdin, stdout=subprocess.PIPE, check=False, cwd=tmp_path
    )
    return done.returncode, done.stdout


@pytest.mark.usefixtures("warm_python")
def test_files_in_and_out_by_the_command_line(tmp_path: Path) -> None:
    """``put``, ``list``, ``get`` to a file and to stdout, ``rm``; what is not there is refused with
    a code.
    """
    place = folder(tmp_path / "stored")

    def told(*words: str, stdin: bytes = b"", code: int = 0) -> Any:
        found, text = run(place, tmp_path, *words, "--json", stdin=stdin)
        assert found == code, text
        return json.loads(text)

    content = bytes(range(256)) * 20_000
    (tmp_path / "report.pdf").write_bytes(content)
    put = told("put", "report.pdf")
    assert (put["size"], put["contentType"], put["name"]) == (
        len(content),
        "application/pdf",
        "report.pdf",
    )
    piped = told("put", "-", "--type", "text/plain", stdin=b"piped")
    assert [row["file"] for row in told("list")] == [piped["file"], put["file"]]
    assert told("get", put["file"], "--out", "again.pdf")["out"] == "again.pdf"
    assert (tmp_path / "again.pdf").read_bytes() == content
    assert (
        told("get", put["file"], "--out", "again.pdf", code=2)["error"]["code"]
        == "invalid_invocation"
    )
    assert run(place, tmp_path, "get", piped["file"]) == (0, b"piped")
    assert told("rm", piped["file"])["deleted"]
    for verb in ("rm", "get"):
        assert told(verb, piped["file"], code=1)["error"]["code"] == "not_found"
    assert told("put", "nothing.pdf", code=2)["error"]["code"] == "invalid_invocation"
