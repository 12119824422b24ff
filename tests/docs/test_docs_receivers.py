"""The receivers of the tutorial, as they stand there: they take what is signed for them, and
nothing else.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_store.resources.storage import Storage
from ports import free_port

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "callbacks.md"
PROGRAMS = {"py": [sys.executable, "-c"], "js": ["node", "-e"]}


@pytest.mark.tree_only
@pytest.mark.parametrize("language", list(PROGRAMS))
def test_a_receiver_takes_what_is_signed_for_it(language: str, tmp_path: Path) -> None:
    """It answers 204 to its own secret, and 400 to another one, beside a client that stops in the
    middle of a body and after one that was cut off there.
    """
    if shutil.which(PROGRAMS[language][0]) is None:
        pytest.skip(f"{PROGRAMS[language][0]} is not installed")
    found = re.search(
        rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    port = free_port()
    with Storage(
        f"sqlite:///{tmp_path}/events.db", {"JACKFIELD_HOME": str(tmp_path)}, SystemClock()
    ) as storage:
        callbacks = Callbacks(
            storage.database,
            storage.vault,
            "default",
            SystemClock(),
            Actor("library"),
            origin="operator",
        )
        ours, others = (callbacks.create({"url": f"http://127.0.0.1:{port}/"}) for _ in range(2))
        program = [*PROGRAMS[language], found[1].replace("9000", str(port))]
        with subprocess.Popen(
            program, env={**os.environ, "WEBHOOK_SECRET": ours.secret}, stderr=subprocess.DEVNULL
        ) as receiver:
            try:
                _listens(port)
                _begin(port).close()
                with _begin(port):
                    assert callbacks.test(ours.callback.id).status == 204
                assert callbacks.test(ours.callback.id).status == 204
                assert callbacks.test(others.callback.id).status == 400
            finally:
                receiver.kill()


def _begin(port: int) -> socket.socket:
    """Send the beginning of a request."""
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    return client


def _listens(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            threading.Event().wait(0.05)
        else:
            return
    raise AssertionError("the receiver does not listen")
