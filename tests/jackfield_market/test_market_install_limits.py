"""What a hostile package, catalogue, lock file or data folder cannot do to whoever installs: each
case once worked.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_market.storefront import BODY, Storefront, files_of, wheel_of, write_dependency

from jackfield.kernel.errors import JackfieldError
from jackfield_market.dependency_rules import Dependency, check_dependencies
from jackfield_market.installing import sources
from jackfield_market.refusals import NotInstalled
from jackfield_market.server_installer import ServerInstaller
from jackfield_market.source_text import MAX_SOURCE
from jackfield_market.wheels import WheelRefused, parse_wheel
from shell import Shell
from wheel_maker import put

pytest_plugins = ["tests.jackfield_market.shop_fixture"]
WHEEL = "jackfield_acme-1.0.0-py3-none-any.whl"


def rule_of(shell: Shell, *words: str) -> str:
    """The rule by which a command is refused, without a traceback; for errors that have none, their
    code.
    """
    answer = shell.run(*(words or ("install", "acme", "--from", "site")))
    assert answer.code in {1, 2}, answer.out
    assert "Traceback" not in answer.err
    error = answer.json["error"]
    return str(error["details"][0]["keyword"] if error.get("details") else error["code"])


def test_a_failing_reader(shop: Storefront, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that fails at the first use of a source does not take away the root that another one
    pins meanwhile.
    """
    url = sources.Source.parse(str(shop.site)).url
    entered, done, first = threading.Event(), threading.Event(), sources._first_root

    def read(*words: Any) -> bytes:
        if threading.current_thread() is reader:
            entered.set()
            done.wait(1)  # without a lock, the other one ends meanwhile
            raise OSError("connection lost")
        return first(*words)

    monkeypatch.setattr(sources, "_first_root", read)
    installer = ServerInstaller(str(home), [url])
    errors: list[JackfieldError] = []

    def fail() -> None:
        try:
            installer.available()
        except JackfieldError as error:
            errors.append(error)

    reader = threading.Thread(target=fail)
    reader.start()
    assert entered.wait(60)
    assert installer.install("acme", url)["changed"] is True
    done.set()
    reader.join()
    assert len(errors) == 1
    assert len(list(home.glob("catalogues/*/root.json"))) == 1
    assert [path for path in home.glob("catalogues/*") if path.name.endswith(".part")] == []


def test_a_root_that_was_removed(shell: Shell, shop: Storefront, home: Path) -> None:
    """What was verified with one root is not upgraded under another, even where the pinned one is
    gone.
    """
    assert shell.run("install", "acme", "--from", "site").code == 0
    (state,) = (path for path in home.glob("catalogues/*") if path.is_dir())
    (state / "root.json").rename(home / "kept.json")
    assert rule_of(shell) == "root"
    shutil.rmtree(state)
    shop.site.rename(shell.folder / "away")
    forged = Storefront(shell, "forged").open()
    forged.add(version="1.1.0")
    forged.site.rename(shop.site)
    assert rule_of(shell) == "root"
    assert shell.run("upgrade").json["refused"][0]["error"]["details"][0]["keyword"] == "root"
    assert [row["status"] for row in shell.run("outdated").json] == ["refused"]


