"""Keys of a catalogue's roles: one Ed25519 key file each, in a folder outside of the site.

``root`` and ``targets`` can be kept offline: they are needed only for new connectors, publishers
and keys. ``releases`` signs the releases of publishers. While a key is rotated, its successor is in
``ROLE.next.pem``, so that an interrupted rotation can be finished.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from jackfield.kernel.errors import InvalidInvocation
from jackfield_market.files import write_secret

ROLES = ("root", "targets", "releases", "snapshot", "timestamp")
"""Roles with a key, from the most trusted."""
OFFLINE = ("root", "targets")
"""Roles whose keys need not be on the machine that publishes releases."""
RETIRED = "retired"
"""Folder of replaced keys, in the folder of the keys."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def default_keys(site: str) -> str:
    """Return the default folder of the keys of ``site``: ``SITE.keys`` next to it."""
    return f"{os.path.abspath(site)}.keys"


@dataclass(frozen=True, slots=True)
class RoleKeys:
    """Key files of one catalogue."""

    folder: str

    def path(self, role: str, *, following: bool = False) -> str:
        """Return the path of a role's key, or with ``following`` the path of its successor."""
        return os.path.join(self.folder, f"{role}.next.pem" if following else f"{role}.pem")

    def has(self, role: str) -> bool:
        """Return whether the key of ``role`` exists in the folder."""
        return os.path.exists(self.path(role))

    def rotating(self, role: str) -> bool:
        """Return whether the rotation of a role's key is unfinished."""
        return os.path.exists(self.path(role, following=True))

    def create(self, role: str, *, following: bool = False) -> CryptoSigner:
        """Generate the key of a role, or its successor.

        :raises InvalidInvocation: if the file exists or cannot be written.
        """
        signer = CryptoSigner.generate_ed25519()
        write_secret(self.path(role, following=following), signer.private_bytes)
        return signer

    def following(self, role: str) -> CryptoSigner:
        """Return the successor of a role's key; generate it unless an interrupted rotation has left
        one.
        """
        return (
            _signer(self.path(role, following=True))
            if self.rotating(role)
            else self.create(role, following=True)
        )

    def signer(self, role: str, accepted: Collection[str] | None) -> CryptoSigner:
        """Read the key of a role, if its id is in ``accepted``; None accepts any id.

        :raises InvalidInvocation: if the key is missing, readable by others, or not accepted.
        """
        if role in OFFLINE and not (self.has(role) or self.rotating(role)):
            hint = (
                f"Copy it to '{self.path(role)}' for this command, or name the folder with --keys."
            )
            raise InvalidInvocation(
                f"this needs the {role} key, which is not in '{self.folder}'", hint=hint
            )
        following = [self.path(role, following=True)] if self.rotating(role) else []
        paths = [self.path(role), *following] if self.has(role) or not following else following
        found = next(
            (
                signer
                for signer in map(_signer, paths)
                if accepted is None or signer.public_key.keyid in accepted
            ),
            None,
        )
        if found is None:
            raise InvalidInvocation(
                f"the {role} key in '{self.folder}' is not of this catalogue",
                hint="Name its keys with --keys.",
            )
        return found

    def finish(self, role: str) -> None:
        """End a rotation: the successor replaces the old key, which is moved into the folder of
        retired keys.

        :raises InvalidInvocation: if a file cannot be moved.
        """
        try:
            if self.has(role):
                retired = os.path.join(self.folder, RETIRED)
                os.makedirs(retired, mode=0o700, exist_ok=True)
                os.replace(
                    self.path(role),
                    os.path.join(
                        retired, f"{role}-{_signer(self.path(role)).public_key.keyid[:16]}.pem"
                    ),
                )
            os.replace(self.path(role, following=True), self.path(role))
        except OSError as error:
            raise InvalidInvocation(
                f"the key file '{self.path(role)}' cannot be replaced: {error.strerror}"
            ) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Exclude other commands from the catalogue while the context is open.

        :raises InvalidInvocation: if the folder does not exist, or another command holds the lock.
        """
        import fcntl

        try:
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            hint = "Name the folder of the keys with --keys."
            raise InvalidInvocation(
                f"the folder of the keys '{self.folder}' cannot be used: {error.strerror}",
                hint=hint,
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise InvalidInvocation(
                "another command is changing this catalogue", hint="Wait until it has ended."
            ) from None
        finally:
            os.close(descriptor)


def _signer(path: str) -> CryptoSigner:
    try:
        with open(path, "rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise InvalidInvocation(
                    f"the key file '{path}' can be read by other users",
                    hint=f"Run: chmod 600 '{path}'",
                )
            private = load_pem_private_key(file.read(), None)
    except OSError as error:
        raise InvalidInvocation(
            f"the key file '{path}' cannot be read: {error.strerror}",
            hint="Name the folder with --keys.",
        ) from None
    except (ValueError, TypeError) as error:
        raise InvalidInvocation(
            f"the key file '{path}' is not a private key in PEM format: {error}"
        ) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise InvalidInvocation(f"the key file '{path}' does not hold an Ed25519 key")
    return CryptoSigner(private)
