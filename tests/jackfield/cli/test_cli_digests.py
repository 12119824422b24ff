"""``--digest`` of the command line: a decision confirms what was shown, or is refused and decides
nothing.
"""

from __future__ import annotations

from typing import Any

import pytest

from jackfield.callers import Caller
from jackfield_store.runtime import Jackfield
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating"]
pytestmark = pytest.mark.above_sql

POST: dict[str, Any] = {"connector": "echo", "action": "post", "connection": "hall"}


def asked(text: str) -> str:
    """A call of another caller that waits; return its ID."""
    with Jackfield() as jackfield:
        return jackfield.invoke(
            {**POST, "inputs": {"text": text}}, caller=Caller("shop")
        ).meta.invocation_id


@pytest.mark.parametrize(("step", "ends"), [("approve", "approved"), ("decline", "declined")])
def test_a_decision_is_of_the_call_that_was_shown(operator: Shell, step: str, ends: str) -> None:
    """With the digest of another call, or of what is none, nothing is decided; with that of
    ``show`` it is, and without one as ever.
    """
    operator.run(
        "connections",
        "add",
        "hall",
        "--type",
        "echo/token",
        "--values",
        "-",
        stdin="token: sesame-0815",
    )
    operator.run("workspaces", "set", "default", "--approve", "echo/post")
    one, other, plain = (asked(text) for text in ("to Ada", "to Mallory", "to Grace"))
    digest: dict[str, Any] = {
        identifier: operator.run("approvals", "show", identifier).json["digest"]
        for identifier in (one, other)
    }
    for wrong in (digest[other], "0" * 64, "x", ""):
        refused = operator.run("approvals", step, one, "--digest", wrong)
        # of which HTTP says version_conflict
        assert (refused.code, refused.json["error"]["code"]) == (2, "invalid_invocation"), wrong
        assert "it is not the one that was shown" in refused.json["error"]["message"]
        assert operator.run("approvals", "show", one).json["status"] == "waiting"
    assert operator.run("approvals", step, one, "--digest", digest[one]).json["status"] == ends
    assert operator.run("approvals", "show", other).json["status"] == "waiting"
    assert operator.run("approvals", step, plain).json["status"] == ends
