"""Testing an SMTP connection: each step says what it found, and nothing is sent."""

from __future__ import annotations

from typing import Any

import pytest

from smtp_rig import HOST, VPCE, Rig, rig


def _steps(it: Rig) -> dict[str, dict[str, Any]]:
    tested = it.jackfield.test("link")
    assert it.server.received == []
    assert "MAIL" not in it.server.heard
    steps = {step["key"]: step for step in tested["lastTest"]["steps"]}
    failing = any(not step["passed"] and step["mandatory"] for step in steps.values())
    assert tested["status"] == ("failing" if failing else "ok")
    return steps


def test_a_good_connection_passes_and_leaves() -> None:
    """Reached, verified under the certificate's name, signed in, and left with QUIT."""
    with rig() as it:
        steps = _steps(it)
        assert list(steps) == ["connect", "tls", "signIn"]
        assert all(step["passed"] for step in steps.values())
        assert HOST in steps["tls"]["message"]
        assert f"{HOST}:2587" in steps["connect"]["message"]
        assert it.server.heard == ["EHLO", "STARTTLS", "EHLO", "AUTH", "QUIT"]


def test_sending_over_port_25_is_a_warning_once(caplog: pytest.LogCaptureFixture) -> None:
    """The mail goes out, and that AWS throttles the port is logged once for the connection (S6);
    not for another port.
    """
    with rig(values={"port": 25}) as it:
        assert [it.send().status for _ in range(3)] == ["succeeded"] * 3
    with rig(values={"port": 587}) as it:
        assert it.send().status == "succeeded"
    (record,) = [record for record in caplog.records if record.name == "jackfield.aws_ses"]
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(f"{HOST}:25: AWS throttles port 25")


def test_port_25_is_a_warning() -> None:
    """AWS throttles port 25: said, and no failure (S6)."""
    with rig(values={"port": 25}) as it:
        step = _steps(it)["port"]
        assert (step["passed"], step["mandatory"]) == (False, False)
        assert "587 or 2587" in step["hint"]


def test_a_wrong_certificate_fails_the_second_step() -> None:
    """Reached, but not who it should be: the sign-in is not even tried."""
    with rig(values={"hostname": VPCE}) as it:
        steps = _steps(it)
        assert list(steps) == ["connect", "tls"]
        assert steps["connect"]["passed"] is True
        assert "'tlsServerName'" in steps["tls"]["hint"]
        assert it.server.count["AUTH"] == 0


def test_a_missing_starttls_fails_the_second_step() -> None:
    """A server that cannot encrypt is told nothing."""
    with rig(starttls=False) as it:
        assert "STARTTLS" in _steps(it)["tls"]["message"]
        assert it.server.count["AUTH"] == 0


def test_a_wrong_password_fails_the_third_step() -> None:
    """The refusal and what to do about it; the password is not shown."""
    with rig(values={"password": "not-the-password-4711"}) as it:
        step = _steps(it)["signIn"]
        assert step["passed"] is False
        assert "refused the user name and password" in step["message"]
        assert "not-the-password" not in str(step)


def test_what_cannot_be_derived_is_a_failed_step() -> None:
    """Values that do not suffice are told without opening anything."""
    values = {
        "hostname": "mail.example.com",
        "username": None,
        "password": None,
        "accessKeyId": "AKIA1",
        "secretAccessKey": "s",
    }
    with rig(values=values) as it:
        (step,) = _steps(it).values()
        assert "region" in step["message"]
        assert it.server.connections == 0
