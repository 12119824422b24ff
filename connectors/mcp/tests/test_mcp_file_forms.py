"""Files and texts of results in forms that servers write beside those of the standard: the server
has answered, so no write is in doubt.
"""

from __future__ import annotations

from base64 import b64decode, b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from mcp_rig import ToolServer, call, stage

OCTETS = b"\x89PNG\xff\xfe" + bytes(range(256))
ENCODED = b64encode(OCTETS).decode()
FORMS = {
    "as the standard has it": ENCODED,
    "in lines": "\r\n".join(ENCODED[at : at + 76] for at in range(0, len(ENCODED), 76)) + "\n",
    "with the characters of URLs": urlsafe_b64encode(OCTETS).decode(),
    "without padding": ENCODED.rstrip("="),
    "as a data URL": f"data:image/png;base64,{ENCODED}",
    "as a data URL with parameters": f" data:image/png;name=a.png;BASE64,{ENCODED}",
    "empty": "",
}


def _parts(data: str) -> list[dict[str, Any]]:
    return [
        {"type": "image", "data": data, "mimeType": "image/png"},
        {"type": "resource", "resource": {"uri": "x:1", "blob": data, "mimeType": "image/png"}},
    ]


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_base64(tmp_path: Path, name: str) -> None:
    """Each is the file that it is."""
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.result({"content": _parts(FORMS[name])})
    with stage(tmp_path, server) as jackfield:
        result = call(jackfield).to_json()
    image, resource = result["output"]["content"]
    files = image["file"], resource["resource"]["file"]
    assert [b64decode(one["data"]) for one in files] == [b"" if name == "empty" else OCTETS] * 2
    assert [one["contentType"] for one in files] == ["image/png"] * 2
    assert "warnings" not in result["meta"]


@pytest.mark.parametrize(
    "data",
    ["not base64 at all!", "***", "data:image/png;base64,%%%", "data:text/plain,hello", "ÿ" * 9],
)
def test_what_is_no_base64(tmp_path: Path, data: str) -> None:
    """It is kept as it came, as a text, and a warning says so: the server has answered."""
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.result({"content": _parts(data)})
    with stage(tmp_path, server) as jackfield:
        result = call(jackfield).to_json()
    assert (result["status"], server.count("tools/call")) == ("succeeded", 1)
    file = result["output"]["content"][0]["file"]
    assert (b64decode(file["data"]).decode(), file["contentType"]) == (
        data,
        "text/plain; charset=utf-8",
    )
    assert "not base64" in result["meta"]["warnings"][0]["message"]


def test_bare_texts(tmp_path: Path) -> None:
    """Texts in place of parts are those parts, with a warning."""
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.result(
        {"content": ["done", {"type": "text", "text": "twice"}, None]}
    )
    with stage(tmp_path, server) as jackfield:
        result = call(jackfield).to_json()
    assert [part["text"] for part in result["output"]["content"]] == ["done", "twice"]
    assert "bare texts" in result["meta"]["warnings"][0]["message"]
