"""``jackfield dev`` serves a connector's project while its author edits it."""

from __future__ import annotations

import hmac
import json
import os
import shlex
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield.catalog.discovery import entry_points
from jackfield_market.commands.dev import environment_of
from jackfield_market.testing.project import Project
from shell import Shell

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


SIGNED = {"signature": hmac.new(b"k-1", b"Lamp", "sha256").hexdigest()}
"""Output of the sample action for the text ``Lamp``."""


class Session:
    """A running ``jackfield dev acme``, and what it says."""

    def __init__(self, process: subprocess.Popen[bytes], module: Path, token: str) -> None:
        assert process.stderr is not None
        self.process = process
        self.module = module
        self.sound = module.read_text(encoding="utf-8")
        self._said = process.stderr
        self.token = token

    def wait(self, *texts: str) -> str:
        """Read up to the line that has one of the texts."""
        read = []
        for line in map(bytes.decode, self._said):
            read.append(line)
            if any(text in line for text in texts):
                return line
        raise AssertionError("jackfield dev ended: " + "".join(read))

    def listening(self) -> str:
        """Wait until it serves; its address."""
        return self.wait("listens on ").rpartition("listens on ")[2].strip()

    def save(self, text: str) -> None:
        """Save the connector's module."""
        self.module.write_text(text, encoding="utf-8")

    def call(self, url: str) -> Any:
        """Invoke the sample action over HTTP."""
        connection = {"type": "acmeKey", "values": {"apiKey": "k-1"}}
        invocation = {
            "connector": "acme",
            "action": "sign",
            "connection": connection,
            "inputs": {"text": "Lamp"},
        }
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{url}/v1/invocations", json.dumps(invocation).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.load(response)


@pytest.fixture
def session(shell: Shell, tmp_path: Path) -> Iterator[Session]:
    """It, with a token."""
    shell.run("new", "acme", "--python")
    shell.set(JACKFIELD_DATABASE_URL=f"sqlite:///{tmp_path}/dev.db")
    token = shell.run("tokens", "create", "--scope", "invoke").json["token"]
    module = shell.folder / "acme" / "jackfield_acme" / "__init__.py"
    process = shell.start("dev", "acme", "--port", "0")
    yield Session(process, module, token)
    process.send_signal(signal.SIGINT)
    assert shell.ended(process).code == 0


def test_dev_shows_calls_and_faults_and_recovers(session: Session) -> None:
    """Calls are shown live; a fault on import, in a call or in pyproject.toml is printed, one that
    ends the server too; mending helps.
    """
    url = session.listening()
    link = session.wait("console, for one sign-in").rpartition(" ")[2].strip()
    with urllib.request.urlopen(link, timeout=120) as page:
        assert b"console" in page.read().lower()
    with urllib.request.urlopen(f"{url}/console/components", timeout=120) as page:
        assert b"Sign in" in page.read()  # it is there, for who is signed in
    assert session.call(url)["output"] == SIGNED
    session.wait("jackfield: acme sign: succeeded in ")

    session.save(f"{session.sound}\nraise LookupError('broken')\n")
    line = session.wait("cannot be described")
    assert (
        f"LookupError: broken (at jackfield_acme/__init__.py:{len(session.sound.splitlines()) + 2})"
        in line
    )

    session.save(
        session.sound.replace("    signer = ", "    import os\n    os._exit(3)\n    signer = ")
    )
    assert session.listening() == url
    with pytest.raises(OSError):  # noqa: PT011 (a reset or a closed connection)
        session.call(url)
    session.wait("the server has ended with 3")

    pyproject = session.module.parents[1] / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(f"{text}[", encoding="utf-8")
    session.wait("is not TOML")
    session.save(
        session.sound.replace("    signer = ", "    _ = {}['shelf']\n    signer = ")
        .replace('"read"', '"write", no_evidence="None."')
        .replace("Sign a text.", "Mark a text.")
    )
    pyproject.write_text(text, encoding="utf-8")
    assert session.listening() == url
    assert "Mark a text." in session.module.with_name("connector.json").read_text(encoding="utf-8")
    with pytest.raises(OSError, match="HTTP Error 5"):
        session.call(url)
    session.wait("jackfield: acme sign: in doubt in ")
    session.wait("acme/sign: KeyError: 'shelf' (at jackfield_acme/__init__.py:")
    session.wait("Traceback (most recent call last):")


