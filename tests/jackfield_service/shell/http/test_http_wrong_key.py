"""A process whose master key does not open the database is not ready, and does not start: it would
refuse every call.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from http_stand import Client, clean, mint, standing

OTHER = base64.b64encode(b"x" * 32).decode()


@pytest.fixture(name="token")
def _token(tmp_path: Path) -> str:
    """A token of a database that a key file opens."""
    return mint(tmp_path / "home")


def test_a_server_with_another_key_is_not_ready(tmp_path: Path, token: str) -> None:
    """A rolling update with a wrong Secret ends at its first pod, and keeps the good ones."""
    with standing(tmp_path, JACKFIELD_MASTER_KEY=OTHER) as stand:
        answer = Client(stand.port, token).get("/readyz")
        assert (answer.status, answer.json["kind"]) == (503, "key")
    with standing(tmp_path / "again", JACKFIELD_HOME=str(tmp_path / "home")) as stand:
        assert Client(stand.port, token).get("/readyz").json["status"] == "ok"


@pytest.mark.parametrize(
    "command",
    [
        ("serve", "--port", "0"),
        ("worker", "--health-port", "0"),
        ("serve", "--port", "0", "--migrate"),
    ],
)
@pytest.mark.parametrize("state", ["another", "missing", "no key"])
def test_nothing_starts_with_a_wrong_key(
    tmp_path: Path, token: str, command: tuple[str, ...], state: str
) -> None:
    """``serve`` and ``worker`` end with the reason, as every command does, whether the key is
    another one, missing or none.
    """
    home = tmp_path / "home"
    if state == "missing":
        (home / "master.key").unlink()
    values = {"another": OTHER, "missing": "", "no key": "abc"}
    more = {
        "JACKFIELD_MASTER_KEY": values[state],
        "JACKFIELD_DATABASE_URL": f"sqlite:///{home}/jackfield.db",
    }
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("JACKFIELD_")
    }
    environment |= {
        name: value for name, value in clean(home, **more).items() if name.startswith("JACKFIELD_")
    }
    done = subprocess.run(
        [sys.executable, "-m", "jackfield", *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    assert "key" in done.stdout
    assert token
    assert (home / "master.key").exists() == (state != "missing")
