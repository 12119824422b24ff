"""A hostile connector: each attempt to break out is refused by the kernel, or ends its own process
and call only.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from isolated import CONNECTORS, install, install_from, isolating
from jackfield import Result
from jackfield_isolation.examination import examine
from jackfield_isolation.program import Policy
from jackfield_isolation.sandbox.limits import LAYERS
from jackfield_isolation.sandbox.probe import ATTEMPTS
from jackfield_store.runtime import Jackfield
from plugboard import hide_others
from warm_child import really_started


@pytest.fixture(scope="module")
def layers() -> dict[str, Any]:
    """The layers that hold on this machine; a test of another one is skipped with the reason."""
    return {row["layer"]: row for row in examine({})}


@pytest.fixture
def need(layers: dict[str, Any]) -> Any:
    """Skip the test if the machine lacks one of the layers that it names."""

    def check(*names: str) -> None:
        for name in names:
            if not layers[name]["holds"]:
                pytest.skip(
                    f"this machine lacks the layer '{name}' of isolation: "
                    f"{layers[name].get('reason', 'not enforced')}"
                )

    return check


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a key file, a database and the hostile connector."""
    found = tmp_path_factory.mktemp("home")
    install_from(found, "hostile", "hostile.py")
    install_from(found, "plain", "plain.py")
    (found / "master.key").write_text("the key", encoding="ascii")
    (found / "jackfield.db").write_bytes(b"SQLite format 3\0")
    return found


@pytest.fixture(scope="module")
def warm(home: Path) -> Iterator[Jackfield]:
    """A runtime for attacks that the child survives, which is started as those of a server are: it
    is asked what it can reach.
    """
    with isolating(home) as jackfield:
        with really_started():
            assert attack(jackfield, "modules").status == "succeeded"
        yield jackfield


@pytest.fixture(scope="module")
def mortal(home: Path) -> Iterator[Jackfield]:
    """A runtime for attacks that end the child."""
    with isolating(home) as jackfield:
        yield jackfield


@pytest.fixture
def cold(mortal: Jackfield) -> Jackfield:
    """The runtime, with a child that answers: the one before may have been ended by an attack."""
    assert attack(mortal, "modules").status == "succeeded"
    return mortal


def attack(runtime: Jackfield, kind: str, target: object = "", timeout: float = 20) -> Result:
    """Let the hostile connector try something."""
    inputs = {"kind": kind, "target": str(target)}
    return runtime.invoke(
        {"connector": "hostile", "action": "attack", "timeoutSeconds": timeout, "inputs": inputs}
    )


def refused(result: Result) -> bool:
    """Whether the kernel has refused the attempt, which the connector reports as an exception of
    its own.
    """
    return result.error is not None and "PermissionError" in result.error.message


def test_all_layers_can_be_examined(layers: dict[str, Any]) -> None:
    """The examination has a row for each layer, and names attempts that succeed or the reason why a
    layer does not hold.
    """
    assert [*layers] == ["environment", *LAYERS]
    assert all(row["holds"] or row.get("reason") or row.get("allowed") for row in layers.values())


def test_the_examination_notices_what_is_allowed(tmp_path: Path) -> None:
    """The same attempts in a process that is not isolated succeed, except the one that needs more
    memory than there is.
    """
    (tmp_path / "secret").write_text("secret", encoding="ascii")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        targets = {
            "secret": str(tmp_path / "secret"),
            "folder": str(tmp_path),
            "parent": os.getpid(),
            "port": port,
            "memory": 2**60,
        }
        source = "import json,sys; from jackfield_isolation.sandbox.probe import *; "
        source += "print(probe(Targets(**json.loads(sys.argv[1]))).model_dump_json())"
        environment = {**os.environ, "JACKFIELD_HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", source, json.dumps(targets)],
            capture_output=True,
            check=True,
            env=environment,
        )
    allowed = set(json.loads(done.stdout)["allowed"])
    assert allowed == ATTEMPTS.keys() - {"allocate"}


