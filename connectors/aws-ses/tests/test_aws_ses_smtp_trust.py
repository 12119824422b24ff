"""Over SMTP nothing is told to a server before it is encrypted and verified, and no secret is told
to anybody else.
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from pathlib import Path

import pytest

from authority import Authority
from jackfield import Result
from smtp_rig import HOST, VPCE, authority, rig
from smtp_server import PASSWORD


def _failed(result: Result, code: str) -> dict[str, object]:
    assert result.status == "failed", result.to_json()
    error: dict[str, object] = result.to_json()["error"]
    assert error["code"] == code, error
    return error


# Encryption


@pytest.mark.parametrize("port", [25, 587, 2587])
def test_a_server_without_starttls_hears_nothing(port: int) -> None:
    """Where STARTTLS is not offered, or was taken out of the offer, the conversation ends before
    the sign-in (S8).
    """
    with rig(values={"port": port}, starttls=False) as it:
        result = it.send()
        error = _failed(result, "unavailable")
        assert "does not offer STARTTLS; nothing was sent" in str(error["message"])
        assert result.meta.attempts == 1
        assert it.server.heard == ["EHLO"]
        assert it.server.connections == 1


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ("502 5.5.1 Command not implemented", "refused STARTTLS (502)"),
        ("250 Ok", "refused STARTTLS (250)"),
        ("220 Ready\r\n250 AUTH PLAIN", "sent more data after STARTTLS"),
    ],
)
def test_a_middleman_at_starttls_hears_nothing(reply: str, says: str) -> None:
    """A stripped reply to STARTTLS, and words put in behind it, end the conversation; there is no
    way on in clear text.
    """
    with rig({"STARTTLS": [reply]}) as it:
        assert says in str(_failed(it.send(), "unavailable")["message"])
        assert it.server.heard == ["EHLO", "STARTTLS"]


@pytest.mark.parametrize("port", [2465, 2587])
def test_a_certificate_for_another_name_ends_it(port: int) -> None:
    """A server that cannot show a certificate for the host name gets nothing, and the hint names
    the value that may help (S9).
    """
    public = HOST
    with rig(values={"hostname": VPCE, "port": port}, names=(public,), tls=port == 2465) as it:
        result = it.send()
        error = _failed(result, "unavailable")
        assert "cannot be verified" in str(error["message"])
        assert "'tlsServerName'" in str(error["hint"])
        assert public in str(error["hint"])
        assert result.meta.attempts == 1
        assert it.server.received == []
        assert "AUTH" not in it.server.heard


@pytest.mark.parametrize("port", [2465, 2587])
def test_the_name_of_the_certificate_can_be_told(port: int) -> None:
    """With `tlsServerName` the same server is verified under that name, and the mail goes out
    (S9).
    """
    with rig(
        values={"hostname": VPCE, "port": port, "tlsServerName": HOST.upper()},
        names=(HOST,),
        tls=port == 2465,
    ) as it:
        assert it.send().status == "succeeded"


def test_a_stranger_authority_ends_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A certificate that nobody here believes gets nothing; the hint says where authorities are
    named.
    """
    stranger = Authority(tmp_path_factory.mktemp("stranger"), "Stranger")
    with rig(bundle=stranger.bundle) as it:
        error = _failed(it.send(), "unavailable")
        assert "SSL_CERT_FILE or AWS_CA_BUNDLE" in str(error["hint"])
        assert it.server.heard == ["EHLO", "STARTTLS"]


@pytest.mark.parametrize("values", [{"port": 465}, {"port": 2587, "security": "tls"}])
def test_tls_at_a_port_that_waits_for_starttls_says_so(values: dict[str, object]) -> None:
    """TLS from the first byte at a server that greets in clear text: the hint tells the ports
    apart.
    """
    with rig(values=values) as it:
        error = _failed(it.send(), "unavailable")
        assert "TLS with" in str(error["message"])
        assert "'security'" in str(error["hint"])


def test_an_unreadable_bundle_is_the_environments_fault() -> None:
    """A bundle that is not there refuses the connection before anything is opened, and names the
    variable.
    """
    with rig(bundle=authority().bundle.with_name("absent.pem")) as it:
        result = it.send()
        assert "AWS_CA_BUNDLE" in str(_failed(result, "invalid_connection")["message"])
        assert result.meta.attempts == 0
        assert it.server.connections == 0


# Sign-in


def test_a_wrong_password_is_final_and_stays_secret(caplog: pytest.LogCaptureFixture) -> None:
    """A 535 is `unauthenticated`, not tried again, and neither Result nor log shows the password
    (S10).
    """
    caplog.set_level(logging.DEBUG)
    with rig(values={"password": "not-the-password-4711"}) as it:
        result = it.send()
        error = _failed(result, "unauthenticated")
        assert error["provider"] == {"code": "535", "message": "Authentication Credentials Invalid"}
        assert error["retryable"] is False
        assert "SMTP credentials" in str(error["hint"])
        assert it.server.count["AUTH"] == 1
        ours = [
            record.getMessage() for record in caplog.records if record.name.startswith("jackfield")
        ]
        assert "not-the-password-4711" not in json.dumps(result.to_json()) + "".join(ours)


def test_a_server_that_repeats_the_password_does_not_give_it_away() -> None:
    """What a server says is masked: a reply that holds the password, plain or as it was sent, comes
    out without it.
    """
    encoded = (
        "AEFLSUFJT1NGT0ROTjdFWEFNUExFAEJGMC9lSUptMHJ1VEhzU2pPa1J1T0d6R0YremVTeUUzYWlSenJ6VVE4THdH"
    )
    with rig({"AUTH": [f"535 what is {PASSWORD} or {encoded}"]}) as it:
        text = json.dumps(it.send().to_json())
        assert PASSWORD not in text
        assert encoded not in text


def test_a_server_that_takes_no_password_says_so() -> None:
    """A server that offers neither PLAIN nor LOGIN is no endpoint of SES."""
    with rig(mechanisms=["XOAUTH2"]) as it:
        assert "neither AUTH PLAIN nor AUTH LOGIN" in str(
            _failed(it.send(), "unavailable")["message"]
        )


@pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the names of the files are made by the openssl command"
)
def test_a_folder_of_certificates_is_believed_too(tmp_path: Path) -> None:
    """A bundle may be a folder, as OpenSSL lays them out: named by hashes."""
    bundle = authority().bundle.read_text(encoding="ascii")
    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(authority().bundle)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / f"{name}.0").write_text(bundle, encoding="ascii")
    with rig(bundle=tmp_path) as it:
        assert it.send().status == "succeeded"
