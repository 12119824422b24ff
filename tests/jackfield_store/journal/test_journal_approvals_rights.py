"""A call that waits for a person is cancelled once its caller has lost the right to it, with what
was lost.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.jackfield_store.journal.approving import BOB, asked, runtime, status_of, worked

from fake_aws import FakeAws
from jackfield.callers import Caller, Scope
from jackfield.callers.roles import made_grant
from jackfield.kernel.clock import SystemClock
from jackfield_store.access import Tokens
from jackfield_store.access.sign_ins import Person, SignIns
from jackfield_store.management.roles import Roles
from jackfield_store.recording.decisions import ApprovalClosed, WaitingCalls
from jackfield_store.runtime import Jackfield

_ISSUER = "https://id.example"
_ADA = Caller(f"{_ISSUER}#ada", "invoke", remote=True, person=(_ISSUER, "ada", ("support",)))
_SUPPORT, _ANOTHER = (
    made_grant("operator", "default", group="support"),
    made_grant("viewer", "default", group="support"),
)


def _approvals(jackfield: Jackfield) -> WaitingCalls:
    return jackfield.approvals_of(Caller("cli:bob", audience="operator"), BOB)


def _roles(jackfield: Jackfield) -> Roles:
    return Roles(jackfield.storage, SystemClock(), BOB)


def _take(jackfield: Jackfield) -> None:
    _roles(jackfield).remove(_SUPPORT)


def _lower(jackfield: Jackfield) -> None:
    _roles(jackfield).add(_ANOTHER)
    _roles(jackfield).remove(_SUPPORT)


def _leave_the_group(jackfield: Jackfield) -> None:
    sign_ins = SignIns(jackfield.storage.database, jackfield.storage.vault, SystemClock())
    sign_ins.begin(Person(_ISSUER, "ada", "Ada", ("others",), "s", "n", "", SystemClock().time()))


LOSSES: dict[str, tuple[Callable[[Jackfield], None], str]] = {
    "role taken": (_take, "the person has no role in this workspace any more"),
    "role lowered": (_lower, "scope"),
    "group left": (_leave_the_group, "the person has no role in this workspace any more"),
}


@pytest.mark.parametrize("approved_first", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_role_cancels_what_waits(
    upgraded: str, aws: FakeAws, loss: str, *, approved_first: bool
) -> None:
    """Whether it was approved already or not; nothing is sent."""
    lose, reason = LOSSES[loss]
    with runtime(upgraded, aws) as jackfield:
        _roles(jackfield).add(_SUPPORT)
        identifier = asked(jackfield, caller=_ADA).meta.invocation_id
        approvals = _approvals(jackfield)
        if approved_first:
            approvals.approve(identifier)
            lose(jackfield)
            (result,) = worked(jackfield)
            assert result.error is not None
            assert (result.error.code, reason in result.error.message) == ("cancelled", True)
        else:
            lose(jackfield)
            with pytest.raises(ApprovalClosed, match=reason):
                approvals.approve(identifier)
        assert (status_of(jackfield, identifier), worked(jackfield), aws.messages) == (
            ("failed", "cancelled"),
            [],
            [],
        )


@pytest.mark.parametrize("read", ["list", "show"])
@pytest.mark.parametrize("who", ["token", "person"])
def test_who_looks_finds_it_cancelled(upgraded: str, aws: FakeAws, who: str, read: str) -> None:
    """A call under a revoked token, or of a person without a role, waits for nobody any more."""
    with runtime(upgraded, aws) as jackfield:
        tokens = Tokens(
            jackfield.storage.database, jackfield.storage.vault, "default", SystemClock(), BOB
        )
        token = tokens.create("invoke", "agent").token
        _roles(jackfield).add(_SUPPORT)
        caller = (
            _ADA
            if who == "person"
            else Caller(token.id, token.scope, token.rules, remote=True, token=token.id)
        )
        identifier = asked(jackfield, caller=caller).meta.invocation_id
        approvals = _approvals(jackfield)
        assert approvals.show(identifier)["status"] == "waiting"
        if who == "token":
            tokens.revoke(token.id)
        else:
            _take(jackfield)
        found = approvals.list()[0][0] if read == "list" else approvals.show(identifier)
        reason = "the token was revoked" if who == "token" else LOSSES["role taken"][1]
        assert (found["status"], found["why"].startswith(reason)) == ("cancelled", True)
        assert (status_of(jackfield, identifier), worked(jackfield)) == (
            ("failed", "cancelled"),
            [],
        )


@pytest.mark.parametrize("scope", ["invoke", "manage"])
def test_who_keeps_the_role_goes_on(upgraded: str, aws: FakeAws, scope: Scope) -> None:
    """Signed out or not, and whatever scope the person had; a role by name needs no group."""
    with runtime(upgraded, aws) as jackfield:
        _roles(jackfield).add(made_grant("operator", "default", issuer=_ISSUER, subject="ada"))
        caller = Caller(_ADA.name, scope, remote=True, person=(_ISSUER, "ada", ()))
        identifier = asked(jackfield, caller=caller).meta.invocation_id
        _approvals(jackfield).approve(identifier)
        assert [result.status for result in worked(jackfield)] == ["succeeded"]
