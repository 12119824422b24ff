"""SFTP: files and folders, and what is told of changes whose answer is lost; against a real
OpenSSH.
"""

from __future__ import annotations

import base64
import random
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import paramiko
import pytest

from database_proxy import DatabaseProxy
from jackfield import Jackfield, Result
from jackfield.connector import ANYWHERE, Call, Deadline, Guard, InvalidConnection, Listed
from jackfield.kernel.clock import SystemClock
from jackfield.wire.sessions import SessionPool
from jackfield_sftp.client import SftpClient
from jackfield_sftp.connection_type import LoginType
from jackfield_sftp.session import fingerprint
from jackfield_sftp.watching import Watched, files
from sshd import Sshd, sshd
from waiting import until

__all__ = ["sshd"]
CLOCK = SystemClock()


class Rig:
    """A runtime with the connector, and a server with a folder."""

    def __init__(self, server: Sshd, jackfield: Jackfield) -> None:
        self.server, self.jackfield, self.files = server, jackfield, server.files
        self.port = server.port

    def values(self, **changed: Any) -> dict[str, Any]:
        """Values of a connection."""
        login = {
            "username": self.server.user,
            "hostKey": self.server.host_key,
            "privateKey": self.server.private_key,
        }
        return {
            name: one
            for name, one in {
                "hostname": "127.0.0.1",
                "port": self.port,
                **login,
                **changed,
            }.items()
            if one is not None
        }

    def call(
        self,
        action: str,
        *,
        timeout: float = 30.0,
        values: dict[str, Any] | None = None,
        **inputs: Any,
    ) -> Result:
        """Call an action."""
        return self.jackfield.invoke(
            {
                "connector": "sftp",
                "action": action,
                "inputs": inputs,
                "timeoutSeconds": timeout,
                "connection": {"type": "login", "values": values or self.values()},
            }
        )


@pytest.fixture
def rig(sshd: Sshd) -> Iterator[Rig]:
    """A server without files."""
    for path in sshd.files.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with Jackfield(database_url="none") as jackfield:
        yield Rig(sshd, jackfield)


@pytest.fixture
def stored(sshd: Sshd, rig: Rig, tmp_path: Path) -> Iterator[Rig]:
    """The same with storage for files."""
    with Jackfield(database_url=f"sqlite:///{tmp_path}/jackfield.db") as jackfield:
        yield Rig(sshd, jackfield)


def _code(result: Result) -> str | None:
    return result.error.code if result.error is not None else None


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("", "text"),
        ("lämp\r\n", "text"),
        ("x" * 1_000_000, "text"),
        (base64.b64encode(b"\0\xff" * 5).decode(), "base64"),
    ],
)
def test_a_file_comes_back_as_it_was_written(rig: Rig, content: str, encoding: str) -> None:
    """Of any length; in place of what is there, and nothing is left beside it."""
    for _ in range(2):
        written = rig.call("writeFile", path="a b.ü", content=content, encoding=encoding).unwrap()
    assert rig.call("readFile", path="a b.ü").unwrap() == {"content": content, "encoding": encoding}
    assert [(path.name, path.stat().st_size) for path in rig.files.iterdir()] == [
        ("a b.ü", written["size"])
    ]


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 3 * 1024 * 1024 + 5])
def test_a_file_of_any_size_is_streamed(stored: Rig, size: int) -> None:
    """From and to the storage, in pieces; in place of what is there, and nothing is left beside
    it.
    """
    content = random.Random(size).randbytes(size)
    (stored.files / "old").write_bytes(content)
    (stored.files / "new").write_bytes(b"before")
    file = stored.call("downloadFile", path="old").unwrap()["file"]
    assert (file["size"], file["name"], file["contentType"]) == (
        size,
        "old",
        "application/octet-stream",
    )
    assert stored.call("uploadFile", path="new", file={"file": file["file"]}).unwrap() == {
        "size": size
    }
    assert (stored.files / "new").read_bytes() == content
    assert sorted(path.name for path in stored.files.iterdir()) == ["new", "old"]


