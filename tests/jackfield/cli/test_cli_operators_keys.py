"""``jackfield keys``, on SQLite and PostgreSQL."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_vault.vault_server import VaultServer

from jackfield_store.keys import MasterKey
from jackfield_store.keys.master_key import new_key_text
from operating import storage
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating", "warm"]
pytestmark = [pytest.mark.usefixtures("warm_python"), pytest.mark.above_sql]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Where the key of the operator's home lies."""
    return tmp_path / "home" / "master.key"


def _sealed() -> bytes:
    with storage() as opened:
        return opened.vault.seal("acme", ("x",), b"secret")


def _opened(sealed: bytes) -> bytes:
    with storage() as opened:
        return opened.vault.open("acme", ("x",), sealed)


def test_a_new_key_in_the_home(operator: Shell, key_file: Path) -> None:
    """Without a key given one is made and written into the key file as its first line, the old one
    behind it; all still opens.
    """
    sealed = _sealed()
    old = MasterKey.from_file(key_file)
    answer = operator.run("keys", "rotate")
    assert answer.code == 0
    now = MasterKey.from_file(key_file, private=True)
    assert answer.json == {
        "masterKey": now.id,
        "rewrapped": 1,
        "newDataKeys": False,
        "keyFile": str(key_file),
    }
    assert now.ids == (now.id, old.id)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert _opened(sealed) == b"secret"
    key_file.write_text(key_file.read_text(encoding="ascii").splitlines()[0], encoding="ascii")
    assert _opened(sealed) == b"secret"


def test_a_key_file_that_is_gone(operator: Shell, key_file: Path) -> None:
    """A lost key file is told as missing, with its place and the key that it held, and no key that
    fits nothing takes its place; what needs no key works, and all does when the file is back. Lists
    make no key.
    """
    assert operator.run("connections", "list").code == 0
    assert not key_file.exists()
    sealed, kept = _sealed(), key_file.read_bytes()
    key_file.unlink()
    assert operator.run("connections", "list").code == 0
    for words in (("invocations", "list"), ("keys", "rotate"), ("invoke", "echo", "say")):
        error = operator.run(*words).json["error"]
        assert str(key_file) in error["message"]
        assert "missing" in error["message"]
        assert "Put the file back" in error["hint"]
        assert not key_file.exists()
    key_file.write_bytes(kept)
    key_file.chmod(0o600)
    assert _opened(sealed) == b"secret"


def test_rotations_at_once(operator: Shell, key_file: Path) -> None:
    """Rotations that run side by side come one after another: all succeed, and everything opens
    with the file's first key.
    """
    sealed = _sealed()
    running = [operator.start("keys", "rotate") for _ in range(4)]
    answers = [operator.ended(process) for process in running]
    assert [answer.code for answer in answers] == [0] * 4, answers
    key_file.write_text(key_file.read_text(encoding="ascii").splitlines()[0], encoding="ascii")
    assert _opened(sealed) == b"secret"


def test_a_given_key(operator: Shell, key_file: Path, tmp_path: Path) -> None:
    """JACKFIELD_NEW_MASTER_KEY, or the file that JACKFIELD_NEW_MASTER_KEY_FILE names, is the new
    key; again, nothing is left to do.
    """
    sealed, text = _sealed(), new_key_text()
    operator.set(JACKFIELD_NEW_MASTER_KEY=text)
    assert operator.run("keys", "rotate").json["rewrapped"] == 1
    assert operator.run("keys", "rotate").json["rewrapped"] == 0
    assert MasterKey.from_file(key_file).ids[0] == MasterKey.from_text(text).id
    other = tmp_path / "new.key"
    other.write_text(new_key_text(), encoding="ascii")
    operator.set(JACKFIELD_NEW_MASTER_KEY="", JACKFIELD_NEW_MASTER_KEY_FILE=str(other))
    assert operator.run("keys", "rotate").json["masterKey"] == MasterKey.from_file(other).id
    assert _opened(sealed) == b"secret"


