"""MySQL: no login of PyMySQL's shows the password to a server that nobody has verified."""

from __future__ import annotations

import ast
import inspect
import socket
import struct
from contextlib import ExitStack, suppress
from pathlib import Path

import pymysql.connections
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pymysql._auth import scramble_caching_sha2
from pymysql.constants import CLIENT

from jackfield import Jackfield, Result
from raw_server import make_certificate, serving, with_tls

_PASSWORD = b"S3cretPassw0rd!"
_SALT, _OTHER_SALT = b"A" * 20, b"B" * 20
_PROOFS = {"mysql_native_password", "client_ed25519"}
_QUICK = "caching_sha2_password"
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_PEM = _KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
_OAEP = padding.OAEP(mgf=padding.MGF1(algorithm=hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
_FULL = b"\x01\x04"
_CAPABILITIES = (
    CLIENT.LONG_PASSWORD
    | CLIENT.PROTOCOL_41
    | CLIENT.SECURE_CONNECTION
    | CLIENT.PLUGIN_AUTH
    | CLIENT.CONNECT_WITH_DB
    | CLIENT.TRANSACTIONS
)


def _logins_of_the_library() -> list[str]:
    """Names that PyMySQL compares a login's name with."""
    found = set()
    for node in ast.walk(ast.parse(inspect.getsource(pymysql.connections))):
        if isinstance(node, ast.Compare) and "plugin_name" in ast.unparse(node.left):
            texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
            found |= {
                text.decode() if isinstance(text, bytes) else text
                for text in texts
                if isinstance(text, str | bytes)
            }
    return sorted(found - {""})


LOGINS = _logins_of_the_library()


class Asking:
    """A server that names a login, at the greeting or by a switch, and then asks for the password
    in every way.
    """

    def __init__(self, greets: str, answers: tuple[bytes, ...], certificate: Path | None) -> None:
        self.greets, self.answers, self.certificate = greets, answers, certificate
        self.heard: list[bytes] = []

    def __call__(self, client: socket.socket) -> None:
        """Serve one client."""
        capabilities = _CAPABILITIES | (CLIENT.SSL if self.certificate else 0)
        low, high = capabilities & 0xFFFF, capabilities >> 16
        body = (
            b"\x0a8.4.0\0"
            + struct.pack("<I8sxHBHHB10x", 7, _SALT[:8], low, 45, 2, high, 21)
            + _SALT[8:]
            + b"\0"
        )
        client.sendall(_packet(0, body + self.greets.encode() + b"\0"))
        with suppress(EOFError, OSError), ExitStack() as opened:
            if self.certificate is not None:
                _read(client)
                client = opened.enter_context(with_tls(self.certificate, client))
            for answer in self.answers:
                number = self._take(client)
                client.sendall(_packet(number + 1, answer))
            self._take(client)

    def _take(self, client: socket.socket) -> int:
        number, body = _read(client)
        self.heard.append(body)
        return number

    @property
    def knows(self) -> bool:
        """True if what it heard has the password: in clear, or for its key."""
        return any(_PASSWORD in body or _opened(body) for body in self.heard)


def _opened(body: bytes) -> bool:
    with suppress(ValueError):
        found = _KEY.decrypt(body, _OAEP)
        return any(
            bytes(one ^ salt[at % 20] for at, one in enumerate(found)).startswith(_PASSWORD)
            for salt in (_SALT, _OTHER_SALT)
        )
    return False


def _packet(number: int, body: bytes) -> bytes:
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


def _read(client: socket.socket) -> tuple[int, bytes]:
    head = _exactly(client, 4)
    return head[3], _exactly(client, int.from_bytes(head[:3], "little"))


def _exactly(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = client.recv(size - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def _call(port: int, tls: str) -> Result:
    values = {
        "hostname": "127.0.0.1",
        "port": port,
        "database": "shop",
        "username": "ada",
        "password": _PASSWORD.decode(),
        "tls": tls,
    }
    with Jackfield(database_url="none") as jackfield:
        return jackfield.invoke(
            {
                "connector": "mysql",
                "action": "executeStatement",
                "inputs": {"sql": "DELETE FROM orders"},
                "timeoutSeconds": 60,
                "connection": {"type": "password", "values": values},
            }
        )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody knows."""
    return make_certificate(tmp_path_factory.mktemp("mysql"))


def test_the_logins_of_the_library_are_known() -> None:
    """The names are found, so that the other tests try each; a new one is refused, and tried as
    well.
    """
    assert {
        *_PROOFS,
        _QUICK,
        "sha256_password",
        "mysql_clear_password",
        "mysql_old_password",
        "dialog",
    } <= {*LOGINS}


@pytest.mark.parametrize("tls", ["encrypt", "disable"])
@pytest.mark.parametrize("way", ["greeting", "switch"])
@pytest.mark.parametrize("login", [*LOGINS, "login_of_tomorrow"])
def test_no_login_shows_the_password_to_a_server_that_is_not_verified(
    login: str, way: str, tls: str, certificate: Path
) -> None:
    """Whatever it names and asks for; what is no proof is refused, and the connection's error says
    so.
    """
    switch = (
        b"\xfe"
        + login.encode()
        + b"\0"
        + (b"\x04Password: " if login == "dialog" else _OTHER_SALT + b"\0")
    )
    asks = (_FULL, b"\x01" + _PEM, b"\x01" + _PEM)
    switches = (switch,) if way == "switch" else ()
    greets = login if way == "greeting" else "mysql_native_password"
    server = Asking(greets, (*switches, *asks), certificate if tls == "encrypt" else None)
    with serving(server) as port:
        result = _call(port, tls)
    assert server.heard
    assert not server.knows
    assert result.status == "failed"
    assert result.error is not None
    if login not in _PROOFS:
        assert (result.error.code, "it asks for the password itself" in result.error.message) == (
            "unauthenticated",
            True,
        ), result.error


@pytest.mark.parametrize("way", ["greeting", "switch"])
def test_the_quick_path_is_used(way: str, certificate: Path) -> None:
    """A server that has cached the password gets the proof, and the next command after it."""
    salt = _SALT if way == "greeting" else _OTHER_SALT
    switches = () if way == "greeting" else (b"\xfe" + _QUICK.encode() + b"\0" + salt + b"\0",)

    class Knowing(Asking):
        def _take(self, client: socket.socket) -> int:
            number = super()._take(client)
            if len(self.heard) == len(self.answers):
                client.sendall(_packet(number + 1, b"\x01\x03"))
                return number + 1  # and OK follows
            return number

    server = Knowing(
        _QUICK if way == "greeting" else "mysql_native_password",
        (*switches, b"\0\0\0\2\0\0\0"),
        certificate,
    )
    with serving(server) as port:
        _call(port, "encrypt")
    assert any(scramble_caching_sha2(_PASSWORD, salt) in body for body in server.heard)
    assert any(b"SET NAMES" in body for body in server.heard)
    assert not server.knows


def test_a_login_is_answered_where_the_greeting_names_another(certificate: Path) -> None:
    """A server whose default login is refused may still ask for one that is a proof, which the
    account has.
    """
    switch = b"\xfemysql_native_password\0" + _OTHER_SALT + b"\0"
    server = Asking("sha256_password", (switch, b"\0\0\0\2\0\0\0"), certificate)
    with serving(server) as port:
        _call(port, "encrypt")
    assert any(b"SET NAMES" in body for body in server.heard)
    assert not server.knows
