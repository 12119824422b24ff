"""IAM Roles Anywhere from a Dapr component: a certificate and its key, from files, sign for the
session that sends.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.jackfield_dapr.sidecars import component, sidecar
from tests.jackfield_formats.foreign_files import write

from authority import Authority
from fake_aws import FakeAws
from jackfield.testing import Answer, Provider

ANCHOR = (
    "arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/a1b2c3d4-5678-90ab-cdef-000000000001"
)
PROFILE = (
    "arn:aws:rolesanywhere:eu-west-1:123456789012:profile/a1b2c3d4-5678-90ab-cdef-000000000002"
)
ROLE = "arn:aws:iam::123456789012:role/acme-ses"


def _session() -> Answer:
    """A session that CreateSession grants; signatures are verified in the tests of the connection
    type.
    """
    keys = {
        "accessKeyId": "ASIAANYWHERE",
        "secretAccessKey": "anywhere-secret",
        "sessionToken": "anywhere-session",
    }
    keys["expiration"] = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Answer(
        {
            "credentialSet": [
                {"credentials": keys, "assumedRoleUser": {"arn": ROLE}, "roleArn": ROLE}
            ]
        },
        201,
    )


def test_a_component_with_a_certificate_sends(folder: Path, aws: FakeAws, tmp_path: Path) -> None:
    """The files are read in the current folder, and the mail is signed by the session's key."""
    aws.configure(
        users={"ASIAANYWHERE": {"secret": "anywhere-secret", "session_token": "anywhere-session"}}
    )
    both = Authority(tmp_path).pem("mailer.example").decode()
    at = both.index("-----BEGIN CERTIFICATE-----")
    write(folder, "key.pem", both[:at])
    write(folder, "certificate.pem", both[at:])
    with Provider(_session()) as server:
        text = component(
            accessKey="",
            secretKey="",
            trustAnchorArn=ANCHOR,
            trustProfileArn=PROFILE,
            assumeRoleArn=ROLE,
            certificatePath="certificate.pem",
            privateKeyPath="key.pem",
            rolesAnywhereEndpoint=server.url,
        )
        write(folder, "a.yaml", text)
        with sidecar(folder) as running:
            reply = running.send()
    assert reply.status == 204, reply.body
    (message,) = aws.messages
    assert message.access_key_id == "ASIAANYWHERE"
