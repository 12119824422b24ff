"""``jackfield publisher``, ``sign`` and ``verify``: who published a wheel, and whether it is still
the same.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jackfield_market.attestations import attest
from jackfield_market.publishers import read_signing_key
from jackfield_market.wheels import read_wheel
from shell import Shell
from wheel_maker import FILE, PACKAGE, put, write_wheel

pytest_plugins = ["shell_fixture"]


@pytest.fixture
def signed(shell: Shell) -> Path:
    """A wheel, signed by acme-labs, whose keys are ``acme.key`` and ``acme.key.pub``."""
    wheel = write_wheel(shell.folder)
    assert shell.run("publisher", "new", "acme-labs", "--out", "acme.key").code == 0
    assert shell.run("sign", FILE, "--key", "acme.key").code == 0
    return wheel


def test_a_key_pair(shell: Shell) -> None:
    """The private key file is the owner's alone, the public one holds what is printed, and neither
    is overwritten.
    """
    answer = shell.run("publisher", "new", "acme-labs", "--out", "acme.key")
    assert answer.code == 0
    assert answer.json == json.loads((shell.folder / "acme.key.pub").read_text())
    assert set(answer.json) == {"publisher", "keyId", "publicKey"}
    key = shell.folder / "acme.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    assert shell.run("publisher", "new", "acme-labs", "--out", "acme.key").code == 2
    (shell.folder / "acme.key.pub").unlink()
    refused = shell.run("publisher", "new", "acme-labs", "--out", "acme.key")
    assert refused.code == 2
    assert "never overwritten" in refused.json["error"]["message"]
    assert key.read_bytes() == before
    assert not (shell.folder / "acme.key.pub").exists()


@pytest.mark.parametrize("name", ["Acme", "acme_labs", "-acme", "acme--labs", "a" * 65, "", "../x"])
def test_names_of_publishers(shell: Shell, name: str) -> None:
    """A publisher's name is kebab-case; no file is written for another."""
    assert shell.run("publisher", "new", "--out", "acme.key", "--", name).code == 2
    assert not (shell.folder / "acme.key").exists()


def test_a_signed_wheel_is_verified(shell: Shell, signed: Path) -> None:
    """The answer names publisher, key, wheel and hash; only a publisher given with --publisher is
    trusted.
    """
    answer = shell.run("verify", FILE, "--publisher", "acme.key.pub")
    assert answer.code == 0
    assert answer.json["verified"] is answer.json["trusted"] is True
    assert (answer.json["publisher"], answer.json["name"], answer.json["version"]) == (
        "acme-labs",
        "jackfield-acme",
        "1.0.0",
    )
    (shell.folder / f"{FILE}.sigstore.json").write_text("{}")
    alone = shell.run("verify", str(signed))
    assert (alone.code, alone.json["trusted"], alone.json["sigstore"]) == (
        0,
        False,
        "present, not verified",
    )
    assert "--publisher" in alone.err


def test_several_publishers(shell: Shell, signed: Path) -> None:
    """With several accepted publishers, one that fits is enough; a key of another is named beside
    those accepted.
    """
    shell.run("publisher", "new", "other", "--out", "other.key")
    both = ("--publisher", "other.key.pub", "--publisher", "acme.key.pub")
    assert shell.run("verify", signed.name, *both).code == 0
    answer = shell.run("verify", FILE, "--publisher", "other.key.pub")
    assert answer.code == 1
    error = answer.json["error"]
    assert (answer.json["verified"], error["code"], error["details"][0]["keyword"]) == (
        False,
        "not_allowed",
        "publisher",
    )
    assert "'acme-labs'" in error["message"]
    assert "'other'" in error["message"]