def test_the_command_lists_the_layers(
    warm_python: Path, home: Path, layers: dict[str, Any]
) -> None:
    """``jackfield isolation`` prints the rows; its exit code is 1 if a layer does not hold."""
    done = subprocess.run(
        [sys.executable, "-m", "jackfield", "isolation"],
        capture_output=True,
        text=True,
        check=False,
    )
    rows = json.loads(done.stdout)
    assert [row["layer"] for row in rows] == [*layers]
    assert done.returncode == (0 if all(row["holds"] for row in rows) else 1)


def test_files_are_out_of_reach(warm: Jackfield, home: Path, need: Any) -> None:
    """Key file, database, this process's memory, environment and open files, and other children
    cannot be read; nothing can be written.
    """
    need("files")
    me = os.getpid()
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with ExitStack() as stack:
        stack.callback(other.communicate, b"\n")
        opened = stack.enter_context((home / "master.key").open("rb"))
        paths = [
            home / "master.key",
            home / "jackfield.db",
            "/etc/passwd",
            f"/proc/{me}/environ",
            f"/proc/{me}/mem",
            f"/proc/{me}/maps",
        ]
        paths += [
            f"/proc/{me}/fd/{opened.fileno()}",
            f"/proc/{other.pid}/fd/0",
            "/proc/self/environ",
            "/proc/1/environ",
        ]
        assert [str(path) for path in paths if not refused(attack(warm, "read", path))] == []
    for folder in (
        home,
        "/tmp",
        "/dev/shm",
        home / "connectors" / "hostile" / "1.0.0" / "site-packages",
    ):
        assert refused(attack(warm, "write", folder)), folder
    assert refused(attack(warm, "remove", home / "master.key"))
    assert (home / "master.key").read_text(encoding="ascii") == "the key"


def test_files_do_not_grow(warm: Jackfield, tmp_path: Path) -> None:
    """Whatever the kernel has, no file that the child can open grows: the disk cannot be filled."""
    result = attack(warm, "write", tmp_path)
    assert result.error is not None
    assert [path.stat().st_size for path in tmp_path.iterdir()] in ([], [0])


def test_modes_of_files_stay(warm: Jackfield, home: Path, need: Any) -> None:
    """The modes of files, which Landlock does not guard, cannot be changed."""
    need("processes")
    before = (home / "master.key").stat().st_mode
    assert refused(attack(warm, "chmod", home / "master.key"))
    assert (home / "master.key").stat().st_mode == before


def test_the_environment_is_empty(warm: Jackfield, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of this process is there, but the places of certificate authorities."""
    found = attack(warm, "environment").unwrap()["got"]
    names = {part.partition("=")[0] for part in found.split()}
    authorities = {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"}
    assert names <= {
        "LANG",
        "TZ",
        "PATH",
        "AWS_EC2_METADATA_DISABLED",
        "MALLOC_ARENA_MAX",
        "PYDANTIC_DISABLE_PLUGINS",
        "LC_CTYPE",
        *authorities,
    }


def test_jackfields_stores_are_not_loaded(warm: Jackfield) -> None:
    """The child has none of the modules that open databases, journals or keys."""
    assert attack(warm, "modules").unwrap()["got"] == ""


def test_there_is_no_network(warm: Jackfield, need: Any, tmp_path: Path) -> None:
    """No connection, datagram or Unix socket of its own; and jackfield does not connect to hosts
    that nobody has named.
    """
    need("network")
    path = str(tmp_path / "socket")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen()
        here = f"127.0.0.1:{server.getsockname()[1]}"
        for kind in ("connect", "connectByParent", "datagram", "fastOpen"):
            assert refused(attack(warm, kind, here)), kind
        assert refused(attack(warm, "unix", path))
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert refused(attack(warm, "connectByParent", "metadata.invalid:80"))


def test_no_other_process_is_touched(warm: Jackfield, need: Any) -> None:
    """No fork, no program, no signal, no look into this process's memory, no way to outlive it."""
    need("processes", "parent")
    for kind in ("fork", "execute", "kill", "memoryOf", "outlive"):
        assert refused(attack(warm, kind)), kind


def test_limits_cannot_be_raised(warm: Jackfield, need: Any) -> None:
    """A limit that the child has cannot be raised, even if this process is root's."""
    need("privileges", "processes")
    result = attack(warm, "raiseLimits")
    assert result.error is not None
    assert "ValueError" in result.error.message or refused(result)


def test_memory_and_threads_are_limited(cold: Jackfield) -> None:
    """Too much memory or too many threads fail in the child; it goes on."""
    full = attack(cold, "memory")
    assert full.error is not None
    assert "no memory left" in full.error.message
    assert attack(cold, "threads").unwrap()["got"] == "refused"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("segfault", "ended by SIGSEGV"),
        ("exit", "ended with status 0"),
        ("systemExit", "RuntimeError"),
        ("garbage", "not JSON"),
        pytest.param("enormous", "are allowed", marks=pytest.mark.campaign),
        ("flood", "without a question"),
        pytest.param("babble", "frames", marks=pytest.mark.campaign),
        pytest.param("grow", "are allowed", marks=pytest.mark.campaign),
        pytest.param("manyNodes", "more than 500,000 values", marks=pytest.mark.campaign),
    ],
)
def test_a_sudden_end(cold: Jackfield, kind: str, said: str) -> None:
    """A crash, an exit or garbage on the wire settles the call as in doubt, with the reason, and a
    new child answers.
    """
    result = attack(cold, kind)
    assert result.error is not None
    assert result.status == "in_doubt"
    assert said in result.error.message
    assert attack(cold, "modules").status == "succeeded"


