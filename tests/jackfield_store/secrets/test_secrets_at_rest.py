"""None of 250 planted secrets, of 1,000 in campaigns, is readable in the database's files, its
backup or a log (issue 3, acceptance).

Planted in stored connections of three kinds, in inline connections, in inputs that the journal
keeps, in what waits in the queue, in what AWS quotes in its refusals, and in sessions that
processes share. Each begins with a marker that no other text holds, and whose encodings are looked
for: as it is, in base64 at any offset, URL- and JSON-escaped, in hexadecimal. An External ID is
none: AWS does not count it as a secret, and contract §9 shows it.
"""

from __future__ import annotations

import base64
import json
import logging
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from fake_aws import FakeAws
from jackfield_store.database import open_database
from jackfield_store.database.backup import backup
from jackfield_store.runtime import Jackfield
from leaks import Recording
from postgres import missing, running_server, use_programs

COUNTS = pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.campaign)])
MARKER = 'Zq7"vJ/ü%9kW'
"""Twelve characters, of which some are escaped by each encoder."""
ROLE = "arn:aws:iam::123456789012:role/acme-ses"


class Plant:
    """Makes secrets and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def secret(self) -> str:
        """A new one."""
        self.count += 1
        return f"{MARKER}{self.count:04}{secrets.token_hex(8)}"


def spellings() -> list[bytes]:
    """How the markers may be written."""
    found: set[bytes] = set()
    octets = MARKER.encode()
    found |= {
        octets,
        octets.hex().encode(),
        quote(MARKER, safe="").encode(),
        quote(MARKER).encode(),
    }
    found |= {
        json.dumps(MARKER)[1:-1].encode(),
        json.dumps(MARKER, ensure_ascii=False)[1:-1].encode(),
    }
    found |= {
        base64.b64encode(b"\0" * offset + octets)[4 if offset else 0 : -4] for offset in range(3)
    }
    return sorted(found)


def planted(jackfield: Jackfield, plant: Plant, aws: FakeAws, count: int) -> None:
    """Put secrets wherever the runtime keeps anything."""
    jackfield.access.workspaces.set("default", {"keepInputs": True})
    for number in range(count * 3 // 10):
        keys = {
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "secretAccessKey": plant.secret(),
            "region": "eu-west-1",
        }
        jackfield.connections.add(f"key-{number}", "aws-ses/apiKeySecret", keys, test=False)
        role = {
            **keys,
            "secretAccessKey": plant.secret(),
            "roleARN": ROLE,
            "externalId": "acme-4711",
        }
        jackfield.connections.add(f"role-{number}", "aws-ses/awsAssumeRole", role, test=False)
    keys = {
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey": plant.secret(),
        "endpoint": aws.url,
        "region": "eu-west-1",
    }
    own: dict[str, dict[str, str]] = {
        "own": keys,
        "shared": {**keys, "stsEndpoint": aws.url, "roleARN": ROLE, "externalId": "acme-4711"},
    }
    for name, values in own.items():
        kind = "awsAssumeRole" if "roleARN" in values else "apiKeySecret"
        jackfield.connections.add(name, f"aws-ses/{kind}", values, test=False, force=True)
    while plant.count < count:
        _invocations(jackfield, plant, aws, keys)


def _invocations(jackfield: Jackfield, plant: Plant, aws: FakeAws, keys: dict[str, Any]) -> None:
    """Sent, refused by AWS in words that quote, refused by us, inline, queued, in doubt."""
    refusal = {
        "operation": "SendEmail",
        "do": "status",
        "status": 400,
        "code": "MessageRejected",
        "message": f"no {keys['secretAccessKey']}",
    }
    assert jackfield.invoke(_mail(plant, "own")).status == "succeeded"
    assert jackfield.invoke(_mail(plant, "shared")).status == "succeeded"
    aws.script([refusal])
    assert jackfield.invoke(_mail(plant, "own")).status == "failed"
    aws.script([{"operation": "SendEmail", "do": "reset"}])
    assert jackfield.invoke(_mail(plant, "own")).status == "in_doubt"
    inline = {**keys, "secretAccessKey": plant.secret()}
    for values in (inline, {**inline, "unknown": plant.secret()}):
        jackfield.invoke(
            {**_mail(plant, "own"), "connection": {"type": "apiKeySecret", "values": values}}
        )
    assert isinstance(jackfield.enqueue(_mail(plant, "own")), str)


def _mail(plant: Plant, connection: str) -> dict[str, Any]:
    inputs = {
        "awsRegion": "eu-west-1",
        "to": ["ada@example.com"],
        "sender": "a@example.com",
        "subject": plant.secret(),
        "text": plant.secret(),
    }
    return {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": connection,
        "inputs": inputs,
    }


@pytest.fixture
def recording() -> Iterator[Recording]:
    """All that any logger tells, at its most verbose."""
    root, handler = logging.getLogger(), Recording()
    old = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(old)
    root.removeHandler(handler)


def _leaks(contents: Iterable[tuple[str, bytes]]) -> list[str]:
    return [
        f"{name}: {needle!r}"
        for name, content in contents
        for needle in spellings()
        if needle in content
    ]


def _plant_and_look(url: str, folder: Path, recording: Recording, count: int) -> None:
    plant = Plant()
    with FakeAws(roles={ROLE: {}}) as aws, Jackfield(connections=[], database_url=url) as jackfield:
        planted(jackfield, plant, aws, count)
        backup(jackfield.storage.database, folder / "backup")
        sessions = [session.token for session in aws.sessions]
    assert plant.count >= count
    logs = "\n".join(recording.texts()).encode("utf-8", "replace")
    assert _leaks([("backup", (folder / "backup").read_bytes()), ("logs", logs)]) == []
    assert sessions
    assert not any(token.encode() in logs for token in sessions)


@COUNTS
def test_no_planted_secret_is_readable_in_sqlites_files(
    tmp_path: Path, recording: Recording, count: int
) -> None:
    """SQLite: the file, its log, its backup."""
    url = f"sqlite:///{tmp_path / 'jackfield.db'}"
    _plant_and_look(url, tmp_path, recording, count)
    files = list(tmp_path.glob("jackfield.db*"))
    assert files
    assert _leaks((file.name, file.read_bytes()) for file in files) == []


# what is sealed is sealed above SQL; a server of its own takes 3 s of CPU time
@pytest.mark.campaign
@COUNTS
@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_no_planted_secret_is_readable_in_postgresqls_files(
    tmp_path: Path, recording: Recording, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """PostgreSQL: every file of the server, its write-ahead log and its own log included."""
    use_programs(monkeypatch)
    with running_server() as server:
        url = server.create()
        open_database(url, migrate=True).close()
        _plant_and_look(url, tmp_path, recording, count)
        server.stop("fast")
        files = [
            file for file in server.folder.rglob("*") if file.is_file() and not file.is_symlink()
        ]
        assert len(files) > 100
        assert _leaks((file.name, file.read_bytes()) for file in files) == []


def test_a_secret_would_be_found(tmp_path: Path) -> None:
    """What the tests above look for is what a leak looks like, at any offset."""
    text = f"x{MARKER}0001"
    leaked = [
        text.encode(),
        *(base64.b64encode(b"abc"[:size] + text.encode()) for size in range(3)),
        json.dumps(text).encode(),
        quote(text).encode(),
    ]
    for content in leaked:
        assert _leaks([("file", content)]), content
