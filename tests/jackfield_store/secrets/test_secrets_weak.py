"""Secrets that are short or public defaults: whoever stores or examines them is told that outputs
are searched for them less.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.connections.managed import say

from jackfield_store.runtime import Jackfield
from plugboard import make_connector, plugged

pytest_plugins = ["tests.jackfield_store.connections.store_fixture"]
pytestmark = pytest.mark.above_sql

PUBLIC = "is a public default that everybody knows: outputs are not searched for it"
SHORT = (
    "has fewer than 8 characters: outputs are searched for it as a whole word only, and not "
    "in Base64"
)


@pytest.mark.parametrize(
    ("secret", "about"),
    [("minioadmin", PUBLIC), (" test ", PUBLIC), ("zq4x", SHORT), ("ünäööäü", SHORT)],
)
def test_storing_a_weak_secret_warns(
    managed_jackfield: Jackfield,
    open_runtime: Callable[..., Jackfield],
    caplog: pytest.LogCaptureFixture,
    secret: str,
    about: str,
) -> None:
    """The answer and the log name its place and say why, tested or not, new or replaced; the last
    test still says it later.
    """
    known, told = managed_jackfield.connections, [{"path": "/token", "message": about}]
    assert known.add("hall", "echo/token", {"token": secret})["lastTest"]["warnings"] == told
    assert open_runtime().connections.show("hall")["lastTest"]["warnings"] == told
    assert known.add("room", "echo/token", {"token": secret}, test=False)["warnings"] == told
    assert known.replace("room", {"token": secret}, test=False)["warnings"] == told
    warned = [
        record.getMessage() for record in caplog.records if record.name == "jackfield.connections"
    ]
    assert warned == [
        f"the connection '{name}': its secret 'token' {about}" for name in ("hall", "room", "room")
    ]
    assert secret.strip() not in json.dumps([record.getMessage() for record in caplog.records])


@pytest.mark.parametrize(
    "values",
    [{"token": "s3cret-token"}, {"token": "wJalrXUtnFEMI"}, {"token": {"$env": "HOST_SECRET"}}],
)
def test_storing_another_secret_does_not_warn(
    managed_jackfield: Jackfield, values: dict[str, Any]
) -> None:
    """Nothing is said of a long secret, nor of a reference, whose secret is not stored."""
    assert "warnings" not in managed_jackfield.connections.add(
        "hall", "echo/token", values, test=False
    )


@pytest.mark.parametrize("given", ["test", {"$env": "HOST_SECRET"}])
def test_the_doctor_names_a_weak_secret(
    managed_jackfield: Jackfield, monkeypatch: pytest.MonkeyPatch, given: Any
) -> None:
    """A finding, which is a warning, names the value; also where a reference leads to it."""
    monkeypatch.setenv("HOST_SECRET", "test")
    managed_jackfield.connections.add("hall", "echo/token", {"token": given}, test=False)
    found = managed_jackfield.diagnose("hall")
    (finding,) = found["findings"]
    assert (found["healthy"], finding["code"], finding["severity"]) == (
        True,
        "weak_secret",
        "warning",
    )
    assert finding["message"] == f"the secret 'token' {PUBLIC}"


def test_errors_logs_and_records_mask_weak_secrets_all_the_same(
    managed_jackfield: Jackfield, caplog: pytest.LogCaptureFixture
) -> None:
    """An output has a public default as the provider said it; an error of the same connection has
    not, and neither has what is shown.
    """
    managed_jackfield.connections.add("hall", "echo/token", {"token": "minioadmin"})
    assert "minioadmin" in json.dumps(say(managed_jackfield, "hall").output)
    assert managed_jackfield.connections.show("hall")["values"]["token"] == "***"
    refused = managed_jackfield.invoke(
        {"connector": "echo", "action": "sayminioadmin", "connection": "hall", "inputs": {}}
    ).to_json()
    assert "minioadmin" not in json.dumps(refused)
    assert "minioadmin" not in caplog.text


_LOUD = """
from jackfield.connector import ConnectionType, Connector, Field, Inputs, OpenContext, Output, Rejected

class Key(ConnectionType):
    "A key."
    key = "key"
    title = "Key"
    auth = "apiKey"
    token: str = Field(title="Token", secret=True)

    def open(self, context: OpenContext) -> "Key":
        return self

class Nothing(Inputs):
    "Nothing."

class Done(Output):
    "Nothing."

connector = Connector("loud", title="Loud", version="1.0.0", connections=[Key])

@connector.action("shout", effect="read")
def shout(inputs: Nothing, key: Key) -> Done:
    "Say the key."
    raise Rejected(f"no {key.token}")
"""


def test_what_an_open_connection_says_masks_weak_secrets_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The error of an action that quotes the secret of its connection, which is a public
    default.
    """
    make_connector(tmp_path, "loud", _LOUD)
    hall = {"hall": {"type": "loud/key", "values": {"token": "minioadmin"}}}
    with plugged(tmp_path), Jackfield(connections=[hall], database_url="none") as jackfield:
        error = jackfield.invoke(
            {"connector": "loud", "action": "shout", "connection": "hall", "inputs": {}}
        ).to_json()["error"]
    assert (error["code"], error["message"]) == ("rejected", "no ***")
    assert "minioadmin" not in caplog.text
