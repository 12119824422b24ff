"""Sealed values open in their own place only, whoever rotates keys meanwhile."""

from __future__ import annotations

import base64
import pickle
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackfield.kernel.bounded_cache import BoundedCache
from jackfield.kernel.clock import SystemClock
from jackfield_store.database import (
    Database,
    DataKeyDamaged,
    SealBroken,
    WrongMasterKey,
    open_database,
)
from jackfield_store.keys import MasterKey, Vault
from jackfield_store.keys.master_key import LocalKey
from jackfield_store.keys.sealing import bound, cipher, key_id_of, seal, unseal
from together import at_once

PLACE = ("connection", "id", "secretAccessKey", "1")
SECRET = b"wJalrXUtnFEMI/K7MDENG"
PARTS = st.lists(st.text(st.characters(), max_size=6), max_size=5)


@pytest.fixture
def master() -> MasterKey:
    """A master key."""
    return MasterKey.generate()


class Moved(SystemClock):
    """A clock that tests move."""

    ahead = 0.0

    def monotonic(self) -> float:
        """Seconds, moved ahead."""
        return super().monotonic() + self.ahead


def keys(database: Database) -> list[tuple[object, ...]]:
    """The data keys: workspace, id, master key's id, whether retired."""
    with database.read() as transaction:
        rows = transaction.execute(
            "SELECT workspace, key_id, master_key_id, retired_at IS NOT NULL AS retired FROM "
            "data_keys ORDER BY workspace, created_at"
        )
    return [tuple(row) for row in rows]


def installation(database: Database) -> str:
    """The id of the installation."""
    row = database.look_up("SELECT id FROM installation", {})
    assert row is not None
    return str(row.id)


def _ring(first: MasterKey, other: MasterKey) -> MasterKey:
    """The keys of both, of which the first one's wrap."""
    return MasterKey([*first._keys.values(), *other._keys.values()])


def wrapper(master: MasterKey) -> LocalKey:
    """The key that wraps."""
    found = master.wrapper(master.id)
    assert found is not None
    return found


@settings(deadline=None, database=None)
@given(PARTS, PARTS)
def test_places_are_told_apart(one: list[str], other: list[str]) -> None:
    """Two places give the same bytes only where they are the same, whatever characters their parts
    have and wherever they are cut.
    """
    assert (bound(one) == bound(other)) == (one == other)
    joined = "".join(one)
    if one != [joined]:
        assert bound(one) != bound([joined])


@settings(deadline=None, database=None)
@given(
    st.binary(max_size=80),
    PARTS,
    PARTS,
    st.integers(min_value=0),
    st.integers(min_value=1, max_value=255),
)
def test_a_sealed_value_opens_unchanged_in_its_place(
    plain: bytes, place: list[str], other: list[str], at: int, flip: int
) -> None:
    """What was sealed comes back; in another place, with another key or with any byte changed it
    does not.
    """
    key = cipher(b"k" * 32)
    sealed = seal(key, "00" * 8, tuple(place), plain)
    assert len(sealed) == len(plain) + 37
    assert key_id_of(sealed) == "00" * 8
    assert unseal(key, tuple(place), sealed) == plain
    changed = bytearray(sealed)
    changed[at % len(sealed)] ^= flip
    with pytest.raises(SealBroken):
        unseal(key, tuple(place), bytes(changed))
    with pytest.raises(SealBroken):
        unseal(cipher(b"l" * 32), tuple(place), sealed)
    if place != other:
        with pytest.raises(SealBroken):
            unseal(key, tuple(other), sealed)


def test_a_vault_opens_what_it_sealed(database: Database, master: MasterKey) -> None:
    """A value comes back from the same vault and from another process's, and is sealed differently
    each time.
    """
    vault = Vault(database, master)
    sealed = [vault.seal("w", PLACE, SECRET) for _ in range(3)]
    assert len(set(sealed)) == 3
    for reader in (vault, Vault(database, master)):
        assert [reader.open("w", PLACE, one) for one in sealed] == [SECRET] * 3
    assert vault.open("w", (), vault.seal("w", (), b"")) == b""
    assert len(keys(database)) == 1


