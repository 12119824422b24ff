"""The connection type ``login``: a server, and a user with a password or a private key."""

from __future__ import annotations

from typing import Any, ClassVar

from jackfield.connector import Account, Deadline, Field, Guard
from jackfield.connector.servers import DISABLE, Address, hostname_field, password_field, port_field
from jackfield.connector.sessions import ServerLogin
from jackfield.kernel.exports import late_hints
from jackfield_sftp.client import SftpClient
from jackfield_sftp.session import Login, Session

_GUIDE = """
1. Make a user for jackfield on the server that can reach only the files that the actions may use, such as one in a folder of its own
   (`ChrootDirectory` and `ForceCommand internal-sftp` in `sshd_config`). Whoever may call these actions can do whatever this user may.
2. Give the user a password, or make a key pair (`ssh-keygen -t ed25519`) and put the public key into the user's `authorized_keys`.
3. Get the fingerprint of the server's host key from whoever runs it: `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`. A connection is
   made to the server with this key alone.
4. Enter host name, user name, the fingerprint (`SHA256:…`), and the password or the private key.
"""
_USER = {"minLength": 1, "maxLength": 255, "pattern": "^[^\\u0000]+$"}
_ONE: dict[str, Any] = {"oneOf": [{"required": ["password"]}, {"required": ["privateKey"]}]}


class LoginType(ServerLogin, json_schema_extra=_ONE):
    """An SFTP server, and a user with a password or a private key."""

    key: ClassVar[str] = "login"
    title: ClassVar[str] = "SFTP User"
    setup: ClassVar[str] = _GUIDE
    client: ClassVar[type[SftpClient]] = SftpClient

    hostname: str = hostname_field("files.example.com")
    port: int = port_field(22)
    username: str = Field(
        title="User Name", description="The user that signs in.", trim=True, schema=_USER
    )
    host_key: str = Field(
        title="Host Key",
        description="The fingerprint of the server's host key: of its Ed25519 key, if it has one.",
        trim=True,
        examples=["SHA256:uNiVztksCsDhcc0u9e8BrXXJCOhqxmWcVzX2bsX6hTI"],
        secret=False,
        destination=True,
        audience="user",
        expects="a fingerprint such as SHA256:uNiVztksCsDhcc0u9e8BrXXJCOhqxmWcVzX2bsX6hTI",
        schema={"pattern": "^SHA256:[A-Za-z0-9+/]{43}=?$"},
    )
    password: str | None = password_field(
        "The user's password; empty with a private key.", None, blank="absent"
    )
    private_key: str | None = Field(
        None,
        title="Private Key",
        description="The user's private key, in OpenSSH's or PEM form; empty with a password.",
        multiline=True,
        secret=True,
        blank="absent",
        schema={"minLength": 1, "maxLength": 20_000},
    )
    passphrase: str | None = Field(
        None,
        title="Passphrase",
        description="The private key's passphrase, if it has one.",
        secret=True,
        blank="absent",
        schema={"minLength": 1, "maxLength": 1000},
    )

    @property
    def address(self) -> Address:
        """Address of the server."""
        return Address(self.hostname.strip("[]"), self.port, DISABLE)

    def session(self, guard: Guard, deadline: Deadline) -> Session:
        """Connect, without signing in."""
        login = Login(
            self.username, self.host_key, self.password, self.private_key, self.passphrase
        )
        return Session(self.address, login, guard, deadline)

    def account(self, client: SftpClient) -> tuple[str, Account]:
        """Read the user's folder from the server."""
        folder = client.read("realpath", lambda server: str(server.normalize(".")))
        place = self.address.place
        return "The server", Account(
            f"{self.username}@{place}{folder}",
            f"{self.username} at {self.hostname}, folder {folder}",
        )


late_hints(__name__)
