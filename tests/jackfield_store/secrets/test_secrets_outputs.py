"""Newcomer N3: ``secret=True`` on an Output field was shown everywhere. It is shown once, to the
caller, and is ``***`` elsewhere.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from http_stand import Stand, standing
from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.database import open_database
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield
from mcp_talk import called, remote
from plugboard import make_connector, plugged

pytest_plugins = ["warm"]
pytestmark = pytest.mark.above_sql

_SECRET = "whsec_abcdef-4711"
_SOURCE = f'''
from jackfield.connector import Connector, Field, Inputs, Output, Pagination, current_call

connector = Connector("hooks", title="Hooks", version="1.0.0", connections=[])

class Page(Inputs):
    """Which page."""

    cursor: str | None = Field(None, secret=True)

class Signing(Output):
    """A webhook's key."""

    secret: str | None = Field(None, secret=True)
    pin: int = Field(4711, secret=True)

class Webhook(Output):
    """A new webhook."""

    id: str
    note: str
    keys: list[Signing]
    tags: dict[str, str]

class Token(Output):
    """A new token."""

    token: str
    expires: int

@connector.action("addWebhook", needs_connection=False)
def add_webhook(page: Page) -> Webhook:
    """Add a webhook."""
    return Webhook(
        id="w1", note="verify with {_SECRET}, please", keys=[Signing(secret="{_SECRET}"), Signing()], tags={{"a": "{_SECRET}"}}
    )

class Listed(Output):
    """Keys."""

    items: list[str]
    after: str | None = Field(None, secret=True)

@connector.action("listKeys", effect="read", needs_connection=False, pagination=Pagination("cursor", "after", "items"))
def list_keys(page: Page) -> Listed:
    """List keys."""
    return Listed(items=["a"], after="{_SECRET}")

@connector.action("makeKey", needs_connection=False)
def make_key(page: Page) -> Token:
    """Make a token and activate it."""
    call = current_call()
    call.begin("create")
    call.answered({{"secret": "{_SECRET}", "token": "{_SECRET}", "id": "t1"}})
    call.begin("activate")
    raise ConnectionResetError

class Key(Output):
    """A key."""

    secret: str = Field(secret=True)
    id: str
    size: int = Field(schema={{"maximum": 3}})

@connector.action("markedKey", needs_connection=False)
def marked_key(page: Page) -> Key:
    """Make a key and activate it."""
    return make_key(page)

@connector.action("brokenKey", needs_connection=False)
def broken_key(page: Page) -> Key:
    """Make a key that its schema refuses."""
    current_call().begin("create")
    return Key.model_construct(secret="{_SECRET}", id="verify with {_SECRET}", size=5)

handed_key = connector.action("handedKey", needs_connection=False, hands_out_credentials=True)(make_key)

@connector.action("mintToken", effect="read", needs_connection=False, hands_out_credentials=True)
def mint_token(page: Page) -> Token:
    """Mint a token."""
    return Token(token="{_SECRET}", expires=12345678)
