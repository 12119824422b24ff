"""Connections to one server of a protocol of its own over TLS, most of which must not get the
login.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from authority import Authority
from jackfield import Result


def trials(authority: Path, folder: Path) -> Mapping[str, dict[str, Any]]:
    """Return the changed values of each connection. The server's certificate is for ``localhost``,
    and of this authority.
    """
    good, bad = (
        bundle.read_text(encoding="ascii")
        for bundle in (authority, Authority(folder, "Other Authority").bundle)
    )
    return {
        "good": {"hostname": "localhost", "tls": "verify", "caCertificate": good},
        "unchecked": {"tls": "encrypt"},
        "another name": {"hostname": "127.0.0.1", "tls": "verify", "caCertificate": good},
        "another authority": {"hostname": "localhost", "tls": "verify", "caCertificate": bad},
        "the machine's authorities": {"hostname": "localhost", "tls": "verify"},
    }


def only_the_known_server(results: Mapping[str, Result]) -> None:
    """Assert that only the server that its authority and name are known of has got the login, and
    the one that is not checked.
    """
    assert {why for why, result in results.items() if result.status == "succeeded"} == {
        "good",
        "unchecked",
    }, results
    assert all(
        "TLS" in result.error.message for result in results.values() if result.error is not None
    )
