"""The fixture ``shell``, for test modules that say ``pytest_plugins = ["shell_fixture"]``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plugboard import hide_others, make_echo, plugged
from shell import Shell

_CONNECTIONS = (
    "connections: {hall: {type: echo/token, values: {token: s3cret-token, greeting: Hi}}}\n"
)


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    """A shell with the echo connector alone, whatever else is installed, the connection ``hall``,
    in a home of its own.
    """
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    # the command sets it; this puts it back afterwards
    monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "__all__")
    monkeypatch.setenv("JACKFIELD_CONNECTIONS", str(folder / "connections.yaml"))
    monkeypatch.chdir(folder)
    hide_others(tmp_path / "plugs")
    paths = make_echo(tmp_path / "plugs")
    made = Shell(folder, paths, monkeypatch, capsys)
    made.write("connections.yaml", _CONNECTIONS)
    with plugged(*paths):
        yield made
    made.leave()