'''
_SHOWN = {
    "id": "w1",
    "note": f"verify with {_SECRET}, please",
    "keys": [{"secret": _SECRET, "pin": 4711}, {"pin": 4711}],
    "tags": {"a": _SECRET},
}
_KEPT = {
    "id": "w1",
    "note": "verify with ***, please",
    "keys": [{"secret": "***", "pin": "***"}, {"pin": "***"}],
    "tags": {"a": "***"},
}


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("outputs")
    make_connector(folder / "plugs", "hooks", _SOURCE)
    with standing(folder) as stand:
        yield stand


def _say(action: str, **more: Any) -> dict[str, Any]:
    return {"connector": "hooks", "action": action, "inputs": {}, **more}


def test_n3_a_secret_output_is_shown_once(stand: Stand) -> None:
    """The Result of the call has it; the entry, the list and the replay have ``***``, also where
    another member repeats it, and say so.
    """
    client, reader = stand.client(), stand.client("read")
    told = _say("addWebhook", idempotencyKey="hook-1")
    first = client.post("/v1/invocations", told).json
    assert first["output"] == _SHOWN
    assert "warnings" not in first["meta"]
    entry = reader.get(f"/v1/invocations/{first['meta']['invocationId']}").json
    replayed = client.post("/v1/invocations", told).json
    assert replayed["meta"]["replayed"]
    for kept in (entry, replayed):
        assert kept["output"] == _KEPT
        assert kept["meta"]["warnings"] == [
            {
                "path": "",
                "message": "only the caller of this call was shown the secrets of the output "
                "('/keys/0/secret', '/keys/0/pin', "
                "'/keys/1/pin'): records and replays have *** in its place",
            }
        ]
    assert _SECRET not in json.dumps(reader.get("/v1/invocations?limit=50").json)


def test_n3_mcp_replays_records_without_secrets(stand: Stand) -> None:
    """The call over MCP answers with the secret; a repeat of it does not, neither as JSON nor in
    words.
    """
    server = remote(stand.port, stand.client().token)
    told = _say("addWebhook", idempotencyKey="hook-2")
    assert called(server, "execute_action", **told).structured_content["output"] == _SHOWN
    again = called(server, "execute_action", **told)
    assert again.structured_content["output"] == _KEPT
    assert _SECRET not in str(again.content)


@pytest.fixture(name="jackfield")
def _jackfield(tmp_path: Path) -> Iterator[Jackfield]:
    make_connector(tmp_path / "plugs", "hooks", _SOURCE)
    with plugged(tmp_path / "plugs"):
        url = f"sqlite:///{tmp_path}/x.db"
        open_database(url, migrate=True).close()
        with Jackfield(
            database_url=url, environment={"JACKFIELD_HOME": str(tmp_path)}
        ) as jackfield:
            yield jackfield


def test_n3_what_hands_out_credentials_is_kept_without_its_output(
    jackfield: Jackfield, tmp_path: Path
) -> None:
    """All of it is masked, whatever its type; nothing on disk has it, and rules take the action for
    a write.
    """
    assert jackfield.catalog.find("hooks").actions["mintToken"].rule_effect == "write"
    minted = jackfield.invoke(_say("mintToken", idempotencyKey="t1"))
    assert minted.unwrap() == {"token": _SECRET, "expires": 12345678}
    replayed = jackfield.invoke(_say("mintToken", idempotencyKey="t1"))
    assert replayed.unwrap() == {"token": "***", "expires": "***"}
    assert replayed.meta.warnings[0]["message"].startswith(
        "only the caller of this call was shown the output:"
    )
    assert jackfield.journal is not None
    assert jackfield.journal.find(minted.meta.invocation_id).effect == "write"
    jackfield.close()
    assert not [path for path in tmp_path.glob("x.db*") if _SECRET.encode() in path.read_bytes()]


def test_n3_a_queued_call_shows_its_secrets_to_nobody(jackfield: Jackfield) -> None:
    """Its record says that; and what hands out credentials is not queued at all, since its answer
    would be lost.
    """
    identifier = jackfield.enqueue(_say("addWebhook"))
    assert isinstance(identifier, str)
    (claimed,) = Queue(jackfield.storage.database).claim(1)
    assert asyncio.run(jackfield.arun(claimed)).status == "succeeded"
    assert jackfield.journal is not None
    entry = jackfield.journal.find(identifier).to_json()
    assert entry["output"] == _KEPT
    assert "nobody was shown the secrets of the output" in entry["meta"]["warnings"][0]["message"]
    with pytest.raises(InvalidInvocation) as refused:
        jackfield.enqueue(_say("mintToken"))
    assert refused.value.details[0].path == "/action"


def test_a_secret_page_token_is_masked_in_the_record(jackfield: Jackfield) -> None:
    """The inputs of the next page, which only the caller of the call is shown, if they are
    secret.
    """
    first = jackfield.invoke(_say("listKeys", idempotencyKey="l1"))
    assert first.meta.next == {"cursor": _SECRET}
    assert jackfield.invoke(_say("listKeys", idempotencyKey="l1")).meta.next == {"cursor": "***"}


@pytest.mark.parametrize(
    ("action", "quoted"),
    [
        ("handedKey", '{"secret": "***", "token": "***", "id": "***"}'),
        ("markedKey", '{"secret": "***", "token": "***", "id": "t1"}'),
        ("brokenKey", '{"secret": "***", "id": "verify with ***", "size": 5}'),
    ],
)
def test_att_a_doubt_does_not_quote_secrets_of_the_output(
    stand: Stand, action: str, quoted: str
) -> None:
    """Attack of issue 23: what a step had returned stood in the details of the doubt when a later
    step failed, and everybody reads these in the journal. Secrets that the output marks are masked
    there, and wherever they are repeated.
    """
    found = stand.client().post("/v1/invocations", _say(action)).json
    entry = stand.client("read").get(f"/v1/invocations/{found['meta']['invocationId']}").json
    assert found["status"] == "in_doubt"
    assert any(quoted in detail["message"] for detail in found["error"]["details"]), found
    assert _SECRET not in json.dumps([found, entry])
