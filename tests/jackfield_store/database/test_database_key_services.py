"""Data keys wrapped by a key service: asked rarely, never within a write transaction, and not
needed while keys are cached.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_vault.vault_server import Transit, VaultServer

from clocks import StillClock
from jackfield.kernel.errors import JackfieldError
from jackfield_store.database import (
    Database,
    DataKeyDamaged,
    SealBroken,
    WrongMasterKey,
    open_database,
)
from jackfield_store.database.faults import (
    DatabaseUnfit,
    KeyServiceRefused,
    KeyServiceUnavailable,
    RowDamaged,
    UsageFault,
)
from jackfield_store.keys import MasterKey, Vault
from jackfield_store.keys.key_ring import KeyRing, RingPart
from jackfield_store.keys.key_usage import key_usage
from jackfield_store.keys.key_wrappers import KeyService, KeyServices
from jackfield_vault.transit import TransitKey
from together import at_once

PLACE = ("connection", "id", "secretAccessKey", "1")
SECRET = b"wJalrXUtnFEMI/K7MDENG"
DAY = 86_400.0


class Rig:
    """A database, a key service on loopback with the keys ``first``, ``second`` and ``customer``,
    and a clock for all vaults.
    """

    def __init__(self, database: Database, server: VaultServer) -> None:
        self.database, self.server, self.clock = database, server, StillClock()
        self.transit = server.transit = Transit()
        server.status = None
        for name in ("first", "second", "customer"):
            self.transit.make(name)

    def part(self, name: str = "first") -> KeyService:
        """A key of the service."""
        return KeyService(TransitKey(uri(name), self.server.environment()), self.clock)

    def vault(self, *parts: RingPart, database: Database | None = None) -> Vault:
        """The vault of another process."""
        ring = KeyRing(
            parts or (self.part(),), KeyServices(self.server.environment(), self.clock).open
        )
        return Vault(database or self.database, ring, self.clock)

    def wrappers(self) -> dict[str, set[str]]:
        """The wrappers of the data keys, by workspace."""
        with self.database.read() as transaction:
            rows = transaction.execute("SELECT workspace, master_key_id FROM data_keys")
        return {
            row.workspace: {one.master_key_id for one in rows if one.workspace == row.workspace}
            for row in rows
        }

    def change(self, statement: str) -> None:
        """Write to the database as somebody without a key."""
        with self.database.write() as transaction:
            transaction.change(statement)

    def down(self) -> None:
        """Let the service answer nothing but errors."""
        self.server.status = 503

    def up(self) -> None:
        """Let the service answer again."""
        self.server.status = None


def uri(name: str) -> str:
    """The URI of a key."""
    return f"vault-transit://transit/{name}"


@pytest.fixture(scope="module")
def server() -> Iterator[VaultServer]:
    """A key service."""
    with VaultServer() as running:
        yield running


@pytest.fixture
def rig(database: Database, server: VaultServer) -> Rig:
    """A rig on SQLite and on PostgreSQL."""
    return Rig(database, server)


@pytest.fixture
def near(server: VaultServer, tmp_path: Path) -> Iterator[Rig]:
    """A rig on SQLite, for what no database does otherwise."""
    with open_database(f"sqlite:///{tmp_path / 'near.db'}") as database:
        yield Rig(database, server)


def test_a_key_is_unwrapped_once_a_day(near: Rig) -> None:
    """A thousand uses of a workspace's key, by threads that begin at once, cost one request, and
    the next day another one.
    """
    sealed = near.vault().seal("w", PLACE, SECRET)
    vault = near.vault()
    assert at_once(8, lambda _: vault.open("w", PLACE, sealed)) == [SECRET] * 8
    for _ in range(200):
        near.clock.advance(61)
        vault.open("w", PLACE, vault.seal("w", PLACE, SECRET))
        vault.hmac("w", SECRET)
    assert near.transit.asked("decrypt") == 1
    near.clock.advance(DAY)
    assert at_once(8, lambda _: vault.open("w", PLACE, sealed)) == [SECRET] * 8
    assert near.transit.asked("decrypt") == 2


def test_warm_workspaces_do_not_need_the_service(near: Rig) -> None:
    """While the service is down, what is cached is used, two hours beyond its day; then the one
    error names the service.
    """
    vault = near.vault()
    sealed = vault.seal("w", PLACE, SECRET)
    near.down()
    for _ in range(25):
        near.clock.advance(3600)
        assert vault.open("w", PLACE, sealed) == SECRET
        vault.seal("w", PLACE, SECRET)
    near.clock.advance(3600)
    with pytest.raises(
        KeyServiceUnavailable,
        match=r"the key service 'vault-transit://transit/first' cannot be reached: .*sealed",
    ) as caught:
        vault.open("w", PLACE, sealed)
    assert (caught.value.code, caught.value.retryable, vault.trouble) == (
        "unavailable",
        True,
        caught.value.message,
    )
    near.up()
    near.clock.advance(6)
    assert (vault.open("w", PLACE, sealed), vault.trouble) == (SECRET, None)


def test_a_service_that_is_down_is_not_asked_by_all(near: Rig) -> None:
    """After a request failed, others fail at once for five seconds; then one asks again."""
    sealed = {name: near.vault().seal(name, PLACE, SECRET) for name in "abc"}
    near.down()
    vault, before = near.vault(), len(near.server.reads)
    for name in "abc":
        with pytest.raises(KeyServiceUnavailable):
            vault.open(name, PLACE, sealed[name])
    assert len(near.server.reads) - before == 2  # the first one was tried twice
    near.up()
    near.clock.advance(6)
    assert [vault.open(name, PLACE, text) for name, text in sealed.items()] == [SECRET] * 3


def test_no_write_transaction_waits_for_the_service(rig: Rig, database_url: str) -> None:
    """Creating a first key, rotating and creating new keys ask the service while another process
    can write to the database.
    """
    other = open_database(database_url)
    blocked: list[Exception] = []

    def write() -> None:
        with other.write() as transaction:
            transaction.change("UPDATE schema_migrations SET applied_at = applied_at")
            transaction.execute(
                "SELECT key_id FROM data_keys ORDER BY workspace, key_id LIMIT 1"
                + other.dialect.locks
            )

    rig.transit.before = lambda: suppressed(write, blocked)
    vault = rig.vault()
    for name in "abc":
        vault.prepare(name)
        with rig.database.write():
            vault.seal(name, PLACE, SECRET)
    vault.rotate(data_keys=True)
    vault.rotate(rig.part("second"))
    vault.assign("a", uri("customer"))
    assert blocked == []
    assert rig.transit.asked("encrypt") > 10
    other.close()


def suppressed(work: Callable[[], None], faults: list[Exception]) -> None:
    """Do it; keep what it raises."""
    try:
        work()
    except JackfieldError as fault:
        faults.append(fault)


def test_keys_move_from_a_file_to_services(rig: Rig) -> None:
    """Rotation moves all data keys from a file to a service, to another key of it, to a new version
    of that, and back; all still opens.
    """
    master = MasterKey.generate()
    sealed = {name: Vault(rig.database, master).seal(name, PLACE, SECRET) for name in "abc"}
    digest = Vault(rig.database, master).hmac("a", SECRET)
    rings: list[tuple[RingPart, ...]] = [
        (rig.part(), master),
        (rig.part("second"), rig.part()),
        (rig.part("second"),),
    ]
    for ring in rings:
        assert rig.vault(*ring).rotate(data_keys=True).count >= 3
        assert {one for found in rig.wrappers().values() for one in found} == {ring[0].ids[0]}
    rig.transit.make("second")
    rig.vault(rig.part("second")).rotate()
    rig.transit.oldest["second"] = 2
    fresh = rig.vault(rig.part("second"))
    assert {name: fresh.open(name, PLACE, text) for name, text in sealed.items()} == dict.fromkeys(
        "abc", SECRET
    )
    assert fresh.hmac("a", SECRET) == digest
    assert rig.vault(master, rig.part("second")).rotate().count == 12
    assert Vault(rig.database, master).open("a", PLACE, sealed["a"]) == SECRET
    with pytest.raises(WrongMasterKey, match=f"was encrypted with key ID {master.id}"):
        fresh.verify()
    with pytest.raises(WrongMasterKey) as caught:
        rig.vault(rig.part("second"))._keys.ring.having(uri("first"))
    assert "Add 'vault-transit://transit/first' to JACKFIELD_KEY_WRAPPERS" in str(caught.value)


@pytest.mark.parametrize("derived", [False, True])
def test_rows_that_were_exchanged_are_refused(near: Rig, derived: bool) -> None:
    """A wrapped key in the row of another workspace, or in the database of another installation, is
    refused.
    """
    if derived:
        near.transit.make("first", derived=True)
    sealed = {name: near.vault().seal(name, PLACE, SECRET) for name in ("victim", "thief")}
    wrapped = "SELECT wrapped FROM data_keys WHERE workspace = 'victim'"
    near.change(
        f"UPDATE data_keys SET wrapped = ({wrapped}), key_id = (SELECT key_id FROM data_keys "
        "WHERE workspace = 'victim') "
        "WHERE workspace = 'thief'"
    )
    with pytest.raises(DataKeyDamaged, match="of the workspace 'thief'"):
        near.vault().open("thief", PLACE, sealed["victim"])
    assert near.vault().open("victim", PLACE, sealed["victim"]) == SECRET
    near.change("UPDATE installation SET id = 'another'")
    with pytest.raises(DataKeyDamaged, match="of the workspace 'victim'"):
        near.vault().open("victim", PLACE, sealed["victim"])
    assert {workspace for workspace, _ in near.vault().key_faults()} == {"victim", "thief"}


def test_rows_of_another_installation_with_the_same_master_key_are_refused(near: Rig) -> None:
    """The same holds for data keys that a key file wraps."""
    master = MasterKey.generate()
    sealed = Vault(near.database, master).seal("w", PLACE, SECRET)
    near.change("UPDATE installation SET id = 'another'")
    with pytest.raises(DataKeyDamaged):
        Vault(near.database, master).open("w", PLACE, sealed)


def test_forgotten_keys_are_unwrapped_again_everywhere(rig: Rig) -> None:
    """After ``forget``, this process asks the service at once and every other within a minute: a
    withdrawn key ends a workspace.
    """
    here, there = rig.vault(), rig.vault()
    sealed = {name: here.seal(name, PLACE, SECRET) for name in "ab"}
    assert [there.open(name, PLACE, text) for name, text in sealed.items()] == [SECRET] * 2
    rig.transit.denied.add("first")
    assert here.open("a", PLACE, sealed["a"]) == SECRET
    assert here.forget("a") == 1
    with pytest.raises(KeyServiceRefused, match=r"refuses: .*permission denied") as caught:
        here.open("a", PLACE, sealed["a"])
    assert not caught.value.retryable
    rig.clock.advance(61)
    with pytest.raises(KeyServiceRefused):
        there.open("a", PLACE, sealed["a"])
    with pytest.raises(KeyServiceRefused):
        there.seal("a", PLACE, SECRET)
    assert there.open("b", PLACE, sealed["b"]) == SECRET
    rig.transit.denied.clear()
    assert there.open("a", PLACE, sealed["a"]) == SECRET


def test_a_workspace_brings_its_own_key(rig: Rig) -> None:
    """Its data keys are wrapped by its own service, in every process without a setting; if that
    refuses, no other workspace notices.
    """
    master = MasterKey.generate()
    vault, other = rig.vault(master), rig.vault(master)
    sealed = {name: vault.seal(name, PLACE, SECRET) for name in ("acme", "globex")}
    assert vault.assign("acme", uri("customer")) == 1
    assert rig.wrappers() == {
        "acme": {uri("customer")},
        "globex": {master.id},
        "default": {master.id},
    }
    assert [other.open(name, PLACE, text) for name, text in sealed.items()] == [SECRET] * 2
    vault.assign("initech", uri("customer"))  # before it has any data key
    other.seal("initech", PLACE, SECRET)
    assert rig.wrappers()["initech"] == {uri("customer")}
    rig.transit.denied.add("customer")
    with pytest.raises(KeyServiceRefused):
        rig.vault(master).open("acme", PLACE, sealed["acme"])
    new = MasterKey.generate()
    rotated = rig.vault(master).rotate(new, data_keys=True)
    assert (rotated.count, set(rotated.left)) == (2, {"acme", "initech"})
    rig.transit.denied.clear()
    rotated = rig.vault(new).rotate(data_keys=True)
    assert rotated.left == ()
    usage = {row["id"]: row for row in key_usage(rig.database, rig.vault(new))}
    assert usage[uri("customer")]["assignedTo"] == ["acme", "initech"]
    assert (
        usage[uri("customer")]["dataKeys"],
        usage[new.id]["wraps"],
        usage[uri("customer")]["kind"],
    ) == (4, True, "service")
    assert vault.unassign("acme") == 2
    assert rig.vault(new, master).open("acme", PLACE, sealed["acme"]) == SECRET
    assert uri("customer") not in rig.wrappers()["acme"]


def overtaking(vault: Vault, work: Callable[[], object]) -> None:
    """Do something, once, before the vault looks for the wrappers of a workspace next."""
    own, waiting = vault._keys._own, [work]

    def after(workspace: str) -> tuple[str, ...]:
        while waiting:
            waiting.pop()()
        return own(workspace)

    vault._keys._own = after


def test_a_wrapper_is_taken_from_a_workspace_while_its_key_is_unwrapped(rig: Rig) -> None:
    """Who has read the row of a key just before that was wrapped again looks at it once more;
    another wrapper is refused all the same.
    """
    master = MasterKey.generate()
    vault, other = rig.vault(master), rig.vault(master)
    sealed = vault.seal("acme", PLACE, SECRET)
    vault.assign("acme", uri("customer"))
    overtaking(other, lambda: vault.unassign("acme"))
    assert other.open("acme", PLACE, sealed) == SECRET
    rig.change(f"UPDATE data_keys SET master_key_id = '{uri('second')}' WHERE workspace = 'acme'")
    with pytest.raises(WrongMasterKey, match="key ID vault-transit://transit/second"):
        rig.vault(master).open("acme", PLACE, sealed)


def test_wrappers_that_change_while_keys_are_wrapped_again(rig: Rig) -> None:
    """Whoever assigns, unassigns or rotates by what it read before somebody else did: every key
    still opens, and the later one holds.
    """
    master = MasterKey.generate()
    one = rig.vault(master)
    sealed = one.seal("acme", PLACE, SECRET)

    def opens() -> bool:
        return rig.vault(master).open("acme", PLACE, sealed) == SECRET

    one.assign("acme", uri("customer"))
    rotating = rig.vault(master)
    every = rotating._own.all()
    one.unassign("acme")
    rotating._own.all = lambda: every  # type: ignore[method-assign]
    assert (rotating.rotate().count, rig.wrappers()["acme"], opens()) == (0, {master.id}, True)
    one.assign("acme", uri("customer"))
    other = rig.vault(master)
    overtaking(other, lambda: one.unassign("acme"))
    assert (other.unassign("acme"), rig.wrappers()["acme"], opens(), other.assigned()) == (
        0,
        {master.id},
        True,
        {},
    )
    one.assign("acme", uri("customer"))
    checking = rig.vault(master)
    overtaking(checking, lambda: one.unassign("acme"))
    assert [*checking.key_faults()] == []
    first, changing = rig.vault(master), rig.vault(master)
    change = changing._own.change

    def late(workspace: str, before: tuple[str, ...], wrappers: tuple[str, ...]) -> bool:
        changing._own.change = change  # type: ignore[method-assign]
        first.assign("acme", uri("customer"))
        return change(workspace, before, wrappers)

    changing._own.change = late  # type: ignore[method-assign]
    changing.assign("acme", uri("second"))
    assert (rig.wrappers()["acme"], opens(), changing.assigned()) == (
        {uri("second")},
        True,
        {"acme": uri("second")},
    )


def test_new_data_keys_have_the_wrapper_that_their_workspace_has_by_then(rig: Rig) -> None:
    """A wrapper that is taken from a workspace, or given to it, while a rotation makes new data
    keys wraps none of them, or all.
    """
    master = MasterKey.generate()
    one = rig.vault(master)
    sealed = one.seal("acme", PLACE, SECRET)
    for work, wrapper in (
        (lambda: one.assign("acme", uri("customer")), uri("customer")),
        (lambda: one.unassign("acme"), master.id),
    ):
        renewing = rig.vault(master)
        fresh, waiting = renewing._keys.fresh, [work]

        def late(*given: Any, waiting: Any = waiting, fresh: Any = fresh) -> Any:
            while waiting:
                waiting.pop()()
            return fresh(*given)

        renewing._keys.fresh = late  # type: ignore[method-assign, assignment]
        renewing.rotate(data_keys=True)
        assert rig.wrappers()["acme"] == {wrapper}
        assert rig.vault(master).open("acme", PLACE, sealed) == SECRET
        rig.vault(master).seal("acme", PLACE, SECRET)


def test_an_assignment_that_was_cut_off_goes_on(near: Rig) -> None:
    """If the service fails after the assignment was stored, everything still opens, and a rotation
    ends it.
    """
    master = MasterKey.generate()
    vault = near.vault(master)
    sealed = vault.seal("acme", PLACE, SECRET)
    count = 0

    def fail() -> None:
        nonlocal count
        count += 1
        near.server.status = 503 if count >= 2 else None

    near.transit.before = fail
    with pytest.raises(KeyServiceUnavailable):
        vault.assign("acme", uri("customer"))
    near.transit.before = lambda: None
    near.up()
    near.clock.advance(6)
    assert near.vault(master).open("acme", PLACE, sealed) == SECRET
    assert near.vault(master).rotate().left == ()
    assert near.wrappers()["acme"] == {uri("customer")}
    assert near.vault(master).open("acme", PLACE, sealed) == SECRET


def test_who_writes_the_database_cannot_bring_a_key(near: Rig) -> None:
    """A data key that somebody wrapped by a service of their own is refused, with an assignment
    that they wrote, copied or changed, too.
    """
    vault = near.vault(MasterKey.generate())
    sealed = vault.seal("acme", PLACE, SECRET)
    vault.assign("globex", uri("customer"))
    near.change(f"UPDATE data_keys SET master_key_id = '{uri('second')}' WHERE workspace = 'acme'")
    master = vault.ring.parts[0]
    with pytest.raises(WrongMasterKey):
        near.vault(master).open("acme", PLACE, sealed)
    near.change(
        "INSERT INTO workspace_wrappers (workspace, wrappers, seal) SELECT 'acme', wrappers, "
        "seal FROM workspace_wrappers"
    )
    for text in (uri("customer"), uri("second"), ""):
        near.change(f"UPDATE workspace_wrappers SET wrappers = '{text}' WHERE workspace = 'acme'")
        with pytest.raises(RowDamaged, match="of the workspace 'acme' were changed"):
            near.vault(master).open("acme", PLACE, sealed)


def test_what_cannot_be_assigned(near: Rig) -> None:
    """A service that refuses, is none or is not installed changes nothing, and the workspace
    ``default`` cannot have one.
    """
    vault = near.vault(MasterKey.generate())
    before = vault.seal("acme", PLACE, SECRET)
    near.transit.denied.add("second")
    for name, error in (
        (uri("second"), KeyServiceRefused),
        ("file:", DatabaseUnfit),
        ("gcp-kms://x", DatabaseUnfit),
    ):
        with pytest.raises(error):
            vault.assign("acme", name)
    for wrong in ("vault-transit://", "vault-transit://transit", "vault-transit://a/../b"):
        with pytest.raises(DatabaseUnfit, match="must be vault-transit://MOUNT/KEY"):
            vault.assign("acme", wrong)
    with pytest.raises(UsageFault, match="'default' cannot have"):
        vault.assign("default", uri("customer"))
    assert vault.open("acme", PLACE, before) == SECRET
    assert vault.assigned() == {}


def test_services_can_be_asked(near: Rig) -> None:
    """Each service of the installation and of a workspace says what is wrong with it."""
    vault = near.vault(near.part(), MasterKey.generate())
    vault.assign("acme", uri("customer"))
    assert vault.ask_services() == {uri("first"): None, uri("customer"): None}
    near.transit.denied.add("customer")
    found = vault.ask_services()
    assert found[uri("first")] is None
    assert isinstance(found[uri("customer")], KeyServiceRefused)


def test_a_key_that_was_rolled_back_is_not_used(near: Rig) -> None:
    """A key that the service wrapped inside a transaction that failed seals nothing afterwards."""
    vault, undone = near.vault(), []
    with suppress(ValueError), near.database.write():
        undone.append(vault.seal("w", PLACE, SECRET))
        raise ValueError
    sealed = vault.seal("w", PLACE, SECRET)
    assert near.vault().open("w", PLACE, sealed) == SECRET
    with pytest.raises(SealBroken):
        vault.open("w", PLACE, undone[0])


def test_rotation_to_services_while_calls_go_on(rig: Rig) -> None:
    """Threads that seal and open while the keys move between a file, two keys of a service and a
    workspace's own see no failure.
    """
    master = MasterKey.generate()
    services: list[RingPart] = [rig.part(), rig.part("second")]
    vault = rig.vault(master, *services)
    ended = threading.Event()

    def work(workspace: str) -> int:
        turns = 0
        while not ended.wait(0.002):
            sealed = vault.seal(workspace, PLACE, SECRET)
            assert vault.open(workspace, PLACE, sealed) == SECRET
            turns += 1
        return turns

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(work, f"w{number}") for number in range(4)]
        try:
            for turn, first in enumerate((*services, master, *services)):
                rig.clock.advance(DAY if turn % 2 else 61)
                vault.rotate(first, data_keys=turn % 2 == 0)
                vault.assign("w1", uri("customer"))
                vault.forget()
                vault.unassign("w1")
        finally:
            ended.set()
        assert all(one.result(60) for one in running)
    assert {one for found in rig.wrappers().values() for one in found} == {uri("second")}


@pytest.mark.parametrize("seconds", ["0", "x", "-1", "1e9", "100"])
def test_a_timeout_that_is_none(near: Rig, seconds: str) -> None:
    """JACKFIELD_KEY_SERVICE_SECONDS with another value is refused by name."""
    with pytest.raises(DatabaseUnfit, match="JACKFIELD_KEY_SERVICE_SECONDS is"):
        KeyServices(near.server.environment(JACKFIELD_KEY_SERVICE_SECONDS=seconds)).open(
            uri("first")
        )
