"""AWS's own log settles the doubt about a write whose answer was lost: took or refused, never
absent, and never by a record of another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_aws import FakeAws, Role, User
from rig import ARN, EXTERNAL_ID, KEY_ID, SECRET, role_values
from trail_stage import TrailStage, trail_stage

OWN_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["kms:*", "cloudtrail:*"], "Resource": "*"}],
}
_MARKED = re.compile(r"jackfield/\S+( Botocore/\S+)+ md/jackfield#[a-z2-7]{26}")


@pytest.fixture(name="stage")
def _stage(tmp_path: Path) -> Iterator[TrailStage]:
    with trail_stage(tmp_path, f"sqlite:///{tmp_path}/j.db") as opened:
        yield opened


@pytest.mark.usefixtures("direct")
def test_writes_carry_a_marker_and_reads_do_not(stage: TrailStage) -> None:
    """Over our own wire and over botocore's client, in JSON and in form fields: a write has the
    marker of its attempt in the User-Agent. A read has none, nor has a message, of which AWS's own
    log knows nothing.
    """
    assert stage.call().status == "succeeded"
    assert stage.call("aws.iam/createUser", {"UserName": "u"}).status == "succeeded"
    stage.call("aws.kms/listKeys")
    stage.call("aws.sqs/sendMessage", {"QueueUrl": f"{stage.aws.url}/1/q", "MessageBody": "x"})
    agents = [one["agent"] for one in stage.aws.requests]
    assert [bool(_MARKED.fullmatch(agent)) for agent in agents] == [True, True, False, False]
    assert len({*agents[:2]}) == 2


@pytest.mark.usefixtures("direct")
def test_a_lost_answer_is_settled_by_the_event_history(stage: TrailStage) -> None:
    """The request took effect, its answer was lost. The record comes minutes later: ``succeeded``,
    one request; the key replays it.
    """
    stage.aws.script, stage.aws.delay = ["cut"], 200.0
    lost = stage.call(idempotencyKey="k")
    identifier = lost.meta.invocation_id
    assert lost.status == "in_doubt"
    stage.look(150.0)
    assert (stage.settled(identifier)[0], stage.looks(identifier)) == ("in_doubt", ["nothing"])
    stage.look(220.0)
    assert stage.settled(identifier) == ("succeeded", "evidence")
    evidence = stage.entry(identifier).to_json()["meta"]["resolution"]["evidence"]
    assert (evidence["verdict"], evidence["kind"], evidence["source"]) == (
        "took",
        "record",
        "aws.cloudtrail",
    )
    assert (evidence["matched"]["eventName"], evidence["matched"]["eventID"]) == (
        "CreateKey",
        "e-1",
    )
    again = stage.call(idempotencyKey="k")
    assert (again.status, again.meta.replayed, len(stage.aws.requests)) == ("succeeded", True, 1)
    (asked,) = {str(one["LookupAttributes"]) for one in stage.aws.lookups}
    assert "CreateKey" in asked


def test_a_refusal_on_record_frees_the_key(stage: TrailStage) -> None:
    """The request was throttled, and that answer was lost: ``failed``, with AWS's code. The key is
    free.
    """
    stage.aws.script = ["throttled-cut", "done"]
    lost = stage.call(idempotencyKey="k")
    stage.look(160.0)
    entry = stage.entry(lost.meta.invocation_id).to_json()
    assert (entry["status"], entry["resolvedBy"], entry["error"]["code"]) == (
        "failed",
        "evidence",
        "rate_limited",
    )
    assert entry["error"]["provider"]["code"] == "ThrottlingException"
    assert (stage.call(idempotencyKey="k").status, len(stage.aws.took)) == ("succeeded", 1)


def test_a_throttled_attempt_never_speaks_for_the_next(stage: TrailStage) -> None:
    """The first attempt was throttled, the second took effect and was cut: ``succeeded``. The
    record of the first comes alone at first.
    """
    stage.aws.script, stage.aws.delay = ["throttled", "cut"], 60.0
    lost = stage.call(timeoutSeconds=60)
    assert (lost.status, lost.meta.attempts) == ("in_doubt", 2)
    late, stage.aws.records[-1] = stage.aws.records[-1], (10.0**12, {**stage.aws.records[-1][1]})
    stage.look(160.0)
    assert stage.settled(lost.meta.invocation_id)[0] == "in_doubt"
    stage.aws.records[-1] = late
    stage.look(400.0)
    assert stage.settled(lost.meta.invocation_id) == ("succeeded", "evidence")


@pytest.mark.parametrize(
    ("second", "status"), [("cut", "succeeded"), ("throttled-cut", "failed"), ("lost", "in_doubt")]
)
def test_a_refusal_of_one_attempt_in_doubt_says_nothing_of_the_other(
    stage: TrailStage, second: str, status: str
) -> None:
    """Both attempts got no answer, and the caller wanted a second one. That the first was throttled
    is on record alone at first, and frees no key: only the record of the second, too, settles the
    call.
    """
    stage.aws.script, stage.aws.delay = ["throttled-cut", second, *["throttled"] * 20], 60.0
    lost = stage.call(idempotencyKey="k", onDoubt="retry", timeoutSeconds=60)
    assert lost.status == "in_doubt"
    hidden, stage.aws.records[1:] = stage.aws.records[1:], []
    stage.look(160.0)
    assert (stage.settled(lost.meta.invocation_id)[0], len(stage.aws.lookups)) == ("in_doubt", 1)
    stage.aws.records += hidden
    stage.look(400.0)
    assert stage.settled(lost.meta.invocation_id)[0] == status


def test_what_proves_nothing_settles_nothing(stage: TrailStage) -> None:
    """An internal error, a record of another region, service, account, operation or time, a copy of
    the marker, none at all: in doubt.
    """
    stage.aws.script = ["broken"]
    broken = stage.call().meta.invocation_id
    forged: dict[str, dict[str, Any]] = {
        "region": {"awsRegion": "us-east-1"},
        "service": {"eventSource": "iam.amazonaws.com"},
        "operation": {"eventName": "DeleteKey"},
        "time": {"eventTime": "2020-01-01T00:00:00Z"},
        "agent": {"userAgent": "md/jackfield#" + "a" * 26},
        "unreadable": {"eventTime": 7},
        "cut off": {"userAgent": f"{'x' * 1_000} md/jackfield#{'a' * 10}"},
        "without": {"userAgent": None},
    }
    identifiers = []
    for more in forged.values():
        stage.aws.script = ["lost"]
        identifiers.append(stage.call().meta.invocation_id)
        about = {
            "agent": stage.aws.requests[-1]["agent"],
            "operation": "CreateKey",
            "source": "kms.amazonaws.com",
            "region": "eu-west-1",
        }
        told = stage.aws.record(**about)
        told.update(more)
    stage.aws.script = ["cut"]
    copied = stage.call().meta.invocation_id
    stage.aws.record(stage.aws.requests[-1]["agent"], "CreateKey", "kms.amazonaws.com", "eu-west-1")
    for _ in range(12):
        stage.look(7_500.0)
    assert {stage.settled(one)[0] for one in (broken, *identifiers, copied)} == {"in_doubt"}
    assert stage.looks(copied) == ["ambiguous"]
    assert set(stage.looks(broken)) == {"nothing"}
    assert "InternalFailure" in stage.entry(broken).to_json()["looks"][0]["text"]
    assert len(stage.looks(identifiers[0])) <= 8


def test_an_empty_history_proves_nothing(stage: TrailStage) -> None:
    """The record never comes: for 30 days the doubt is one, after eight looks at most nobody asks
    any more, and the key sends nothing.
    """
    stage.aws.script, stage.aws.delay = ["cut"], 1e9
    identifier = stage.call(idempotencyKey="k").meta.invocation_id
    for _ in range(30 * 4):
        stage.look(21_600.0)
    entry = stage.entry(identifier).to_json()
    assert (entry["status"], {one["result"] for one in entry["looks"]}, "nextLookAt" in entry) == (
        "in_doubt",
        {"nothing"},
        False,
    )
    assert (len(entry["looks"]), len(stage.aws.lookups)) <= (8, 8)
    again = stage.call(idempotencyKey="k")
    assert (again.status, again.meta.replayed, again.meta.settling, len(stage.aws.requests)) == (
        "in_doubt",
        True,
        None,
        1,
    )


def test_a_missing_permission_is_told_once(stage: TrailStage) -> None:
    """Without ``cloudtrail:LookupEvents`` nobody looks again, and the look names the permission.
    Other doubts do not ask in vain.
    """
    stage.aws.script, stage.aws.denied = ["cut", "cut"], True
    identifiers = [stage.call().meta.invocation_id for _ in range(2)]
    stage.look(160.0)
    stage.look(100.0)
    stage.look(80_000.0)
    found = [stage.entry(one).to_json()["looks"] for one in identifiers]
    assert [[one["result"] for one in looks] for looks in found] == [["failed"], ["failed"]]
    assert all("cloudtrail:LookupEvents" in looks[0]["text"] for looks in found)
    assert len(stage.aws.lookups) == 1


def test_one_reading_serves_all_doubts_of_an_operation(stage: TrailStage) -> None:
    """130 calls of one operation in doubt: a page a second, and as many pages as the history has,
    for all.
    """
    stage.aws.script = ["cut"] * 130
    identifiers = [stage.call().meta.invocation_id for _ in range(130)]
    for _ in range(300):
        stage.look(1.0)
    assert {stage.settled(one) for one in identifiers} == {("succeeded", "evidence")}
    assert len(stage.aws.lookups) <= 12
    assert all(
        later - earlier >= 0.99
        for earlier, later in zip(stage.aws.looked_at, stage.aws.looked_at[1:], strict=False)
    )
    assert len(stage.aws.took) == 130


@pytest.mark.parametrize("settle", ["show", "off"])
def test_settings_decide(tmp_path: Path, settle: str) -> None:
    """With ``show``, the look is in the entry and a person resolves; with ``off``, no marker is
    sent and nobody looks.
    """
    with trail_stage(tmp_path, f"sqlite:///{tmp_path}/j.db", settle) as stage:
        stage.aws.script = ["cut"]
        identifier = stage.call().meta.invocation_id
        stage.look(160.0)
        assert stage.settled(identifier)[0] == "in_doubt"
        assert stage.looks(identifier) == (["matched"] if settle == "show" else [])
        assert ("md/jackfield" in stage.aws.requests[0]["agent"]) is (settle == "show")


def test_policies_have_the_log_on_demand(stage: TrailStage) -> None:
    """``--evidence`` adds ``cloudtrail:LookupEvents`` for a write that the log settles; without it,
    and for reads, no policy has it.
    """

    def allowed(*actions: str, evidence: bool = True) -> list[str]:
        found: list[str] = stage.runtime.connections.policy("acme", actions, evidence=evidence)[
            "permissions"
        ]
        return found

    assert allowed("aws.kms/createKey") == ["cloudtrail:LookupEvents", "kms:CreateKey"]
    assert allowed("aws.kms/createKey", evidence=False) == ["kms:CreateKey"]
    assert allowed("aws.kms/listKeys") == ["kms:ListKeys"]


@pytest.mark.parametrize(
    ("own", "policies"),
    [(False, [None, ["cloudtrail:LookupEvents"]]), (OWN_POLICY, [["kms:*", "cloudtrail:*"]])],
    ids=["none", "own"],
)
def test_looks_have_a_session_that_allows_nothing_else(
    stage: TrailStage, own: Any, policies: list[Any]
) -> None:
    """The role is assumed once more for looks, and that session may read the log alone. A policy
    that the connection has stays as it is.
    """
    with FakeAws(
        roles={ARN: Role(external_id=EXTERNAL_ID)},
        users={KEY_ID: User(secret=SECRET, arn="arn:aws:iam::1:user/j")},
    ) as sts:
        values = role_values(
            endpoint=stage.aws.url, stsEndpoint=sts.url, region="eu-west-1", sessionPolicy=own
        )
        stage.runtime.connections.add("role", "aws/awsAssumeRole", values, test=False)
        stage.aws.script = ["cut"]
        lost = stage.call(connection="role")
        stage.look(160.0)
    assert stage.settled(lost.meta.invocation_id) == ("succeeded", "evidence")
    given = [
        None if one.policy is None else json.loads(one.policy)["Statement"][0]["Action"]
        for one in sts.sessions
    ]
    assert given == policies


def test_a_look_that_waits_for_its_turn_writes_nothing(
    stage: TrailStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process reads the log: doubts of an outage are claimed, by thousands, and give way to
    calls at the database's writer.
    """
    monkeypatch.setattr("jackfield_store.journal.record_reads.PACE", 1e6)
    stage.aws.script, stage.aws.delay = ["cut"] * 9, 1e6
    stage.call()
    stage.look(150.0)  # has the turn from now on
    stage.move(1_800.0)
    late = [
        stage.call(inputs={"Description": str(number)}).meta.invocation_id for number in range(8)
    ]
    stage.look(150.0)
    with stage.database.read() as transaction:
        claims = {
            row.id: row.claim for row in transaction.execute("SELECT id, claim FROM doubts", {})
        }
    # by their claim, which a look that writes counts on once more
    assert [claims[identifier] for identifier in late] == [1] * 8
    assert len(stage.aws.lookups) == 1


def test_doubts_that_wait_for_a_reading_are_put_off(stage: TrailStage) -> None:
    """One doubt reads the log, a record a page; the others look minutes later, or once their
    records are found. All settle.
    """
    stage.aws.script, stage.aws.delay, stage.aws.page = ["cut"] * 8, 0.0, 1
    lost = [
        stage.call(inputs={"Description": str(number)}).meta.invocation_id for number in range(8)
    ]
    stage.look(150.0)
    stage.database.settle(5.0)
    with stage.database.read() as transaction:
        rows = transaction.execute("SELECT look_at FROM doubts WHERE look_at IS NOT NULL", {})
    assert sum(190.0 < row.look_at - stage.clock.time() < 290.0 for row in rows) >= 6
    for _ in range(40):
        stage.look(20.0)
    assert {stage.settled(identifier) for identifier in lost} == {("succeeded", "evidence")}
