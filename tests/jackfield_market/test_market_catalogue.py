"""``jackfield catalogue``: a signed static site that is an index for pip and readable by people,
and what it refuses to publish.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_market.publishing import built, file_of, named, publish
from tests.jackfield_market.tuf_client import Client, serving

from shell import Shell
from wheel_maker import FILE, PACKAGE, swap, wheel_bytes

pytest_plugins = ["shell_fixture"]


@pytest.fixture
def site(shell: Shell) -> Path:
    """A catalogue with one release, built from ``dist``."""
    publish(shell, wheel_bytes())
    assert shell.run("catalogue", "init", "site").code == 0
    assert shell.run("catalogue", "build", "dist", "--out", "site").code == 0
    return shell.folder / "site"


def refused(shell: Shell, *words: str, dist: str = "dist") -> str:
    """The rule by which a build is refused; the site stays as it was."""
    folder = shell.folder / "site"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    answer = shell.run("catalogue", "build", dist, "--out", "site", *words)
    assert answer.code == 2
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    error = answer.json["error"]
    return str(error["details"][0]["keyword"]) if error.get("details") else str(error["message"])


def test_keys_stay_outside_of_the_site(shell: Shell) -> None:
    """Each role has a private key file that only its owner reads, never in the site, and none is
    overwritten.
    """
    answer = shell.run("catalogue", "init", "site")
    assert answer.code == 0
    keys = sorted((shell.folder / "site.keys").iterdir())
    assert [key.name for key in keys] == [
        "releases.pem",
        "root.pem",
        "snapshot.pem",
        "targets.pem",
        "timestamp.pem",
    ]
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert Path(answer.json["root"]).is_file()
    assert shell.run("catalogue", "init", "site").code == 2
    assert shell.run("catalogue", "init", "other", "--keys", "other/keys").code == 2
    assert not (shell.folder / "other").exists()


def test_a_new_catalogue_is_a_whole_one(shell: Shell) -> None:
    """Before the first connector, a catalogue has pages and metadata that installers accept; a
    folder that is none is named so.
    """
    assert shell.run("catalogue", "init", "site").code == 0
    with serving(shell.folder / "site") as url:
        rows = json.loads(
            Client(url, shell.folder / "site", shell.folder / "client").download("catalogue.json")
        )["connectors"]
    assert rows == []
    assert "Connectors" in (shell.folder / "site/index.html").read_text()
    for words in (
        ["build", "dist", "--out", "none"],
        ["status", "none"],
        ["refresh", "none"],
        ["rotate", "none", "root"],
    ):
        answer = shell.run("catalogue", *words)
        assert (answer.code, "is not a catalogue" in answer.json["error"]["message"]) == (2, True)
    (shell.folder / "site/metadata/timestamp.json").write_text("[]")
    assert "is not signed" in shell.run("catalogue", "status", "site").json["error"]["message"]
    (shell.folder / "site/metadata/root.json").write_text("{")
    assert "is not valid" in shell.run("catalogue", "status", "site").json["error"]["message"]


def test_a_build_is_incremental_and_repeatable(shell: Shell, site: Path) -> None:
    """The same folder changes nothing; a new connector changes its own pages and the lists; from
    nothing the same pages come.
    """
    page = (site / "connectors/acme/index.html").read_text()
    again = shell.run("catalogue", "build", "dist", "--out", "site").json
    assert (again["added"], again["pagesWritten"], again["targetsVersion"]) == ([], 0, 2)
    publish(shell, named("umbrella"), "jackfield_umbrella-1.0.0-py3-none-any.whl", "umbrella.key")
    more = shell.run("catalogue", "build", "dist", "--out", "site").json
    assert (more["connectors"], more["targetsVersion"]) == (2, 3)
    assert (site / "connectors/acme/index.html").read_text() == page
    listed = json.loads((site / "catalogue.json").read_text())["connectors"]
    assert [(row["key"], row["versions"], row["publisher"]["publisher"]) for row in listed] == [
        ("acme", ["1.0.0"], "acme"),
        ("umbrella", ["1.0.0"], "umbrella"),
    ]
    assert shell.run("catalogue", "init", "second").code == 0
    assert shell.run("catalogue", "build", "dist", "--out", "second").code == 0
    for path in (
        "index.html",
        "catalogue.json",
        "simple/jackfield-acme/index.json",
        "connectors/umbrella/index.html",
    ):
        assert (shell.folder / "second" / path).read_bytes() == (site / path).read_bytes()


def test_pages_escape_what_strangers_write(shell: Shell) -> None:
    """Text of a manifest is text on its page, whatever it has."""
    publish(
        shell,
        wheel_bytes(swap(f"{PACKAGE}/connector.json", "Greets.", "<script>alert(1)</script>")),
    )
    assert shell.run("catalogue", "init", "site").code == 0
    assert shell.run("catalogue", "build", "dist", "--out", "site").code == 0
    for page in ("index.html", "connectors/acme/index.html"):
        text = (shell.folder / "site" / page).read_text()
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text


def test_an_unsigned_and_an_altered_wheel(shell: Shell, site: Path) -> None:
    """A wheel without an attestation is not published, nor one that differs from its attestation,
    nor a changed release.
    """
    assert site.is_dir()
    wheel = publish(
        shell, named("umbrella"), "jackfield_umbrella-1.0.0-py3-none-any.whl", dist="more"
    )
    wheel.write_bytes(named("umbrella").replace(b"RECORD", b"RECORE"))
    assert refused(shell, dist="more") in {"zip", "dist-info", "record"}
    shell.write("third/jackfield_umbrella-1.0.0-py3-none-any.whl", named("umbrella"))
    assert refused(shell, dist="third") == "unsigned"
    publish(
        shell, wheel_bytes(swap(f"{PACKAGE}/connector.json", "Greets.", "Grates.")), dist="changed"
    )
    assert refused(shell, dist="changed") == "immutable"
    shutil.copy(
        shell.folder / "dist" / f"{FILE}.attestation.json",
        shell.folder / "changed" / f"{FILE}.attestation.json",
    )
    assert shell.run("verify", f"changed/{FILE}").json["verified"] is False


def test_names_have_one_owner(shell: Shell, site: Path) -> None:
    """Another publisher can neither add a version of a name, nor a name that looks like it, except
    where the operator accepts it.
    """
    assert site.is_dir()
    publish(shell, named("acme", "1.0.1"), file_of("acme", "1.0.1"), "mallory.key", dist="theirs")
    assert refused(shell, dist="theirs") == "owner"
    publish(
        shell, named("acmee"), "jackfield_acmee-1.0.0-py3-none-any.whl", "mallory.key", dist="alike"
    )
    assert refused(shell, dist="alike") == "look-alike"
    assert (
        shell.run("catalogue", "build", "alike", "--out", "site", "--allow-name", "acmee").code == 0
    )


def test_source_distributions_and_altered_sites(shell: Shell, site: Path) -> None:
    """A source distribution stops the build, and so does a published wheel that somebody
    altered.
    """
    shell.write("dist/jackfield_acme-1.0.0.tar.gz", b"")
    assert refused(shell) == "wheel-only"
    (shell.folder / "dist/jackfield_acme-1.0.0.tar.gz").unlink()
    (site / "packages" / FILE).write_bytes(b"PK")
    assert refused(shell) == "altered"


def test_keys_of_another_catalogue(shell: Shell, site: Path) -> None:
    """Only the keys that the site's root names sign a build."""
    assert site.is_dir()
    assert shell.run("catalogue", "init", "other").code == 0
    assert "key" in refused(shell, "--keys", "other.keys")


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    """Address of a server of the site on a free port."""
    with serving(site) as url:
        yield url.removeprefix("http://")


