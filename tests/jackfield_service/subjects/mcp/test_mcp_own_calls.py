"""Who starts ``jackfield mcp`` asks for what it calls, and does not approve it."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from http_stand import clean
from jackfield.cli.main import main
from jackfield.kernel.errors import NotAllowed
from jackfield_store.runtime import Jackfield
from mcp_talk import MODES, called, local
from nursery import mail

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")
_VALUES = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "s3cr3t-of-the-key",
    "region": "eu-west-1",
}


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    """Exit code and JSON of a command in this process."""
    capsys.readouterr()
    code = main(words)
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("mode", MODES)
def test_the_account_behind_stdio_does_not_approve_its_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], mode: str
) -> None:
    """The call is its account's, as one of ``invoke`` is; the approval says how it was asked for,
    and another account approves it.
    """
    for name, value in clean(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("JACKFIELD_DATABASE_URL", raising=False)
    with Jackfield() as jackfield:
        jackfield.connections.add("acme-ses", "aws-ses/apiKeySecret", _VALUES, test=False)
        jackfield.access.workspaces.set("default", {"rules": {"approve": ["effect:change"]}})
    found = called(local(tmp_path), "execute_action", mode, **mail("order-1")).structured_content
    assert (found["status"], "error" in found) == ("waiting", False)
    identifier, ours = found["meta"]["approval"]["id"], pwd.getpwuid(os.getuid()).pw_name
    code, shown = run(capsys, "approvals", "show", identifier)
    told = {
        "caller": f"cli:{ours}",
        "token": None,
        "remote": False,
        "how": f"asked over MCP on this machine by {ours}",
    }
    assert (code, shown["requestedBy"]) == (0, told)
    code, refused = run(capsys, "approvals", "approve", identifier)
    assert (code, refused["error"]["code"]) == (2, "not_allowed")
    assert "nobody approves his own call" in refused["error"]["message"]
    # nor does a program of the account
    with Jackfield() as jackfield, pytest.raises(NotAllowed, match="nobody approves his own call"):
        jackfield.approvals.approve(identifier)
    monkeypatch.setattr(
        pwd, "getpwuid", lambda number: pwd.struct_passwd(("bob", "", number, 0, "", "/", ""))
    )
    assert run(capsys, "approvals", "approve", identifier)[1]["status"] == "approved"
