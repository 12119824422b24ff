"""``$vault``: secrets in HashiCorp Vault, over HTTP and over TLS that is verified."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.jackfield_vault.vault_server import VaultServer

from authority import Authority
from jackfield_vault.kv import read_vault
from jackfield_vault.wire import VaultFault, ask_vault

REFERENCE = {"path": "acme/ses", "field": "secretAccessKey"}


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    """A Vault with one secret of two versions."""
    with VaultServer() as server:
        server.secrets["secret/acme/ses"] = [
            {"secretAccessKey": "old"},
            {"secretAccessKey": "new", "number": 5, "empty": ""},
        ]
        server.secrets["kv team/a b"] = [{"x": "spaced"}]
        yield server


def test_a_field(vault: VaultServer) -> None:
    """A reference is the newest version's field; another version and another mount can be named."""
    assert read_vault(REFERENCE, vault.environment()) == "new"
    assert read_vault({**REFERENCE, "version": 1}, vault.environment()) == "old"
    assert (
        read_vault({"path": "/a b/", "field": "x", "mount": "kv team"}, vault.environment())
        == "spaced"
    )
    assert vault.reads[0] == "/v1/secret/data/acme/ses"


def test_the_token_may_be_in_a_file(vault: VaultServer, tmp_path: Path) -> None:
    """VAULT_TOKEN_FILE is read each time, and VAULT_TOKEN goes before it."""
    file = tmp_path / "token"
    environment = vault.environment(VAULT_TOKEN="", VAULT_TOKEN_FILE=str(file))
    file.write_text("wrong\n", encoding="utf-8")
    with pytest.raises(ValueError, match="rejects the token"):
        read_vault(REFERENCE, environment)
    file.write_text(f"{vault.token}\n", encoding="utf-8")
    assert read_vault(REFERENCE, environment) == "new"
    with pytest.raises(ValueError, match="rejects the token"):
        read_vault(REFERENCE, {**environment, "VAULT_TOKEN": "wrong"})
    file.unlink()
    with pytest.raises(ValueError, match="VAULT_TOKEN_FILE cannot be read: No such file"):
        read_vault(REFERENCE, environment)


def test_a_namespace(vault: VaultServer) -> None:
    """VAULT_NAMESPACE is told to Vault."""
    vault.namespace = "team-a"
    with pytest.raises(ValueError, match="rejects the token"):
        read_vault(REFERENCE, vault.environment())
    assert read_vault(REFERENCE, vault.environment(VAULT_NAMESPACE="team-a")) == "new"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"VAULT_ADDR": ""}, "VAULT_ADDR is not set"),
        ({"VAULT_ADDR": "vault.example.com"}, "VAULT_ADDR is not set"),
        ({"VAULT_ADDR": "ftp://127.0.0.1"}, "VAULT_ADDR is not set"),
        (
            {"VAULT_ADDR": "http://127.0.0.1:9"},
            "Vault cannot be reached: '127.0.0.1:9' refused the connection",
        ),
        ({"VAULT_TOKEN": ""}, "neither VAULT_TOKEN nor VAULT_TOKEN_FILE is set"),
        ({"VAULT_TOKEN": "a\r\nX-Evil: 1"}, "the Vault token is malformed"),
    ],
)
def test_a_host_without_vault(vault: VaultServer, changes: dict[str, str], reason: str) -> None:
    """What is missing on the host is named, and the token is not."""
    with pytest.raises(ValueError, match=reason):
        read_vault(REFERENCE, vault.environment(**changes))


@pytest.mark.parametrize(
    "reference",
    [
        "acme/ses",
        5,
        None,
        [],
        {},
        {"path": "a"},
        {"field": "b"},
        {"path": "", "field": "b"},
        {"path": "a/../b", "field": "x"},
        {"path": "a", "field": "b", "mount": "../sys"},
        {"path": "a", "field": "b", "version": 0},
        {"path": "a", "field": "b", "version": True},
        {"path": "a", "field": "b", "versoin": 1},
        {"path": ["a"], "field": "b"},
    ],
)
def test_what_is_no_reference(vault: VaultServer, reference: Any) -> None:
    """A reference of another shape, or one that climbs out of its mount, is refused before Vault is
    asked.
    """
    with pytest.raises(ValueError, match=r"'\$vault' takes"):
        read_vault(reference, vault.environment())
    assert vault.reads == []