LARGE: dict[str, tuple[str, str]] = {
    "more bytes": ("source-size", "#" * (MAX_SOURCE + 1)),
    "more statements": ("source-size", "x\n" * (MAX_SOURCE // 2)),
    "another encoding": ("source-size", "# coding: utf-7\n"),
    "the sum": ("source-size", ""),
}


@pytest.mark.parametrize("case", LARGE)
def test_source_that_takes_memory(case: str) -> None:
    """Source text whose syntax tree would take gigabytes is refused before it is parsed, by pack as
    by the installer.
    """
    rule, text = LARGE[case]
    contents = files_of("acme", "1.0.0")
    put("jackfield_acme/more.py", text)(contents)
    if case == "the sum":
        contents |= {f"jackfield_acme/m{n}.py": b"#" * MAX_SOURCE for n in range(65)}
    with pytest.raises(WheelRefused) as caught:
        parse_wheel(WHEEL, wheel_of(contents))
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    "file",
    [
        "jackfield_acme-1.0.0-1-py3-none-any.whl",
        "jackfield_acme-0!1.0.0-py3-none-any.whl",
        "jackfield_acme-v1.0.0-py3-none-any.whl",
    ],
)
def test_another_spelling_of_a_version(file: str) -> None:
    """A version has one spelling, without a build number."""
    with pytest.raises(WheelRefused) as caught:
        parse_wheel(file, wheel_of(files_of("acme", "1.0.0")))
    assert caught.value.rule == "file-name"


def test_a_version_with_two_contents(shell: Shell, shop: Storefront) -> None:
    """Neither a catalogue nor an installer takes a second wheel of a version that has other tags,
    or is written with fewer zeros.
    """
    twin = shop.sign(files_of("acme", "1.0", body=BODY + "  # other"))
    assert rule_of(shell, "catalogue", "build", str(twin.parent), "--out", "site") == "immutable"
    contents = {
        path: content.replace(b"py3-none", b"py311-none")
        for path, content in files_of("acme", "1.0.0").items()
    }
    other = shell.write(f"other/{WHEEL.replace('py3', 'py311')}", wheel_of(contents))
    assert shell.run("sign", str(other), "--key", "acme-labs.key").code == 0
    assert rule_of(shell, "catalogue", "build", "other", "--out", "site") == "immutable"
    assert shell.run("install", "acme", "--from", "site").code == 0
    shop.forge(
        content=wheel_of(files_of("acme", "1.0", body=BODY + "  # other")),
        file="jackfield_acme-1.0-py3-none-any.whl",
        version="1.0",
    )
    assert rule_of(shell) == "immutable"


DEPENDENCIES: dict[str, dict[str, Any]] = {
    "a requirement of a file": {"name": "x @ file:///tmp/x.whl --hash=sha256:" + "0" * 64 + "\n#"},
    "an option": {"name": "--find-links /tmp\nthing"},
    "a file of requirements": {"name": "-r /etc/hostname\nthing"},
    "a version with a line": {"version": "1.0\n-r /etc/hostname"},
    "a hash that is none": {"sha256": ["0" * 64 + "\n-r /etc/hostname"]},
    "no hash": {"sha256": []},
    "an upper-case name": {"name": "Thing"},
}


@pytest.mark.parametrize("case", DEPENDENCIES)
def test_a_lock_file_with_lines_for_uv(
    shell: Shell, shop: Storefront, home: Path, case: str
) -> None:
    """A dependency in a lock file is a name, a version and hashes, and cannot add a line of its own
    to what uv reads.
    """
    assert shell.run("install", "acme", "--from", "site", "--lock", "a.lock").code == 0
    lock = json.loads((shell.folder / "a.lock").read_text())
    lock["connectors"][0]["dependencies"] = [
        {"name": "thing", "version": "1.0", "sha256": ["0" * 64], **DEPENDENCIES[case]}
    ]
    shell.write("a.lock", json.dumps(lock))
    assert rule_of(shell, "install", "--frozen", "--lock", "a.lock") == "invalid_invocation"


def test_a_locked_dependency_that_nothing_requires(shell: Shell, shop: Storefront) -> None:
    """A lock file may not bring a package that neither the connector nor a dependency requires."""
    words = ("--from", "site", "--find-links", "wheels", "--lock", "a.lock")
    write_dependency(shell.folder / "wheels", "thing", "1.0", "")
    write_dependency(shell.folder / "wheels", "extra", "1.0", "")
    shop.add("needy", needs=["thing"])
    shop.add("other", needs=["extra"])
    for name in ("needy", "other"):
        assert shell.run("install", name, *words).code == 0
        assert shell.run("uninstall", name).code == 0
    lock = json.loads((shell.folder / "a.lock").read_text())
    needy, other = lock["connectors"]
    needy["dependencies"] += other["dependencies"]
    shell.write("a.lock", json.dumps({**lock, "connectors": [needy]}))
    assert (
        rule_of(shell, "install", "--frozen", "--lock", "a.lock", "--find-links", "wheels")
        == "lock"
    )


FOREIGN = (
    "evil.pth",
    "sitecustomize.py",
    "usercustomize/__init__.py",
    "jackfield.py",
    "jackfield_more/__init__.py",
    "pydantic/x.py",
    "json.py",
)


def test_no_dependency_may_bring_a_foreign_module(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """Nothing that runs at the start, and no module of jackfield, Python or another package of the
    host, is left where it is found.
    """
    wheel = parse_wheel(
        "jackfield_needy-1.0.0-py3-none-any.whl",
        wheel_of(files_of("needy", "1.0.0", needs=["thing"])),
    )
    for number, foreign in enumerate(("thing.py", *FOREIGN)):
        with subtests.test(foreign=foreign):
            target = tmp_path / str(number)
            (target / foreign).parent.mkdir(parents=True)
            (target / foreign).touch()
            with (
                nullcontext()
                if number == 0
                else pytest.raises(NotInstalled, match="a dependency of 'jackfield_needy")
            ):
                check_dependencies(
                    wheel, [Dependency("thing", "1.0", ("0" * 64,))], str(target), ["pydantic"]
                )


@pytest.mark.parametrize(
    "path", ["evil.pth", *(pytest.param(path, marks=pytest.mark.campaign) for path in FOREIGN[1:])]
)
def test_a_dependency_with_foreign_modules(shell: Shell, shop: Storefront, path: str) -> None:
    """A dependency may bring nothing that runs at the start, and no module of jackfield, Python or
    another package of the host.
    """
    wheel = write_dependency(shell.folder / "wheels", "thing", "1.0", "")
    info = "thing-1.0.dist-info"
    contents = {
        "thing.py": b"",
        path: b"",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n",
    }
    contents[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    wheel.write_bytes(wheel_of(contents))
    shop.add("needy", needs=["thing"])
    assert (
        rule_of(shell, "install", "needy", "--from", "site", "--find-links", "wheels")
        == "dependencies"
    )


@pytest.mark.parametrize("place", ["acme", "acme/1.0.0"])
def test_a_link_in_the_data_folder(shell: Shell, shop: Storefront, home: Path, place: str) -> None:
    """Installing and removing does not follow a link out of the data folder."""
    outside = shell.folder / "outside"
    (outside / "1.0.0").mkdir(parents=True)
    (outside / "1.0.0" / "precious").touch()
    (outside / ".x.part").mkdir()
    link = home / "connectors" / place
    link.parent.mkdir(parents=True)
    link.symlink_to(outside if place == "acme" else outside / "1.0.0", target_is_directory=True)
    assert rule_of(shell) == "invalid_invocation"
    assert (outside / "1.0.0" / "precious").exists()
    assert place != "acme" or (outside / ".x.part").exists()
    assert "jackfield_acme" not in sys.modules


def test_one_hostile_catalogue_of_two(shell: Shell, shop: Storefront) -> None:
    """A catalogue whose signed lists are not valid is reported, and does not keep others from being
    compared and upgraded.
    """
    other = Storefront(shell, "other").open()
    other.add("umbrella")
    assert shell.run("install", "acme", "--from", "site").code == 0
    assert shell.run("install", "umbrella", "--from", "other").code == 0
    other.add("umbrella", "1.1.0")
    shop.forge(raw=b'{"releases": [{}]}')
    rows = shell.run("outdated").json
    assert [(row["connector"], row["status"]) for row in rows] == [
        ("acme", "refused"),
        ("umbrella", "outdated"),
    ]
    done = shell.run("upgrade").json
    assert [row["to"] for row in done["upgraded"]] == ["1.1.0"]
    assert [row["error"]["details"][0]["keyword"] for row in done["refused"]] == ["metadata"]


def test_an_archive_behind_another() -> None:
    """A file with two archives, of which some readers take the first, is refused."""
    first, second = (
        wheel_of(files_of("acme", "1.0.0", body=BODY + more)) for more in ("  # one", "  # two")
    )
    with pytest.raises(WheelRefused) as caught:
        parse_wheel(WHEEL, first + second)
    assert caught.value.rule == "zip"


@pytest.mark.parametrize("host", ["*", "*.com", "*.co.uk", "*.", "a/b", "**.example.com"])
def test_hosts_of_everybody(host: str) -> None:
    """A manifest names hosts, and wildcards below a domain of one owner only."""
    with pytest.raises(WheelRefused) as caught:
        parse_wheel(WHEEL, wheel_of(files_of("acme", "1.0.0", hosts=[host])))
    assert caught.value.rule in {"hosts", "manifest"}


def test_hosts_are_shown(shell: Shell, shop: Storefront) -> None:
    """The answer to an installation lists the hosts that the connector connects to."""
    hosts = ["api.acme.test", "*.amazonaws.com", "*.example.co.uk"]
    shop.add(version="1.1.0", hosts=hosts)
    assert shell.run("install", "acme", "--from", "site").json["hosts"] == hosts


@pytest.mark.parametrize("name", ["timestamp.json", "*.snapshot.json", "*root.json"])
def test_metadata_with_too_many_values_is_refused_before_it_is_parsed(
    shell: Shell, shop: Storefront, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The TUF client parses metadata before it knows who has signed it: 30 MB of empty lists would
    take 1.5 GB.
    """
    monkeypatch.setattr(sources, "LIST_VALUES", 1_000)
    for path in (shop.site / "metadata").glob(name):
        path.write_bytes(b'{"signed": [' + b"[]," * 4_000 + b"1]}")
    answer = shell.run("install", "acme", "--from", "site")
    assert "has more than 1,000 values" in answer.json["error"]["message"]


def test_a_list_with_too_many_values_is_refused_before_it_is_parsed(
    shell: Shell, shop: Storefront, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is signed is judged, too: whoever keeps a catalogue is not who reads it."""
    monkeypatch.setattr(sources, "LIST_VALUES", 10_000)
    shop.forge(raw=b'{"releases": [' + b"[]," * 20_000 + b"1]}")
    answer = shell.run("install", "acme", "--from", "site")
    assert "has more than 10,000 values" in answer.json["error"]["message"]