def test_a_moved_value_is_refused(database: Database, master: MasterKey) -> None:
    """A sealed value that stands in another row, field, version or workspace is refused, and so is
    one that was cut or is none.
    """
    vault = Vault(database, master)
    sealed = vault.seal("w", PLACE, SECRET)
    vault.seal("other", PLACE, SECRET)
    places = [
        ("w", ("connection", "other", *PLACE[2:])),
        ("w", (*PLACE[:2], "other", "1")),
        ("w", (*PLACE[:3], "2")),
        ("w", ("lease", *PLACE[1:])),
        ("w", PLACE[:3]),
        ("w", (*PLACE, "")),
        ("other", PLACE),
        ("none", PLACE),
    ]
    for workspace, place in places:
        with pytest.raises(SealBroken) as caught:
            vault.open(workspace, place, sealed)
        assert "changed, or moved to another place" in str(caught.value)
    for text in (b"", b"\x01", sealed[:-1], b"\x02" + sealed[1:], sealed + b"x", SECRET * 3):
        with pytest.raises(SealBroken):
            vault.open("w", PLACE, text)


def test_a_data_key_moved_between_workspaces_is_refused(
    database: Database, master: MasterKey
) -> None:
    """Whoever can write the database cannot give one tenant the data key of another."""
    vault = Vault(database, master)
    sealed = vault.seal("victim", PLACE, SECRET)
    with database.write() as transaction:
        transaction.change(
            "INSERT INTO data_keys (workspace, key_id, wrapped, master_key_id, created_at)"
            " SELECT 'thief', key_id, wrapped, master_key_id, created_at FROM data_keys"
        )
    with pytest.raises(DataKeyDamaged, match="of the workspace 'thief'"):
        Vault(database, master).open("thief", PLACE, sealed)


def test_a_wrong_master_key_says_so_and_destroys_nothing(
    database: Database, master: MasterKey
) -> None:
    """With another master key nothing is opened, sealed, made or rotated, not even for a new
    workspace; with the right one all is there.
    """
    sealed = Vault(database, master).seal("w", PLACE, SECRET)
    before = keys(database)
    wrong = Vault(database, MasterKey.generate())
    calls = (
        lambda: wrong.open("w", PLACE, sealed),
        lambda: wrong.seal("w", PLACE, SECRET),
        lambda: wrong.seal("new", PLACE, SECRET),
        lambda: wrong.hmac("w", b""),
        wrong.verify,
        wrong.rotate,
        lambda: wrong.rotate(MasterKey.generate()),
    )
    for call in calls:
        with pytest.raises(
            WrongMasterKey, match=f"which was encrypted with key ID {master.id}"
        ) as caught:
            call()
        assert "JACKFIELD_MASTER_KEY" in str(caught.value)
    assert keys(database) == before
    right = Vault(database, master)
    right.verify()
    assert right.open("w", PLACE, sealed) == SECRET


def test_rotation_wraps_anew_and_changes_no_value(database: Database, master: MasterKey) -> None:
    """After a rotation the new master key alone opens everything, the old one says that it does
    not, and fingerprints are the same.
    """
    vault = Vault(database, master)
    sealed = {name: vault.seal(name, PLACE, SECRET) for name in "abc"}
    digests = {name: vault.hmac(name, b"text") for name in "abc"}
    new = MasterKey.generate()
    assert vault.rotate(new).count == 3
    assert vault.rotate(new).count == 0
    assert {row[2] for row in keys(database)} == {new.id}
    for reader in (vault, Vault(database, new)):
        assert {
            name: reader.open(name, PLACE, text) for name, text in sealed.items()
        } == dict.fromkeys("abc", SECRET)
        assert {name: reader.hmac(name, b"text") for name in "abc"} == digests
    with pytest.raises(WrongMasterKey):
        Vault(database, master).open("a", PLACE, sealed["a"])


def test_a_process_that_lists_the_old_key_first_follows_a_rotation(
    database: Database, master: MasterKey
) -> None:
    """A data key that it creates after the rotation is wrapped by the new key: the old one can be
    dropped.
    """
    Vault(database, master).seal("a", PLACE, SECRET)
    new = MasterKey.generate()
    slow = Vault(database, _ring(master, new))
    Vault(database, master).rotate(new)
    sealed = slow.seal("b", PLACE, SECRET)
    assert {row[2] for row in keys(database)} == {new.id}
    assert Vault(database, new).open("b", PLACE, sealed) == SECRET


def test_a_rotation_sees_the_data_keys_that_are_being_created(
    database: Database, master: MasterKey
) -> None:
    """A rotation waits for a data key that another process has not committed yet, and wraps it
    again.
    """
    Vault(database, master).seal("a", PLACE, SECRET)
    new = MasterKey.generate()
    rotation = threading.Thread(target=Vault(database, master).rotate, args=(new,))
    with database.write():
        sealed = Vault(database, _ring(master, new)).seal("b", PLACE, SECRET)
        rotation.start()
        rotation.join(0.3)
        assert rotation.is_alive()
    rotation.join(30)
    assert {row[2] for row in keys(database)} == {new.id}
    assert Vault(database, new).open("b", PLACE, sealed) == SECRET


