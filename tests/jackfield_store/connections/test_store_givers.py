"""Who gives a connection's values decides what it may use of the host, and whether it may choose
its External ID; on both databases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.jackfield_store.connections.managed import ROLE, paths, say, set_workspace

from jackfield.connections.provenance import Provenance
from jackfield.kernel.errors import InvalidConnection
from jackfield_store.runtime import Jackfield

pytest_plugins = ["tests.jackfield_store.connections.store_fixture"]
pytestmark = pytest.mark.above_sql

REMOTE = Provenance("remote")


# Who gives the values


def test_remote_references(managed_jackfield: Jackfield, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection made over HTTP may not refer to the host's secrets, neither new nor edited nor
    tried, with each place told.
    """
    monkeypatch.setenv("HOST_SECRET", "of the host")
    refers = {"token": {"$env": "HOST_SECRET"}, "greeting": {"$file": "/etc/hostname"}}
    for refused in (
        lambda: managed_jackfield.connections.add(
            "hall", "echo/token", refers, provenance=REMOTE, test=False
        ),
        lambda: managed_jackfield.connections.test_draft("echo/token", refers, provenance=REMOTE),
        lambda: managed_jackfield.connections.check("echo/token", refers, REMOTE),
    ):
        with pytest.raises(
            InvalidConnection, match="not allowed to use secret references"
        ) as caught:
            refused()
        assert sorted(paths(caught.value)) == ["/greeting", "/token"]
        assert "allowReferences" in str(caught.value.hint)
    assert (
        managed_jackfield.connections.add("mine", "echo/token", {"token": {"$env": "HOST_SECRET"}})[
            "status"
        ]
        == "ok"
    )


