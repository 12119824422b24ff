"""A workspace that another process has purged and made again has new keys: repeats of its calls are
known by them.
"""

from __future__ import annotations

import pytest

from fake_aws import FakeAws
from jackfield.callers.actor import Actor
from jackfield_service.subjects.tenants.tenants import Tenants
from jackfield_store.runtime import Jackfield
from nursery import connection, mail


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_repeat_is_known_after_a_purge_elsewhere(upgraded: str, *, has_begun: bool) -> None:
    """A process has called in the workspace before, and makes its first keyed call after; each
    process replays it.
    """
    with FakeAws() as aws:
        one, other = (
            Jackfield("acme", connections=[connection(aws.url)], database_url=upgraded)
            for _ in range(2)
        )
        with one, other:
            one.access.workspaces.create("acme")
            for number, jackfield in enumerate((one, other)):
                jackfield.invoke(mail(f"before-{number}")).unwrap()
            one.access.workspaces.set("acme", {"suspended": True})
            Tenants(one.storage, one.files, one.clock, "*", Actor("cli", "ada")).purge("acme")
            one.access.workspaces.create("acme")
            if has_begun:
                one.invoke(mail("began")).unwrap()
            first = other.invoke(mail("k"))
            repeats = [jackfield.invoke(mail("k")) for jackfield in (one, other)]
    assert (first.status, first.meta.replayed) == ("succeeded", False)
    replayed = ("succeeded", True, first.meta.invocation_id)
    assert [(one.status, one.meta.replayed, one.meta.invocation_id) for one in repeats] == [
        replayed,
        replayed,
    ]