@given(
    st.recursive(
        st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=10
    )
)
def test_no_reference_is_a_bug(reference: Any) -> None:
    """Whatever stands behind ``$vault``, the answer is a sentence."""
    with pytest.raises(ValueError, match=r"^('\$vault' takes|VAULT_ADDR is not set)"):
        read_vault(reference, {})


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "check the path"),
        (404, "does not exist in Vault"),
        (429, "rate limiting"),
        (503, "sealed"),
        (500, "HTTP status 500"),
        (204, "HTTP status 204"),
    ],
)
def test_what_vault_answers(vault: VaultServer, status: int, reason: str) -> None:
    """Each answer of Vault's is a sentence of its own."""
    vault.status = status
    with pytest.raises(ValueError, match=reason):
        read_vault(REFERENCE, vault.environment())


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ({"path": "acme/smtp", "field": "x"}, "does not exist in Vault"),
        ({**REFERENCE, "field": "secret"}, "no string in its field 'secret'"),
        ({**REFERENCE, "field": "number"}, "no string in its field 'number'"),
        ({**REFERENCE, "field": "empty"}, "no string in its field 'empty'"),
        ({**REFERENCE, "version": 3}, "does not exist in Vault"),
    ],
)
def test_what_is_not_there(vault: VaultServer, reference: dict[str, Any], reason: str) -> None:
    """A secret, version or field that is not there is told by its name, never with what is."""
    with pytest.raises(ValueError, match=reason) as caught:
        read_vault(reference, vault.environment())
    assert "new" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"data": {"secretAccessKey": "x"}}',
        b'{"data": null}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer(vault: VaultServer, body: bytes) -> None:
    """An answer of another server, or of version 1 of the engine, is refused."""
    vault.body = body
    with pytest.raises(ValueError, match=r"not JSON|not a KV engine of version 2"):
        read_vault(REFERENCE, vault.environment())


def test_a_standby_sends_us_on(vault: VaultServer) -> None:
    """A redirect of a standby node is followed, twice at most, and never to something else than
    HTTP.
    """
    with VaultServer() as standby:
        standby.redirect = f"{vault.url}/v1/secret/data/acme/ses"
        assert read_vault(REFERENCE, standby.environment()) == "new"
        standby.redirect = "/again"
        with pytest.raises(ValueError, match="HTTP status 307"):
            read_vault(REFERENCE, standby.environment())
        assert standby.reads == ["/v1/secret/data/acme/ses"] * 2 + ["/again"] * 2
        standby.redirect = "file:///etc/passwd"
        with pytest.raises(ValueError, match="not safe to follow"):
            read_vault(REFERENCE, standby.environment())


@pytest.mark.parametrize(
    ("location", "hosts", "is_followed"),
    [
        ("http://127.0.0.1:{port}{path}", "", True),
        ("http://localhost:{port}{path}", "", False),
        ("http://localhost:{port}{path}", "vault-2.example.com", False),
        ("http://localhost:{port}{path}", "vault-2.example.com, LOCALHOST", True),
        ("http://user@localhost:{port}{path}", "127.0.0.1", False),
        ("//localhost:{port}{path}", "", False),
        ("http://127.0.0.1@localhost:{port}{path}", "", False),
        ("http://127.0.0.1:{port}{path}#@localhost", "", True),
    ],
)
def test_a_redirect_to_a_host_that_the_operator_has_not_named(
    vault: VaultServer, location: str, hosts: str, is_followed: bool
) -> None:
    """The token goes to the host of VAULT_ADDR and to those in JACKFIELD_VAULT_HOSTS, and to nobody
    else, however an address is written.
    """
    with VaultServer() as standby:
        standby.redirect = location.format(
            port=vault.url.rpartition(":")[2], path="/v1/secret/data/acme/ses"
        )
        environment = standby.environment(JACKFIELD_VAULT_HOSTS=hosts)
        if is_followed:
            assert read_vault(REFERENCE, environment) == "new"
            return
        with pytest.raises(
            ValueError, match="'localhost' is one of its nodes, name it in JACKFIELD_VAULT_HOSTS"
        ):
            read_vault(REFERENCE, environment)
        assert vault.reads == []