def test_a_rotation_that_was_cut_off_goes_on(database: Database, master: MasterKey) -> None:
    """Where only some data keys have the new master key, a ring of both opens all, and rotating
    again finishes.
    """
    vault = Vault(database, master)
    sealed = {name: vault.seal(name, PLACE, SECRET) for name in ("a", "b")}
    new = MasterKey.generate()
    with database.write() as transaction:
        for row in transaction.execute("SELECT * FROM data_keys WHERE workspace = 'a'"):
            context = {"installation": installation(database), "workspace": "a", "key": row.key_id}
            key = wrapper(master).unwrap(context, row.wrapped)
            transaction.change(
                "UPDATE data_keys SET wrapped = :wrapped, master_key_id = :id WHERE workspace = "
                "'a'",
                {"wrapped": wrapper(new).wrap(context, key), "id": new.id},
            )
    both = Vault(database, _ring(new, master))
    assert {name: both.open(name, PLACE, text) for name, text in sealed.items()} == {
        "a": SECRET,
        "b": SECRET,
    }
    assert both.rotate().count == 1
    assert {row[2] for row in keys(database)} == {new.id}


def test_new_data_keys_keep_the_old_for_reading(database: Database, master: MasterKey) -> None:
    """New data keys seal what comes, old ones open what is there, fingerprints stay, and other
    processes follow within a minute.
    """
    clock = Moved()
    vault, other = Vault(database, master), Vault(database, master, clock)
    old = vault.seal("w", PLACE, SECRET)
    assert key_id_of(other.seal("w", PLACE, SECRET)) == key_id_of(old)
    digest = vault.hmac("w", b"text")
    vault.rotate(data_keys=True)
    new = vault.seal("w", PLACE, SECRET)
    assert key_id_of(new) != key_id_of(old)
    assert key_id_of(other.seal("w", PLACE, SECRET)) == key_id_of(old)
    clock.ahead = 61
    assert key_id_of(other.seal("w", PLACE, SECRET)) == key_id_of(new)
    for reader in (vault, other, Vault(database, master)):
        assert (reader.open("w", PLACE, old), reader.open("w", PLACE, new)) == (SECRET, SECRET)
        assert reader.hmac("w", b"text") == digest
    assert [row[3] for row in keys(database)] == [1, 0]


