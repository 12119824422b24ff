"""``jackfield connections connect``: in the browser of this machine, and with a code on another
device, against a certified server.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import ProxyHandler, build_opener

import pytest

from oauth2_site import make_people
from oidc_provider import AuthorizationServer, authorization_server
from shell import Answer, Shell

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


@pytest.fixture(scope="module")
def provider() -> Iterator[AuthorizationServer]:
    """One authorization server for all tests."""
    with authorization_server() as found:
        yield found


@pytest.fixture(autouse=True)
def _connection(shell: Shell, tmp_path: Path, provider: AuthorizationServer) -> None:
    """The connection ``ada``, which nobody has approved."""
    make_people(shell.plugs)
    shell.set(
        JACKFIELD_HOME=str(tmp_path / "home"),
        JACKFIELD_DATABASE_URL=f"sqlite:///{tmp_path / 'jackfield.db'}",
    )
    words = (
        "connections",
        "add",
        "ada",
        "--type",
        "people/oauth2AuthorizationCode",
        "--values",
        "-",
        "--no-test",
    )
    assert shell.run(*words, stdin=json.dumps(provider.public_values())).code == 0


def told(process: subprocess.Popen[bytes], pattern: str) -> list[str]:
    """The next line on stderr, whose parts the pattern names."""
    assert process.stderr is not None
    found = re.fullmatch(pattern, process.stderr.readline().decode())
    assert found is not None
    return list(found.groups())


def visit(url: str) -> int:
    """Open a page on this machine; its status."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=120) as page:
            return int(page.status)
    except HTTPError as error:
        return error.code


def who(shell: Shell) -> Answer:
    """Ask who has approved."""
    return shell.run("invoke", "people", "whoAmI", "--connection", "ada")


def test_a_browser_returns_to_this_machine(shell: Shell, provider: AuthorizationServer) -> None:
    """The command waits at a port of its own for the one answer with its state, prints the
    connection, and shows no token.
    """
    assert (
        who(shell)
        .json["error"]["hint"]
        .startswith("Connect it: 'jackfield connections connect ada'")
    )
    process = shell.start("connections", "connect", "ada", "--no-browser")
    (url,) = told(process, "jackfield: approve the connection at (.*)\n")
    back = parse_qs(urlsplit(url).query)["redirect_uri"][0]
    address = provider.browser().open(url)[0]
    assert address.startswith(f"{back}?")
    code = parse_qs(urlsplit(address).query)["code"][0]
    assert (visit(back.replace("/callback", "/favicon.ico")), visit(back)) == (404, 200)
    # connects nothing: the state is not the command's
    assert visit(f"{back}?{urlencode({'state': 'made-up', 'code': code})}") == 200
    assert visit(address) == 200
    answer = shell.ended(process)
    assert (answer.code, answer.json["authorization"]["status"]) == (0, "granted")
    assert "mail.read" in answer.json["authorization"]["scopes"]
    assert code not in answer.out + answer.err
    assert who(shell).json["output"] == {"sub": "ada"}
    before = provider.count("/token/revocation")
    assert shell.run("connections", "remove", "ada").code == 0
    assert provider.count("/token/revocation") - before == 1


def test_a_person_refuses(shell: Shell, provider: AuthorizationServer) -> None:
    """A refusal ends the command with the provider's words and the next step; nothing is connected.

    The provider announces that its answers carry ``iss``, so one without it would be refused as
    another provider's.
    """
    process = shell.start("connections", "connect", "ada", "--no-browser")
    (url,) = told(process, "jackfield: approve the connection at (.*)\n")
    asked = {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()}
    refused = {
        "state": asked["state"],
        "error": "access_denied",
        "error_description": "Ada said no",
        "iss": provider.issuer,
    }
    visit(f"{asked['redirect_uri']}?{urlencode(refused)}")
    answer = shell.ended(process)
    assert (answer.code, answer.json["error"]["code"], answer.json["error"]["hint"]) == (
        1,
        "forbidden",
        "Connect it again.",
    )
    assert "Ada said no" in answer.json["error"]["message"]
    assert shell.run("connections", "show", "ada").json["authorization"] == {"status": "none"}


def test_a_code_is_entered_on_another_device(shell: Shell, provider: AuthorizationServer) -> None:
    """Without a browser here, the command shows an address and a code, and waits until somebody has
    entered it elsewhere.
    """
    process = shell.start("connections", "connect", "ada", "--device")
    url, code = told(process, "jackfield: open (.*) and enter the code (.*)\n")
    provider.browser().enter(url, code)
    answer = shell.ended(process)
    assert (answer.code, answer.json["authorization"]["status"]) == (0, "granted")
    assert who(shell).json["output"] == {"sub": "ada"}


def test_a_port_that_is_taken(shell: Shell, provider: AuthorizationServer) -> None:
    """A port that is in use is refused before anybody is asked to approve."""
    port = str(urlsplit(provider.issuer).port)
    error = shell.run(
        "connections", "connect", "ada", "--no-browser", "--redirect-port", port
    ).json["error"]
    assert (error["code"], error["hint"]) == ("unavailable", "Choose another: '--redirect-port'.")


def test_connections_that_nobody_approves(shell: Shell) -> None:
    """A connection with a token is not connected but tested, and an unknown one is named."""
    shell.run(
        "connections",
        "add",
        "room",
        "--type",
        "echo/token",
        "--values",
        "-",
        "--no-test",
        stdin='{"token": "t"}',
    )
    for flow in ("--no-browser", "--device"):
        error = shell.run("connections", "connect", "room", flow).json["error"]
        assert (error["code"], error["hint"]) == ("invalid_connection", "Test it instead.")
    assert shell.run("connections", "connect", "aba").json["error"]["code"] == "unknown_connection"
