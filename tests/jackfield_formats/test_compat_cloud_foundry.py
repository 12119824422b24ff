"""The example application for Cloud Foundry, started as the platform starts it: a process,
``PORT``, ``VCAP_SERVICES``, SMTP with TLS.
"""

from __future__ import annotations

import email
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from smtp_rig import HOST, authority
from smtp_server import PASSWORD, USER, SmtpServer

APP = Path(__file__).parents[2] / "examples" / "cloud-foundry"
TOKEN = "platform-token"
CREDENTIALS = {
    "smtp_username": USER,
    "smtp_password": PASSWORD,
    "from": "ops@sender.test",
    "to": "desk@rcpt.test",
}


def address() -> str:
    """An address of this machine that no other test listens on: SES's ports are fixed."""
    pid = os.getpid()
    return f"127.{100 + pid % 100}.{pid // 100 % 250}.{1 + pid // 25000 % 250}"


def services(host: str) -> str:
    """VCAP_SERVICES as the manifest's two services give them."""
    bound = yaml.safe_load((APP / "manifest.yml").read_text(encoding="utf-8"))["applications"][0][
        "services"
    ]
    link = {
        "label": "privatelink",
        "name": bound[0],
        "tags": ["privatelink"],
        "credentials": {"hostname": host, "tls_server_name": HOST},
    }
    return json.dumps(
        {
            "privatelink": [link],
            "user-provided": [
                {"label": "user-provided", "name": bound[1], "credentials": CREDENTIALS}
            ],
        }
    )


@contextmanager
def running(**environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The application as a process, and its URL once it listens (empty if it ended)."""
    given = {**os.environ, "PORT": "0", "AWS_CA_BUNDLE": str(authority().bundle), **environment}
    command = yaml.safe_load((APP / "manifest.yml").read_text(encoding="utf-8"))["applications"][0][
        "command"
    ].split()
    process = subprocess.Popen(
        [sys.executable, *command[1:]], cwd=APP, env=given, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        yield (
            process,
            f"http://127.0.0.1:{line.split()[-1]}/" if line.startswith("listening") else "",
        )
    finally:
        process.terminate()
        process.wait(60)
        process.stderr.close()


def post(url: str, body: bytes, token: str) -> tuple[int, Any]:
    """The status and the JSON of a POST."""
    headers = {"Authorization": f"Bearer {token}", "X-Subject": "Hello"}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, body, headers), timeout=60
        ) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_004_the_sample_application_sends_through_the_link_that_is_bound() -> None:
    """It listens on PORT, signs in at port 2587 with STARTTLS as VCAP_SERVICES says, and stops when
    the platform asks (004, sample app).
    """
    host = address()
    with SmtpServer(authority().serving(HOST), host=host, port=2587) as server:
        with running(VCAP_SERVICES=services(host), MAIL_TOKEN=TOKEN) as (process, url):
            assert url
            with urllib.request.urlopen(url, timeout=60) as answer:
                assert json.loads(answer.read()) == {"status": "up"}
            assert post(url, b"hi", "wrong")[0] == 401
            status, result = post(url, "Grüße".encode(), TOKEN)
            assert (status, result["status"]) == (200, "succeeded")
            process.terminate()
            assert process.wait(60) == 0
        (message,) = server.received
    assert (message.sender, message.recipients, message.user, message.encrypted) == (
        "ops@sender.test",
        ("desk@rcpt.test",),
        USER,
        True,
    )
    content = email.message_from_bytes(message.content)
    assert content["Subject"] == "Hello"
    assert content.get_payload(decode=True).decode().strip() == "Grüße"  # type: ignore[union-attr]


def test_004_the_sample_application_does_not_start_without_a_token() -> None:
    """Nobody deploys an open relay by mistake (004, sample app)."""
    with running(VCAP_SERVICES="{}", MAIL_TOKEN="") as (process, url):
        assert (url, process.wait(60)) == ("", 1)


def test_004_the_manifest_names_what_the_folder_has() -> None:
    """``cf push`` finds the command's file and the buildpack's files; the README names the services
    (004, sample app).
    """
    (app,) = yaml.safe_load((APP / "manifest.yml").read_text(encoding="utf-8"))["applications"]
    readme = (APP / "README.md").read_text(encoding="utf-8")
    assert (APP / app["command"].split()[1]).is_file()
    assert {"requirements.txt", "runtime.txt"} <= {path.name for path in APP.iterdir()}
    assert [name for name in [app["name"], *app["services"]] if name not in readme] == []