def test_m6_dev_says_how_to_call_it_and_names_an_import_that_hangs(
    session: Session, shell: Shell
) -> None:
    """The printed curl and the other terminal's line work. An import that hangs is named, and its
    repair is noticed. A session that is terminated, as by an editor or a closed terminal, leaves no
    server on its port and no token that can be used.
    """
    curl = session.wait("  curl -s ")
    words = shlex.split(curl)
    url, token, invocation = (
        words[2],
        words[4].removeprefix("Authorization: Bearer "),
        json.loads(words[-1]),
    )
    line = session.wait("  export ")
    added = session.wait("  jackfield connections add acme --type acme/acmeKey")
    command = session.wait("  jackfield invoke acme sign ")
    served = session.listening()
    assert url == f"{served}/v1/invocations"
    session.token = token
    assert session.call(served)["output"] == SIGNED
    assert (invocation["connector"], invocation["action"]) == ("acme", "sign")
    assert invocation["connection"] == {"type": "acmeKey", "values": {"apiKey": "APIKEY"}}
    exported = dict(word.split("=", 1) for word in shlex.split(line)[1:])
    values = shell.write("values.json", json.dumps({"apiKey": "k-1"}))
    assert (
        shell.ended(
            shell.start(*shlex.split(added)[1:], "--values", str(values), "--no-test", **exported)
        ).code
        == 0
    )
    assert (
        shell.ended(shell.start(*shlex.split(command)[1:], "--dry-run", **exported)).json["status"]
        == "succeeded"
    )

    session.save(f"{session.sound}\nimport time\ntime.sleep(600)\n")
    session.wait("has not ended after 10 seconds")
    session.save(session.sound)
    assert session.listening() == served

    session.process.terminate()
    assert session.process.wait(60) == 0
    with pytest.raises(OSError, match="refused"):
        session.call(served)
    assert (
        next(
            row for row in shell.run("tokens", "list").json if row["name"] == "jackfield dev acme"
        )["status"]
        == "revoked"
    )


def test_dev_of_a_connector_without_actions_shows_no_call(shell: Shell, tmp_path: Path) -> None:
    """No command is printed that could not work; the console still opens."""
    shell.run("new", "acme", "--python")
    shell.set(JACKFIELD_DATABASE_URL=f"sqlite:///{tmp_path}/dev.db")
    module = shell.folder / "acme" / "jackfield_acme" / "__init__.py"
    module.write_text(
        module.read_text(encoding="utf-8").partition("@connector.action")[0], encoding="utf-8"
    )
    process = shell.start("dev", "acme", "--port", "0")
    assert process.stderr is not None
    told = []
    for line in map(bytes.decode, process.stderr):
        told.append(line)
        if "listens on " in line:
            break
    process.send_signal(signal.SIGINT)
    assert shell.ended(process).code == 0
    text = "".join(told)
    assert "jackfield: importing 'jackfield_acme' and starting the server\n" in text
    assert "'acme' has no actions yet" in text
    assert "curl" not in text
    assert "ACTION" not in text


@pytest.mark.parametrize("name", ["jackfield-acme", "Jackfield.Acme"])
def test_dev_counts_instead_of_an_installation_of_the_project(
    shell: Shell, tmp_path: Path, name: str
) -> None:
    """The project's README says how to install it in place: dev then serves it as before, and
    nothing is declared twice.
    """
    shell.run("new", "acme", "--python")
    pyproject = shell.folder / "acme" / "pyproject.toml"
    pyproject.write_text(
        pyproject.read_text(encoding="utf-8").replace("jackfield-acme", name), encoding="utf-8"
    )
    installed = tmp_path / "site" / "jackfield_acme-0.1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "entry_points.txt").write_text(
        "[jackfield.connectors]\nacme = jackfield_acme:connector\n", encoding="utf-8"
    )
    folders = [str(tmp_path / "dev" / "site"), str(shell.folder / "acme"), str(tmp_path / "site")]
    environment = environment_of(Project.read(shell.folder / "acme"), tmp_path / "dev")
    assert environment["PYTHONPATH"].startswith(os.pathsep.join(folders[:2]))
    owners = [
        point for point in entry_points(folders)["jackfield.connectors"] if point.name == "acme"
    ]
    assert [(point.distribution, point.value) for point in owners] == [
        ("jackfield-acme", "jackfield_acme:connector")
    ]
