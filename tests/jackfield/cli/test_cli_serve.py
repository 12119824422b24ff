"""``jackfield serve``: what it refuses before it listens or says anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shell import Shell

pytest_plugins = ["shell_fixture"]


def _pair(folder: Path, name: str, phrase: bytes = b"") -> tuple[str, str]:
    """A certificate and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject, now = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
        datetime.now(UTC),
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
    )
    signed = (
        builder.serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    shut = serialization.BestAvailableEncryption(phrase) if phrase else serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, shut)
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    for path, content in zip(
        paths, (signed.public_bytes(serialization.Encoding.PEM), text), strict=True
    ):
        path.write_bytes(content)
    return str(paths[0]), str(paths[1])


@pytest.mark.parametrize(
    "case",
    [
        "missing",
        "no PEM",
        "no key in it",
        "another's key",
        "a key with a pass phrase",
        "a key alone",
    ],
)
def test_a_certificate_that_cannot_be_used(shell: Shell, tmp_path: Path, case: str) -> None:
    """A certificate and a key that do not serve are refused in words, and nothing is announced."""
    (tmp_path / "text.pem").write_text("nothing", encoding="ascii")
    certificate, key = _pair(tmp_path, "one")
    options = {
        "missing": ("--certificate", str(tmp_path / "none.pem"), "--key", key),
        "no PEM": ("--certificate", str(tmp_path / "text.pem"), "--key", key),
        "no key in it": ("--certificate", certificate),
        "another's key": ("--certificate", certificate, "--key", _pair(tmp_path, "two")[1]),
        "a key with a pass phrase": (
            "--certificate",
            certificate,
            "--key",
            _pair(tmp_path, "shut", b"sesame")[1],
        ),
        "a key alone": ("--key", key),
    }[case]
    answer = shell.run("serve", "--port", "0", *options)
    assert answer.code == 2
    assert answer.json["error"]["code"] == "invalid_invocation"
    assert "--key" in answer.json["error"]["message"]
    assert answer.err == ""
