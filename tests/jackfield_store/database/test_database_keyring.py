"""The master key: where it comes from, who may read it, and what it refuses."""

from __future__ import annotations

import base64
import hashlib
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jackfield_store.database import DatabaseUnfit, SealBroken, WrongMasterKey
from jackfield_store.keys import MasterKey
from jackfield_store.keys.key_ring import KeyRing
from jackfield_store.keys.master_key import KeyFile, LiveKey, LocalKey
from jackfield_store.keys.sealing import bound, cipher, wrap

pytest_plugins = ["warm"]
FIRST, SECOND = b"1" * 32, b"\xff" * 32
TEXT = base64.b64encode(FIRST).decode()


def ids(*keys: bytes) -> tuple[str, ...]:
    """The ids of keys."""
    return tuple(hashlib.sha256(key).hexdigest()[:8] for key in keys)


@pytest.mark.parametrize(
    "text",
    [
        f"{TEXT},{base64.b64encode(SECOND).decode()}",
        f" {TEXT} ,\n{base64.urlsafe_b64encode(SECOND).decode()}\n",
        f"{TEXT}\n{base64.b64encode(SECOND).decode()}\n",
    ],
)
def test_several_keys_in_a_text(text: str, tmp_path: Path) -> None:
    """Keys stand one after another in the environment or in a file; the first one wraps."""
    file = tmp_path / "keys"
    file.write_text(text, encoding="ascii")
    for master in (
        MasterKey.from_environment({"JACKFIELD_MASTER_KEY": text}, tmp_path),
        MasterKey.from_environment({"JACKFIELD_MASTER_KEY_FILE": str(file)}, tmp_path),
    ):
        assert master.ids == ids(FIRST, SECOND)
        assert master.id == ids(FIRST)[0]


@pytest.mark.parametrize(
    "text", ["!", "é", "AAAA", TEXT + ",AAAA", base64.b64encode(b"x" * 33).decode(), ",", TEXT[:-2]]
)
def test_what_is_no_key_is_refused(text: str, tmp_path: Path) -> None:
    """A key of another length or alphabet is refused by the name of its place, and never quoted."""
    with pytest.raises(DatabaseUnfit, match="JACKFIELD_MASTER_KEY is not") as caught:
        MasterKey.from_environment({"JACKFIELD_MASTER_KEY": text}, tmp_path)
    assert TEXT[:8] not in str(caught.value)
    file = tmp_path / "key"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DatabaseUnfit, match="is not"):
        MasterKey.from_environment({"JACKFIELD_MASTER_KEY_FILE": str(file)}, tmp_path)
    assert not (tmp_path / "master.key").exists()


def test_keys_are_never_shown() -> None:
    """The text of a key ring shows ids only, and it cannot be pickled."""
    master = MasterKey([FIRST, SECOND])
    assert repr(master) == str(master) == f"<MasterKey {', '.join(ids(FIRST, SECOND))}>"
    with pytest.raises(TypeError):
        pickle.dumps(master)
    with pytest.raises(DatabaseUnfit):
        MasterKey([])
    with pytest.raises(DatabaseUnfit):
        MasterKey([b"short"])


