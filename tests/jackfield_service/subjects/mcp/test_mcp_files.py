"""Files of outputs over MCP: pictures, sounds and short texts are content, all others links to
resources, which their caller reads.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from http_stand import Client, Stand, say
from mcp_conformance import offering
from mcp_talk import MODES, called, remote
from mcp_tasks import legacy, modern

_NOT_FOUND = {"2026-07-28": -32602, "2025-11-25": -32002}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with actions that return files."""
    with offering(tmp_path_factory.mktemp("files")) as found:
        yield found


@pytest.fixture(scope="module")
def client(stand: Stand) -> Client:
    """Runs actions."""
    return stand.client("invoke")


def contents(
    client: Client, tool: str, mode: str = MODES[1], **arguments: Any
) -> tuple[list[Any], Any]:
    """Content of a call's answer beside the texts, and the call's output."""
    found = called(remote(client.port, client.token), tool, mode, **arguments)
    assert found.structured_content is not None
    return [item for item in found.content if item.type != "text"], found.structured_content[
        "output"
    ]


def read(client: Client, uri: str) -> Any:
    """Content of a resource, or the error."""
    found = modern(client, "resources/read", header=uri, uri=uri).json
    return found["result"]["contents"][0] if "result" in found else found["error"]


@pytest.mark.parametrize(
    ("tool", "kind", "mime"),
    [("imageContent", "image", "image/png"), ("audioContent", "audio", "audio/wav")],
)
@pytest.mark.parametrize("mode", MODES)
def test_pictures_and_sounds_are_content(
    client: Client, mode: str, tool: str, kind: str, mime: str
) -> None:
    """Beside their file, which the output names."""
    (item,), output = contents(client, f"conformance_{tool}", mode)
    assert (item.type, item.mime_type, output["file"]["contentType"]) == (kind, mime, mime)


@pytest.mark.parametrize("mode", MODES)
def test_short_texts_are_embedded(client: Client, mode: str) -> None:
    """A model reads them at once; their URI is that of their resource."""
    (item,), output = contents(client, "conformance_embeddedResource", mode)
    resource = item.resource
    assert (item.type, resource.mime_type, resource.text) == (
        "resource",
        "text/plain",
        "This is an embedded resource content.",
    )
    assert resource.uri == f"jackfield://files/{output['file']['file']}"
    assert [one.type for one in contents(client, "conformance_multipleContentTypes", mode)[0]] == [
        "image",
        "resource",
    ]


def test_a_large_output_is_a_link(client: Client) -> None:
    """Its file is not sent, however short, since the client has said what it takes; the link is to
    a resource that has the whole.
    """
    for size in (99, 50_000):
        (item,), output = contents(
            client, "execute_action", **say("say", text="x" * size), maxBytes=90
        )
        file = output["truncated"]["file"]
        assert (item.type, item.uri, item.size > size, item.mime_type) == (
            "resource_link",
            f"jackfield://files/{file}",
            True,
            "application/json",
        )
        found = read(client, item.uri)
        assert (found["uri"], json.loads(found["text"])["text"]) == (item.uri, "x" * size)


def test_old_clients_get_no_links(client: Client) -> None:
    """Their version has none, and they may refuse the whole answer."""
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "execute_action", "arguments": say("say", text="x" * 50_000)},
    }
    found = client.post("/mcp", body, **{"MCP-Protocol-Version": "2025-03-26"}).json["result"][
        "content"
    ]
    assert [item["type"] for item in found] == ["text"]


def test_what_is_no_text_is_base64(client: Client) -> None:
    """Whatever its type says."""
    _, output = contents(client, "conformance_audioContent")
    found = read(client, f"jackfield://files/{output['file']['file']}")
    assert (found["mimeType"], base64.b64decode(found["blob"])[:4], "text" in found) == (
        "audio/wav",
        b"RIFF",
        False,
    )
    file = client.post("/v1/files", b"\xff\xfe", Content_Type="text/plain").json["file"]
    assert base64.b64decode(read(client, f"jackfield://files/{file}")["blob"]) == b"\xff\xfe"


def test_nobody_reads_the_file_of_another(stand: Stand, client: Client) -> None:
    """What is another's is not there, as what was never there; the error names the URI, in the code
    of the client's version.
    """
    _, output = contents(client, "conformance_embeddedResource")
    uri = f"jackfield://files/{output['file']['file']}"
    for found, asked in (
        (read(stand.client(), uri), uri),
        *((read(client, one), one) for one in (f"{uri}x", "jackfield://files/", "file:///x")),
    ):
        assert (found["code"], found["data"]) == (_NOT_FOUND["2026-07-28"], {"uri": asked})
    assert legacy(client, "resources/read", uri="file:///x")["code"] == _NOT_FOUND["2025-11-25"]
    assert read(client, uri)["text"]


def test_a_file_that_is_too_large(client: Client) -> None:
    """The error says how it is read."""
    file = client.post("/v1/files", b"x" * (1024 * 1024 + 1), Content_Type="text/plain").json[
        "file"
    ]
    found = read(client, f"jackfield://files/{file}")
    assert (found["code"], "read it over HTTP" in found["message"]) == (-32602, True)


def test_the_lists(client: Client) -> None:
    """No file is listed, and the form of the URIs is."""
    assert modern(client, "resources/list").json["result"]["resources"] == []
    (template,) = modern(client, "resources/templates/list").json["result"]["resourceTemplates"]
    assert template["uriTemplate"] == "jackfield://files/{id}"