def test_an_altered_wheel(shell: Shell, signed: Path) -> None:
    """A wheel with other content is refused by its hash, before its archive is opened; one with
    another file name by that.
    """
    good = signed.read_bytes()
    write_wheel(shell.folder, put(f"{PACKAGE}/extra.py", ""))
    assert _keyword(shell) == "sha256"
    signed.write_bytes(good[: len(good) // 2] + b"\0" + good[len(good) // 2 + 1 :])
    assert _keyword(shell) == "sha256"
    signed.write_bytes(good)
    other = "Jackfield_Acme-1.0.0-py3-none-any.whl"
    signed.rename(shell.folder / other)
    answer = shell.run("verify", other, "--attestation", f"{FILE}.attestation.json")
    assert (answer.code, answer.json["error"]["details"][0]["keyword"]) == (1, "wheel")


def _keyword(shell: Shell) -> str:
    answer = shell.run("verify", FILE, "--publisher", "acme.key.pub")
    assert answer.code == 1
    assert answer.json["verified"] is False
    return str(answer.json["error"]["details"][0]["keyword"])


def _set(member: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda found: found["statement"].update({member: value})


ALTERED: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "another hash": ("signature", _set("sha256", "0" * 64)),
    "another time": ("signature", _set("signedAt", "2030-01-01T00:00:00Z")),
    "another version": ("signature", _set("version", "2.0.0")),
    "another publisher's name": ("signature", _set("publisher", "evil")),
    "another key id": ("publisher", _set("keyId", "0" * 32)),
    "another public key": ("publisher", lambda found: found.update(publicKey="A" * 43 + "=")),
    "another signature": ("signature", lambda found: found.update(signature="A" * 86 + "==")),
    "no base64": ("signature", lambda found: found.update(signature=["x"])),
    "a member too many": ("attestation", _set("note", "x")),
    "a statement of another type": ("attestation", _set("type", "other")),
    "a member that is no string": ("attestation", _set("version", 1)),
    "no statement": ("attestation", lambda found: found.pop("statement")),
}


@pytest.mark.parametrize("case", ALTERED)
def test_an_altered_attestation(shell: Shell, signed: Path, case: str) -> None:
    """Each change of the attestation is noticed, and the error names what does not match."""
    keyword, alter = ALTERED[case]
    path = signed.with_name(f"{FILE}.attestation.json")
    found = json.loads(path.read_text())
    alter(found)
    path.write_text(json.dumps(found))
    assert _keyword(shell) == keyword
    path.write_text("[")
    assert _keyword(shell) == "attestation"


def test_a_signed_wheel_that_breaks_a_rule(shell: Shell, signed: Path) -> None:
    """A publisher's signature does not make a hostile wheel acceptable: its rule is named."""
    key = read_signing_key(str(shell.folder / "acme.key"))
    good = read_wheel(str(signed))
    hostile = write_wheel(shell.folder, put("evil.pth", "import os"))
    digest = hashlib.sha256(hostile.read_bytes()).hexdigest()
    attestation = attest(replace(good, sha256=digest), key)
    signed.with_name(f"{FILE}.attestation.json").write_text(json.dumps(attestation))
    assert _keyword(shell) == "pth"


def test_files_that_are_not_there(shell: Shell, signed: Path) -> None:
    """A missing wheel, attestation or key, and a key that is none, are usage errors with the file's
    name.
    """
    for words in (
        ("verify", "none.whl"),
        ("verify", FILE, "--publisher", "none.pub"),
        ("verify", FILE, "--publisher", f"{FILE}.attestation.json"),
        ("verify", FILE, "--attestation", "none.json"),
        ("verify", "."),
        ("sign", FILE, "--key", "none.key"),
        ("sign", FILE, "--key", "acme.key.pub"),
        ("sign", FILE, "--key", signed.name),
    ):
        answer = shell.run(*words)
        assert answer.code == 2, words
        assert answer.json["error"]["code"] == "invalid_invocation"


def test_a_key_that_others_can_read(shell: Shell, signed: Path) -> None:
    """A private key file with loose permissions is refused, and the private key is in no
    message.
    """
    (shell.folder / "acme.key").chmod(0o644)
    answer = shell.run("sign", signed.name, "--key", "acme.key")
    assert answer.code == 2
    assert "chmod 600" in answer.json["error"]["hint"]
    assert (
        json.loads((shell.folder / "acme.key").read_text())["privateKey"]
        not in answer.out + answer.err
    )


def test_no_hostile_wheel_is_signed(shell: Shell, signed: Path) -> None:
    """A wheel that breaks a rule gets no attestation."""
    write_wheel(shell.folder, put("evil.pth", "import os"))
    before = signed.with_name(f"{FILE}.attestation.json").read_bytes()
    answer = shell.run("sign", FILE, "--key", "acme.key")
    assert (answer.code, answer.json["error"]["details"][0]["keyword"]) == (2, "pth")
    assert signed.with_name(f"{FILE}.attestation.json").read_bytes() == before