def test_a_key_file_is_made_on_first_use(tmp_path: Path) -> None:
    """Without a key in the environment one is made in the home, private, and found again."""
    home = tmp_path / "home"
    master = MasterKey.from_environment({"JACKFIELD_MASTER_KEY": ""}, home)
    file = home / "master.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(base64.b64decode(file.read_text(encoding="ascii"))) == 32
    assert MasterKey.from_environment({}, home).ids == master.ids
    assert [path.name for path in home.iterdir()] == ["master.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700 | 0o001])
def test_an_open_key_file_is_refused(tmp_path: Path, mode: int) -> None:
    """A key file in the home that others can read or write is refused with its mode and the cure,
    and left as it is.
    """
    MasterKey.from_environment({}, tmp_path)
    file = tmp_path / "master.key"
    before = file.read_bytes()
    file.chmod(mode)
    with pytest.raises(DatabaseUnfit, match=f"mode {mode:04o}") as caught:
        MasterKey.from_environment({}, tmp_path)
    assert "chmod 600" in str(caught.value)
    assert file.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_somebody_else_s_key_file_is_refused(tmp_path: Path) -> None:
    """A key file in the home that another account owns is refused."""
    MasterKey.from_environment({}, tmp_path)
    os.chown(tmp_path / "master.key", 65534, 65534)
    with pytest.raises(DatabaseUnfit, match="another account"):
        MasterKey.from_environment({}, tmp_path)


def test_a_mounted_secret_may_be_readable(tmp_path: Path) -> None:
    """A file that JACKFIELD_MASTER_KEY_FILE names may be readable by others, as mounted secrets
    are, but not writable.
    """
    file = tmp_path / "key"
    file.write_text(TEXT + "\n", encoding="ascii")
    file.chmod(0o444)
    assert MasterKey.from_environment(
        {"JACKFIELD_MASTER_KEY_FILE": str(file)}, tmp_path
    ).ids == ids(FIRST)
    file.chmod(0o666)
    with pytest.raises(DatabaseUnfit, match="mode 0666"):
        MasterKey.from_environment({"JACKFIELD_MASTER_KEY_FILE": str(file)}, tmp_path)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A missing file, a folder and a home that cannot be made are told by their paths."""
    with pytest.raises(DatabaseUnfit, match="none' cannot be read: No such file"):
        MasterKey.from_file(tmp_path / "none")
    with pytest.raises(DatabaseUnfit, match="cannot be read: Is a directory"):
        MasterKey.from_file(tmp_path)
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(DatabaseUnfit, match="cannot be created"):
        MasterKey.from_environment({}, tmp_path / "file" / "home")


@pytest.mark.usefixtures("warm_python")
@pytest.mark.parametrize("asked", [False, True])
def test_a_file_without_the_key_in_use_is_not_taken(tmp_path: Path, asked: bool) -> None:
    """A file with another valid key changes nothing, whatever is asked first, and says which key it
    lacks; one that has both is followed, and so is one whose key the database needs.
    """
    path, other = tmp_path / "key", base64.b64encode(SECOND).decode()
    path.write_text(TEXT)
    key = LiveKey(KeyFile(str(path), private=False))

    def write(text: str) -> None:
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").replace(path)

    write(other)
    if asked:
        assert key.wrapper("deadbeef") is None
    assert key.ids == ids(FIRST)
    assert key.wrapper(*ids(FIRST)) is not None
    with pytest.raises(DatabaseUnfit, match=ids(FIRST)[0]):
        key.check()
    write(f"{other}\n{TEXT}\n")
    key.check()
    assert key.ids == ids(SECOND, FIRST)
    write(other)
    assert key.ids == ids(SECOND)
    write(TEXT)
    assert key.ids == ids(SECOND)
    assert key.wrapper(*ids(FIRST)) is not None
    assert key.ids == ids(FIRST)


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    """Many processes that need the first key in the same moment all use the same one."""
    program = "import sys; from jackfield_store.keys import MasterKey as Key; sys.stdin.readline()"
    script = f"{program}; print(Key.from_environment({{}}, sys.argv[1]).id)"
    command = [sys.executable, "-c", script, str(tmp_path / "home")]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    found = {process.communicate("\n", timeout=60)[0] for process in processes}
    assert len(found) == 1
    assert found != {""}
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["master.key"]


def test_wrapped_keys_open_where_they_belong_only() -> None:
    """A data key opens for its installation, workspace and id with its master key; elsewhere, or
    changed, it does not.
    """
    master = MasterKey([FIRST])
    place = {"installation": "i", "workspace": "w", "key": "aa"}
    wrapper, other = master.wrapper(master.id), MasterKey([SECOND, FIRST]).wrapper(master.id)
    assert wrapper is not None
    assert other is not None
    wrapped = wrapper.wrap(place, b"k" * 32)
    assert wrapper.unwrap(place, wrapped) == other.unwrap(place, wrapped) == b"k" * 32
    elsewhere = [({**place, name: "x"}, wrapped) for name in place]
    for context, text in (*elsewhere, (place, wrapped[:-1]), (place, wrapped[1:]), (place, b"")):
        with pytest.raises(SealBroken):
            wrapper.unwrap(context, text)
    assert MasterKey([SECOND]).wrapper(master.id) is None
    with pytest.raises(
        WrongMasterKey,
        match=f"{ids(SECOND)[0]} does not decrypt .*encrypted with key ID {master.id}",
    ):
        KeyRing([MasterKey([SECOND])]).having(master.id)


def test_keys_of_an_older_version_open() -> None:
    """A data key that was wrapped before installations had ids opens in its workspace, and under
    its id only.
    """
    key = LocalKey(FIRST)
    wrapped = wrap(cipher(FIRST), bound(("jackfield data key", "w", "aa")), b"k" * 32)
    place = {"installation": "i", "workspace": "w", "key": "aa"}
    assert key.unwrap(place, wrapped) == b"k" * 32
    for name in ("workspace", "key"):
        with pytest.raises(SealBroken):
            key.unwrap({**place, name: "x"}, wrapped)
