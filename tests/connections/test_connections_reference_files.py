"""Files of secret references are judged by what was opened, not by the path that was looked at before (second review)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from jackfield.connections import ReferenceRules, Secrets
from jackfield.errors import InvalidConnection
from jackfield.hooks import Plugins


def read(path: Path | str, rules: ReferenceRules | None = None) -> str:
    """Resolve one reference; of a refusal, the message of its detail."""
    try:
        return str(Secrets({}, Plugins()).resolve({"token": {"$file": str(path)}}, ".", rules)["token"])
    except InvalidConnection as refused:
        return refused.details[0].message


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder that patterns allow, beside a home with its key."""
    for name, text in (("home/master.key", "the key"), ("home/jackfield.db", "data"), ("shelf/good", "open"), ("elsewhere/secret", "s")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path / "shelf"


def rules_for(shelf: Path) -> ReferenceRules:
    """What the workspace allows: the files of the shelf."""
    return ReferenceRules((f"file:{shelf}/*",), (str(shelf.parent / "home"),))


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_h1_a_link_put_there_after_the_judgement_is_not_followed(shelf: Path, swapped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path is swapped for a link between its resolution and its opening: nothing outside the shelf is read (second review H1)."""
    (shelf / "in").mkdir()
    (shelf / "in/secret").write_text("inside")
    resolve, target = os.path.realpath, shelf / "in/secret"

    def swap(path: str) -> str:
        found = resolve(path)
        if path == str(target) and not (shelf / "was").exists():
            moved = target if swapped == "file" else target.parent
            moved.rename(shelf / "was")
            moved.symlink_to(shelf.parent / ("elsewhere/secret" if swapped == "file" else "elsewhere"))
        return found

    monkeypatch.setattr(os.path, "realpath", swap)
    assert "no pattern" in read(target, rules_for(shelf))
    monkeypatch.undo()
    assert read(shelf / "good", rules_for(shelf)) == "open"


def mount(folder: Path, version: str, text: str) -> None:
    """Write a version of a secret as Kubernetes does: the files into a folder of their own, to which one link is moved at once."""
    (folder / version).mkdir(parents=True)
    for name in ("acme-token", "other-token"):
        (folder / version / name).write_text(f"{text}\n")
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").rename(folder / "..data")


@pytest.mark.parametrize("pattern", ["mnt/*", "mnt/acme-token", "mnt/acme-*", "m*/acme-*"])
def test_h1_a_secret_that_kubernetes_mounts_is_read(tmp_path: Path, pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its links stay inside the folder, so any pattern that fits its name allows it, also while a new version takes its place."""
    folder, resolve = tmp_path / "mnt", os.path.realpath
    rules = ReferenceRules((f"file:{tmp_path}/{pattern}",), (str(tmp_path / "home"),))
    mount(folder, "..2026_01", "first")
    assert read(folder / "acme-token", rules) == "first"
    assert ("no pattern" in read(folder / "other-token", rules)) is ("acme" in pattern)

    def remount(path: str) -> str:
        found = resolve(path)
        if path == str(folder / "acme-token") and (folder / "..2026_01").exists():
            mount(folder, "..2026_02", "second")
            shutil.rmtree(folder / "..2026_01")
        return found

    monkeypatch.setattr(os.path, "realpath", remount)
    assert read(folder / "acme-token", rules) == "second"
    monkeypatch.undo()
    (folder / "acme-token").unlink()
    (folder / "acme-token").symlink_to(tmp_path / "acme-elsewhere")
    (tmp_path / "acme-elsewhere").write_text("outside")
    assert "no pattern" in read(folder / "acme-token", rules)


@pytest.mark.parametrize("remote", [True, False])
def test_h3_only_regular_files_are_read(shelf: Path, *, remote: bool) -> None:
    """A FIFO that nobody writes to, a device and a folder are refused at once, for an operator's connection too (second review H3)."""
    rules = ReferenceRules(True, ()) if remote else None
    os.mkfifo(shelf / "pipe")
    for path in (shelf / "pipe", "/dev/zero"):
        assert "is not a regular file" in read(path, rules)
    assert "Is a directory" in read(shelf, rules)
    if remote:
        assert "jackfield's own" in read("/proc/self/environ", rules)


def test_h4_hard_links_are_not_read(shelf: Path) -> None:
    """A second name of the key file, of the database or of any file is refused to a tenant (second review H4)."""
    for name, source, expected in (
        ("a", "home/master.key", "jackfield's own"),
        ("b", "home/jackfield.db", "several names"),
        ("c", "elsewhere/secret", "several names"),
    ):
        os.link(shelf.parent / source, shelf / name)
        assert expected in read(shelf / name, rules_for(shelf))
    assert read(shelf / "c") == "s"


def test_credentials_of_the_process_need_a_pattern_of_their_own() -> None:
    """``true`` and ``env:*`` do not cover AWS's and Dapr's credentials; a pattern that begins with their name does (second review)."""
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "DAPR_API_TOKEN", "APP_API_TOKEN"):
        for allowed in (True, ("*",), ("env:*",)):
            assert "credential of the process" in str(ReferenceRules(allowed, ()).fault("$env", name, "."))
        assert ReferenceRules((f"env:{name[:8]}*",), ()).fault("$env", name, ".") is None
