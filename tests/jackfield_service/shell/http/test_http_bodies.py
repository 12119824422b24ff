"""Bodies on their way to where they belong: nothing of them is written to a temporary file in
clear.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from http_stand import Client, say


def test_a_form_is_not_put_into_a_temporary_file(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of a form goes into the file store as it arrives, whatever stands before it; after
    it, nothing may follow but fields.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    part = (
        b"--x\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n"
        + b"\r\n--y" * 600_000
        + b"\r\n"
    )
    field = b"--x\r\nContent-Disposition: form-data; name=g\r\n\r\na field\r\n"
    for body, status in (
        (field + part + field + b"--x--\r\n", 201),
        (part + part + b"--x--\r\n", 400),
        (part, 400),
        (field * 12 + part, 400),
    ):
        answer = client.post("/v1/files", body, Content_Type="multipart/form-data; boundary=x")
        assert answer.status == status, answer.body
    found = client.get("/v1/files").json["items"]
    assert [file["size"] for file in found] == [3_000_000]
    assert client.get(f"/v1/files/{found[0]['file']}").body == b"\r\n--y" * 600_000


def test_a_body_of_unknown_length_is_not_written_in_clear(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits in a temporary file is encrypted: bodies may contain secrets."""
    written: list[bytes] = []

    class Watched(tempfile.SpooledTemporaryFile[bytes]):
        """A temporary file whose content is seen."""

        def write(self, data: Any) -> int:
            """Write, and tell."""
            written.append(bytes(data))
            return super().write(data)

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", Watched)
    body = json.dumps(say("say", text="sesame" * 300_000)).encode()
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", client.port, timeout=120)
    ) as connection:
        connection.request("POST", "/v1/invocations", iter([body]), headers, encode_chunked=True)
        answer = connection.getresponse()
        assert (answer.status, b"sesamesesame" in answer.read()) == (200, True)
    assert len(b"".join(written)) == len(body)
    assert b"sesamesesame" not in b"".join(written)
