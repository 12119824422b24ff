"""What an installation refuses before any code of the package runs, whoever tampers: network,
publisher, or catalogue's operator.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_market.storefront import (
    BODY,
    Files,
    Storefront,
    files_of,
    wheel_of,
    write_dependency,
)
from tests.jackfield_market.tuf_client import serving

from plugboard import make_connector, plugged
from shell import Shell
from wheel_maker import archive, put, swap

pytest_plugins = ["tests.jackfield_market.shop_fixture"]
CODE = "jackfield_acme/__init__.py"
MANIFEST = "jackfield_acme/connector.json"
INFO = "jackfield_acme-1.0.0.dist-info"


def refused(shell: Shell, *words: str) -> str:
    """The rule by which an installation is refused; nothing of the package has run, and nothing is
    left of it.
    """
    answer = shell.run(*(words or ("install", "acme", "--from", "site")))
    assert answer.code in {1, 2}, answer.out
    error = answer.json["error"]
    assert error["hint"], error
    assert "Traceback" not in answer.err
    home = shell.folder.parent / "home"
    assert [path for path in home.rglob("*") if path.name in {"was_run", "connector.json"}] == []
    assert [path for path in (home / "connectors").rglob("*.part") if path.exists()] == []
    assert "jackfield_acme" not in sys.modules
    return str(error["details"][0]["keyword"])


def _edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_an_altered_wheel(shell: Shell, shop: Storefront) -> None:
    """A wheel or an attestation that differs from the signed metadata is refused, also if it was
    correct before.
    """
    wheel = next((shop.site / "packages").glob("*.whl"))
    good = wheel.read_bytes()
    wheel.write_bytes(good[:-1] + b"\1")
    assert refused(shell) == "altered"
    wheel.write_bytes(good + b"\0")
    assert refused(shell) == "altered"
    wheel.write_bytes(good)
    _edited(wheel.with_name(f"{wheel.name}.attestation.json"), "acme-labs", "acme-lab5")
    assert refused(shell) == "altered"


@pytest.mark.parametrize(
    "name", ["timestamp.json", ".targets.json", "publisher.acme-labs.1", "releases.json"]
)
def test_altered_metadata(shell: Shell, shop: Storefront, name: str) -> None:
    """Each changed metadata file, and a changed list, is refused."""
    found = [
        path
        for path in shop.site.rglob("*.json")
        if name in path.name and path.parent.name != "packages"
    ]
    for path in found:
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("2", "3"), encoding="utf-8")
    assert found
    assert refused(shell) in {"altered", "signature", "replayed", "metadata", "expired"}


def test_replayed_metadata(shell: Shell, shop: Storefront) -> None:
    """A site that is older than what was seen before is refused, even though everything in it is
    signed.
    """
    shop.copy("old")
    shop.add("umbrella")
    assert shell.run("install", "umbrella", "--from", "site").code == 0
    shop.restore("old")
    answer = shell.run("install", "acme", "--from", "site")
    assert answer.json["error"]["details"][0]["keyword"] == "replayed"


def test_mixed_metadata(shell: Shell, shop: Storefront) -> None:
    """Signed files of two states of the site do not fit together."""
    old = shop.copy("old") / "metadata"
    shop.add(version="1.1.0")
    new = shop.site / "metadata"
    for role in ("snapshot.json", "publisher.acme-labs.1.json"):
        newest = max(new.glob(f"*.{role}"), key=lambda path: int(path.name.partition(".")[0]))
        before = newest.read_bytes()
        newest.write_bytes(
            max(
                old.glob(f"*.{role}"), key=lambda path: int(path.name.partition(".")[0])
            ).read_bytes()
        )
        assert refused(shell) == "replayed"
        newest.write_bytes(before)


def test_expired_metadata(shell: Shell) -> None:
    """A site that nobody has renewed for a month is refused: its newest state may be kept from
    us.
    """
    then = datetime.now(UTC).replace(microsecond=0) - timedelta(days=60)
    store = Storefront(shell).open(then)
    store.add(at=then)
    assert refused(shell) == "expired"


def test_a_revoked_key(shell: Shell, shop: Storefront) -> None:
    """Releases of a revoked key are refused and reported where they are installed; a release of the
    next key is accepted.
    """
    assert shell.run("install", "acme", "--from", "site").code == 0
    key = json.loads((shell.folder / "acme-labs.key.pub").read_text())["keyId"]
    shell.run("publisher", "new", "acme-labs", "--out", "next.key")
    done = shell.run(
        "catalogue", "revoke", "site", key, "--successor", "next.key.pub", "--reason", "stolen"
    )
    assert done.code == 0, done.out
    assert [row["status"] for row in shell.run("outdated").json] == ["revoked"]
    shell.run("uninstall", "acme")
    answer = shell.run("install", "acme", "--from", "site")
    assert answer.json["error"]["details"][0]["keyword"] == "revoked"
    assert "stolen" in answer.json["error"]["message"]
    (shell.folder / "next.key").replace(shell.folder / "acme-labs.key")
    shop.add(version="1.0.1")
    assert shell.run("install", "acme", "--from", "site").json["version"] == "1.0.1"


def test_a_release_forged_with_the_online_keys(shell: Shell, shop: Storefront) -> None:
    """A wheel that is listed under a known name and signed with another key is refused: 'targets'
    lets only the publisher's sign.
    """
    shell.run("publisher", "new", "mallory", "--out", "mallory.key")
    mallory = json.loads((shell.folder / "mallory.key.pub").read_text())
    shop.forge(
        content=wheel_of(files_of("acme", "1.0.0", body=BODY + "  # evil")),
        signer="mallory",
        publisher=mallory,
    )
    assert refused(shell) == "publisher"


def test_a_replaced_key(shell: Shell, shop: Storefront) -> None:
    """A publisher's next key upgrades what the former one has signed, once the catalogue's operator
    has replaced it.
    """
    assert shell.run("install", "acme", "--from", "site").code == 0
    former = json.loads((shell.folder / "acme-labs.key.pub").read_text())["keyId"]
    shell.run("publisher", "new", "acme-labs", "--out", "next.key")
    assert (
        shell.run(
            "catalogue", "revoke", "site", former, "--successor", "next.key.pub", "--keep-releases"
        ).code
        == 0
    )
    (shell.folder / "next.key").replace(shell.folder / "acme-labs.key")
    shop.add(version="1.1.0")
    done = shell.run("upgrade")
    assert (done.code, done.json["upgraded"][0]["to"]) == (0, "1.1.0"), done.out


def test_a_rotated_key_of_the_catalogue(shell: Shell, shop: Storefront) -> None:
    """After a rotation, metadata signed by the key before is refused, also by those who pinned the
    first root.
    """
    assert (
        shell.run("install", "acme", "--from", "site", "--root", "site/metadata/root.json").code
        == 0
    )
    shop.copy("old")
    for role in ("timestamp", "root"):
        assert shell.run("catalogue", "rotate", "site", role).code == 0
    assert shell.run("install", "acme", "--from", "site").code == 0
    assert (
        shell.run("install", "acme", "--from", "site", "--root", "site/metadata/root.json").code
        == 0
    )
    (shop.site / "metadata/timestamp.json").write_bytes(
        (shell.folder / "old/metadata/timestamp.json").read_bytes()
    )
    answer = shell.run("install", "acme", "--from", "site")
    assert answer.json["error"]["details"][0]["keyword"] == "signature"


def test_another_root(shell: Shell, shop: Storefront) -> None:
    """A source that was set up anew is refused, and so is a root that is not the pinned one; the
    message says what to delete.
    """
    assert shell.run("install", "acme", "--from", "site").code == 0
    other = Storefront(shell, "other").open()
    other.add("umbrella")
    answer = shell.run(
        "install", "umbrella", "--from", "site", "--root", "other/metadata/root.json"
    )
    assert answer.json["error"]["details"][0]["keyword"] == "root"
    assert "delete" in answer.json["error"]["hint"]
    shop.site.rename(shell.folder / "away")
    other.site.rename(shop.site)
    answer = shell.run("install", "umbrella", "--from", "site")
    assert answer.json["error"]["details"][0]["keyword"] in {"signature", "replayed"}
    assert (
        shell.run("install", "acme", "--from", "away", "--root", "site/metadata/root.json").code
        == 2
    )


def test_a_root_that_the_source_does_not_have(shell: Shell, shop: Storefront) -> None:
    """The root of another catalogue, given at the first use, refuses the site, and is not
    pinned.
    """
    Storefront(shell, "other").open()
    assert (
        refused(shell, "install", "acme", "--from", "site", "--root", "other/metadata/root.json")
        == "signature"
    )
    assert (
        shell.run("install", "acme", "--from", "site", "--root", "site/metadata/root.json").code
        == 0
    )


def test_another_publisher(shell: Shell, shop: Storefront) -> None:
    """A wheel that another publisher has attested than the one whom the catalogue states, or who
    owns the installed version.
    """
    shell.run("publisher", "new", "mallory", "--out", "mallory.key")
    other = wheel_of(files_of("acme", "1.0.0", body=BODY + "  # evil"))
    shop.forge(content=other, signer="mallory")
    assert refused(shell) == "publisher"
    mallory = json.loads((shell.folder / "mallory.key.pub").read_text())
    first = Storefront(shell, "first").open()
    first.add(version="0.9.0")
    assert shell.run("install", "acme", "--from", "first").code == 0
    assert (
        shell.run("install", "acme", "--from", "site").json["error"]["details"][0]["keyword"]
        == "source"
    )
    first.add(version="1.1.0")
    first.forge(publisher=mallory)
    assert (
        shell.run("install", "acme", "--from", "first").json["error"]["details"][0]["keyword"]
        == "owner"
    )
    refusal = shell.run("upgrade").json["refused"][0]
    assert refusal["error"]["details"][0]["keyword"] == "owner"


def test_names_that_look_alike(shell: Shell, shop: Storefront) -> None:
    """A name like that of an installed connector, or of an earlier one of the catalogue, is refused
    unless somebody means it.
    """
    shop.add("acmee", publisher="mallory", names=["acmee"])
    shop.add("ech0", publisher="mallory", names=["ech0"])
    assert refused(shell, "install", "ech0", "--from", "site") == "look-alike"
    shop.forge("acme", signedAt="2020-01-01T00:00:00Z")
    assert refused(shell, "install", "acmee", "--from", "site") == "look-alike"
    assert shell.run("install", "acme", "--from", "site").code == 0
    assert (
        shell.run("install", "acmee", "--from", "site").json["error"]["details"][0]["keyword"]
        == "look-alike"
    )
    assert shell.run("install", "acmee", "--from", "site", "--allow-name", "acmee").code == 0


def test_a_second_package_of_a_key(shell: Shell, shop: Storefront, tmp_path: Path) -> None:
    """A key that a package of this Python environment has is refused, and the message names that
    package.
    """
    assert refused(shell, "install", "echo", "--from", _with(shop, "echo")) == "duplicate"
    folder = tmp_path / "more"
    make_connector(folder, "acme", "", {"key": "acme"})
    with plugged(folder):
        answer = shell.run("install", "acme", "--from", "site")
    assert "pip uninstall jackfield-acme" in answer.json["error"]["hint"]


def _with(shop: Storefront, key: str) -> str:
    shop.add(key)
    return "site"


def _raw(change: Callable[[Files], None], modes: dict[str, int] | None = None) -> bytes:
    contents = files_of("acme", "1.0.0")
    change(contents)
    content = wheel_of(contents)
    return content if modes is None else archive(contents, modes)


HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a .pth file": ("pth", lambda: _raw(put("evil.pth", "import os"))),
    "a path that leaves the folder": ("path", lambda: _raw(put("../../evil.py", ""))),
    "an absolute path": ("path", lambda: _raw(put("/etc/evil.py", ""))),
    "a symbolic link": (
        "symlink",
        lambda: _raw(
            put("jackfield_acme/link", "/etc/passwd"), {"jackfield_acme/link": stat.S_IFLNK | 0o777}
        ),
    ),
    "a zip bomb": ("zip-bomb", lambda: _raw(put("jackfield_acme/zeros", b"\0" * 30_000_000))),
    "bytecode": (
        "bytecode",
        lambda: _raw(put("jackfield_acme/__pycache__/x.cpython-311.pyc", b"")),
    ),
    "a module of the host": ("places", lambda: _raw(put("jackfield/__init__.py", ""))),
    "a start-up module": ("places", lambda: _raw(put("sitecustomize.py", ""))),
    "a hook of the host": (
        "entry-point",
        lambda: _raw(
            swap(f"{INFO}/entry_points.txt", "[jack", "[jackfield.plugins]\nx = os:x\n[jack")
        ),
    ),
    "a requirement from a URL": (
        "direct-url",
        lambda: _raw(
            swap(f"{INFO}/METADATA", "jackfield<1,>=0.1", "x @ https://example.com/x.whl")
        ),
    ),
    "another key": ("names", lambda: _raw(swap(f"{INFO}/entry_points.txt", "acme =", "echo ="))),
    "no archive": ("zip", lambda: b"#!/bin/sh\n"),
    "another manifest": (
        "manifest",
        lambda: _raw(swap(MANIFEST, '"version": "1.0.0"', '"version": "9.0.0"')),
    ),
    "an effect that the code does not have": (
        "code",
        lambda: _raw(swap(CODE, 'effect="read"', 'effect="write"')),
    ),
    "fewer permissions than the code has": (
        "code",
        lambda: _raw(swap(CODE, '["acme:Greet"]', '["acme:Greet", "acme:Delete"]')),
    ),
    "an action that the code does not have": (
        "code",
        lambda: _raw(swap(CODE, '"greet"', '"g" "reat"')),
    ),
    "source text that is no Python": (
        "code",
        lambda: _raw(put("jackfield_acme/more.py", "def broken(:")),
    ),
    "an entry point without a module": (
        "code",
        lambda: _raw(swap(f"{INFO}/entry_points.txt", "jackfield_acme:", "jackfield_acme.gone:")),
    ),
    "another platform": (
        "tags",
        lambda: _raw(swap(f"{INFO}/WHEEL", "py3-none-any", "cp27-cp27m-win32")),
    ),
    "another Python": (
        "python",
        lambda: _raw(
            swap(f"{INFO}/METADATA", "Requires-Dist", "Requires-Python: <3\nRequires-Dist")
        ),
    ),
    "another jackfield": (
        "host",
        lambda: _raw(swap(f"{INFO}/METADATA", "jackfield<1,>=0.1", "jackfield>=99")),
    ),
    "other permissions than the catalogue states": (
        "mixed",
        lambda: _raw(swap(MANIFEST, "acme:Greet", "acme:Everything")),
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_publisher_and_operator(shell: Shell, shop: Storefront, case: str) -> None:
    """Even if a publisher has signed it and the catalogue lists it, a hostile wheel is refused by
    its rule.
    """
    rule, content = HOSTILE[case]
    members: dict[str, Any] = {"requiresPython": "<3"} if rule == "python" else {}
    shop.forge(content=content(), **members)
    assert refused(shell) == rule


LISTS: dict[str, dict[str, Any]] = {
    "another connector's release": {"key": "other"},
    "a publisher that is none": {"publisher": {"publisher": "acme-labs"}},
    "permissions that are none": {"permissions": ["all"]},
    "a size that is none": {"size": "5"},
    "a time that is none": {"signedAt": 5},
    "a version that is none": {"version": "not a version"},
    "a version in another spelling": {"version": "v1.0.0"},
    "a wheel outside of its folder": {"wheel": "../packages/jackfield_acme-1.0.0-py3-none-any.whl"},
    "a hash that is none": {"sha256": "0"},
    "a grade that is none": {"grade": ["gold"]},
    "hosts that are none": {"hosts": [5]},
    "a list of another form": {"raw": b"[1, 2]"},
    "a list of another encoding": {"raw": b"\xff{"},
    "a list too deep": {"raw": b"[" * 100_000},
    "releases that are none": {"raw": b'{"releases": 5}'},
}


@pytest.mark.parametrize("case", LISTS)
def test_a_list_that_is_not_valid(shell: Shell, shop: Storefront, case: str) -> None:
    """A list that the operator has signed is read as a stranger's: what does not fit is refused
    without a traceback.
    """
    shop.forge(**LISTS[case])
    assert refused(shell) == "metadata"


def test_a_wheel_for_another_platform(shell: Shell, shop: Storefront) -> None:
    """A wheel with code for another platform is refused, as pip would."""
    content = _raw(swap(f"{INFO}/WHEEL", "py3-none-any", "cp311-cp311-win32"))
    shop.forge(content=content, file="jackfield_acme-1.0.0-cp311-cp311-win32.whl")
    assert refused(shell) == "platform"


@pytest.mark.parametrize("tag", ["cp311-cp311-manylinux_2_17_x86_64", "py3-none-any"])
def test_a_compiled_module_in_the_single_file(
    shell: Shell, shop: Storefront, monkeypatch: pytest.MonkeyPatch, tag: str
) -> None:
    """The single file's interpreter loads no modules that were compiled for another, whatever the
    wheel's name says.
    """
    monkeypatch.setattr(sys, "_MEIPASS", "/", raising=False)
    contents = files_of("acme", "1.0.0")
    for change in (
        swap(f"{INFO}/WHEEL", "py3-none-any", tag),
        put("jackfield_acme/fast.abi3.so", "\x7fELF"),
    ):
        change(contents)
    shop.forge(content=wheel_of(contents), file=f"jackfield_acme-1.0.0-{tag}.whl")
    assert refused(shell) == "compiled"


def test_a_dependency_in_the_single_file(
    shell: Shell, shop: Storefront, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The single file has no installer of packages: a dependency that is not in it is named,
    wherever it could be had.
    """
    monkeypatch.setattr(sys, "_MEIPASS", "/", raising=False)
    shop.add("second", needs=["needed-thing>=1"])
    write_dependency(shell.folder / "wheels", "needed_thing", "1.0", "")
    answer = shell.run("install", "second", "--from", "site", "--find-links", "wheels")
    assert (
        "needed-thing>=1, which jackfield's single file does not have"
        in answer.json["error"]["message"]
    ), answer.out
    assert answer.json["error"]["details"][0]["keyword"] == "dependencies"


