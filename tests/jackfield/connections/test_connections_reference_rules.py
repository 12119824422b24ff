"""Which references to the host a tenant's connection may hold (security finding 4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from jackfield.connections.host_access import ReferenceRules


def reference_fault(
    kind: str, target: object, folder: str, allowed: bool | tuple[str, ...], barred: tuple[str, ...]
) -> str | None:
    """Judge a reference."""
    return ReferenceRules(allowed, barred).fault(kind, target, folder)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of jackfield with its key and its database."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("master.key", "jackfield.db"):
        (folder / name).write_text("secret")
    return folder


def env(name: str, allowed: bool | tuple[str, ...]) -> str | None:
    """Judge a reference to a variable."""
    return reference_fault("$env", name, ".", allowed, ())


@pytest.mark.parametrize("allowed", [True, ("*",), ("env:*",), ("env:JACKFIELD_*",)])
@pytest.mark.parametrize(
    "name", ["JACKFIELD_MASTER_KEY", "JACKFIELD_DATABASE_URL", "jackfield_master_key"]
)
def test_s4_jackfields_own_variables_are_never_read(
    allowed: bool | tuple[str, ...], name: str
) -> None:
    """Whatever is allowed, the master key and all other settings of jackfield stay with the
    operator.
    """
    assert "jackfield's own" in str(env(name, allowed))


def test_s4_patterns_allow_what_they_fit_and_nothing_else() -> None:
    """Kind and name must fit; an object as the target needs a pattern for all of its kind."""
    assert env("ACME_KEY", ("env:ACME_*",)) is None
    assert env("ACME_KEY", True) is None
    for refused in (
        env("acme_key", ("env:ACME_*",)),
        env("OTHER", ("env:ACME_*",)),
        env("ACME_KEY", ("file:*", "vault:*")),
        env("ACME_KEY", False),
    ):
        assert refused is not None
    assert reference_fault("$vault", {"path": "x"}, ".", ("vault:*",), ()) is None
    assert reference_fault("$vault", {"path": "x"}, ".", ("vault:x",), ()) is not None


@pytest.mark.parametrize(
    "target",
    [
        "acme/../other/token",
        "acme/./token",
        "acme//token",
        "acme/..",
        "acme/%2e%2e/other",
        "acme%2F..%2Fother",
        "acme\\..\\other",
        "acme/x/../../other",
    ],
)
def test_a_pattern_of_a_store_has_no_detour(target: str) -> None:
    """A store may read a reference as a path: one that leads elsewhere needs a pattern for all of
    the store.
    """
    assert reference_fault("$safe", target, ".", ("safe:acme*",), ()) is not None
    assert reference_fault("$safe", "acme/token", ".", ("safe:acme*",), ()) is None
    assert reference_fault("$safe", "/acme/token/", ".", ("safe:/acme*",), ()) is None
    for allowed in (True, ("*",), ("safe:*",)):
        assert reference_fault("$safe", target, ".", allowed, ()) is None


@pytest.mark.parametrize("allowed", [True, ("*",), ("file:/*",)])
def test_s4_the_key_and_the_home_are_never_read(
    home: Path, tmp_path: Path, allowed: bool | tuple[str, ...]
) -> None:
    """Neither by name, nor through ``..``, a link to the file or its folder, another home's key
    file, nor by way of ``/proc``.
    """
    (tmp_path / "link").symlink_to(home)
    (tmp_path / "file").symlink_to(home / "jackfield.db")
    (tmp_path / "open").mkdir()
    key = tmp_path / "elsewhere.pem"
    key.write_text("key")
    named = [
        home / "master.key",
        home / "jackfield.db",
        home,
        tmp_path / "open/../home/jackfield.db",
        tmp_path / "link/jackfield.db",
        tmp_path / "file",
        tmp_path / "other/master.key",
        key,
        "/proc/self/environ",
        f"/proc/self/root{home}/jackfield.db",
    ]
    for path in named:
        assert "jackfield's own" in str(
            reference_fault("$file", str(path), ".", allowed, (str(home), str(key)))
        ), path
    assert "jackfield's own" in str(
        reference_fault("$file", "jackfield.db", str(home), allowed, (str(home),))
    )
    assert reference_fault("$file", str(tmp_path / "home2"), ".", allowed, (str(home),)) is None


def test_s4_files_are_judged_where_they_lie(tmp_path: Path) -> None:
    """A link in an allowed folder leads nowhere else; a folder that is itself a link is allowed
    under either name.
    """
    real, other = tmp_path / "real", tmp_path / "other"
    real.mkdir()
    other.mkdir()
    (tmp_path / "acme").symlink_to(real)
    (real / "out").symlink_to(other / "secret")
    allowed = (f"file:{tmp_path}/acme/*",)
    for path, good in (
        ("acme/key", True),
        ("real/key", True),
        ("real/a/b", True),
        ("acme/out", False),
        ("acme/../other/secret", False),
        ("other/x", False),
    ):
        assert (reference_fault("$file", str(tmp_path / path), ".", allowed, ()) is None) is good, (
            path
        )
    assert reference_fault("$file", "a\0b", ".", ("file:/*",), ()) is not None