def test_a_key_in_the_environment(operator: Shell) -> None:
    """Where JACKFIELD_MASTER_KEY holds the key the new one must be given, and stderr says to set
    it; ``new,old`` will do too.
    """
    old, new, newest = new_key_text(), new_key_text(), new_key_text()
    operator.set(JACKFIELD_MASTER_KEY=old)
    sealed = _sealed()
    refused = operator.run("keys", "rotate")
    assert refused.code == 2
    assert "JACKFIELD_NEW_MASTER_KEY" in refused.json["error"]["hint"]
    operator.set(JACKFIELD_NEW_MASTER_KEY=new)
    answer = operator.run("keys", "rotate")
    assert answer.json == {
        "masterKey": MasterKey.from_text(new).id,
        "rewrapped": 1,
        "newDataKeys": False,
    }
    assert "set JACKFIELD_MASTER_KEY" in answer.err
    assert not any(key in answer.out + answer.err for key in (old, new))
    operator.set(JACKFIELD_MASTER_KEY=f"{newest},{new}", JACKFIELD_NEW_MASTER_KEY="")
    # that of `default` was made to seal the audit log
    assert operator.run("keys", "rotate").json["rewrapped"] == 2
    operator.set(JACKFIELD_MASTER_KEY=newest)
    assert _opened(sealed) == b"secret"


def test_data_keys(operator: Shell, key_file: Path) -> None:
    """--data-keys makes new data keys too; what was sealed before still opens. With one key in the
    environment the master key stays.
    """
    sealed = _sealed()
    assert operator.run("keys", "rotate", "--data-keys").json["newDataKeys"]
    again = _sealed()
    assert again[1:9] != sealed[1:9]
    assert (_opened(sealed), _opened(again)) == (b"secret", b"secret")
    operator.set(JACKFIELD_MASTER_KEY=key_file.read_text(encoding="ascii").splitlines()[0])
    assert operator.run("keys", "rotate", "--data-keys").json["rewrapped"] == 0
    assert _opened(sealed) == b"secret"


def test_a_wrong_key_changes_nothing(operator: Shell, key_file: Path) -> None:
    """With a master key that does not open the database nothing is rotated, neither there nor in
    the key file.
    """
    sealed, right = _sealed(), key_file.read_text(encoding="ascii")
    key_file.write_text(new_key_text(), encoding="ascii")
    wrong = key_file.read_bytes()
    answer = operator.run("keys", "rotate")
    assert answer.code == 1
    assert "does not decrypt this database" in answer.json["error"]["message"]
    assert key_file.read_bytes() == wrong
    key_file.write_text(right, encoding="ascii")
    assert _opened(sealed) == b"secret"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "JACKFIELD_NEW_MASTER_KEY",
            "nonsense!",
            "JACKFIELD_NEW_MASTER_KEY is not 32 bytes in Base64",
        ),
        ("JACKFIELD_NEW_MASTER_KEY", "c2hvcnQ=", "not 32 bytes"),
        ("JACKFIELD_NEW_MASTER_KEY_FILE", "nowhere.key", "cannot be read: No such file"),
        ("JACKFIELD_NEW_MASTER_KEY_FILE", "umlaut.key", "cannot be read: it is not base64"),
    ],
)
def test_a_key_that_is_none(
    operator: Shell, key_file: Path, name: str, value: str, said: str
) -> None:
    """A new key that is no key is refused before anything is touched."""
    operator.write("umlaut.key", "ü")
    _sealed()
    before = key_file.read_bytes()
    operator.set(**{name: value})
    answer = operator.run("keys", "rotate")
    assert answer.code != 0
    assert said in answer.json["error"]["message"]
    assert key_file.read_bytes() == before


@pytest.fixture
def service(operator: Shell) -> Iterator[VaultServer]:
    """A key service with two keys, which the operator's variables lead to."""
    with VaultServer() as server:
        operator.set(**server.environment())
        for name in ("ours", "theirs"):
            server.transit.make(name)
        yield server


def _row(rows: list[dict[str, object]], wrapper: str) -> dict[str, object]:
    return next(row for row in rows if row["id"] == wrapper)


