"""Leased sessions: one AssumeRole however many wait, renewed ahead of expiry, never shared (issue
2; contract §4).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield, Result
from rig import ARN, EXTERNAL_ID, KEY_ID, SECRET, Rig, role_values
from together import at_once

SEND, LIST, STS = "sesv2:SendEmail", "ses:ListIdentities", "sts:AssumeRole"
HOUR = 3600.0
AHEAD = 300.0
"""Seconds before its expiry at which a session of an hour is renewed
(connections/connection_cache.py).
"""
DENIED = {
    "do": "status",
    "status": 403,
    "code": "AccessDenied",
    "message": "no longer",
    "operation": STS,
}


def test_fifty_threads_assume_the_role_once(tmp_path: Path) -> None:
    """50 first sends at the same time: one AssumeRole, 50 messages."""
    with Rig(tmp_path, latency=0.02) as rig:
        results = at_once(50, lambda _: rig.send())
        assert Counter(result.status for result in results) == {"succeeded": 50}
        assert (rig.aws.counts[STS], rig.aws.accepted) == (1, 50)
        assert len({message.access_key_id for message in rig.aws.messages}) == 1


def test_fifty_tasks_assume_the_role_once(tmp_path: Path) -> None:
    """50 tasks of one event loop too."""
    with Rig(tmp_path, latency=0.02) as rig:

        async def run() -> list[Result]:
            return await asyncio.gather(*(rig.jackfield.ainvoke(rig.mail()) for _ in range(50)))

        results = asyncio.run(run())
        assert {result.status for result in results} == {"succeeded"}
        assert (rig.aws.counts[STS], rig.aws.accepted) == (1, 50)


@pytest.mark.parametrize("sends", [150, pytest.param(1000, marks=pytest.mark.campaign)])
def test_a_thousand_sends_open_fifty_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sends: int
) -> None:
    """1,000 sends (150 for each commit) from 50 threads: one AssumeRole, and at most 50 connections
    at a time besides STS's.
    """
    # a quota not read in time costs its connection
    monkeypatch.setattr("jackfield.pacing.turn._READ_WITHIN", 600.0)
    quota = {"max24HourSend": -1, "maxSendRate": 100_000}  # so that nothing is paced
    with Rig(tmp_path, quota=quota) as rig, ThreadPoolExecutor(50) as pool:
        # no deadline is the subject
        results = list(pool.map(lambda _number: rig.send(600), range(sends)))
        assert [result.error for result in results if result.status != "succeeded"] == []
        assert (rig.aws.counts[STS], rig.aws.accepted) == (1, sends)
        assert rig.aws.connections <= 51 + rig.aws.counts["sesv2:GetAccount"]


def test_fifty_threads_share_a_slow_recovery(tmp_path: Path) -> None:
    """An STS that fails first: those who wait do not storm it, and all messages go out."""
    with Rig(
        tmp_path,
        latency=0.02,
        script=[{"do": "status", "status": 503, "operation": STS, "times": 2}],
    ) as rig:
        results = at_once(50, lambda _: rig.send())
        assert {result.status for result in results} == {"succeeded"}
        assert rig.aws.accepted == 50
        assert rig.aws.counts[STS] <= 10


def test_fifty_threads_share_a_refusal(tmp_path: Path) -> None:
    """A role that may not be assumed is a refusal for all who wait."""
    with Rig(tmp_path, latency=0.05, values=role_values(externalId="wrong-4711")) as rig:
        results = at_once(50, lambda _: rig.send())
        assert {result.to_json()["error"]["code"] for result in results} == {"unauthenticated"}
        assert rig.aws.accepted == 0


def test_sessions_are_renewed_ahead_of_expiry(tmp_path: Path) -> None:
    """A session of an hour serves until five minutes before its end; then a new one is assumed, and
    no send fails.
    """
    with Rig(tmp_path) as rig:
        rig.send()
        rig.clock.advance(HOUR - AHEAD - 30)
        assert rig.send().meta.attempts == 1
        assert rig.aws.counts[STS] == 1
        rig.clock.advance(60)
        assert rig.send().meta.attempts == 1
        assert rig.aws.counts[STS] == 2
        assert len({message.access_key_id for message in rig.aws.messages}) == 2


def test_short_sessions_are_renewed_in_their_last_quarter(tmp_path: Path) -> None:
    """A session of 15 minutes serves for eleven at least."""
    with Rig(tmp_path, values=role_values(durationSeconds=900)) as rig:
        rig.send()
        rig.clock.advance(660)
        rig.send()
        assert rig.aws.counts[STS] == 1
        rig.clock.advance(60)
        rig.send()
        assert rig.aws.counts[STS] == 2


def test_threads_renew_once(tmp_path: Path) -> None:
    """20 sends at the moment of renewal: one AssumeRole more."""
    with Rig(tmp_path, latency=0.02) as rig:
        rig.send()
        rig.clock.advance(HOUR - AHEAD + 60)
        results = at_once(20, lambda _: rig.send())
        assert {(result.status, result.meta.attempts) for result in results} == {("succeeded", 1)}
        assert rig.aws.counts[STS] == 2


@pytest.mark.parametrize(
    "fault",
    [DENIED, {"do": "reset", "operation": STS}, {"do": "status", "status": 500, "operation": STS}],
)
def test_a_failed_renewal_serves_the_old_session(fault: dict[str, Any], tmp_path: Path) -> None:
    """While the old session is valid a failed renewal fails no send, and STS is asked again only
    after a while.
    """
    with Rig(tmp_path) as rig:
        rig.send()
        rig.aws.script([{**fault, "always": True}])
        rig.clock.advance(HOUR - AHEAD + 60)
        assert [rig.send().status for _ in range(3)] == ["succeeded"] * 3
        assert rig.aws.counts[STS] == 2
        rig.clock.advance(60)
        assert rig.send().status == "succeeded"
        assert rig.aws.counts[STS] == 3
        rig.clock.advance(AHEAD)
        assert rig.send().status == "failed"
        assert rig.aws.accepted == 5


def test_a_renewal_that_recovers_is_used(tmp_path: Path) -> None:
    """Once STS works again the new session serves."""
    with Rig(tmp_path) as rig:
        rig.send()
        rig.aws.script([DENIED])
        rig.clock.advance(HOUR - AHEAD + 60)
        rig.send()
        rig.clock.advance(60)
        rig.send()
        assert rig.aws.counts[STS] == 3
        assert [
            message.access_key_id == rig.aws.messages[0].access_key_id
            for message in rig.aws.messages
        ] == [True, True, False]


def test_an_expired_session_is_replaced_before_it_is_used(tmp_path: Path) -> None:
    """After a long silence the role is assumed anew; AWS never sees the old session."""
    with Rig(tmp_path) as rig:
        rig.send()
        rig.clock.advance(5 * HOUR)
        assert rig.send().meta.attempts == 1
        assert rig.aws.calls() == [STS, SEND, STS, SEND]


def test_expiry_between_pages_fails_no_page(tmp_path: Path) -> None:
    """A session that AWS ends in the middle of a list: one more AssumeRole, and the whole list."""
    names = [f"user{number:04}@example.com" for number in range(500)]
    with Rig(tmp_path, identities=names, session_calls=3) as rig:
        result = rig.list(fetchAll=True, pageSize=100)
        assert result.unwrap() == {"Identities": names}
        assert rig.aws.calls() == [STS, *[LIST] * 4, STS, LIST, LIST]


def test_renewal_between_pages(tmp_path: Path) -> None:
    """A session whose last minutes come in the middle of a long list is renewed without a failed
    page.
    """
    names = [f"user{number:04}@example.com" for number in range(500)]
    with Rig(tmp_path, identities=names) as rig:
        rig.list()
        rig.clock.advance(HOUR - AHEAD - 2.5)
        result = rig.list(fetchAll=True, pageSize=100)
        assert result.unwrap() == {"Identities": names}
        assert (rig.aws.counts[STS], result.meta.attempts) == (2, 1)


def test_fifty_threads_with_an_ended_session_renew_it_once(tmp_path: Path) -> None:
    """When AWS ends a session, all who used it resend once, and share one new session."""
    with Rig(tmp_path, latency=0.01) as rig:
        rig.send()
        rig.aws.expire_sessions()
        results = at_once(20, lambda _: rig.send())
        assert {result.status for result in results} == {"succeeded"}
        assert (rig.aws.counts[STS], rig.aws.accepted) == (2, 21)


def test_connections_of_one_role_share_nothing(tmp_path: Path) -> None:
    """Two connections of one workspace with the same role and other External IDs have sessions of
    their own.
    """
    with Rig(tmp_path, roles={ARN: {}}) as rig:
        connections = {
            name: {"type": "aws-ses/awsAssumeRole", "values": role_values(externalId=external)}
            for name, external in (("one", "tenant-1"), ("two", "tenant-2"))
        }
        with Jackfield(connections=[{"connections": connections}], clock=rig.clock) as jackfield:
            for name in ("one", "two", "one", "two"):
                assert jackfield.invoke({**rig.mail(), "connection": name}).status == "succeeded"
        assert rig.aws.counts[STS] == 2
        assert [session.external_id for session in rig.aws.sessions] == ["tenant-1", "tenant-2"]
        keys = [message.access_key_id for message in rig.aws.messages]
        assert keys == [session.access_key_id for session in rig.aws.sessions] * 2


def test_workspaces_share_nothing(tmp_path: Path) -> None:
    """Two workspaces with connections of the same name and role: the one without the right External
    ID gets no session of the other.
    """
    with Rig(tmp_path) as rig:
        right, wrong = (
            [
                {
                    "connections": {
                        "acme": {
                            "type": "aws-ses/awsAssumeRole",
                            "values": role_values(externalId=external),
                        }
                    }
                }
            ]
            for external in (EXTERNAL_ID, "other-4711")
        )
        with (
            Jackfield("one", right, clock=rig.clock) as one,
            Jackfield("two", wrong, clock=rig.clock) as two,
        ):
            assert one.invoke(rig.mail()).status == "succeeded"
            assert two.invoke(rig.mail()).to_json()["error"]["code"] == "unauthenticated"
            assert one.invoke(rig.mail()).status == "succeeded"
        assert rig.aws.counts[STS] == 2
        assert [message.session_name for message in rig.aws.messages] == ["jackfield-one-acme"] * 2


def test_workspaces_with_equal_connections_share_nothing(tmp_path: Path) -> None:
    """Even equal connections of two workspaces have sessions of their own."""
    with Rig(tmp_path) as rig:
        equal = [
            {"connections": {"acme": {"type": "aws-ses/awsAssumeRole", "values": role_values()}}}
        ]
        with (
            Jackfield("one", equal, clock=rig.clock) as one,
            Jackfield("two", equal, clock=rig.clock) as two,
        ):
            for jackfield in (one, two, one, two):
                assert jackfield.invoke(rig.mail()).status == "succeeded"
        assert rig.aws.counts[STS] == 2
        assert [message.session_name for message in rig.aws.messages] == [
            "jackfield-one-acme",
            "jackfield-two-acme",
        ] * 2


def test_inline_connections_are_told_apart_by_all_their_values(tmp_path: Path) -> None:
    """Inline values that are equal share a session in this process; any other value makes another
    one.
    """
    with Rig(tmp_path, roles={ARN: {}}) as rig:

        def send(**values: Any) -> str:
            return rig.jackfield.invoke(
                {
                    **rig.mail(),
                    "connection": {"type": "awsAssumeRole", "values": role_values(**values)},
                }
            ).status

        assert [
            send(),
            send(),
            send(externalId="other-4711"),
            send(durationSeconds=900),
            send(),
        ] == ["succeeded"] * 5
        assert rig.aws.counts[STS] == 3


def test_a_changed_secret_ends_the_session(tmp_path: Path) -> None:
    """A connection whose secret has changed (it stands behind a reference) does not go on with the
    old session.
    """
    secret = tmp_path / "acme.secret"
    secret.write_text(SECRET, encoding="utf-8")
    with Rig(
        tmp_path,
        values=role_values(secretAccessKey={"$file": "acme.secret"}),
        verify_signatures=True,
    ) as rig:
        assert rig.send().status == "succeeded"
        secret.write_text("changed", encoding="utf-8")
        assert rig.send().to_json()["error"]["code"] == "unauthenticated"
        rig.aws.configure(users={KEY_ID: {"secret": "changed"}})
        assert rig.send().status == "succeeded"
        assert rig.aws.accepted == 2