@pytest.mark.parametrize("rotations", [4, pytest.param(100, marks=pytest.mark.campaign)])
def test_rotation_while_calls_go_on(database: Database, master: MasterKey, rotations: int) -> None:
    """Threads that seal and open while the master and the data keys are rotated again and again
    never see a failure.
    """
    ring = master
    vault = Vault(database, master)
    kept: dict[tuple[str, int], bytes] = {}
    faults: list[BaseException] = []
    ended = threading.Event()

    def work(workspace: str) -> None:
        turn = 0
        try:
            while not ended.wait(0.002):
                kept[workspace, turn] = vault.seal(
                    workspace, (str(turn),), f"{workspace} {turn}".encode()
                )
                for earlier in {0, turn // 2, turn}:
                    assert (
                        vault.open(workspace, (str(earlier),), kept[workspace, earlier])
                        == f"{workspace} {earlier}".encode()
                    )
                turn += 1
        except BaseException as fault:  # noqa: BLE001 (whatever it is, the test tells)
            faults.append(fault)

    threads = [
        threading.Thread(target=work, args=(f"w{number % 3}-{number}",)) for number in range(6)
    ]
    for one in threads:
        one.start()
    for turn in range(rotations):
        ring = MasterKey.generate()
        vault.rotate(ring, data_keys=turn % 2 == 0)
    ended.set()
    for one in threads:
        one.join(60)
    assert faults == []
    fresh = Vault(database, ring)
    fresh.verify()
    for (workspace, turn), sealed in list(kept.items())[:: max(1, len(kept) // 200)]:
        assert fresh.open(workspace, (str(turn),), sealed) == f"{workspace} {turn}".encode()


def test_many_processes_make_one_data_key(database_url: str, master: MasterKey) -> None:
    """Vaults that need a workspace's first key at the same time all end with one, and open what the
    others sealed.
    """
    databases = [open_database(database_url) for _ in range(4)]
    vaults = [Vault(databases[number % 4], master) for number in range(8)]
    sealed = at_once(8, lambda number: vaults[number].seal("w", PLACE, SECRET))
    reader = Vault(databases[0], master)
    assert [reader.open("w", PLACE, one) for one in sealed] == [SECRET] * 8
    assert len(keys(databases[0])) == 1
    for database in databases:
        database.close()


def test_a_key_that_was_undone_is_not_used(database: Database, master: MasterKey) -> None:
    """A data key that was made inside a transaction which then failed seals nothing afterwards:
    what is sealed can always be opened.
    """
    vault = Vault(database, master)
    undone = []
    with suppress(ValueError), database.write():
        undone.append(vault.seal("w", PLACE, SECRET))
        assert vault.open("w", PLACE, undone[0]) == SECRET
        raise ValueError
    assert keys(database) == []
    sealed = vault.seal("w", PLACE, SECRET)
    assert Vault(database, master).open("w", PLACE, sealed) == SECRET
    with pytest.raises(SealBroken):
        vault.open("w", PLACE, undone[0])


def test_a_vault_works_inside_every_transaction(database: Database, master: MasterKey) -> None:
    """Sealing and opening inside read and write blocks and recorded units neither waits for itself
    nor loses a key.
    """
    vault = Vault(database, master)
    with database.read():
        first = vault.seal("a", PLACE, SECRET)
    with database.write():
        second = vault.seal("b", PLACE, SECRET)
        assert vault.open("a", PLACE, first) == SECRET
    third = database.record(lambda _: vault.seal("c", PLACE, SECRET))
    fresh = Vault(database, master)
    with database.read():
        opened = [
            fresh.open(name, PLACE, text)
            for name, text in (("a", first), ("b", second), ("c", third))
        ]
    assert opened == [SECRET] * 3


def test_fingerprints_differ_between_workspaces(database: Database, master: MasterKey) -> None:
    """The same text has one fingerprint in a workspace, another in the next, and tells nothing of
    the text.
    """
    vault = Vault(database, master)
    found = [
        vault.hmac("a", SECRET),
        vault.hmac("a", SECRET),
        vault.hmac("b", SECRET),
        vault.hmac("a", SECRET + b"x"),
    ]
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert all(len(text) == 64 and int(text, 16) >= 0 for text in found)


def test_keys_are_looked_up_once(
    database: Database, master: MasterKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealing and opening again asks the database nothing."""
    vault = Vault(database, master)
    sealed = vault.seal("w", PLACE, SECRET)
    assert vault.open("w", PLACE, sealed) == SECRET
    monkeypatch.setattr(Database, "read", None)
    monkeypatch.setattr(Database, "write", None)
    assert vault.open("w", PLACE, vault.seal("w", PLACE, SECRET)) == SECRET
    assert vault.hmac("w", b"x") == vault.hmac("w", b"x")


def test_what_is_kept_is_limited() -> None:
    """A cache keeps what was used last, shows nothing of it, and is not pickled."""
    kept: BoundedCache[str, bytes] = BoundedCache(2)
    for name in ("a", "b"):
        kept.put(name, SECRET)
    assert kept.get("a") == SECRET
    kept.put("c", SECRET)
    assert (kept.get("a"), kept.get("b"), kept.get("c"), len(kept)) == (SECRET, None, SECRET, 2)
    assert repr(kept) == "<BoundedCache 2 of 2>"
    with pytest.raises(TypeError):
        pickle.dumps(kept)
    kept.clear()
    assert kept.get("a") is None


def test_a_vault_shows_and_pickles_no_key(database: Database, master: MasterKey) -> None:
    """The text of a vault and of what it holds has ids only."""
    vault = Vault(database, master)
    vault.seal("w", PLACE, SECRET)
    assert repr(vault) == f"<Vault of {database!r} with <KeyRing {master.id}>>"
    assert all("cipher" not in repr(value) for value in vars(vault).values())
    with pytest.raises(TypeError):
        pickle.dumps(vault)


def test_no_secret_stands_in_the_files(tmp_path: Path, master: MasterKey) -> None:
    """The files of a database with a hundred sealed secrets hold none of them, nor any key, in
    plain or base64.
    """
    secrets = [f"s3cr3t-{number}-{'x' * 20}".encode() for number in range(100)]
    with open_database(f"sqlite:///{tmp_path / 'a.db'}") as database:
        vault = Vault(database, master)
        with database.write() as transaction:
            transaction.change(
                "INSERT INTO connections (workspace, id, name, type, version, public_values, "
                "status, created_at, updated_at)"
                " VALUES ('w', 'id', 'n', 't', 1, '{}', 'ok', 1, 1)"
            )
            for number, secret in enumerate(secrets):
                transaction.change(
                    "INSERT INTO connection_secrets VALUES ('w', 'id', :field, 1, :sealed)",
                    {
                        "field": str(number),
                        "sealed": vault.seal("w", ("connection", "id", str(number), "1"), secret),
                    },
                )
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert content
    for secret in (*secrets, *master._keys.values()):
        assert secret not in content
        assert base64.b64encode(secret).rstrip(b"=")[:-1] not in content