def test_a_file_that_changes_while_it_is_read_is_no_file(
    stored: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pieces would be those of two: it is read again, and the second is whole."""
    path = stored.files / "a"
    path.write_bytes(b"a" * 1_500_000)
    original = SftpClient.read
    reads: list[str] = []

    def changing(client: SftpClient, step: str, work: Any) -> Any:
        reads.append(step)
        if len(reads) == 2:
            path.write_bytes(b"b" * 1_500_001)
        return original(client, step, work)

    monkeypatch.setattr(SftpClient, "read", changing)
    result = stored.call("downloadFile", path="a")
    assert (result.status, result.meta.attempts, result.unwrap()["file"]["size"]) == (
        "succeeded",
        2,
        1_500_001,
    ), result.error


def test_a_disk_that_is_full_is_told_and_leaves_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server refuses a part in the middle; the answers to all parts are read."""
    original = paramiko.SFTPFile.write
    parts: list[int] = []

    def refusing(file: Any, data: bytes) -> None:
        parts.append(len(data))
        if len(parts) == 3:  # the server knows no such file any more, so it refuses each part
            file.sftp._request(paramiko.sftp.CMD_CLOSE, file.handle)
        original(file, data)

    (rig.files / "a").write_text("before")
    monkeypatch.setattr(paramiko.SFTPFile, "write", refusing)
    result = rig.call("writeFile", path="a", content="x" * 2_000_000)
    assert (result.status, _code(result)) == ("failed", "rejected"), result.error
    assert [(path.name, path.read_text()) for path in rig.files.iterdir()] == [("a", "before")]


def _read_folder(rig: Rig, after: str | None = None) -> Listed:
    """Read the folder once, as the runtime does for the trigger."""
    pool = SessionPool(partial(LoginType.model_validate(rig.values()).connect, ANYWHERE), CLOCK)
    try:
        return files(
            Watched.model_validate({}), SftpClient(pool, Call(Deadline.after(30.0, CLOCK))), after
        )
    finally:
        pool.close()


def test_a_folder_can_be_watched(rig: Rig) -> None:
    """Page by page; an item is another one when its content has changed."""
    for number in range(505):
        (rig.files / f"{number:03}").touch()
    first = _read_folder(rig)
    last = _read_folder(rig, first.next)
    assert [len(page.items) for page in (first, last)] == [500, 5]
    assert (first.next, last.next, last.items[-1].id) == ("499", None, "504")
    (rig.files / "504").write_text("longer")
    assert _read_folder(rig, "503").items != last.items[-1:]


def test_files_are_listed_moved_and_deleted(rig: Rig) -> None:
    """By name and page by page, with their kinds."""
    rig.call("createFolder", path="in").unwrap()
    for number in range(505):
        (rig.files / "in" / f"{number:03}").write_bytes(b"x" * (number % 2))
    (rig.files / "in" / "link").symlink_to("000")
    (rig.files / "in" / "sub").mkdir()
    found = rig.call("listFiles", path="in", fetchAll=True).unwrap()["entries"]
    assert [one["name"] for one in found] == [
        *(f"{number:03}" for number in range(505)),
        "link",
        "sub",
    ]
    assert [found[place]["kind"] for place in (0, 505, 506)] == ["file", "link", "folder"]
    assert (found[1]["size"], found[1]["modified"][-1]) == (1, "Z")
    rig.call("moveFile", path="in/000", newPath="moved").unwrap()
    rig.call("deleteFile", path="in/001").unwrap()
    assert (rig.files / "moved").exists()
    assert not (rig.files / "in" / "000").exists()
    assert not (rig.files / "in" / "001").exists()
    assert [one["name"] for one in rig.call("listFiles").unwrap()["entries"]] == ["in", "moved"]


def test_refusals_are_told_and_nothing_is_in_doubt(rig: Rig) -> None:
    """Each has its code, and the connection serves the next call."""
    (rig.files / "a").write_text("a")
    (rig.files / "b").write_text("b")
    (rig.files / "folder").mkdir()
    (rig.files / "large").write_bytes(b"x" * (8 * 1024 * 1024 + 1))
    refused = [
        ("not_found", rig.call("readFile", path="none")),
        ("not_found", rig.call("deleteFile", path="none")),
        ("not_found", rig.call("writeFile", path="none/a", content="")),
        ("not_found", rig.call("listFiles", path="none")),
        ("rejected", rig.call("moveFile", path="a", newPath="b")),
        ("rejected", rig.call("createFolder", path="folder")),
        ("rejected", rig.call("deleteFile", path="folder")),
        ("rejected", rig.call("readFile", path="large")),
        ("rejected", rig.call("writeFile", path="folder", content="")),
        ("invalid_input", rig.call("readFile", path="\ud800")),
        ("invalid_input", rig.call("writeFile", path="x", content="?", encoding="base64")),
    ]
    assert [(one.status, _code(one)) for _, one in refused] == [
        ("failed", code) for code, _ in refused
    ], refused
    assert sorted(path.name for path in rig.files.iterdir()) == ["a", "b", "folder", "large"]
    assert rig.call("readFile", path="b").unwrap()["content"] == "b"


def _resetting(proxy: DatabaseProxy, done: Callable[[], bool]) -> threading.Thread:
    """A thread that resets a proxy's connections once something is done."""

    def run() -> None:
        until(done)
        proxy.reset()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


_CHANGES: list[tuple[str, str, dict[str, Any], Callable[[Path], bool]]] = [
    ("moveFile", "rename", {"path": "a", "newPath": "b"}, lambda files: (files / "b").exists()),
    ("deleteFile", "remove", {"path": "a"}, lambda files: not (files / "a").exists()),
    ("createFolder", "mkdir", {"path": "new"}, lambda files: (files / "new").exists()),
]


@pytest.mark.parametrize("loss", ["cut", "silent"])
@pytest.mark.parametrize(("action", "method", "inputs", "done"), _CHANGES)
def test_a_change_without_an_answer_is_in_doubt_and_made_once(
    rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    method: str,
    inputs: dict[str, Any],
    done: Callable[[Path], bool],
    loss: str,
) -> None:
    """The server has made it; nobody says so, and it is not asked for again."""
    (rig.files / "a").write_text("a")
    asked: list[str] = []
    threads: list[threading.Thread] = []
    original = getattr(paramiko.SFTPClient, method)
    with DatabaseProxy(rig.server.port) as proxy:

        def cut_off(client: Any, *arguments: Any) -> Any:
            asked.append(method)
            proxy.drop("client")
            if loss == "cut":
                threads.append(_resetting(proxy, lambda: done(rig.files)))
            return original(client, *arguments)

        monkeypatch.setattr(paramiko.SFTPClient, method, cut_off)
        rig.port = proxy.port
        rig.call("listFiles").unwrap()
        result = rig.call(action, timeout=3.0, **inputs)
        until(lambda: done(rig.files))
        for thread in threads:
            thread.join(60)
    assert (result.status, asked) == ("in_doubt", [method]), result.error


def test_a_file_is_written_again_if_the_answer_is_lost(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is whole at the end, and nothing is left beside it."""
    original = paramiko.SFTPClient.posix_rename
    times: list[int] = []
    threads: list[threading.Thread] = []
    with DatabaseProxy(rig.server.port) as proxy:

        def once_cut_off(client: Any, *arguments: Any) -> Any:
            times.append(1)
            if len(times) == 1:
                proxy.drop("client")
                threads.append(_resetting(proxy, (rig.files / "a").exists))
            return original(client, *arguments)

        monkeypatch.setattr(paramiko.SFTPClient, "posix_rename", once_cut_off)
        rig.port = proxy.port
        result = rig.call("writeFile", path="a", content="new")
        for thread in threads:
            thread.join(60)
    assert (result.status, result.meta.attempts, len(times)) == ("succeeded", 2, 2), result.error
    assert [(path.name, path.read_text()) for path in rig.files.iterdir()] == [("a", "new")]


def test_an_idle_connection_that_has_ended_is_not_used(rig: Rig) -> None:
    """Reset, or silently cut off: the change goes over a new one, once."""
    with DatabaseProxy(rig.server.port) as proxy:
        rig.port = proxy.port
        rig.call("listFiles").unwrap()
        proxy.reset()
        again = rig.call("createFolder", path="one")
        proxy.drop("client")
        late = rig.call("createFolder", path="two", timeout=2.5)
        proxy.deliver()
        last = rig.call("createFolder", path="three")
    assert [(one.status, one.meta.attempts) for one in (again, last)] == [("succeeded", 1)] * 2
    assert (late.status, _code(late)) == ("failed", "timeout"), late.error
    assert sorted(path.name for path in rig.files.iterdir()) == ["one", "three"]


_OTHER = "SHA256:uNiVztksCsDhcc0u9e8BrXXJCOhqxmWcVzX2bsX6hTI"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"username": "nobody-here"}, "unauthenticated"),
        ({"privateKey": None, "password": "s3cret-of-eve"}, "unauthenticated"),
        ({"hostKey": _OTHER}, "unavailable"),
        ({"port": 1}, "unavailable"),
        ({"hostname": "does-not-exist.invalid"}, "unavailable"),
        ({"privateKey": "s3cret-of-eve"}, "invalid_connection"),
        ({"password": "s3cret-of-eve"}, "invalid_connection"),
    ],
)
def test_a_login_that_fails_says_why(rig: Rig, changed: dict[str, Any], code: str) -> None:
    """The error names the cause and no secret."""
    result = rig.call("createFolder", path="x", values=rig.values(**changed), timeout=10.0)
    assert (result.status, _code(result)) == ("failed", code), result.error
    assert "s3cret-of" not in str(result.error)
    assert not (rig.files / "x").exists()


class _Imitator(paramiko.ServerInterface):  # type: ignore[misc]  # which is untyped
    """A server that takes any password, and remembers it."""

    def __init__(self, over: threading.Event | None = None) -> None:
        self.heard: list[str] = []
        self.over = over

    def check_auth_password(self, _username: str, password: str) -> int:
        """Take it."""
        self.heard.append(password)
        return int(paramiko.common.AUTH_SUCCESSFUL)

    def check_channel_subsystem_request(self, channel: Any, name: str) -> bool:
        """Begin to serve files, unless the server is to be silent."""
        if self.over is not None:
            self.over.wait(60)
        return bool(super().check_channel_subsystem_request(channel, name))

    def check_channel_request(self, _kind: str, _number: int) -> int:
        """Open any channel."""
        return int(paramiko.common.OPEN_SUCCEEDED)


@contextmanager
def _imitated(server: _Imitator) -> Iterator[tuple[int, str]]:
    """Serve one client; gives the port and the fingerprint."""
    key = paramiko.RSAKey.generate(2048)

    def serve() -> None:
        transport = paramiko.Transport(listener.accept()[0])
        transport.daemon = True
        transport.add_server_key(key)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer)
        transport.start_server(event=threading.Event(), server=server)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], fingerprint(key)


@pytest.mark.parametrize("known", [True, False])
def test_a_password_goes_to_the_server_that_is_known(rig: Rig, known: bool) -> None:
    """And to no other."""
    server = _Imitator()
    with _imitated(server) as (port, key):
        values = rig.values(
            port=port, privateKey=None, password="right", hostKey=key if known else _OTHER
        )
        result = rig.call("createFolder", path="x", values=values, timeout=10.0)
    assert server.heard == (["right"] if known else [])
    assert _code(result) == ("rejected" if known else "unavailable"), result.error


def test_signing_in_ends_at_the_deadline(rig: Rig) -> None:
    """With a server that does not say whether it serves files."""
    server = _Imitator(threading.Event())
    with _imitated(server) as (port, key):
        values = rig.values(port=port, privateKey=None, password="right", hostKey=key)
        result = rig.call("createFolder", path="x", values=values, timeout=2.0)
    assert server.over is not None
    server.over.set()
    assert (result.status, _code(result), server.heard) == ("failed", "timeout", ["right"]), (
        result.error
    )


def test_a_connection_test_tells_whose_account_it_is(rig: Rig) -> None:
    """The login is tried, and the account is named."""
    named = {"good": rig.values(), "bad": rig.values(hostKey=_OTHER)}
    connections = {name: {"type": "sftp/login", "values": values} for name, values in named.items()}
    with Jackfield(connections=[connections], database_url="none") as jackfield:
        good, bad = (jackfield.connections.test(name) for name in named)
    assert (good["status"], good["account"]["label"]) == (
        "ok",
        f"{rig.server.user} at 127.0.0.1, folder {rig.files}",
    )
    assert (bad["status"], bad["lastTest"]["steps"][0]["passed"]) == ("failing", False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "::ffff:127.0.0.1"]
)
def test_only_allowed_addresses_are_reached(rig: Rig, host: str) -> None:
    """A connection of somebody who may not reach the operator's network does not, by name or
    address.
    """
    connection = LoginType.model_validate(rig.values(hostname=host))
    with pytest.raises(InvalidConnection):
        connection.connect(Guard(), Deadline.after(30.0, CLOCK))
