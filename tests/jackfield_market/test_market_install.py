"""``jackfield install``, ``upgrade``, ``uninstall`` and ``outdated``: from a catalogue to an
invocation, without pip.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema_rs
import pytest
from tests.jackfield_market.storefront import Storefront, files_of, write_dependency
from tests.jackfield_market.tuf_client import serving

from shell import Answer, Shell
from warm_child import forked

pytest_plugins = ["tests.jackfield_market.shop_fixture", "warm"]


@pytest.fixture(scope="module", autouse=True)
def forked_children() -> Iterator[None]:
    """Processes of connectors are forked: what they may do, and how they start, has tests of its
    own.
    """
    with forked():
        yield


@pytest.fixture
def shop(shop: Storefront) -> Iterator[Storefront]:
    """A catalogue with acme 1.0.0; afterwards nothing that was installed is left on the path."""
    paths, modules = sys.path[:], set(sys.modules)
    yield shop
    sys.path[:] = paths
    for name in set(sys.modules) - modules:
        if name.startswith(("jackfield_acme", "needed")):
            del sys.modules[name]


def listed(shell: Shell) -> dict[str, object]:
    """The version of each connector but the echo, or its error."""
    rows = shell.run("connectors", "list").json
    return {row["key"]: row.get("error", row["version"]) for row in rows if row["key"] != "echo"}


def fits(name: str, value: object) -> bool:
    """Whether a value keeps the published schema of this name."""
    path = Path(__file__).parents[2] / "schemas" / f"{name}.schema.json"
    return jsonschema_rs.validator_for(json.loads(path.read_text(encoding="utf-8"))).is_valid(value)


def greeted(answer: Answer) -> object:
    """What the action of the sample has answered."""
    return answer.json.get("output", answer.json)


@pytest.mark.usefixtures("warm_python")
def test_install_and_invoke(shell: Shell, shop: Storefront, home: Path) -> None:
    """A connector is installed from a folder, listed, and invoked in another process; nothing of it
    runs before the invocation.
    """
    answer = shell.run("install", "acme", "--from", "site", "--root", "site/metadata/root.json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.json
    assert (
        found["connector"],
        found["version"],
        found["publisher"]["publisher"],
        found["changed"],
    ) == ("acme", "1.0.0", "acme-labs", True)
    assert listed(shell) == {"acme": "1.0.0"}
    assert list(home.rglob("was_run")) == []
    done = shell.ended(shell.start("invoke", "acme", "greet", "name=Ada"))
    assert greeted(done) == {"Greeting": "Hello Ada from 1.0.0"}, done.err
    again = shell.run("install", "jackfield-acme", "--from", "site").json
    assert (again["changed"], again["path"]) == (False, found["path"])
    receipt = json.loads((Path(found["path"]) / "jackfield-receipt.json").read_text())
    assert receipt["permissions"] == {"acme": ["acme:Greet"]}
    assert receipt["sha256"] == found["sha256"]
    assert fits("receipt", receipt)


def test_install_over_http_trusts_on_first_use(shell: Shell, shop: Storefront) -> None:
    """Without --root, the root of the first use is pinned, and its fingerprint is printed for
    comparison.
    """
    with serving(shop.site) as url:
        answer = shell.run("install", "acme", "--from", url)
    assert answer.code == 0, answer.out
    assert "first use" in answer.err
    assert shell.run("install", "acme", "--from", url).json["error"]["code"] == "unavailable"


def test_the_whole_way(shell: Shell, home: Path) -> None:
    """From an empty folder to an invocation, with the commands that the documentation has; a
    tampered copy of the site is refused.
    """
    for words in (
        ("new", "acme-crm", "--python"),
        ("pack", "acme-crm", "--out", "dist"),
        ("publisher", "new", "acme-labs", "--out", "acme.key"),
        ("sign", "dist/jackfield_acme_crm-0.1.0-py3-none-any.whl", "--key", "acme.key"),
        ("catalogue", "init", "site"),
        ("catalogue", "build", "dist", "--out", "site"),
    ):
        answer = shell.run(*words)
        assert answer.code == 0, (words, answer.out)
    wheel = (
        Path(shutil.copytree(shell.folder / "site", shell.folder / "copy"))
        / "packages/jackfield_acme_crm-0.1.0-py3-none-any.whl"
    )
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    assert shell.run("install", "acme-crm", "--from", "copy").code == 2
    assert listed(shell) == {}
    assert (
        shell.run("install", "acme-crm", "--from", "site", "--root", "site/metadata/root.json").code
        == 0
    )
    assert listed(shell) == {"acme-crm": "0.1.0"}
    connection = {"type": "acmeCrmKey", "values": {"apiKey": "secret"}}
    call = {
        "connector": "acme-crm",
        "action": "sign",
        "inputs": {"text": "Ada"},
        "connection": connection,
        "dryRun": True,
    }
    shell.write("call.json", json.dumps(call))
    assert shell.run("invoke", "--file", "call.json").json["status"] == "succeeded"
    assert shell.run("invoke", "--file", "call.json", "--connector-version", "<0.1").code == 2


def test_versions_side_by_side(shell: Shell, shop: Storefront) -> None:
    """An upgrade keeps the old version for callers that ask for it; a pinned version stays the
    default one.
    """
    shell.run("install", "acme", "--from", "site")
    shop.add(version="1.1.0")
    shop.add(version="2.0.0rc1")
    rows = shell.run("outdated").json
    assert [(row["connector"], row["version"], row["latest"], row["status"]) for row in rows] == [
        ("acme", "1.0.0", "1.1.0", "outdated")
    ]
    done = shell.run("upgrade").json
    assert [(row["from"], row["to"]) for row in done["upgraded"]] == [("1.0.0", "1.1.0")]
    assert shell.run("outdated").json == []
    assert shell.run("upgrade").json["current"] == [{"connector": "acme", "version": "1.1.0"}]
    call = {"connector": "acme", "action": "greet", "inputs": {"name": "Ada"}}
    shell.write(
        "calls.jsonl",
        "".join(f"{json.dumps(one)}\n" for one in ({**call, "connectorVersion": "<1.1"}, call)),
    )
    answers = shell.run("invoke", "--file", "calls.jsonl").lines
    assert [one["output"] for one in answers] == [
        {"Greeting": f"Hello Ada from {version}"} for version in ("1.0.0", "1.1.0")
    ]
    assert shell.run("install", "acme==1.0.0", "--pin").json["changed"] is False
    assert shell.run("__complete", "--", "uninstall", "a").out.split() == ["acme"]
    assert listed(shell) == {"acme": "1.0.0"}
    kept = shell.run("upgrade").json
    assert (kept["current"], kept["pinned"]) == ([], [{"connector": "acme", "version": "1.0.0"}])
    assert shell.run("uninstall", "acme==1.0.0").json == {
        "uninstalled": [{"connector": "acme", "version": "1.0.0"}]
    }
    assert listed(shell) == {"acme": "1.1.0"}
    assert shell.run("uninstall", "acme").code == 0
    assert listed(shell) == {}
    refused = shell.run("uninstall", "acme")
    assert (refused.code, refused.json["error"]["code"]) == (2, "unknown_connector")


def test_an_upgrade_that_breaks_callers(shell: Shell, shop: Storefront) -> None:
    """A breaking upgrade is refused with its changes, shown by a dry run, and made only with
    --allow-breaking.
    """
    shell.run("install", "acme", "--from", "site")
    action = json.loads(files_of("acme", "1.0.0")["jackfield_acme/connector.json"])["actions"][0]
    action["inputs"]["properties"]["name"]["maxLength"] = 500
    shop.add(version="2.0.0", actions=[action])
    answer = shell.run("upgrade", "acme")
    assert answer.code == 1
    refused = answer.json["refused"][0]
    assert (refused["level"], refused["error"]["details"][0]["keyword"]) == ("breaking", "breaking")
    assert "maxLength" in refused["changes"][0]["path"]
    assert listed(shell) == {"acme": "1.0.0"}
    assert (
        shell.run("upgrade", "--allow-breaking", "--dry-run").json["upgraded"][0]["to"] == "2.0.0"
    )
    assert listed(shell) == {"acme": "1.0.0"}
    assert shell.run("upgrade", "acme", "--allow-breaking").code == 0
    assert listed(shell) == {"acme": "2.0.0"}


@pytest.mark.usefixtures("warm_python")
def test_dependencies_beside_the_host(shell: Shell, shop: Storefront, home: Path) -> None:
    """Two connectors with incompatible versions of one dependency are installed side by side;
    without a place for wheels, none is.
    """
    body = "import needed_thing\n    return Greeting(Greeting=needed_thing.WORD)"
    for number, key in enumerate(("acme-one", "umbrella"), start=1):
        write_dependency(
            shell.folder / "wheels", "needed_thing", f"{number}.0", f"WORD = 'number {number}'\n"
        )
        shop.add(key, needs=[f"needed-thing=={number}.0"], body=body)
    refused = shell.run("install", "acme-one", "--from", "site")
    assert refused.json["error"]["details"][0]["keyword"] == "dependencies"
    assert "findLinks" in refused.json["error"]["hint"]
    assert listed(shell) == {}
    for key in ("acme-one", "umbrella"):
        answer = shell.run(
            "install", key, "--find-links", "wheels", "--from", "site", "--lock", "jackfield.lock"
        )
        assert answer.code == 0, answer.out
    said = [
        greeted(shell.ended(shell.start("invoke", key, "greet", "name=Ada")))
        for key in ("acme-one", "umbrella")
    ]
    assert said == [{"Greeting": "number 1"}, {"Greeting": "number 2"}]
    locked = json.loads((shell.folder / "jackfield.lock").read_text())["connectors"]
    assert [(row["connector"], row["dependencies"][0]["version"]) for row in locked] == [
        ("acme-one", "1.0"),
        ("umbrella", "2.0"),
    ]
    assert fits("lock", json.loads((shell.folder / "jackfield.lock").read_text()))
    assert all(
        fits("receipt", json.loads(path.read_text()))
        for path in home.rglob("jackfield-receipt.json")
    )


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of a public package index that has both packages, which a test may require, in
    the version 9.9.
    """
    for name in ("needed_thing", "needed_other"):
        wheel = write_dependency(
            tmp_path / "public" / name.replace("_", "-"), name, "9.9", "WORD = 'public'\n"
        )
        (wheel.parent / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    with serving(tmp_path / "public") as url:
        yield url


def test_security_2_an_index_does_not_replace_a_private_dependency(
    shell: Shell, shop: Storefront, index: str
) -> None:
    """Whoever registered the name of a private package in the public index, with a higher version,
    had it installed in place of the wheel in ``findLinks``.
    """
    write_dependency(shell.folder / "wheels", "needed_thing", "1.0", "WORD = 'private'\n")
    shop.add("acme-one", needs=["needed-thing"])
    shell.write("policy.toml", f'index = "{index}"\nfindLinks = ["wheels"]\n')
    assert (
        shell.run(
            "install",
            "acme-one",
            "--from",
            "site",
            "--policy",
            "policy.toml",
            "--lock",
            "jackfield.lock",
        ).code
        == 0
    )
    (locked,) = json.loads((shell.folder / "jackfield.lock").read_text())["connectors"]
    assert [(row["name"], row["version"]) for row in locked["dependencies"]] == [
        ("needed-thing", "1.0")
    ]


@pytest.mark.usefixtures("warm_python")
def test_several_dependencies_are_installed(shell: Shell, shop: Storefront, index: str) -> None:
    """Only the first of several was; each comes from a folder that has it, else from the index."""
    write_dependency(shell.folder / "wheels", "needed_thing", "1.0", "WORD = 'private'\n")
    body = (
        "import needed_other, needed_thing\n    return Greeting(Greeting=needed_thing.WORD + "
        "' ' + needed_other.WORD)"
    )
    shop.add("acme-one", needs=["needed-thing", "needed-other"], body=body)
    shell.write("policy.toml", f'index = "{index}"\nfindLinks = ["wheels"]\n')
    answer = shell.run(
        "install",
        "acme-one",
        "--from",
        "site",
        "--policy",
        "policy.toml",
        "--lock",
        "jackfield.lock",
    )
    assert answer.code == 0, answer.out
    (locked,) = json.loads((shell.folder / "jackfield.lock").read_text())["connectors"]
    assert [(row["name"], row["version"]) for row in locked["dependencies"]] == [
        ("needed-other", "9.9"),
        ("needed-thing", "1.0"),
    ]
    assert greeted(shell.ended(shell.start("invoke", "acme-one", "greet", "name=Ada"))) == {
        "Greeting": "private public"
    }


def test_a_lock_file_on_another_machine(shell: Shell, shop: Storefront, tmp_path: Path) -> None:
    """--frozen installs the locked versions and dependencies from the locked root, whatever is
    newer; anything else is refused.
    """
    write_dependency(shell.folder / "wheels", "needed_thing", "1.0", "WORD = 1\n")
    shop.add(version="1.1.0", needs=["needed-thing"])
    words = ("--find-links", "wheels")
    assert (
        shell.run("install", "acme", "--from", "site", "--lock", "jackfield.lock", *words).code == 0
    )
    text = (shell.folder / "jackfield.lock").read_text()
    shop.add(version="1.2.0")
    write_dependency(shell.folder / "wheels", "needed_thing", "1.5", "WORD = 2\n")
    shell.set(JACKFIELD_HOME=str(tmp_path / "other"))
    answer = shell.run("install", "--frozen", "--lock", "jackfield.lock", *words)
    assert (answer.code, answer.err) == (0, ""), answer.out
    assert [(row["connector"], row["version"]) for row in answer.json["installed"]] == [
        ("acme", "1.1.0")
    ]
    found = next((tmp_path / "other").rglob("needed_thing.py"))
    assert found.read_text() == "WORD = 1\n"
    assert (
        shell.run("install", "--frozen", "--lock", "jackfield.lock", *words).json["installed"][0][
            "changed"
        ]
        is False
    )
    shutil.copytree(shop.site, tmp_path / "mirror")
    shell.set(JACKFIELD_HOME=str(tmp_path / "elsewhere"))
    mirrored = shell.run(
        "install",
        "--frozen",
        "--lock",
        "jackfield.lock",
        "--from",
        str(tmp_path / "mirror"),
        *words,
    )
    assert mirrored.json["installed"][0]["source"]["url"] == f"file://{tmp_path}/mirror"
    shell.set(JACKFIELD_HOME=str(tmp_path / "other"))
    data = json.loads(text)
    for member, value, keyword in [("sha256", "0" * 64, "lock"), ("keyId", "0" * 32, "lock")]:
        shell.write(
            "other.lock",
            json.dumps({**data, "connectors": [{**data["connectors"][0], member: value}]}),
        )
        assert (
            shell.run("install", "--frozen", "--lock", "other.lock", *words).json["error"][
                "details"
            ][0]["keyword"]
            == keyword
        )
    url = next(iter(data["sources"]))
    shell.write("other.lock", json.dumps({**data, "sources": {url: {"rootSha256": "0" * 64}}}))
    assert (
        shell.run("install", "--frozen", "--lock", "other.lock", *words).json["error"]["details"][
            0
        ]["keyword"]
        == "root"
    )
    shell.set(JACKFIELD_HOME=str(tmp_path / "third"))
    assert (
        shell.run("install", "--frozen", "--lock", "other.lock", *words).json["error"]["details"][
            0
        ]["keyword"]
        == "root"
    )
    shell.write(
        "other.lock",
        json.dumps({**data, "connectors": [{**data["connectors"][0], "dependencies": []}]}),
    )
    assert (
        shell.run("install", "--frozen", "--lock", "other.lock", *words).json["error"]["details"][
            0
        ]["keyword"]
        == "lock"
    )
    (shell.folder / "wheels/needed_thing-1.0-py3-none-any.whl").unlink()
    refused = shell.run("install", "--frozen", "--lock", "jackfield.lock", *words)
    assert refused.json["error"]["details"][0]["keyword"] == "dependencies"
    assert not (tmp_path / "third/connectors/installed.json").exists()


def test_a_lock_file_is_installed_whole_or_not_at_all(
    shell: Shell, shop: Storefront, tmp_path: Path
) -> None:
    """If one connector of a lock file is refused, those before it are not left; an upgrade writes
    the lock file anew.
    """
    shop.add("umbrella")
    for key in ("acme", "umbrella"):
        assert shell.run("install", key, "--from", "site", "--lock", "jackfield.lock").code == 0
    shop.add(version="1.1.0")
    assert shell.run("upgrade", "--lock", "upgraded.lock").code == 0
    rows = {
        name: json.loads((shell.folder / name).read_text())["connectors"]
        for name in ("jackfield.lock", "upgraded.lock")
    }
    assert [row["version"] for row in rows["upgraded.lock"]] == ["1.1.0", "1.0.0"]
    (shop.site / "packages/jackfield_umbrella-1.0.0-py3-none-any.whl").unlink()
    shell.set(JACKFIELD_HOME=str(tmp_path / "other"))
    answer = shell.run("install", "--frozen", "--lock", "jackfield.lock")
    assert (answer.code, answer.json["error"]["code"]) == (1, "unavailable")
    assert listed(shell) == {}
    assert list((tmp_path / "other").rglob("jackfield-receipt.json")) == []


def test_extras_of_the_host(shell: Shell, shop: Storefront) -> None:
    """A requirement with an extra is met by the host if it has what the extra needs."""
    shop.add("first", needs=["jackfield[testing]", "nothing; python_version < '3'"])
    shop.add("second", needs=["jackfield[all,no-such]", "pydantic[email]"])
    assert shell.run("install", "first", "--from", "site").code == 0
    answer = shell.run("install", "second", "--from", "site")
    assert answer.json["error"]["details"][0]["keyword"] in {"dependencies", "host"}


def test_downloads_are_limited(
    shell: Shell, shop: Storefront, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old downloads are removed, and downloaded again when they are needed."""
    monkeypatch.setattr("jackfield_market.installing.sources.CACHE_BYTES", 0)
    for _ in range(2):
        assert shell.run("install", "acme", "--from", "site").code == 0
        assert shell.run("uninstall", "acme").code == 0
    assert shell.run("outdated").json == []


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"lockVersion": 1}', '{"lockVersion": 1, "connectors": [{}], "sources": {}}'],
)
def test_files_that_are_no_lock(shell: Shell, content: str) -> None:
    """A damaged lock file is named, and nothing is installed."""
    shell.write("jackfield.lock", content)
    answer = shell.run("install", "--frozen", "--lock", "jackfield.lock")
    assert (answer.code, answer.json["error"]["code"]) == (2, "invalid_invocation")


_WORDS: list[tuple[str, ...]] = [
    ("install",),
    ("install", "acme"),
    ("install", "acme", "--from", "nowhere"),
    ("install", "acme", "--from", "ftp://example.com"),
    ("install", "acme", "--from", "https://example.com/?token=x"),
    ("install", "acme @ https://example.com/x.whl", "--from", "site"),
    ("install", "acme[extra]", "--from", "site"),
    ("install", "../acme", "--from", "site"),
    ("install", "acme", "--frozen", "--lock", "x"),
    ("install", "--frozen"),
    ("install", "none", "--from", "site"),
    ("install", "acme>=2", "--from", "site"),
    ("install", "acme", "--from", "site", "--root", "none.json"),
    ("install", "acme", "--from", "site", "--policy", "none.toml"),
    ("upgrade", "none"),
    ("uninstall", "echo"),
]


def test_wrong_words(shell: Shell, shop: Storefront, subtests: pytest.Subtests) -> None:
    """Each mistake has a message and a hint, exit code 2, and nothing is installed."""
    for words in _WORDS:
        with subtests.test(words=words):
            answer = shell.run(*words)
            assert answer.code == 2, answer.out
            assert answer.json["error"]["message"]
            assert listed(shell) == {}


def test_a_killed_installation_is_not_seen(shell: Shell, shop: Storefront, home: Path) -> None:
    """What a killed process has left is not listed, and removed by the next installation."""
    part = home / "connectors" / "acme" / ".1.0.0-00.part"
    (part / "site-packages").mkdir(parents=True)
    (home / "connectors" / "acme" / "1.0.0").mkdir()
    assert listed(shell) == {}
    assert shell.run("install", "acme", "--from", "site").code == 0
    assert not part.exists()
    assert listed(shell) == {"acme": "1.0.0"}
    assert os.listdir(home / "connectors" / "acme") == ["1.0.0"]


@pytest.mark.usefixtures("warm_python")
def test_two_installations_at_once(shell: Shell, shop: Storefront) -> None:
    """Two processes that install different connectors at once wait for each other, and both are
    listed.
    """
    shop.add("umbrella")
    started = [shell.start("install", key, "--from", "site") for key in ("acme", "umbrella")]
    assert [shell.ended(process).code for process in started] == [0, 0]
    assert listed(shell) == {"acme": "1.0.0", "umbrella": "1.0.0"}


def test_a_killed_process_releases_the_lock(shell: Shell, shop: Storefront) -> None:
    """A process that is killed anywhere in an installation keeps no other one from installing."""
    process = shell.start("install", "acme", "--from", "site")
    process.kill()
    process.wait()
    assert shell.run("install", "acme", "--from", "site").code == 0
    assert listed(shell) == {"acme": "1.0.0"}
