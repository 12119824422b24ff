"""The public conformance suite's scenarios for MCP clients, of both revisions; what is not offered
has its reason here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mcp_conformance_client import STUB, driven
from mcp_suite import REVISIONS, judged, missing, required

NOT_OFFERED = {
    **dict.fromkeys(
        (
            "auth/client-credentials-basic",
            "auth/client-credentials-jwt",
            "auth/enterprise-managed-authorization",
            "auth/wif-jwt-bearer",
        ),
        "extension: a person signs in, or a token is entered",
    ),
    **dict.fromkeys(("auth/dpop", "auth/dpop-nonce"), "extension: tokens are bearer's"),
}


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_suite_judges_our_client(tmp_path: Path, revision: str) -> None:
    """Each scenario that the revision requires runs, and no check fails, nor warns, but those that
    are not offered.
    """
    if reason := missing():
        pytest.skip(reason)
    stub = tmp_path / "client.py"
    stub.write_text(STUB, encoding="utf-8")
    with driven() as port:
        found = judged(
            "client",
            revision,
            tmp_path / "results",
            "--command",
            f"{sys.executable} -IS {stub} {port}",
        )
    assert found.unexcused(NOT_OFFERED) == {}
    assert found.stale(NOT_OFFERED) == []
    assert required("client", revision) - found.ran == set()
