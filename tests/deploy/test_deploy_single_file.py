"""The single file: everything that it promises, in a root that has the C library and nothing else:
no Python, no shell, no /proc.

``make single-file-test`` builds the file before, which needs packages from an index, and then runs
these.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from tests.deploy.deployment import ROOT
from tests.jackfield_market.storefront import files_of, wheel_of

from jackfield.testing import Answer, Provider
from ports import free_port
from wheel_maker import put, swap

pytestmark = pytest.mark.single_file
FILE = ROOT / "dist" / "jackfield-linux-x86_64"
_SECONDS = 300
_HOME = "/home"
_TRAILER = 64
"""Bytes behind the archive."""
TAG = "cp311-cp311-manylinux_2_17_x86_64"
_NULL, _RANDOM = (1, 3), (1, 9)
"""Numbers of two devices."""


@dataclass(frozen=True, slots=True)
class Room:
    """Root folder with the C library and the single file; a home folder, too, where the data
    goes.
    """

    root: Path

    def environment(self, **more: str) -> dict[str, str]:
        """All that a program in it is told."""
        return {"HOME": _HOME, **more}

    def start(self, *words: str, program: str = "/jackfield", **more: str) -> subprocess.Popen[str]:
        """Start the file in the room."""
        command = [shutil.which("chroot") or "/usr/sbin/chroot", str(self.root), program, *words]
        return subprocess.Popen(
            command,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, code: int = 0, **more: str) -> str:
        """Run a command to its end, and return what it prints."""
        process = self.start(*words, **more)
        out, err = process.communicate(timeout=_SECONDS)
        assert process.returncode == code, (words, out[-2000:], err[-2000:])
        return out

    def json(self, *words: str, code: int = 0, **more: str) -> Any:
        """Run a command, and return the JSON that it prints."""
        return json.loads(self.run(*words, code=code, **more))

    def write(self, name: str, value: object) -> None:
        """Write JSON into the room."""
        (self.root / name).write_text(json.dumps(value), encoding="utf-8")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """A root with the files of libc6, Debian's package of the C library, and no others."""
    if os.geteuid():
        pytest.skip("only root may change its root folder")
    if shutil.which("dpkg-query") is None:
        pytest.skip("there is no dpkg here, which says what belongs to the C library")
    root = tmp_path_factory.mktemp("room")
    for link in ("lib", "lib64"):
        (root / "usr" / link).mkdir(parents=True)
        (root / link).symlink_to(f"usr/{link}")
    listed = subprocess.run(
        ["dpkg-query", "--listfiles", "libc6"], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    for path in map(Path, filter(None, listed)):
        if (path.is_file() and "lib" in path.parts[1:3]) or path.name.startswith("ld-linux"):
            target = root / path.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target, follow_symlinks=False)
    for folder, mode in (("home", 0o700), ("tmp", 0o1777), ("dev", 0o755), ("dev/shm", 0o1777)):
        (root / folder).mkdir()
        (root / folder).chmod(mode)
    for name, numbers in (("null", _NULL), ("urandom", _RANDOM)):
        os.mknod(root / "dev" / name, 0o666 | 0o020000, os.makedev(*numbers))
        (root / "dev" / name).chmod(0o666)
    shutil.copy2(FILE, root / "jackfield")
    return Room(root)


def test_it_unpacks_once_for_a_user_and_says_its_version(room: Room) -> None:
    """The first start unpacks the file into the user's cache, for nobody else to read; of two at
    once, both run; later ones write none.
    """
    both = [room.start("--version") for _ in range(2)]
    assert [(*process.communicate(timeout=_SECONDS), process.returncode) for process in both] == [
        ("jackfield 0.1.0\n", "", 0)
    ] * 2
    cache = room.root / "home" / ".cache" / "jackfield"
    (home,) = cache.iterdir()
    assert cache.stat().st_mode & 0o077 == 0
    before = home.stat().st_mtime_ns
    assert room.run("--version") == "jackfield 0.1.0\n"
    assert ([*cache.iterdir()], home.stat().st_mtime_ns) == ([home], before)