@pytest.mark.parametrize(
    "kind", [pytest.param("loop", marks=pytest.mark.campaign), "holdTheLock", "never"]
)
def test_a_call_without_end(cold: Jackfield, kind: str) -> None:
    """A call that loops, holds Python's lock, or waits for ever ends at its deadline; a new child
    answers.
    """
    assert attack(cold, kind, timeout=1).status == "in_doubt"
    assert attack(cold, "modules").status == "succeeded"


def test_output_stays_out_of_answers(cold: Jackfield, capfd: pytest.CaptureFixture[str]) -> None:
    """However much a connector prints, nothing of it reaches this process's standard output."""
    assert attack(cold, "chatter").unwrap()["got"] == "printed"
    assert capfd.readouterr().out == ""


def test_others_go_on(home: Path) -> None:
    """While a hostile connector crashes and hangs, a hundred concurrent calls of another one
    succeed.
    """
    with isolating(home) as jackfield, ThreadPoolExecutor(106) as pool:
        hostile = [
            pool.submit(attack, jackfield, kind, "", 1)
            for kind in ("loop", "segfault", "memory", "garbage", "exit", "never")
        ]
        gate = threading.Barrier(100)

        def call(number: int) -> Result:
            gate.wait()
            return jackfield.invoke(
                {"connector": "plain", "action": "noop", "inputs": {"text": str(number)}}
            )

        found = list(pool.map(call, range(100)))
        assert [result.unwrap()["text"] for result in found] == [
            str(number) for number in range(100)
        ]
        assert all(waiting.result().status != "succeeded" for waiting in hostile)


def test_an_event_loop_serves_others(home: Path) -> None:
    """In asyncio, calls of a hostile connector that hang take no threads of other connectors,
    however many they are.
    """

    async def main(runtime: Jackfield) -> list[Result]:
        attacking = {
            "connector": "hostile",
            "action": "attack",
            "timeoutSeconds": 3,
            "inputs": {"kind": "never"},
        }
        hanging = [asyncio.create_task(runtime.ainvoke(attacking)) for _ in range(100)]
        calling = {"connector": "plain", "action": "noop", "inputs": {"text": "hi"}}
        found = await asyncio.gather(*(runtime.ainvoke(calling) for _ in range(100)))
        assert {result.status for result in await asyncio.gather(*hanging)} <= {
            "in_doubt",
            "failed",
        }
        return found

    with isolating(home) as jackfield:
        assert attack(jackfield, "modules").status == "succeeded"
        assert [result.status for result in asyncio.run(main(jackfield))] == ["succeeded"] * 100


