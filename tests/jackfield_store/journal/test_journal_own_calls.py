"""Four eyes: nobody approves what he has asked for himself, however he goes round it."""

from __future__ import annotations

import pwd
from collections.abc import Callable
from typing import Any

import pytest
from tests.jackfield_store.journal.approving import asked, runtime

from fake_aws import FakeAws
from jackfield.callers import LIBRARY, Caller
from jackfield.callers.actor import Actor
from jackfield.cli.session import caller
from jackfield.invocation import Enqueued
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import NotAllowed
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions
from jackfield_service.subjects.triggers.table import SubscriptionTable
from jackfield_store.access import Tokens
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.access.token_seals import SET_SEAL, token_seal
from jackfield_store.access.tokens import Token
from jackfield_store.recording.own_calls import asker_keys
from jackfield_store.runtime import Jackfield
from nursery import mail

ADA, BOB, LINK = Actor("cli", "ada"), Actor("cli", "bob"), Actor("link", "console", "one-time link")
SUDO = Actor("cli", "root", "ada")


def order(subject: str) -> dict[str, Any]:
    """What runs by itself."""
    return {name: value for name, value in mail(subject).items() if name != "idempotencyKey"}


def made(jackfield: Jackfield, creator: Actor, scope: str = "invoke", name: str = "agent") -> Token:
    """A token by that creator."""
    tokens = Tokens(
        jackfield.storage.database,
        jackfield.storage.vault,
        "default",
        SystemClock(),
        creator,
        grants=True,
    )
    return tokens.create(scope, name).token


def holder(token: Token) -> Caller:
    """Who calls with a token."""
    return Caller(token.id, token.scope, token.rules, remote=True, token=token.id)


def run(schedules: WorkspaceSchedules) -> str:
    """A call of the schedule by hand."""
    found = schedules.run("nightly")
    return found if isinstance(found, str) else found.meta.invocation_id


def refusal(
    jackfield: Jackfield, identifier: str, actor: Actor, caller: Caller | None = None
) -> str:
    """Why an actor may not approve a call; empty if he may."""
    approvals = jackfield.approvals_of(caller or Caller(actor.key, audience="operator"), actor)
    found = approvals.own_reason(identifier)
    if found is not None:
        with pytest.raises(NotAllowed, match=r"nobody approves his own call|not known any more"):
            approvals.approve(identifier)
    return found or ""


@pytest.mark.parametrize(
    ("creator", "approver", "is_own"),
    [
        (ADA, ADA, True),
        (ADA, BOB, False),
        (LINK, LINK, True),
        (LINK, ADA, True),
        (ADA, LINK, True),
        (SUDO, ADA, True),
        (ADA, SUDO, True),
        (SUDO, BOB, False),
        (Actor("library"), Actor("library"), True),
        (Actor("library"), BOB, False),
        (Actor("user", "https://id.example#eve", "Eve"), Actor("user", "eve"), True),
        (Actor("user", "https://id.example#eve", "Eve"), LINK, False),
    ],
)
def test_who_creates_a_token_has_asked_for_what_it_asks(
    upgraded: str, aws: FakeAws, creator: Actor, approver: Actor, *, is_own: bool
) -> None:
    """The operator, too, by account, ``sudo`` and one-time link, whose holder may be any account; a
    token between hides nothing.
    """
    with runtime(upgraded, aws) as jackfield:
        first = made(jackfield, creator, "manage")
        second = made(jackfield, Actor("token", first.id))
        for token in (first, second):
            waits = asked(jackfield, holder(token), idempotencyKey=token.id).meta.invocation_id
            caller = Caller("x", "approve", remote=True) if approver.kind == "user" else None
            found = refusal(jackfield, waits, approver, caller)
            assert ("you have created the token that asked for it" in found) == is_own
            assert (found == "") != is_own


def test_a_platform_between_hides_nothing(upgraded: str, aws: FakeAws) -> None:
    """Who has created a platform's token has created those that it creates; a platform of before
    that was recorded is any operator's.
    """
    with runtime(upgraded, aws) as jackfield:
        storage = jackfield.storage
        platform = (
            PlatformTokens(storage.database, storage.vault, SystemClock(), ADA)
            .create("acme-*", "shop")
            .token
        )
        waits = asked(
            jackfield, holder(made(jackfield, Actor("platform", platform.id)))
        ).meta.invocation_id
        assert [bool(refusal(jackfield, waits, actor)) for actor in (ADA, LINK, BOB)] == [
            True,
            True,
            False,
        ]
        with storage.database.write() as transaction:
            transaction.change("UPDATE platform_tokens SET created_by = 'cli:eve'", {})
        assert "not known any more" in refusal(jackfield, waits, ADA)