def test_a_server_that_is_too_slow(
    shell: Shell, shop: Storefront, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download that takes too long is given up, and nothing is pinned."""
    monkeypatch.setattr("jackfield_market.installing.sources.DOWNLOAD_SECONDS", -1)
    with serving(shop.site) as url:
        answer = shell.run("install", "acme", "--from", url)
    assert (answer.code, answer.json["error"]["code"]) == (1, "unavailable")
    assert "in time" in answer.json["error"]["message"]
    assert list((shell.folder.parent / "home").rglob("root.json")) == []


def test_two_writers(
    shell: Shell, shop: Storefront, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits too long for another process is told so; a data folder that cannot be written is
    named.
    """
    monkeypatch.setattr("jackfield_market.installing.receipts.WAIT", 0.0)
    (home / "connectors").mkdir()
    with (home / "connectors" / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        answer = shell.run("install", "acme", "--from", "site")
    assert answer.json["error"]["code"] == "conflict"
    (home / "file").touch()
    shell.set(JACKFIELD_HOME=str(home / "file"))
    answer = shell.run("install", "acme", "--from", "site")
    assert (answer.code, answer.json["error"]["code"]) == (2, "invalid_invocation")


def test_a_source_distribution(shell: Shell, shop: Storefront) -> None:
    """A source distribution would run code to be installed, and is refused by its name."""
    shop.forge(content=b"PK\x03\x04", file="jackfield_acme-1.0.0.tar.gz")
    assert refused(shell) == "wheel-only"


POLICIES: dict[str, str] = {
    "minimumGrade": 'minimumGrade = "bronze"',
    "publishers": 'publishers = ["00000000000000000000000000000000"]',
    "licences": 'licences = ["Apache-2.0"]',
    "sources": 'sources = ["https://connectors.example.com/"]',
    "connectors": 'connectors = ["umbrella-*"]',
    "hosts": 'hosts = ["*.example.com"]',
    "permissions": '[permissions]\nacme = ["acme:Read*"]\n',
    "no permissions": "[permissions]\n",
}


@pytest.mark.parametrize("case", POLICIES)
def test_a_policy(shell: Shell, shop: Storefront, home: Path, case: str) -> None:
    """Each member of the policy in the data folder refuses what it does not allow, and names
    itself.
    """
    shop.add(version="1.0.1", hosts=["api.acme.test"])
    (home / "install-policy.toml").write_text(POLICIES[case])
    assert refused(shell) == "policy"
    answer = shell.run("install", "acme", "--from", "site")
    assert f"'{case.removeprefix('no ')}'" in answer.json["error"]["message"]


def test_a_policy_that_allows(shell: Shell, shop: Storefront) -> None:
    """A policy under which everything fits: grade, key id, licence, source and permissions by
    pattern.
    """
    key = json.loads((shell.folder / "acme-labs.key.pub").read_text())["keyId"]
    shell.write(
        "checks/acme.json", json.dumps({"connector": "acme", "version": "1.0.0", "grade": "gold"})
    )
    assert (
        shell.run("catalogue", "build", "site-dist-1", "--out", "site", "--checks", "checks").code
        == 0
    )
    lines = [
        'minimumGrade = "silver"',
        f'publishers = ["{key}"]',
        'licences = ["MIT"]',
        'connectors = ["ac*"]',
    ]
    lines += [f'sources = ["file://{shop.site}"]', "[permissions]", 'acme = ["acme:*"]']
    shell.write("policy.toml", "\n".join(lines))
    answer = shell.run("install", "acme", "--policy", "policy.toml")
    assert (answer.code, answer.json.get("grade")) == (0, "gold"), answer.out


@pytest.mark.parametrize(
    "content",
    [
        "x =",
        "unknown = 1",
        'minimumGrade = "best"',
        "publishers = 5",
        "permissions = []",
        "index = []",
        "[permissions]\na = 5",
    ],
)
def test_a_policy_with_a_fault(shell: Shell, shop: Storefront, home: Path, content: str) -> None:
    """A policy that is not valid stops every installation: it never counts as no policy."""
    (home / "install-policy.toml").write_text(content)
    answer = shell.run("install", "acme", "--from", "site")
    assert (answer.code, answer.json["error"]["code"]) == (2, "invalid_invocation")
    assert "install-policy.toml" in answer.json["error"]["message"]


def test_a_release_that_changes(shell: Shell, shop: Storefront) -> None:
    """A version that is installed and then published with other content is refused."""
    assert shell.run("install", "acme", "--from", "site").code == 0
    shop.forge(content=wheel_of(files_of("acme", "1.0.0", body=BODY + "  # changed")))
    assert (
        shell.run("install", "acme", "--from", "site").json["error"]["details"][0]["keyword"]
        == "immutable"
    )


def test_dependencies_that_replace_the_host(shell: Shell, shop: Storefront) -> None:
    """A dependency may neither be jackfield itself, nor come with another version of what jackfield
    needs.
    """
    wheels = shell.folder / "wheels"
    write_dependency(wheels, "jackfield", "0.0.1", "")
    write_dependency(wheels, "pluggy", "0.1", "")
    write_dependency(wheels, "thing", "1.0", "")
    shop.add("first", needs=["thing", "pluggy<1"])
    shop.add("second", needs=["jackfield-aws>=99"])
    words = ("--from", "site", "--find-links", "wheels")
    assert refused(shell, "install", "first", *words) == "dependencies"
    assert refused(shell, "install", "second", *words) == "host"
    evil: dict[str, Any] = {"name": "evil", "version": "1.0", "source": ""}
    path = write_dependency(wheels, **evil)
    contents = {
        "jackfield/__init__.py": b"",
        "evil-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n",
    }
    contents["evil-1.0.dist-info/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    path.write_bytes(wheel_of(contents))
    shop.add("third", needs=["evil"])
    assert refused(shell, "install", "third", *words) == "dependencies"


def test_damage_anywhere_in_a_site(shell: Shell, shop: Storefront, home: Path) -> None:
    """Whatever file of a site is damaged: the connector is installed from intact files, or refused,
    without a traceback.
    """
    wheel = next((shop.site / "packages").glob("*.whl")).read_bytes()
    paths = sorted(path for path in shop.site.rglob("*") if path.suffix in {".json", ".whl"})
    dice, codes = random.Random(20261121), set()
    for path in paths * (2 if os.environ.get("CAMPAIGN") else 1):
        good = path.read_bytes()
        at = dice.randrange(len(good))
        damaged = bytes([good[at] ^ 1 << dice.randrange(8)])
        path.write_bytes(
            dice.choice(
                [
                    good[:at] + damaged + good[at + 1 :],
                    good[:at],
                    b"",
                    b"null",
                    dice.choice(paths).read_bytes(),
                ]
            )
        )
        answer = shell.run(
            "install",
            "acme",
            "--from",
            "site",
            "--root",
            str(shop.site / "metadata" / "1.root.json"),
        )
        error = answer.json.get("error", {"code": None})
        codes.add(error["code"])
        assert error["code"] in {None, "not_allowed", "invalid_invocation", "unavailable"}, (
            path,
            answer.out,
        )
        assert answer.code > 0 or path.read_bytes() == good or path.suffix != ".whl", path
        path.write_bytes(good)
        shutil.rmtree(home)
    assert codes >= {None, "not_allowed"}
    assert next((shop.site / "packages").glob("*.whl")).read_bytes() == wheel


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        '"name"',
        '"paths"',
        pytest.param("null", marks=pytest.mark.campaign),
        pytest.param('{"key": "acme", "version": "1.0.0"}', marks=pytest.mark.campaign),
        pytest.param('"sha256"', marks=pytest.mark.campaign),
        pytest.param('"publisher"', marks=pytest.mark.campaign),
    ],
)
def test_a_damaged_receipt(shell: Shell, shop: Storefront, home: Path, content: str) -> None:
    """A version whose receipt is damaged counts as not installed, and installing it again mends
    it.
    """
    assert shell.run("install", "acme", "--from", "site").code == 0
    receipt = home / "connectors/acme/1.0.0/jackfield-receipt.json"
    whole = receipt.read_text(encoding="utf-8")
    receipt.write_text(
        whole.replace(content, '"other"') if content[:1] == '"' else content, encoding="utf-8"
    )
    assert shell.run("outdated").json == []
    assert shell.run("uninstall", "acme").code == 2
    assert shell.run("install", "acme", "--from", "site").json["changed"] is True
    assert json.loads(receipt.read_text(encoding="utf-8"))["sha256"] == json.loads(whole)["sha256"]
    assert shell.run("uninstall", "acme").code == 0