def test_keys_move_to_a_key_service(operator: Shell, key_file: Path, service: VaultServer) -> None:
    """With a key service first in JACKFIELD_KEY_WRAPPERS and the file behind it, a rotation moves
    all keys; then the file can go. ``list`` shows what wraps how many keys, ``list --check`` and
    ``doctor`` ask the service, and a new master key is refused.
    """
    sealed, ours = _sealed(), "vault-transit://transit/ours"
    old = MasterKey.from_file(key_file).id
    operator.set(JACKFIELD_KEY_WRAPPERS=f"{ours}, file:")
    listed = operator.run("keys", "list").json
    assert (
        _row(listed, old)["dataKeys"],
        _row(listed, ours)["wraps"],
        _row(listed, ours)["dataKeys"],
    ) == (1, True, 0)
    operator.set(JACKFIELD_NEW_MASTER_KEY=new_key_text())
    refused = operator.run("keys", "rotate")
    assert (
        refused.code,
        "a key service wraps the data keys" in refused.json["error"]["message"],
    ) == (2, True)
    operator.set(JACKFIELD_NEW_MASTER_KEY="")
    assert operator.run("keys", "rotate").json == {
        "masterKey": ours,
        "rewrapped": 1,
        "newDataKeys": False,
    }
    operator.set(JACKFIELD_KEY_WRAPPERS=ours)
    key_file.unlink()
    assert _opened(sealed) == b"secret"
    assert [
        (row["kind"], row["dataKeys"], row["healthy"])
        for row in operator.run("keys", "list", "--check").json
    ] == [
        ("service", 2, True)  # with that of `default`, which seals the audit log
    ]
    service.status = 503
    checked = operator.run("keys", "list", "--check")
    assert (checked.code, checked.json[0]["healthy"]) == (1, False)
    assert f"the key service '{ours}' cannot be reached" in checked.json[0]["message"]
    examined = operator.run("doctor")
    assert (examined.code, examined.json["healthy"], examined.json["keyServices"][0]["id"]) == (
        1,
        False,
        ours,
    )
    called = operator.run("invoke", "echo", "say", "text=hello").json["error"]
    assert (called["code"], called["retryable"], ours in called["message"]) == (
        "unavailable",
        True,
        True,
    )
    service.status = None
    assert not key_file.exists()
    operator.set(JACKFIELD_KEY_WRAPPERS=f"file: {ours}")
    assert operator.run("keys", "rotate").json["keyFile"] == str(key_file)
    operator.set(JACKFIELD_KEY_WRAPPERS="")
    assert _opened(sealed) == b"secret"


def test_a_workspace_with_a_key_service_of_its_own(operator: Shell, service: VaultServer) -> None:
    """``assign`` and ``unassign`` move one workspace, ``forget`` reaches all processes, and the
    audit log of the workspace has them. If its service refuses, a rotation does the others and says
    so with exit code 1.
    """
    theirs = "vault-transit://transit/theirs"
    operator.run("workspaces", "create", "acme")
    sealed = _sealed()
    assert operator.run("keys", "assign", "acme", theirs).json == {
        "workspace": "acme",
        "wrapper": theirs,
        "rewrapped": 1,
    }
    assert _row(operator.run("keys", "list").json, theirs)["assignedTo"] == ["acme"]
    assert _opened(sealed) == b"secret"
    service.transit.denied.add("theirs")
    rotated = operator.run("keys", "rotate")
    assert (rotated.code, rotated.json["notRewrapped"]) == (1, ["acme"])
    listed = {row["name"]: row for row in operator.run("workspaces", "list").json}
    assert "refuses" in listed["acme"]["problem"]
    assert "problem" not in listed["default"]
    service.transit.denied.clear()
    assert operator.run("keys", "forget", "acme").json == {"workspace": "acme", "dataKeys": 1}
    assert operator.run("keys", "unassign", "acme").json == {
        "workspace": "acme",
        "wrapper": None,
        "rewrapped": 1,
    }
    assert _opened(sealed) == b"secret"
    assert operator.run("keys", "forget").json["workspace"] is None
    assert operator.run("keys", "assign", "nobody", theirs).code == 2
    events = [row["event"] for row in operator.run("audit", "list", "--workspace", "acme").json]
    assert {"keys.assigned", "keys.forgotten", "keys.unassigned"} <= set(events)