@pytest.mark.parametrize("program", [pytest.param("pip", marks=pytest.mark.campaign), "uv"])
def test_plain_installers_install_from_the_site(served: str, tmp_path: Path, program: str) -> None:
    """Plain pip and uv take the wheel from the served index and check its hash; nothing else is
    needed. An altered wheel is refused.
    """
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "--no-cache-dir",
    ]
    uv = [
        str(Path(sys.executable).parent / "uv"),
        "pip",
        "install",
        "-q",
        "--no-cache",
        "--no-config",
        "--python",
        sys.executable,
    ]
    words = [
        *(pip if program == "pip" else uv),
        "--no-deps",
        "-i",
        f"http://{served}/simple",
        "jackfield-acme",
        "--target",
    ]
    done = subprocess.run(
        [*words, str(tmp_path / "target")],
        capture_output=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "target" / PACKAGE / "connector.json").is_file()
    wheel = tmp_path / "work/site/packages" / FILE
    wheel.write_bytes(wheel.read_bytes().replace(b"RECORD", b"RECORE"))
    refused = subprocess.run(
        [*words, str(tmp_path / "other")],
        capture_output=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
    )
    assert (refused.returncode != 0, b"hash" in refused.stderr.lower()) == (True, True)


def test_a_client_reads_metadata_without_the_wheel(served: str, site: Path) -> None:
    """The index states the hash of the file beside each wheel that has its metadata, in HTML and in
    JSON.
    """
    metadata = (site / "packages" / f"{FILE}.metadata").read_bytes()
    digest = hashlib.sha256(metadata).hexdigest()
    answers = [
        fetched(served, "/simple/jackfield-acme/", accept)
        for accept in ("application/vnd.pypi.simple.v1+json", "text/html")
    ]
    data = json.loads(answers[0])
    assert (data["meta"], data["versions"], data["files"][0]["core-metadata"]) == (
        {"api-version": "1.1"},
        ["1.0.0"],
        {"sha256": digest},
    )
    assert f'data-core-metadata="sha256={digest}"' in answers[1].decode()
    assert fetched(served, f"/packages/{FILE}.metadata", "*/*") == metadata