def test_a_token_of_before_is_any_operators(upgraded: str, aws: FakeAws) -> None:
    """Nobody knows which one of them has created it; a token of the scope ``approve`` decides."""
    with runtime(upgraded, aws) as jackfield:
        storage, old = jackfield.storage, made(jackfield, ADA)
        with storage.database.write() as transaction:
            transaction.change("UPDATE tokens SET created_by = NULL WHERE id = :id", {"id": old.id})
            row = transaction.find("SELECT * FROM tokens WHERE id = :id", {"id": old.id})
            transaction.change(
                SET_SEAL,
                {
                    "workspace": "default",
                    "id": old.id,
                    "seal": token_seal(storage.vault, "default", old.id, row),
                },
            )
        waits = asked(jackfield, holder(old)).meta.invocation_id
        assert all(refusal(jackfield, waits, actor) for actor in (ADA, BOB, LINK, Actor("library")))
        approver = made(jackfield, BOB, "approve")
        assert refusal(jackfield, waits, Actor("token", approver.id), holder(approver)) == ""


def test_what_a_link_asks_no_account_approves(upgraded: str, aws: FakeAws) -> None:
    """Its holder read it on a terminal of the server, and may be any of them; what an account asks,
    the link does not approve.
    """
    with runtime(upgraded, aws) as jackfield:
        by_link = asked(
            jackfield,
            Caller("console", "manage", remote=True, audience="operator"),
            idempotencyKey="l",
        ).meta.invocation_id
        by_ada = asked(
            jackfield, Caller("cli:ada", audience="operator"), idempotencyKey="a"
        ).meta.invocation_id
        by_root = asked(
            jackfield,
            Caller("cli:root", audience="operator", authors=("cli:ada",)),
            idempotencyKey="r",
        ).meta.invocation_id
        assert all(refusal(jackfield, by_link, actor) for actor in (LINK, ADA, BOB))
        assert [bool(refusal(jackfield, by_ada, actor)) for actor in (LINK, ADA, SUDO, BOB)] == [
            True,
            True,
            True,
            False,
        ]
        assert [bool(refusal(jackfield, by_root, actor)) for actor in (LINK, ADA, SUDO, BOB)] == [
            True,
            True,
            True,
            False,
        ]


EVE, MALLORY = Actor("cli", "eve"), Actor("cli", "root", "mallory")