def test_work_without_a_call(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that uses the processor while no call runs is replaced."""
    monkeypatch.setattr("jackfield_isolation.supervisor._TICK", 0.2)
    monkeypatch.setattr("jackfield_isolation.supervisor._BUSY_TICKS", 2)
    # its share of a busy machine may be small
    monkeypatch.setattr("jackfield_isolation.supervisor._IDLE_CPU", 0.05)
    with isolating(home) as jackfield:
        busy = int(attack(jackfield, "busyLater").unwrap()["got"])
        opened = os.pidfd_open(busy)
        try:
            assert select.select([opened], [], [], 30)[0] == [opened]
        finally:
            os.close(opened)
        assert attack(jackfield, "modules").status == "succeeded"


def test_a_child_that_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child without calls is ended after a while, and the next call starts another."""
    monkeypatch.setattr("jackfield_isolation.supervisor._TICK", 0.2)
    monkeypatch.setattr("jackfield_isolation.supervisor._IDLE_SECONDS", 0.0)
    with isolating(home) as jackfield:
        calling = {"connector": "plain", "action": "noop", "inputs": {"text": "hi"}}
        first = jackfield.invoke(calling).unwrap()["process"]
        opened = os.pidfd_open(first)
        try:
            assert select.select([opened], [], [], 30)[0] == [opened]
        finally:
            os.close(opened)
        assert jackfield.invoke(calling).unwrap()["process"] != first


_PARENT = """
import sys
from pathlib import Path
from isolated import isolating
with isolating(Path(sys.argv[1])) as jackfield:
    inputs = {"kind": "busyLater"}
    result = jackfield.invoke({"connector": "hostile", "action": "attack", "inputs": inputs})
    print(result.unwrap()["got"], flush=True)
    sys.stdin.read()
"""


def test_a_child_ends_with_its_parent(home: Path, need: Any) -> None:
    """If this process is killed, its children end, even one that never looks at its socket
    again.
    """
    need("parent")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _PARENT, str(home)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            assert select.select([child], [], [], 30)[0] == [child]
        finally:
            os.close(child)


def test_a_check_of_all_connectors(home: Path, tmp_path: Path) -> None:
    """``jackfield connectors list --check`` imports installed connectors in their own processes; a
    broken one is a row.
    """
    source = (CONNECTORS / "plain.py").read_text(encoding="utf-8")
    install(home, "falling", source.replace('"plain"', '"falling"'))
    module = (
        home
        / "connectors"
        / "falling"
        / "1.0.0"
        / "site-packages"
        / "jackfield_falling"
        / "__init__.py"
    )
    module.write_text("import os; os._exit(9)", encoding="utf-8")
    hide_others(tmp_path)
    environment = {**os.environ, "JACKFIELD_HOME": str(home), "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "jackfield", "connectors", "list", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    rows = {row["key"]: row for row in json.loads(done.stdout)}
    assert (done.returncode, rows["plain"]["status"], rows["hostile"]["status"]) == (1, "ok", "ok")
    assert rows["falling"]["status"] == "broken"
    assert "ended with status 9" in rows["falling"]["error"]


def test_a_strict_policy(home: Path, layers: dict[str, Any]) -> None:
    """With the policy ``strict``, a connector runs only where all layers hold."""
    holds = all(row["holds"] for name, row in layers.items() if name != "environment")
    with isolating(home, environment={"JACKFIELD_ISOLATION": "strict"}) as jackfield:
        result = attack(jackfield, "modules")
    assert (result.status == "succeeded") == holds
    assert Policy.from_environment({"JACKFIELD_ISOLATION": "per-workspace, memory=512"}) == Policy(
        per_workspace=True, memory=512 * 2**20
    )


def test_a_policy_that_means_nothing(home: Path) -> None:
    """A word that is no policy refuses the connector, and says which words there are."""
    with isolating(home, environment={"JACKFIELD_ISOLATION": "stricter"}) as jackfield:
        result = attack(jackfield, "modules")
    assert result.error is not None
    assert "'stricter'" in result.error.message
