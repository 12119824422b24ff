"""A real IMAP server for tests: a private Dovecot on loopback, with mailboxes in a folder of its
own.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from ports import free_port

_WITHIN = 60.0
PASSWORD = "s3cret of ädä"
_CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = {tls}
{certificate}
disable_plaintext_auth = no
auth_mechanisms = plain
auth_verbose = yes
mail_max_userip_connections = 1000
auth_cache_size = 0
auth_failure_delay = 0
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={user_group} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Archive {{
    auto = subscribe
    special_use = \\Archive
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""


def _program() -> str | None:
    return shutil.which("dovecot") or (
        "/usr/sbin/dovecot" if Path("/usr/sbin/dovecot").exists() else None
    )


def missing() -> str | None:
    """Why there can be no server here; ``None`` where there can."""
    if _program() is None or not Path("/usr/lib/dovecot/imap").exists():
        return "Dovecot's IMAP server is not installed (Debian's package dovecot-imapd)"
    return None


class Dovecot:
    """A server with the users ``ada`` and ``eve``. With a certificate, it offers TLS after its
    greeting.
    """

    def __init__(self, pem: Path | None = None) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.folder.chmod(0o755)
        (self.folder / "users").write_text(f"ada:{PASSWORD}\neve:{PASSWORD}\n", encoding="utf-8")
        is_root = os.geteuid() == 0
        own = getpass.getuser()
        mail = self.folder / "mail"
        mail.mkdir()
        if is_root:
            shutil.chown(mail, "nobody", "nogroup")
        certificate = "" if pem is None else f"ssl_cert = <{pem}\nssl_key = <{pem}"
        text = _CONFIGURATION.format(
            folder=self.folder,
            port=self.port,
            tls="no" if pem is None else "yes",
            certificate=certificate,
            internal="dovecot" if is_root else own,
            login="dovenull" if is_root else own,
            group="dovecot" if is_root else str(os.getegid()),
            user="nobody" if is_root else str(os.geteuid()),
            user_group="nogroup" if is_root else str(os.getegid()),
        )
        (self.folder / "dovecot.conf").write_text(text, encoding="utf-8")
        program = _program()
        assert program is not None
        command = [program, "-F", "-c", str(self.folder / "dovecot.conf")]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        until = time.monotonic() + _WITHIN
        while True:
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 1.0) as connection,
            ):
                if connection.recv(64).startswith(b"* OK"):
                    return
            assert self._process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            threading.Event().wait(0.02)

    @property
    def log(self) -> str:
        """What the server has logged."""
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def client(self, user: str = "ada") -> IMAPClient:
        """A signed-in client of the tests' own."""
        client = IMAPClient("127.0.0.1", self.port, ssl=False)
        client.plain_login(user, PASSWORD)
        return client

    def empty(self, user: str = "ada") -> None:
        """Delete all mail of a user, and the mailboxes that others than the server have made."""
        with self.client(user) as client:
            # levels below first
            for _, _, name in sorted(
                client.list_folders(), key=lambda one: len(one[2]), reverse=True
            ):
                if name not in {"INBOX", "Drafts", "Archive"}:
                    # a level without a mailbox goes with the one below
                    with suppress(IMAPClientError):
                        client.delete_folder(name)
                    continue
                client.select_folder(name)
                if found := client.search():
                    client.delete_messages(found)
                    client.expunge()

    def close(self) -> None:
        """Stop for good."""
        self._process.terminate()
        try:
            self._process.wait(_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def dovecot_process() -> Iterator[Dovecot]:
    """The server of this process; skips where Dovecot is not installed."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    server = Dovecot()
    yield server
    server.close()


@pytest.fixture
def dovecot(dovecot_process: Dovecot) -> Dovecot:
    """The server, without mail."""
    dovecot_process.empty()
    return dovecot_process