def test_remote_edits_do_not_inherit(
    managed_jackfield: Jackfield, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who edits an operator's connection over HTTP does not keep its references: they could be sent
    anywhere.
    """
    monkeypatch.setenv("HOST_SECRET", "of the host")
    managed_jackfield.connections.add("mine", "echo/token", {"token": {"$env": "HOST_SECRET"}})
    for values in ({"greeting": "x"}, {"token": "***"}, {"token": {"$env": "HOST_SECRET"}}):
        with pytest.raises(InvalidConnection) as caught:
            managed_jackfield.connections.replace("mine", values, provenance=REMOTE)
        assert paths(caught.value) == ["/token"]
    assert (
        managed_jackfield.connections.replace("mine", {"token": "own"}, provenance=REMOTE)["status"]
        == "ok"
    )


def test_what_is_kept_is_judged_again(
    open_runtime: Callable[..., Jackfield], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workspace's settings decide when a connection is opened: what was allowed once is refused
    later, also for its inputs.
    """
    monkeypatch.setenv("HOST_SECRET", "of the host")
    jackfield = open_runtime()
    refers = {"token": {"$env": "HOST_SECRET"}}
    set_workspace(jackfield, allowReferences=True)
    jackfield.connections.add("hall", "echo/token", refers, provenance=REMOTE)
    assert say(jackfield, "hall").status == "succeeded"
    set_workspace(jackfield, allowReferences=False)
    error = say(jackfield, "hall").error
    assert (error.code, [detail.path for detail in error.details]) == (
        "invalid_connection",
        ["/token"],
    )
    # the operator's hand makes nobody else's reference the operator's
    with pytest.raises(InvalidConnection):
        jackfield.connections.replace("hall", {"greeting": "edited by the operator"}, test=False)
    jackfield.connections.replace("hall", refers)
    assert say(jackfield, "hall").status == "succeeded"


def test_s4_a_tenant_reads_what_its_patterns_fit(
    open_runtime: Callable[..., Jackfield], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patterns of the workspace are asked when a connection is made and when it is opened; the
    master key is never read.
    """
    monkeypatch.setenv("ACME_TOKEN", "of the tenant")
    monkeypatch.setenv("OTHER_TOKEN", "of another one")
    jackfield = open_runtime()
    set_workspace(jackfield, allowReferences=["env:ACME_*", "env:JACKFIELD_*"])
    jackfield.connections.add(
        "hall", "echo/token", {"token": {"$env": "ACME_TOKEN"}}, provenance=REMOTE
    )
    assert say(jackfield, "hall").status == "succeeded"
    for name in ("OTHER_TOKEN", "JACKFIELD_MASTER_KEY", "JACKFIELD_HOME"):
        with pytest.raises(
            InvalidConnection, match="not allowed to use secret references"
        ) as caught:
            jackfield.connections.add(
                "more", "echo/token", {"token": {"$env": name}}, provenance=REMOTE, test=False
            )
        assert paths(caught.value) == ["/token"]
    set_workspace(jackfield, allowReferences=["env:OTHER_*"])
    assert say(jackfield, "hall").error.code == "invalid_connection"


@pytest.mark.parametrize(
    ("type_", "values", "expected"),
    [
        ("aws/awsDefault", {}, ""),
        ("aws/awsDefault", {"profile": "admin"}, "/profile"),
        ("aws/awsAssumeRole", {"roleARN": ROLE["roleARN"]}, "/accessKeyId"),
    ],
)
def test_the_hosts_identity(
    managed_jackfield: Jackfield,
    database_url: str,
    type_: str,
    values: dict[str, Any],
    expected: str,
) -> None:
    """A connection made over HTTP may not sign in as the host, tested or not, unless the workspace
    is allowed to.
    """
    for test in (True, False):
        with pytest.raises(
            InvalidConnection, match="not allowed to use the server's identity"
        ) as caught:
            managed_jackfield.connections.add("host", type_, values, provenance=REMOTE, test=test)
        assert paths(caught.value) == [expected]
    managed_jackfield.connections.add("mine", type_, values, test=False)
    set_workspace(managed_jackfield, allowAmbient=True)
    assert (
        managed_jackfield.connections.add("host", type_, values, provenance=REMOTE, test=False)[
            "status"
        ]
        == "untested"
    )
    set_workspace(managed_jackfield)
    call = {
        "connector": "aws-ses",
        "action": "listIdentities",
        "connection": "host",
        "inputs": {"awsRegion": "eu-west-1"},
        "dryRun": True,
    }
    error = managed_jackfield.invoke(call).error
    assert error is not None
    assert [detail.path for detail in error.details] == [expected]


# External IDs


def test_one_is_made(managed_jackfield: Jackfield) -> None:
    """A role connection gets an External ID of its own, shown for the trust policy, and keeps it
    over edits.
    """
    first = managed_jackfield.connections.add("one", "aws/awsAssumeRole", ROLE, test=False)[
        "values"
    ]["externalId"]
    second = managed_jackfield.connections.add("two", "aws/awsAssumeRole", ROLE, test=False)[
        "values"
    ]["externalId"]
    assert first.startswith("jf-")
    assert first != second
    edited = managed_jackfield.connections.replace(
        "one", {**ROLE, "secretAccessKey": "***", "region": "eu-west-1"}, test=False
    )
    assert edited["values"]["externalId"] == first
    policy = managed_jackfield.connections.policy("one")["trustPolicy"]
    assert policy["Statement"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": first}}
    assert (
        managed_jackfield.connections.add(
            "own", "aws/awsAssumeRole", {**ROLE, "externalId": "mine"}, test=False
        )["values"]["externalId"]
        == "mine"
    )


def test_remote_ones_are_made(managed_jackfield: Jackfield, database_url: str) -> None:
    """Over HTTP an External ID cannot be chosen, unless the operator allows it; the one that was
    made may be sent back.
    """
    chosen = {**ROLE, "externalId": "of another customer"}
    with pytest.raises(InvalidConnection, match="External ID cannot be used") as caught:
        managed_jackfield.connections.add(
            "one",
            "aws/awsAssumeRole",
            {**chosen, "externalId": "chosen"},
            provenance=REMOTE,
            test=False,
        )
    assert paths(caught.value) == ["/externalId"]
    made = managed_jackfield.connections.add(
        "one", "aws/awsAssumeRole", ROLE, provenance=REMOTE, test=False
    )["values"]
    sent_back = {**made, "region": "eu-west-1"}
    assert (
        managed_jackfield.connections.replace("one", sent_back, provenance=REMOTE, test=False)[
            "values"
        ]["externalId"]
        == made["externalId"]
    )
    with pytest.raises(InvalidConnection):
        managed_jackfield.connections.replace(
            "one", {**sent_back, "externalId": "chosen"}, provenance=REMOTE, test=False
        )
    allowed = Provenance("remote", own_external_id=True)
    assert (
        managed_jackfield.connections.add(
            "two",
            "aws/awsAssumeRole",
            {**ROLE, "externalId": "chosen"},
            provenance=allowed,
            test=False,
        )["version"]
        == 1
    )
    with pytest.raises(InvalidConnection):
        managed_jackfield.connections.check(
            "aws/awsAssumeRole", {**ROLE, "externalId": "x1"}, Provenance(own_external_id=False)
        )
    set_workspace(managed_jackfield, allowOwnExternalId=True)
    managed_jackfield.connections.check("aws/awsAssumeRole", {**ROLE, "externalId": "x1"}, REMOTE)


def test_workspaces_cannot_take_anothers(open_runtime: Callable[..., Jackfield]) -> None:
    """The External ID of another workspace's connection is refused, even the operator's hand: it
    would let one act as the other.
    """
    open_runtime("acme").connections.add(
        "one", "aws/awsAssumeRole", {**ROLE, "externalId": "acme-4711"}, test=False
    )
    with pytest.raises(InvalidConnection, match="External ID cannot be used") as caught:
        open_runtime("other").connections.add(
            "one", "aws/awsAssumeRole", {**ROLE, "externalId": "acme-4711"}, test=False
        )
    assert paths(caught.value) == ["/externalId"]


def test_a_refused_external_id_tells_nothing_of_other_workspaces(
    open_runtime: Callable[..., Jackfield],
) -> None:
    """One that another workspace has and one that nobody has are refused alike; the hint says how a
    migrating customer keeps the one that a role demands already, and the operator can let the
    workspace bring it.
    """
    other = open_runtime()
    open_runtime("acme").connections.add(
        "one", "aws/awsAssumeRole", {**ROLE, "externalId": "acme-4711"}, test=False
    )
    refusals = []
    for allowed, value in ((False, "acme-4711"), (False, "nobodys"), (True, "acme-4711")):
        set_workspace(other, allowOwnExternalId=allowed)
        with pytest.raises(InvalidConnection) as caught:
            other.connections.add(
                "one",
                "aws/awsAssumeRole",
                {**ROLE, "externalId": value},
                provenance=REMOTE,
                test=False,
            )
        refusals.append((caught.value.message, caught.value.hint, caught.value.details))
    assert len({str(refusal) for refusal in refusals}) == 1
    assert "allowOwnExternalId" in str(refusals[0][1])
    other.connections.add(
        "one", "aws/awsAssumeRole", {**ROLE, "externalId": "nobodys"}, provenance=REMOTE, test=False
    )
