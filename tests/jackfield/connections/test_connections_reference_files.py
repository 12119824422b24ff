"""Files of secret references are judged by what was opened, not by the path that was looked at
before (second review).
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from clocks import FakeClock
from jackfield.connections.host_access import ReferenceRules, credential_files
from jackfield.connections.secret_references import Secrets
from jackfield.kernel.errors import InvalidConnection
from jackfield_store.resources.storage import Storage


def read(path: Path | str, rules: ReferenceRules | None = None) -> str:
    """Resolve one reference; of a refusal, the message of its detail."""
    try:
        return str(Secrets({}).resolve({"token": {"$file": str(path)}}, ".", rules)["token"])
    except InvalidConnection as refused:
        return refused.details[0].message


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder that patterns allow, beside a home with its key."""
    for name, text in (
        ("home/master.key", "the key"),
        ("home/jackfield.db", "data"),
        ("shelf/good", "open"),
        ("elsewhere/secret", "s"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path / "shelf"


def rules_for(shelf: Path) -> ReferenceRules:
    """What the workspace allows: the files of the shelf."""
    return ReferenceRules((f"file:{shelf}/*",), (str(shelf.parent / "home"),))


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_h1_a_link_put_there_after_the_judgement_is_not_followed(
    shelf: Path, swapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path is swapped for a link between its resolution and its opening: nothing outside the
    shelf is read (second review H1).
    """
    (shelf / "in").mkdir()
    (shelf / "in/secret").write_text("inside")
    resolve, target = os.path.realpath, shelf / "in/secret"

    def swap(path: str) -> str:
        found = resolve(path)
        if path == str(target) and not (shelf / "was").exists():
            moved = target if swapped == "file" else target.parent
            moved.rename(shelf / "was")
            moved.symlink_to(
                shelf.parent / ("elsewhere/secret" if swapped == "file" else "elsewhere")
            )
        return found

    monkeypatch.setattr(os.path, "realpath", swap)
    assert "no pattern" in read(target, rules_for(shelf))
    monkeypatch.undo()
    assert read(shelf / "good", rules_for(shelf)) == "open"


def mount(folder: Path, version: str, text: str) -> None:
    """Write a version of a secret as Kubernetes does: the files into a folder of their own, to
    which one link is moved at once.
    """
    (folder / version).mkdir(parents=True)
    for name in ("acme-token", "other-token"):
        (folder / version / name).write_text(f"{text}\n")
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").rename(folder / "..data")


@pytest.mark.parametrize("pattern", ["mnt/*", "mnt/acme-token", "mnt/acme-*", "m*/acme-*"])
def test_h1_a_secret_that_kubernetes_mounts_is_read(
    tmp_path: Path, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its links stay inside the folder, so any pattern that fits its name allows it, also while a
    new version takes its place.
    """
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
    """A FIFO that nobody writes to, a device and a folder are refused at once, for an operator's
    connection too (second review H3).
    """
    rules = ReferenceRules(True, ()) if remote else None
    os.mkfifo(shelf / "pipe")
    for path in (shelf / "pipe", "/dev/zero"):
        assert "is not a regular file" in read(path, rules)
    assert "Is a directory" in read(shelf, rules)
    if remote:
        assert "jackfield's own" in read("/proc/self/environ", rules)


def test_h4_hard_links_are_not_read(shelf: Path) -> None:
    """A second name of the key file, of the database or of any file is refused to a tenant (second
    review H4).
    """
    for name, source, expected in (
        ("a", "home/master.key", "jackfield's own"),
        ("b", "home/jackfield.db", "several names"),
        ("c", "elsewhere/secret", "several names"),
    ):
        os.link(shelf.parent / source, shelf / name)
        assert expected in read(shelf / name, rules_for(shelf))
    assert read(shelf / "c") == "s"


def test_credentials_of_the_process_need_a_pattern_of_their_own() -> None:
    """``true`` and ``env:*`` do not cover AWS's and Dapr's credentials; a pattern that begins with
    their name does (second review).
    """
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "DAPR_API_TOKEN",
        "APP_API_TOKEN",
        "VAULT_TOKEN",
        "PGPASSWORD",
        "PGSERVICEFILE",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "AZURE_CLIENT_SECRET",
        "DATABASE_URL",
        "SSH_AUTH_SOCK",
    ):
        for allowed in (True, ("*",), ("env:*",)):
            assert "credential of the jackfield process" in str(
                ReferenceRules(allowed, ()).fault("$env", name, ".")
            )
        assert ReferenceRules((f"env:{name[:8]}*",), ()).fault("$env", name, ".") is None


def test_files_that_hold_the_processs_credentials_need_a_pattern_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a variable names, and the user's ``~/.aws``, ``~/.ssh`` and ``~/.pgpass``, is refused
    under any path unless a pattern begins with its path.
    """
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    environment, named = (
        {},
        (
            "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "VAULT_TOKEN_FILE",
            "PGPASSFILE",
        ),
    )
    for name in named:
        environment[name] = str(tmp_path / "etc" / name)
    secret = [
        *environment.values(),
        *(str(tmp_path / "user" / name) for name in (".aws/credentials", ".ssh/id_rsa", ".pgpass")),
    ]
    for path in (*secret, str(tmp_path / "etc/acme")):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("s3cr3t")
    credentials = credential_files({**environment, "AWS_REGION": "eu-west-1", "PGHOST": "db\0"})
    for allowed in (True, ("*",), ("file:/*",), (f"file:{tmp_path}/*",)):
        rules = ReferenceRules(allowed, (), credentials)
        assert read(tmp_path / "etc/acme", rules) == "s3cr3t"
        assert "credential of the jackfield process" in str(
            rules.fault("$file", "/etc/shadow", ".")
        )
        for path in secret:
            assert "credential of the jackfield process" in str(rules.fault("$file", path, ".")), (
                path
            )
            assert "credential of the jackfield process" in read(path, rules), path
    for path in secret:
        assert read(path, ReferenceRules((f"file:{path}",), (), credentials)) == "s3cr3t"
    assert read(secret[4], ReferenceRules(("file:~/.aws/*",), (), credentials)) == "s3cr3t"
    (tmp_path / "user/.aws/credentials").unlink()
    (tmp_path / "user/.aws/credentials").symlink_to(tmp_path / "etc/acme")
    # by inode
    assert "credential of the jackfield process" in read(
        tmp_path / "etc/acme", ReferenceRules(True, (), credentials)
    )


def test_jackfields_own_files_are_never_read_wherever_they_lie(tmp_path: Path) -> None:
    """The files of SQLite, those of ``JACKFIELD_CONNECTIONS``, keys that a variable names, and the
    server's TLS key.
    """
    for name in (
        "data/j.db",
        "data/j.db-wal",
        "data/j.db-shm",
        "data/j.db-journal",
        "data/j.db-epoch",
        "c.yaml",
        "more/d.yaml",
        "new.key",
        "wrapping.key",
        "tls.pem",
        "k8s/token",
        "good",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    environment = {
        "JACKFIELD_HOME": str(tmp_path / "home"),
        "JACKFIELD_CONNECTIONS": f"{tmp_path}/c.yaml{os.pathsep}{tmp_path}/more",
        "JACKFIELD_NEW_MASTER_KEY_FILE": str(tmp_path / "new.key"),
        "JACKFIELD_KUBERNETES_SECRETS": str(tmp_path / "k8s"),
        "JACKFIELD_KEY_WRAPPERS": f"aws-kms://arn,file:{tmp_path / 'wrapping.key'}",
    }
    with Storage(f"sqlite:///{tmp_path}/data/j.db", environment, FakeClock()) as storage:
        storage.bar(str(tmp_path / "tls.pem"))
        rules = ReferenceRules((f"file:{tmp_path}/*",), storage.barred_paths())
    for name in (
        "data/j.db",
        "data/j.db-wal",
        "data/j.db-shm",
        "data/j.db-journal",
        "data/j.db-epoch",
        "c.yaml",
        "more/d.yaml",
        "new.key",
        "wrapping.key",
        "tls.pem",
        "k8s/token",
    ):
        assert "jackfield's own" in read(tmp_path / name, rules), name
        assert "jackfield's own" in str(rules.fault("$file", str(tmp_path / name), ".")), name
    assert read(tmp_path / "good", rules) == "text"


def test_a_path_that_cannot_be_resolved_is_refused(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that is replaced by a file while it is resolved (EINVAL) is resolved again, and
    refused if that goes on.
    """
    resolve, failures = os.path.realpath, [errno.EINVAL] * 2

    def swapped(path: str) -> str:
        if path == str(shelf / "good") and failures:
            raise OSError(failures.pop(), "Invalid argument")
        return resolve(path)

    monkeypatch.setattr(os.path, "realpath", swapped)
    assert rules_for(shelf).fault("$file", str(shelf / "good"), ".") is None
    failures += [errno.EINVAL] * 100
    assert "cannot be resolved" in str(rules_for(shelf).fault("$file", str(shelf / "good"), "."))
    assert "cannot be read" in read(shelf / "good", rules_for(shelf))


def test_names_that_no_host_has_are_refused_in_plain_words() -> None:
    """A lone surrogate or a NUL in the name of a variable or in a path is said as such."""
    for kind, target, expected in (
        ("$env", "ACME_\ud800", "no environment variable can have the name 'ACME_\\ud800'"),
        ("$env", "ACME_\0", "no environment variable can have the name 'ACME_\\x00'"),
        ("$file", "/etc/\ud800", "no file can have the path '/etc/\\ud800'"),
    ):
        for rules in (None, ReferenceRules(True, ())):
            with pytest.raises(InvalidConnection) as refused:
                Secrets(os.environ).resolve({"token": {kind: target}}, ".", rules)
            assert expected in refused.value.details[0].message or (
                rules and "cannot be resolved" in refused.value.details[0].message
            )