def test_a_redirect_of_a_key_service(vault: VaultServer) -> None:
    """A plain data key goes to no other host either: the rule is that of all requests to Vault."""
    vault.transit.make("first")
    with VaultServer() as standby:
        standby.redirect = (
            f"http://localhost:{vault.url.rpartition(':')[2]}/v1/transit/encrypt/first"
        )
        with pytest.raises(ValueError, match="redirects to another host"):
            ask_vault(
                "/v1/transit/encrypt/first",
                standby.environment(),
                timeout=5,
                body={"plaintext": "c2VjcmV0"},
            )
    assert vault.transit.requests == []


@pytest.mark.parametrize(
    ("status", "is_outage"),
    [(400, False), (403, False), (404, False), (429, True), (473, True), (500, True), (503, True)],
)
def test_what_is_an_outage(vault: VaultServer, status: int, is_outage: bool) -> None:
    """A Vault that cannot answer now, or is not there, is told apart from one that refuses."""
    vault.status = status
    with pytest.raises(VaultFault) as refused:
        read_vault(REFERENCE, vault.environment())
    with pytest.raises(VaultFault) as absent:
        read_vault(REFERENCE, vault.environment(VAULT_ADDR="http://127.0.0.1:9"))
    assert (refused.value.is_outage, absent.value.is_outage) == (is_outage, True)


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    ],
)
def test_an_answer_that_trickles_ends_in_time(vault: VaultServer, start: bytes) -> None:
    """A Vault, or a proxy before it, that sends a byte now and then is an outage once the time of
    the whole answer is over.
    """
    gone = threading.Event()

    def trickle(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(start)
            while not gone.wait(0.02):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: trickle(server.accept()[0]), daemon=True).start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        try:
            with pytest.raises(
                VaultFault, match=r"cannot be reached: .* did not respond in time"
            ) as raised:
                ask_vault("/v1/secret/data/a", vault.environment(VAULT_ADDR=address), timeout=0.3)
        finally:
            gone.set()
    assert raised.value.is_outage


def test_certificates_are_verified(tmp_path: Path) -> None:
    """A certificate is believed only where its authority is; VAULT_CACERT names one of your own."""
    authority = Authority(tmp_path)
    with VaultServer(context=authority.serving("127.0.0.1")) as vault:
        vault.secrets["secret/acme/ses"] = [{"secretAccessKey": "new"}]
        with pytest.raises(ValueError, match="certificate cannot be verified"):
            read_vault(REFERENCE, vault.environment())
        assert read_vault(REFERENCE, vault.environment(VAULT_CACERT=str(authority.bundle))) == "new"
        with pytest.raises(ValueError, match="cannot be reached"):
            read_vault(REFERENCE, vault.environment(VAULT_CACERT=str(tmp_path / "none.pem")))
    with VaultServer(context=authority.serving("vault.example.com")) as other:
        with pytest.raises(ValueError, match="certificate cannot be verified"):
            read_vault(REFERENCE, other.environment(VAULT_CACERT=str(authority.bundle)))
        assert other.reads == []


def test_tls_is_not_left(tmp_path: Path, vault: VaultServer) -> None:
    """A redirect from TLS to plain text is not followed: it would show the token."""
    authority = Authority(tmp_path)
    with VaultServer(context=authority.serving("127.0.0.1")) as standby:
        standby.redirect = vault.url
        with pytest.raises(ValueError, match="not safe to follow"):
            read_vault(REFERENCE, standby.environment(VAULT_CACERT=str(authority.bundle)))
    assert vault.reads == []


def test_the_context_is_ours() -> None:
    """Nothing turns verification off, whatever Vault's own tools understand."""
    with (
        VaultServer(context=_untrusted()) as vault,
        pytest.raises(ValueError, match="certificate cannot be verified"),
    ):
        read_vault(REFERENCE, vault.environment(VAULT_SKIP_VERIFY="true"))


def _untrusted() -> ssl.SSLContext:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return Authority(Path(folder)).serving("127.0.0.1")