def test_it_clears_what_a_killed_process_has_left(room: Room) -> None:
    """A process that is killed while it unpacks costs no space for long, and what is cleared in
    part is unpacked again.
    """
    cache = room.root / "home" / ".cache" / "jackfield"
    (home,) = cache.iterdir()
    part = cache / f".{home.name}-aB3dE6"
    (part / "_internal").mkdir(parents=True)
    (part / "_internal" / "file").write_text("half", encoding="utf-8")
    other = cache / "mine"
    other.mkdir()
    (home / "jackfield").unlink()
    assert room.run("--version") == "jackfield 0.1.0\n"
    assert {*cache.iterdir()} == {home, other}
    other.rmdir()


@pytest.mark.parametrize("damage", ["cut off", "altered"])
def test_it_runs_nothing_of_a_damaged_copy(room: Room, damage: str) -> None:
    """A download that was cut off, or whose content is another than its checksum says, is refused,
    and leaves nothing.
    """
    content = bytearray((room.root / "jackfield").read_bytes())
    if damage == "cut off":
        del content[len(content) // 2 :]
    else:
        content[-_TRAILER - 1] ^= 1  # the checksum
        content[-_TRAILER + 8 : -_TRAILER + 40] = b"0" * 32
    (room.root / "copy").mkdir(exist_ok=True)
    (room.root / "copy" / "jackfield").write_bytes(content)
    (room.root / "copy" / "jackfield").chmod(0o755)
    process = room.start("--version", program="/copy/jackfield", XDG_CACHE_HOME="/copy")
    out, err = process.communicate(timeout=_SECONDS)
    assert (process.returncode, out) == (1, "")
    assert "this file is not whole" in err
    assert not [
        *room.root.glob("copy/*/*"),
        *room.root.glob("copy/*/.*"),
        *room.root.glob("tmp/*/*"),
        *room.root.glob("tmp/*/.*"),
    ]


def test_it_refuses_a_folder_that_others_may_write_to(room: Room) -> None:
    """Whoever could put files there would run code as this user: neither such a folder nor one in
    its place is used.
    """
    for folder in ("open", "tmp/jackfield-0"):
        (room.root / folder / "jackfield").mkdir(parents=True)
        (room.root / folder / "jackfield").chmod(0o777)
        (room.root / folder).chmod(0o777)
    process = room.start("--version", XDG_CACHE_HOME="/open")
    out, err = process.communicate(timeout=_SECONDS)
    shutil.rmtree(room.root / "tmp" / "jackfield-0")
    assert (process.returncode, out) == (1, "")
    assert "nobody else may write to" in err
    assert "XDG_CACHE_HOME" in err


def test_it_runs_the_demo(room: Room) -> None:
    """The whole tour: an AWS of its own, leases, retries, doubts, a queue with a worker, signed
    callbacks.
    """
    said = room.run("demo")
    assert "steps came out as expected" in said, said[-2000:]


@contextmanager
def until_told(process: subprocess.Popen[str]) -> Iterator[None]:
    """Stop a process by SIGTERM when left, which must end it in good order."""
    try:
        yield
    finally:
        process.terminate()
        _, said = process.communicate(timeout=_SECONDS)
    assert process.returncode == 0, said[-2000:]


def asked(url: str, token: str, body: object = None, **headers: str) -> Any:
    """Ask the server, and return the JSON that it answers."""
    content = None if body is None else json.dumps(body).encode()
    fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
    with urlopen(Request(url, content, fields), timeout=_SECONDS) as answer:
        return json.load(answer)


def test_it_serves_and_works(room: Room) -> None:
    """`serve` answers an invocation over HTTP from two processes; `worker` runs what was queued.
    A signal reaches the program itself, since nothing stands between."""
    database = {"JACKFIELD_HOME": f"{_HOME}/served"}
    token = json.loads(room.run("tokens", "create", "--scope", "invoke", code=0, **database))[
        "token"
    ]
    port = free_port()
    words = (
        "serve",
        "--port",
        str(port),
        "--allow-host",
        "127.0.0.1",
        "--queue-workers",
        "0",
        "--workers",
        "2",
        "--console-link",
        "never",
    )
    with Provider(Answer({"ok": True})) as far:
        call = {
            "connector": "http",
            "action": "request",
            "connection": {
                "type": "http/bearer",
                "values": {"server": far.url, "token": "t0ken-xyz"},
            },
        }
        room.write("connections.json", {"connections": {"up": call.pop("connection")}})
        files = {**database, "JACKFIELD_CONNECTIONS": "/connections.json"}
        served = room.start(*words, **files)
        with until_told(served):
            url = f"http://127.0.0.1:{port}"
            assert served.stderr is not None
            while "http://127.0.0.1" not in (line := served.stderr.readline()):
                assert line, "it ended before it served"
            now = asked(
                f"{url}/v1/invocations",
                token,
                {**call, "connection": "up", "inputs": {"method": "GET", "url": "/now"}},
            )
            assert (now["status"], [request.path for request in far.requests]) == (
                "succeeded",
                ["/now"],
            ), now
            later = {**call, "connection": "up", "inputs": {"method": "GET", "url": "/later"}}
            place = asked(f"{url}/v1/invocations", token, later, Prefer="respond-async")[
                "invocationId"
            ]
            assert asked(f"{url}/v1/invocations/{place}", token)["status"] == "queued"
            with until_told(room.start("worker", "--allow-host", "127.0.0.1", **files)):
                while (ended := asked(f"{url}/v1/invocations/{place}", token))["status"] in {
                    "queued",
                    "running",
                }:
                    pass
            assert (ended["status"], [request.path for request in far.requests]) == (
                "succeeded",
                ["/now", "/later"],
            ), ended


def test_it_makes_publishes_installs_and_isolates_a_connector(room: Room) -> None:
    """From an empty folder to an invocation of an installed connector, in a process with all layers
    of isolation that this kernel has.
    """
    for words in (
        ("new", "acme-crm"),
        ("pack", "acme-crm", "--out", "dist"),
        ("publisher", "new", "acme-labs", "--out", "acme.key"),
        ("sign", "dist/jackfield_acme_crm-0.1.0-py3-none-any.whl", "--key", "acme.key"),
        ("catalogue", "init", "site"),
        ("catalogue", "build", "dist", "--out", "site"),
    ):
        room.run(*words)
    path = room.json("install", "acme-crm", "--from", "site", "--root", "site/metadata/root.json")[
        "path"
    ]
    assert path.startswith(f"{_HOME}/.local/share/jackfield/connectors/acme-crm/")
    connection = {
        "type": "acmeCrmKey",
        "values": {"server": "https://crm.example.com", "apiKey": "secret"},
    }
    call = {
        "connector": "acme-crm",
        "action": "createItem",
        "inputs": {"name": "Ada"},
        "connection": connection,
        "dryRun": True,
    }
    room.write("call.json", call)
    assert room.json("invoke", "--file", "call.json")["status"] == "succeeded"
    ours = json.loads(
        subprocess.run(
            [Path(sys.executable).with_name("jackfield"), "isolation"],
            capture_output=True,
            check=True,
        ).stdout
    )
    assert [(row["layer"], row["holds"]) for row in room.json("isolation")] == [
        (row["layer"], row["holds"]) for row in ours
    ]


def test_it_refuses_a_connector_with_compiled_modules(room: Room) -> None:
    """The reason is said before anything is placed, and what helps."""
    contents = files_of("acme", "1.0.0")
    swap("jackfield_acme-1.0.0.dist-info/WHEEL", "py3-none-any", TAG)(contents)
    put("jackfield_acme/fast.cpython-311-x86_64-linux-gnu.so", "\x7fELF")(contents)
    wheel = f"native/jackfield_acme-1.0.0-{TAG}.whl"
    (room.root / "native").mkdir()
    (room.root / wheel).write_bytes(wheel_of(contents))
    room.run("publisher", "new", "native-labs", "--out", "native.key")
    room.run("sign", wheel, "--key", "native.key")
    room.run("catalogue", "init", "native-site")
    room.run("catalogue", "build", "native", "--out", "native-site")
    words = ("install", "acme", "--from", "native-site", "--root", "native-site/metadata/root.json")
    error = room.json(*words, code=2)["error"]
    assert (error["details"][0]["keyword"], "pip" in error["hint"]) == ("compiled", True), error
    assert not (room.root / "home/.local/share/jackfield/connectors/acme").exists()
