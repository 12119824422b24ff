"""Keys of a catalogue and of its publishers: delegation, rotation, revocation, expiry, as the TUF
library's own updater sees them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.jackfield_market.publishing import built, file_of, named, new_key, publish
from tests.jackfield_market.tuf_client import Client, serving
from tuf.api.exceptions import (
    BadVersionNumberError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    UnsignedMetadataError,
)

from jackfield.kernel.errors import InvalidInvocation
from jackfield_market.admission import verified
from jackfield_market.catalogue import build, init, refresh
from jackfield_market.releases import Release
from jackfield_market.repository import Edit, Repository
from jackfield_market.role_keys import RoleKeys
from shell import Shell
from wheel_maker import FILE

pytest_plugins = ["shell_fixture"]

WHEEL = f"packages/{FILE}"
OTHER = f"packages/{file_of('umbrella')}"


@pytest.fixture
def site(shell: Shell) -> Path:
    """A catalogue with a connector of each of two publishers."""
    publish(shell, named("acme"))
    publish(shell, named("umbrella"), file_of("umbrella"), "umbrella.key")
    assert shell.run("catalogue", "init", "site").code == 0
    built(shell)
    return shell.folder / "site"


@pytest.fixture
def client(shell: Shell, site: Path) -> Iterator[Client]:
    """An installer that has seen the site as it is."""
    with serving(site) as url:
        found = Client(url, site, shell.folder / "client")
        assert found.find(WHEEL) is not None
        yield found


def versions(site: Path) -> dict[str, int]:
    """The newest version of the metadata of each role."""
    found: dict[str, int] = {}
    for path in (site / "metadata").glob("*.*.json"):
        number, role = path.name.removesuffix(".json").split(".", 1)
        found[role] = max(found.get(role, 0), int(number))
    return found


def test_releases_are_in_a_role_of_their_publisher(site: Path, client: Client) -> None:
    """Each publisher has a delegated role for its connectors only; the updater walks to it, and
    finds what was signed.
    """
    top = json.loads((site / "metadata/2.targets.json").read_text())["signed"]
    roles = {role["name"]: role["paths"] for role in top["delegations"]["roles"]}
    assert roles == {
        "catalogue": ["catalogue.json"],
        "publisher.acme.1": ["packages/jackfield_acme-*", "connectors/acme/*"],
        "publisher.umbrella.1": ["packages/jackfield_umbrella-*", "connectors/umbrella/*"],
    }
    assert sorted(top["targets"]) == ["publishers.json", "revoked.json"]
    stated = client.custom(WHEEL)
    assert (stated["key"], stated["version"], stated["publisher"]["publisher"]) == (
        "acme",
        "1.0.0",
        "acme",
    )
    assert client.download(WHEEL) == named("acme")
    assert (
        json.loads(client.download("connectors/acme/releases.json"))["releases"][0]["wheel"] == FILE
    )
    assert [row["key"] for row in json.loads(client.download("catalogue.json"))["connectors"]] == [
        "acme",
        "umbrella",
    ]
    assert client.find("packages/jackfield_foreign-1.0.0-py3-none-any.whl") is None


def test_a_release_changes_one_role(shell: Shell, site: Path, client: Client) -> None:
    """A further version needs neither the root nor the targets key, and leaves the other
    publisher's metadata as it is.
    """
    for role in ("root", "targets"):
        (shell.folder / f"site.keys/{role}.pem").rename(shell.folder / f"{role}.offline")
    publish(shell, named("acme", "1.1.0"), file_of("acme", "1.1.0"), dist="more")
    built(shell, dist="more")
    assert versions(site) == {
        "root": 1,
        "targets": 2,
        "catalogue": 3,
        "publisher.acme.1": 2,
        "publisher.umbrella.1": 1,
        "snapshot": 3,
    }
    assert client.custom(f"packages/{file_of('acme', '1.1.0')}")["version"] == "1.1.0"
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    publish(shell, named("third"), file_of("third"), "third.key", dist="third")
    answer = shell.run("catalogue", "build", "third", "--out", "site")
    assert (answer.code, "targets key" in answer.json["error"]["message"]) == (2, True)
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("role", ["root", "targets", "releases", "snapshot", "timestamp"])
def test_a_key_is_rotated(shell: Shell, site: Path, client: Client, role: str) -> None:
    """After a rotation an installer that trusts the first root follows to the new key; the old one
    signs nothing any more.
    """
    old = (shell.folder / f"site.keys/{role}.pem").read_bytes()
    rotated = shell.run("catalogue", "rotate", "site", role).json
    assert client.find(WHEEL) is not None
    kept = list((shell.folder / "site.keys/retired").iterdir())
    assert [path.read_bytes() for path in kept] == [old]
    publish(shell, named("acme", "1.1.0"), file_of("acme", "1.1.0"), dist="more")
    built(shell, dist="more")
    assert client.find(f"packages/{file_of('acme', '1.1.0')}") is not None
    text = "".join(
        path.read_text()
        for path in (site / "metadata").glob("*.json")
        if f"{versions(site)['root']}.root" in path.name
    )
    assert rotated["keyId"] in (
        text
        if role != "releases"
        else (site / f"metadata/{versions(site)['targets']}.targets.json").read_text()
    )
    shutil.copy(kept[0], shell.folder / f"site.keys/{role}.pem")
    publish(shell, named("third"), file_of("third"), "third.key", dist="third")
    refused = shell.run(
        "catalogue",
        *(["rotate", "site", "root"] if role == "root" else ["build", "third", "--out", "site"]),
    )
    assert (refused.code, "is not of this catalogue" in refused.json["error"]["message"]) == (
        2,
        True,
    )


@pytest.mark.parametrize("role", ["targets", "releases", "timestamp"])
def test_an_interrupted_rotation_is_finished(
    shell: Shell, site: Path, client: Client, role: str
) -> None:
    """If the rotation stops after its first step, the next command signs with the new key, and
    installers follow.
    """
    now = datetime.now(UTC)
    Repository.load(str(site), str(shell.folder / "site.keys")).rotate(role, now)
    assert RoleKeys(str(shell.folder / "site.keys")).rotating(role)
    assert shell.run("catalogue", "refresh", "site").code == 0
    assert not RoleKeys(str(shell.folder / "site.keys")).rotating(role)
    assert client.find(WHEEL) is not None


@pytest.mark.parametrize("role", ["targets", "releases"])
def test_a_lost_key_is_replaced(shell: Shell, client: Client, role: str) -> None:
    """A key of which no copy is left is rotated with the keys above it, and installers follow."""
    (shell.folder / f"site.keys/{role}.pem").unlink()
    assert shell.run("catalogue", "rotate", "site", role).code == 0
    publish(shell, named("third"), file_of("third"), "third.key", dist="third")
    built(shell, dist="third")
    assert client.find(f"packages/{file_of('third')}") is not None


def test_a_revoked_publisher(shell: Shell, site: Path, client: Client) -> None:
    """Releases of a revoked key leave index and metadata, and are listed as withdrawn; the key
    publishes nothing, its names stay taken.
    """
    key_id = new_key(shell, "acme.key")
    answer = shell.run("catalogue", "revoke", "site", key_id, "--reason", "laptop stolen").json
    assert (answer["status"], answer["withdrawn"], answer["connectors"]) == ("revoked", [FILE], 1)
    assert client.find(WHEEL) is None
    assert client.find(OTHER) is not None
    assert json.loads(client.download("revoked.json"))["keys"][0]["keyId"] == key_id
    assert not (site / WHEEL).exists()
    assert (shell.folder / "site.withdrawn" / FILE).exists()
    assert json.loads((site / "simple/jackfield-acme/index.json").read_text())["files"] == []
    listed = json.loads((site / "catalogue.json").read_text())["connectors"][0]
    assert (listed["versions"], listed["revoked"][0]["revoked"]["reason"]) == ([], "laptop stolen")
    assert "Withdrawn" in (site / "connectors/acme/index.html").read_text()
    # what was withdrawn may stay in the folder, and is not published again
    assert built(shell)["added"] == []
    publish(shell, named("acme", "1.1.0"), file_of("acme", "1.1.0"), dist="more")
    assert (
        shell.run("catalogue", "build", "more", "--out", "site").json["error"]["details"][0][
            "keyword"
        ]
        == "revoked-key"
    )
    publish(shell, named("acme", "2.0.0"), file_of("acme", "2.0.0"), "umbrella.key", dist="theirs")
    assert (
        shell.run("catalogue", "build", "theirs", "--out", "site").json["error"]["details"][0][
            "keyword"
        ]
        == "owner"
    )
    assert shell.run("catalogue", "revoke", "site", key_id).json["withdrawn"] == []
    new_key(shell, "acme2.key", "acme")
    assert (
        shell.run("catalogue", "revoke", "site", key_id, "--successor", "acme2.key.pub").code == 0
    )
    publish(shell, named("acme"), key="acme2.key", dist="good")
    assert built(shell, dist="good")["added"] == [FILE]
    assert client.find(WHEEL) is not None


def test_a_publisher_changes_its_key(shell: Shell, site: Path, client: Client) -> None:
    """A second key of a publisher is refused until the operator names it the successor; then the
    same wheel may be signed again.
    """
    old = new_key(shell, "acme.key")
    new_key(shell, "acme2.key", "acme")
    publish(shell, named("acme"), key="acme2.key", dist="again")
    publish(shell, named("acme", "1.1.0"), file_of("acme", "1.1.0"), "acme2.key", dist="again")
    refused = shell.run("catalogue", "build", "again", "--out", "site").json["error"]
    assert refused["details"][0]["keyword"] == "publisher-key"
    assert (
        shell.run("catalogue", "revoke", "site", old, "--successor", "umbrella.key.pub").code == 2
    )
    assert shell.run("catalogue", "revoke", "site", old, "--successor", "acme2.key.pub").code == 0
    assert client.find(WHEEL) is None
    assert len(built(shell, dist="again")["added"]) == 2
    assert client.custom(WHEEL)["publisher"]["keyId"] == new_key(shell, "acme2.key")
    assert "revoked" not in json.loads((site / "catalogue.json").read_text())["connectors"][0]


def test_a_retired_key_keeps_its_releases(shell: Shell, site: Path, client: Client) -> None:
    """A key that is replaced in the ordinary way signs nothing new, and what it has signed is still
    offered.
    """
    new_key(shell, "acme2.key", "acme")
    words = ("--successor", "acme2.key.pub", "--keep-releases")
    assert (
        shell.run("catalogue", "revoke", "site", new_key(shell, "acme.key"), *words).json[
            "withdrawn"
        ]
        == []
    )
    assert client.find(WHEEL) is not None
    assert json.loads((site / "revoked.json").read_text())["keys"] == []
    publish(shell, named("acme", "1.1.0"), file_of("acme", "1.1.0"), dist="more")
    assert (
        shell.run("catalogue", "build", "more", "--out", "site").json["error"]["details"][0][
            "keyword"
        ]
        == "revoked-key"
    )


def test_an_installer_refuses_old_altered_and_mixed_metadata(
    shell: Shell, site: Path, client: Client
) -> None:
    """Rollback, a file of another state, an altered wheel and metadata of another catalogue's keys
    are refused by the updater.
    """
    old = shell.folder / "old"
    shutil.copytree(site, old)
    publish(shell, named("acme", "1.1.0"), file_of("acme", "1.1.0"), dist="more")
    built(shell, dist="more")
    assert client.find(WHEEL) is not None
    new = shell.folder / "new"
    site.rename(new)
    shutil.copytree(old, site)
    with pytest.raises(BadVersionNumberError):
        client.updater()
    shutil.rmtree(site)
    shutil.copytree(new, site)
    (site / WHEEL).write_bytes((site / WHEEL).read_bytes()[:-1] + b"?")
    with pytest.raises(LengthOrHashMismatchError):
        client.download(WHEEL)
    assert shell.run("catalogue", "init", "other").code == 0
    assert shell.run("catalogue", "build", "dist", "--out", "other").code == 0
    shutil.copy(shell.folder / "other/metadata/timestamp.json", site / "metadata/timestamp.json")
    with pytest.raises(UnsignedMetadataError):
        client.updater()


def test_metadata_expires_and_is_refreshed(shell: Shell, tmp_path: Path) -> None:
    """An expired catalogue is refused by installers and reported by its status; a refresh renews it
    without the offline keys.
    """
    site, keys = str(tmp_path / "old" / "site"), str(tmp_path / "old" / "keys")
    then = datetime.now(UTC).replace(microsecond=0) - timedelta(days=100)
    publish(shell, named("acme"))
    init(site, keys, now=then)
    build(str(shell.folder / "dist"), site, keys, now=then)
    with serving(Path(site)) as url:
        client = Client(url, Path(site), tmp_path / "client")
        with pytest.raises(ExpiredMetadataError):
            client.updater()
        status = shell.run("catalogue", "status", site, "--keys", keys)
        assert status.code == 1
        assert ["timestamp" in fault or "snapshot" in fault for fault in status.json["faults"]] == [
            True,
            True,
        ]
        for role in ("root", "targets"):
            (Path(keys) / f"{role}.pem").rename(tmp_path / f"{role}.offline")
        refresh(site, keys)
        assert client.find(WHEEL) is not None
    assert shell.run("catalogue", "status", site, "--keys", keys, "--files").json["faults"] == []
    (Path(site) / WHEEL).write_bytes(b"PK")
    status = shell.run("catalogue", "status", site, "--keys", keys, "--files")
    assert (status.code, "was altered" in status.json["faults"][0]) == (1, True)
    assert "key" in shell.run("catalogue", "status", site, "--within", "400d").json["faults"][0]


def test_damaged_keys_and_metadata_are_named(shell: Shell, site: Path) -> None:
    """A key file that others read, that is none or of another kind, and metadata that is missing:
    each refusal says what and where.
    """
    key, found = shell.folder / "site.keys/timestamp.pem", []
    content = key.read_bytes()
    foreign = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for mode, text in ((0o644, content), (0o600, b"no key"), (0o600, foreign)):
        key.write_bytes(text)
        key.chmod(mode)
        found.append(
            shell.run("catalogue", "build", "dist", "--out", "site").json["error"]["message"]
        )
    key.write_bytes(content)
    for name in ("2.publisher.acme.1.json", "1.publisher.acme.1.json", "2.snapshot.json"):
        (site / "metadata" / name).unlink(missing_ok=True)
        answer = shell.run("catalogue", "status", "site").json
        found.append(answer["error"]["message"] if "error" in answer else "whole")
    for message, said in zip(
        found,
        (
            "other users",
            "not a private key",
            "not hold an Ed25519",
            "whole",
            "is missing",
            "is missing",
        ),
        strict=True,
    ):
        assert said in message


def test_revocations_that_cannot_be(shell: Shell, site: Path) -> None:
    """An unknown key, a successor that is known already, and a second successor beside a key that
    signs are refused; nothing changes.
    """
    before = (site / "metadata/timestamp.json").read_bytes()
    acme = new_key(shell, "acme.key")
    for key, name in (("acme2.key", "acme"), ("acme3.key", "acme")):
        new_key(shell, key, name)
    unknown = shell.run("catalogue", "revoke", "site", "0" * 32)
    assert (unknown.code, acme in unknown.json["error"]["hint"]) == (2, True)
    assert shell.run("catalogue", "revoke", "site", acme, "--successor", "acme.key.pub").code == 2
    assert (site / "metadata/timestamp.json").read_bytes() == before
    assert (
        shell.run(
            "catalogue", "revoke", "site", acme, "--successor", "acme2.key.pub", "--keep-releases"
        ).code
        == 0
    )
    again = shell.run("catalogue", "revoke", "site", acme, "--successor", "acme3.key.pub").json[
        "error"
    ]["message"]
    assert "signs for 'acme'" in again


def test_a_forged_release_is_noticed(shell: Shell, site: Path) -> None:
    """Who has stolen the online keys can list a wheel under a known name, but not sign as its
    publisher: status names it, without a key.
    """
    repository = Repository.load(str(site), str(shell.folder / "site.keys"))
    forged = publish(
        shell, named("acme", "9.0.0"), file_of("acme", "9.0.0"), "mallory.key", dist="forged"
    )
    found = verified(str(forged), {})
    assert found is not None
    for ending in ("", ".attestation.json"):
        shutil.copy(f"{forged}{ending}", site / f"packages/{forged.name}{ending}")
    targets = {**repository.targets("publisher.acme.1"), **found.release.targets(found.attestation)}
    own = repository.current["targets"].signed.targets
    repository.publish(
        Edit(repository.publishers, repository.delegated, {"publisher.acme.1": targets}, own),
        datetime.now(UTC),
    )
    status = shell.run("catalogue", "status", "site", "--keys", "nowhere")
    assert (status.code, "9.0.0" in status.json["faults"][0]) == (1, True)
    claimed = {
        **found.release.data,
        "publisher": json.loads((shell.folder / "acme.key.pub").read_text()),
    }
    targets |= Release(claimed).targets(found.attestation)
    Repository.load(str(site), str(shell.folder / "site.keys")).publish(
        Edit(repository.publishers, repository.delegated, {"publisher.acme.1": targets}, own),
        datetime.now(UTC),
    )
    assert shell.run("catalogue", "status", "site", "--keys", "nowhere").json["faults"] == []
    assert (
        "not attested"
        in shell.run("catalogue", "status", "site", "--files", "--keys", "nowhere").json["faults"][
            0
        ]
    )


def test_two_commands_do_not_change_a_catalogue_at_once(shell: Shell, site: Path) -> None:
    """While one command changes the catalogue, another is refused."""
    with RoleKeys(str(shell.folder / "site.keys")).locked():
        answer = shell.run("catalogue", "build", "dist", "--out", "site")
    assert (answer.code, "another command" in answer.json["error"]["message"]) == (2, True)
    with (
        pytest.raises(InvalidInvocation, match="cannot be used"),
        RoleKeys(str(site / "missing")).locked(),
    ):
        pass