def fetched(served: str, path: str, accept: str) -> bytes:
    """The body of an answer."""
    connection = http.client.HTTPConnection(served, timeout=60)
    connection.request("GET", path, headers={"Accept": accept})
    body = connection.getresponse().read()
    connection.close()
    return body


def test_a_version_is_compared_with_the_one_before(shell: Shell, site: Path) -> None:
    """Versions are in their order, not in that of publishing; what changed is determined for the
    neighbours of a new one only.
    """

    def limit(length: int) -> Callable[[dict[str, Any]], None]:
        return lambda manifest: manifest["actions"][0]["inputs"]["properties"]["name"].update(
            maxLength=length
        )

    publish(shell, named("acme", "10.0.0", limit(5)), file_of("acme", "10.0.0"))
    built(shell)
    signed = json.loads((site / "connectors/acme/releases.json").read_text())["changes"]
    assert [
        (version, row["since"], row["changes"][0]["level"]) for version, row in signed.items()
    ] == [("10.0.0", "1.0.0", "breaking")]
    publish(shell, named("acme", "2.0.0", limit(5)), file_of("acme", "2.0.0"))
    built(shell)
    listed = json.loads((site / "connectors/acme/releases.json").read_text())
    assert listed["versions"] == ["1.0.0", "2.0.0", "10.0.0"]
    assert {
        version: (row["since"], len(row["changes"])) for version, row in listed["changes"].items()
    } == {
        "2.0.0": ("1.0.0", 1),
        "10.0.0": ("2.0.0", 0),
    }
    page = (site / "connectors/acme/index.html").read_text()
    assert page.index("<h3>10.0.0") < page.index("<h3>2.0.0") < page.index("<h3>1.0.0")


def test_grades_are_those_of_the_operators_reports(shell: Shell, site: Path) -> None:
    """A report of 'jackfield check' that the operator made is published as a grade, signed; a file
    that is none is refused.
    """
    shell.write(
        "checks/acme.json",
        json.dumps({"connector": "acme", "version": "1.0.0", "grade": "silver", "rules": []}),
    )
    built(shell, "--checks", "checks")
    assert '"custom":{"grade":"silver"' in (site / "metadata/2.publisher.acme.1.json").read_text()
    assert json.loads((site / "catalogue.json").read_text())["connectors"][0]["grade"] == "silver"
    assert built(shell)["pagesWritten"] == 0
    shell.write(
        "checks/acme.json",
        json.dumps({"connector": "acme", "version": "1.0.0", "grade": "brilliant"}),
    )
    assert "not a report" in refused(shell, "--checks", "checks")


def test_an_interrupted_build_and_an_edited_list(shell: Shell, site: Path) -> None:
    """A build that stopped after its metadata was published is taken up; a list that somebody
    edited is derived anew from the wheels.
    """
    old = (site / "catalogue.json").read_bytes()
    publish(shell, named("umbrella"), file_of("umbrella"), "umbrella.key")
    built(shell)
    new = (site / "catalogue.json").read_bytes()
    (site / "catalogue.json").rename(site / "catalogue.next.json")
    (site / "catalogue.json").write_bytes(old)
    assert built(shell)["connectors"] == 2
    assert ((site / "catalogue.json").read_bytes(), (site / "catalogue.next.json").exists()) == (
        new,
        False,
    )
    (site / "catalogue.json").write_bytes(new.replace(b"Acme", b"Evil"))
    assert built(shell)["connectors"] == 2
    assert (site / "catalogue.json").read_bytes() == new


def test_the_index_is_html_or_json(served: str) -> None:
    """A client that accepts JSON gets JSON; another gets HTML; folders are not listed."""
    found = []
    for path, accept in [
        ("/simple/jackfield-acme/", "application/vnd.pypi.simple.v1+json"),
        ("/simple/", "text/html"),
        ("/packages/", "*/*"),
    ]:
        connection = http.client.HTTPConnection(served, timeout=60)
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        body = answer.read()
        found.append((answer.status, answer.headers.get_content_type()))
        if accept.endswith("json"):
            assert json.loads(body)["files"][0]["filename"] == FILE
        connection.close()
    assert found == [
        (200, "application/vnd.pypi.simple.v1+json"),
        (200, "text/html"),
        (404, "text/html"),
    ]
