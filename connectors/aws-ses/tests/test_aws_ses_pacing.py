"""Pace of sends: the account's own rate and quota, over both APIs and SMTP, in one process and in
several.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from jackfield_aws import account_of_key
from jackfield_aws_ses.smtp import Smtp
from pace_campaign import run
from rig import Rig, key_values

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

QUOTA, STS = "sesv2:GetAccount", "sts:AssumeRole"
NEWER_KEY = "AKIA" + "Q" + "A" * 15


def test_the_rate_of_the_account_is_kept(tmp_path: Path) -> None:
    """The first mails of a second go out at once, then the quota is read once and the rate is kept.

    How many are throttled is not judged: the provider counts arrivals, and a busy machine can delay
    one of them after its slot.
    """
    with Rig(tmp_path, rates={"SendEmail": 5}, quota={"maxSendRate": 5}) as rig:
        began = rig.clock.monotonic()
        assert {rig.send().status for _ in range(30)} == {"succeeded"}
        calls = Counter(rig.aws.calls())
        assert (calls[STS], calls[QUOTA], rig.aws.accepted) == (1, 1, 30)
        assert rig.clock.monotonic() - began > 30 / 4.8 - 1.0


def test_recipients_are_counted_not_messages(tmp_path: Path) -> None:
    """A mail to ten recipients takes ten places of the rate and ten of the quota."""
    ten = [f"user{number}@example.com" for number in range(10)]
    with Rig(tmp_path, quota={"maxSendRate": 10, "max24HourSend": 35}) as rig:
        began = rig.clock.monotonic()
        results = [rig.send(to=ten) for _ in range(5)]
        assert [result.error.code if result.error else "sent" for result in results] == [
            "sent"
        ] * 3 + ["quota_exceeded"] * 2
        assert rig.aws.accepted == 3
        assert rig.clock.monotonic() - began > 1.9


def test_a_missing_permission_fails_nothing(tmp_path: Path) -> None:
    """Without ses:GetAccount the mails go out, paced by throttling alone."""
    refused = {
        "do": "status",
        "status": 403,
        "code": "AccessDeniedException",
        "operation": QUOTA,
        "always": True,
    }
    with Rig(tmp_path, rates={"SendEmail": 5}, script=[refused]) as rig:
        assert {rig.send().status for _ in range(30)} == {"succeeded"}
        assert rig.aws.calls().count(QUOTA) == 1
        assert rig.aws.accepted == 30


def test_a_warm_up_plan_limits_each_day(tmp_path: Path) -> None:
    """A connection with a plan sends what each of its days allows, refuses more before it is sent,
    and is free after the last day.
    """
    with Rig(tmp_path, values=key_values(warmup={"perDay": [2, 4]})) as rig:
        rig.clock.advance(86_400 - rig.clock.time() % 86_400)
        allowed = []
        for _ in range(3):
            results = [rig.send() for _ in range(6)]
            allowed.append(sum(result.status == "succeeded" for result in results))
            refused = [result.error for result in results if result.error is not None]
            assert {error.code for error in refused} <= {"quota_exceeded"}
            rig.clock.advance(86_400)
        assert (allowed, rig.aws.received) == ([2, 4, 6], 12)
    (tmp_path / "next").mkdir()
    with Rig(tmp_path / "next", values=key_values(warmup={"perDay": [1]})) as rig:
        rig.send()
        error = rig.send().error
    assert error is not None
    assert "allows 1 on day 1" in error.message
    assert "The next day of the plan begins at 20" in (error.hint or "")


def test_connections_to_one_account_agree_on_its_name() -> None:
    """A key since 2019 holds its account; an older one names itself, and SMTP credentials are
    keys.
    """
    assert account_of_key(NEWER_KEY) == "000000000000"
    assert account_of_key("AKIAIOSFODNN7EXAMPLE") == "key AKIAIOSFODNN7EXAMPLE"
    assert account_of_key("1") == "key 1"
    smtp = Smtp.model_validate(
        {"hostname": "email-smtp.eu-west-1.amazonaws.com", "username": NEWER_KEY, "password": "p"}
    )
    assert smtp._account() == "000000000000 eu-west-1 "


def test_processes_share_the_rate_of_the_account(tmp_path: Path) -> None:
    """Mails from several processes with one database all arrive once, and hardly one is
    throttled.
    """
    figures = run(f"sqlite:///{tmp_path}/shared.db", 60, 20, processes=3)
    assert (figures.sent, figures.distinct, figures.failed) == (60, 60, Counter())
    assert figures.throttled <= 6
