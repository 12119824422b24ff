"""No key of a connection stands in a variable of what boto3 raises to a program, whichever tool
shows the variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield.embedding.shown_frames import spellings, tools_that_show, variables

from jackfield_aws import boto3_session
from rig import EXTERNAL_ID, SECRET, Rig, role_values

_NOWHERE = "http://127.0.0.1:9"
CALLS: dict[str, Callable[[Rig], object]] = {
    "boto3_session, unknown": lambda rig: boto3_session(rig.jackfield, "nobody"),
    "boto3_session, client": lambda rig: (
        boto3_session(rig.jackfield, "acme").client("sesv2").get_account(No=1)
    ),
    "boto3_session, refused": lambda rig: (
        boto3_session(rig.jackfield, "acme")
        .client("sesv2")
        .get_email_identity(EmailIdentity="no@x")
    ),
    "boto3_session, unreachable": lambda rig: (
        boto3_session(rig.jackfield, "acme").client("s3", endpoint_url=_NOWHERE).list_buckets()
    ),
    "boto3_session, resource": lambda rig: [
        *boto3_session(rig.jackfield, "acme").resource("s3", endpoint_url=_NOWHERE).buckets.all()
    ],
    "boto3_session, paged": lambda rig: [
        *_session(rig).client("s3", endpoint_url=_NOWHERE).get_paginator("list_buckets").paginate()
    ],
    "lend, refused": lambda rig: (
        rig.jackfield.lend("acme").client().client("sesv2").get_email_identity(EmailIdentity="no@x")
    ),
    "lend, unreachable": lambda rig: (
        rig.jackfield.lend("acme").client().client("s3").get_object(Bucket="bucket", Key="x")
    ),
}
"""What a program of the operator's does with a stored connection, and where it fails."""


def _session(rig: Rig) -> Any:
    return boto3_session(rig.jackfield, "acme")


@pytest.fixture(name="rig")
def _rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", _NOWHERE)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    database = {"JACKFIELD_DATABASE_URL": f"sqlite:///{tmp_path}/boto3.db"}
    with Rig(
        tmp_path,
        values=role_values(region="eu-west-1"),
        environment=database,
        verify_signatures=True,
    ) as rig:
        yield rig


@pytest.mark.parametrize("call", list(CALLS))
def test_what_boto3_raises_shows_no_key(call: str, rig: Rig) -> None:
    """Neither the connection's own key nor that of its session, in no spelling and in no tool."""
    with pytest.raises(Exception, match=r".") as raised:  # of boto3's and of ours
        CALLS[call](rig)
    assert _leaks(raised.value, rig) == set()


def _leaks(error: BaseException, rig: Rig) -> set[tuple[str, str]]:
    """Return the variables with a key, and the tools that show one."""
    leased = [secret for session in rig.aws.sessions for secret in (session.secret, session.token)]
    needles = frozenset().union(*map(spellings, (SECRET, EXTERNAL_ID, *leased)))
    found = {
        (file, name)
        for file, name, text in variables(error)
        if any(needle in text for needle in needles)
    }
    return found | {(name, "") for name in tools_that_show(error, needles)}