@pytest.fixture(name="as_ada")
def _as_ada(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account of this process is Ada's."""
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(
        pwd, "getpwuid", lambda number: pwd.struct_passwd(("ada", "", number, 0, "", "/", ""))
    )


def by_library(jackfield: Jackfield) -> str:
    """A call of a program."""
    return asked(jackfield).meta.invocation_id


def queued_by_library(jackfield: Jackfield) -> str:
    """One that a program queues with others."""
    (found,) = jackfield.enqueue_many([mail("order-1")])
    assert isinstance(found, Enqueued)
    return found.invocation_id


def by_command(jackfield: Jackfield) -> str:
    """A call of ``jackfield invoke``."""
    return asked(jackfield, caller()).meta.invocation_id


def by_stdio(jackfield: Jackfield) -> str:
    """A call over MCP by a program that the account has started."""
    return asked(jackfield, replace(caller(), audience="mcp", session="01a1")).meta.invocation_id


def by_schedule(jackfield: Jackfield) -> str:
    """A call of a schedule that a program has added."""
    schedules = WorkspaceSchedules(jackfield, LIBRARY, Actor("library"))
    schedules.add({"name": "nightly", "every": "24h", "invocation": order("order-1")})
    return run(schedules)


def by_changed_schedule(jackfield: Jackfield) -> str:
    """A call of a schedule whose times a program of the account has changed since somebody else
    wrote it.
    """
    WorkspaceSchedules(jackfield, Caller("cli:eve", audience="operator"), EVE).add(
        {"name": "nightly", "every": "24h", "invocation": order("order-1")}
    )
    WorkspaceSchedules(jackfield, LIBRARY, Actor("library")).change("nightly", {"every": "12h"})
    return run(WorkspaceSchedules(jackfield, Caller("cli:eve", audience="operator"), EVE))


def by_token(jackfield: Jackfield) -> str:
    """A call by a token that a program has created."""
    return asked(jackfield, holder(made(jackfield, Actor("library")))).meta.invocation_id


def by_platform(jackfield: Jackfield) -> str:
    """A call by a token of a platform whose own token a program has created."""
    storage = jackfield.storage
    platform = (
        PlatformTokens(storage.database, storage.vault, SystemClock())
        .create("acme-*", "shop")
        .token
    )
    return asked(
        jackfield, holder(made(jackfield, Actor("platform", platform.id)))
    ).meta.invocation_id


@pytest.mark.usefixtures("as_ada")
@pytest.mark.parametrize(
    "surface",
    [
        by_library,
        queued_by_library,
        by_command,
        by_stdio,
        by_schedule,
        by_changed_schedule,
        by_token,
        by_platform,
    ],
)
def test_no_surface_lets_an_account_approve_what_it_asks(
    upgraded: str, aws: FakeAws, surface: Callable[[Jackfield], str]
) -> None:
    """Neither on the command line, nor by ``sudo``, nor by a program, nor by the one-time link;
    another account does, and a token.
    """
    with runtime(upgraded, aws) as jackfield:
        identifier = surface(jackfield)
        mine = [ADA, SUDO, Actor("library"), LINK]
        assert all(refusal(jackfield, identifier, actor) for actor in mine)
        assert [refusal(jackfield, identifier, actor) for actor in (BOB, MALLORY)] == ["", ""]
        approver = made(jackfield, BOB, "approve", "Bob")
        assert refusal(jackfield, identifier, Actor("token", approver.id), holder(approver)) == ""
        assert jackfield.approvals_of(LIBRARY, BOB).approve(identifier)["status"] == "approved"


@pytest.mark.usefixtures("as_ada")
def test_an_approval_says_how_it_was_asked_for(upgraded: str, aws: FakeAws) -> None:
    """With the account, where nobody has signed in; who decides reads it."""
    surfaces = {
        by_library: "asked by a program on this machine (user ada)",
        by_command: "asked by ada on this machine",
        by_stdio: "asked over MCP on this machine by ada",
        by_token: None,
    }
    with runtime(upgraded, aws) as jackfield:
        for surface, how in surfaces.items():
            identifier = surface(jackfield)
            for found in (jackfield.approvals.show(identifier), jackfield.approvals.list()[0][0]):
                assert found["requestedBy"].get("how") == how
            jackfield.approvals.decline(identifier)


def test_what_a_schedule_runs_is_its_authors(upgraded: str, aws: FakeAws) -> None:
    """Who has written it may not approve it, though somebody else has changed its times, resumed it
    or run it by hand since.
    """
    with runtime(upgraded, aws) as jackfield:
        eve, ada = (Caller(name, "manage", remote=True) for name in ("eve", "ada"))
        schedules = {
            caller.name: WorkspaceSchedules(jackfield, caller, Actor("user", caller.name or ""))
            for caller in (eve, ada)
        }
        schedules["eve"].add({"name": "nightly", "every": "24h", "invocation": order("order-1")})
        approver = Caller("eve", "manage approve", remote=True)
        assert "written what starts it" in refusal(
            jackfield, run(schedules["ada"]), Actor("user", "eve"), approver
        )
        schedules["ada"].change("nightly", {"every": "12h"})
        identifier = run(WorkspaceSchedules(jackfield, LIBRARY, Actor("library")))
        for name in ("eve", "ada"):
            assert refusal(
                jackfield,
                identifier,
                Actor("user", name),
                Caller(name, "manage approve", remote=True),
            )
        assert refusal(jackfield, identifier, BOB) == ""
        schedules["ada"].change("nightly", {"invocation": order("order-2")})
        assert refusal(jackfield, run(schedules["ada"]), Actor("user", "eve"), approver) == ""


def test_what_a_subscription_starts_is_its_authors(upgraded: str, aws: FakeAws) -> None:
    """By whichever token he has added it, and though somebody else has changed its inputs since:
    only a new ``then`` is another's.
    """
    with runtime(upgraded, aws) as jackfield:
        eve, ada = (Caller(name, "manage", remote=True) for name in ("eve", "ada"))
        by = {
            caller.name: WorkspaceSubscriptions(jackfield, caller, Actor("user", caller.name or ""))
            for caller in (eve, ada)
        }
        then = order("order-1")
        by["eve"].add(
            {
                "name": "orders",
                "trigger": "http/webhook",
                "inputs": {"signature": "secretPath"},
                "then": then,
            }
        )
        by["ada"].change("orders", {"inputs": {"signature": "secretPath"}})

        def askers() -> set[str]:
            found = SubscriptionTable(
                jackfield.storage.database, jackfield.storage.vault, "default", SystemClock()
            ).find("orders")
            return {*asker_keys(found.opened(jackfield.storage.vault).caller)}

        assert askers() == {"user:eve", "user:ada"}
        by["ada"].change(
            "orders", {"then": {**then, "inputs": {**then["inputs"], "subject": "Anew"}}}
        )
        assert askers() == {"user:ada"}
