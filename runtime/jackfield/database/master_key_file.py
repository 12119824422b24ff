"""Master key of a running process: reads the key file again when a newer key is needed, because 'keys rotate' adds keys to it."""

from __future__ import annotations

import os
import secrets
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from jackfield.database import DatabaseUnfit, MasterKey

__all__ = ["KeyFile", "LiveKey", "live_master_key", "new_key_text"]

_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Location of the master keys, of which the first wraps. ``private``: the file lies in the home, and only our account may access it."""

    path: str
    private: bool

    @classmethod
    def of(cls, environment: Mapping[str, str], home: str) -> KeyFile | None:
        """Return the key file; None if JACKFIELD_MASTER_KEY holds the key itself."""
        if environment.get("JACKFIELD_MASTER_KEY"):
            return None
        named = environment.get("JACKFIELD_MASTER_KEY_FILE")
        if named:
            return cls(os.path.realpath(named), private=False)  # a mounted secret may be a link
        return cls(os.path.join(home, "master.key"), private=True)

    @property
    def is_missing(self) -> bool:
        """True if the file does not exist; False also if it cannot be accessed."""
        try:
            os.stat(self.path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return False

    def read(self) -> MasterKey:
        """Read the keys in the file.

        :raises DatabaseUnfit: if it cannot be read, holds no key, or is accessible to other accounts.
        """
        return MasterKey.from_file(self.path, private=self.private)

    def identity(self) -> tuple[int, int] | None:
        """Return a value that changes with the file; None if the file cannot be accessed."""
        with suppress(OSError):
            found = os.stat(self.path)
            return found.st_ino, found.st_mtime_ns
        return None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock for changes to the file and to the keys that it wraps. The next holder sees those changes.

        :raises DatabaseUnfit: if the file's folder cannot be opened.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(_locked(self.path))
            except OSError as fault:
                raise DatabaseUnfit(
                    f"the folder of the master key file '{self.path}' cannot be opened: {fault.strerror}",
                    hint="Let the account that runs jackfield read that folder.",
                ) from None
            yield

    def put_first(self, key: str) -> None:
        """Make ``key`` the wrapping key; keep the others for unwrapping. All or nothing.

        Call inside ``with alone():``, otherwise concurrent writers lose an update.

        :raises DatabaseUnfit: if the file cannot be written.
        """
        try:
            with open(self.path, "rb") as file:
                existing = file.read().decode("ascii").replace(",", " ").split()
                lines = dict.fromkeys([*key.replace(",", " ").split(), *existing])
                _replace(self.path, "".join(f"{line}\n" for line in lines).encode("ascii"), os.fstat(file.fileno()))
        except OSError as fault:
            raise DatabaseUnfit(
                f"the master key file '{self.path}' cannot be written: {fault.strerror}",
                hint="Write the new key as its first line and keep the old one below it; then run 'jackfield keys rotate' again.",
            ) from None


class LiveKey(MasterKey):
    """Master key that follows changes of its file."""

    def __init__(self, file: KeyFile) -> None:
        self._file = file
        self._seen = file.identity()
        self._take(file.read())

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the keys in the file, the wrapping key first."""
        self._refresh()
        return super().ids

    def unwrap(self, workspace: str, key_id: str, master_key_id: str, wrapped: bytes) -> bytes:
        """Unwrap a data key, also if its master key was added to the file in the meantime."""
        if master_key_id not in super().ids:
            self._refresh()
        return super().unwrap(workspace, key_id, master_key_id, wrapped)

    def _refresh(self) -> None:
        seen = self._file.identity()
        if seen is None or seen == self._seen:
            return
        with suppress(DatabaseUnfit):  # continue with the keys read before
            self._take(self._file.read())
            self._seen = seen

    def _take(self, fresh: MasterKey) -> None:
        self._keys = fresh._keys  # noqa: SLF001 (same class)
        self.id = fresh.id


def live_master_key(environment: Mapping[str, str], home: str, sealed_by: Callable[[], str | None] = lambda: None) -> MasterKey:
    """Find the master key as ``MasterKey.from_environment`` does. Create one only if nothing in the database needs an existing key.

    ``sealed_by`` returns the id of a key that the database needs.

    :raises DatabaseUnfit: if the key cannot be read or created, or its file is gone.
    """
    lost = KeyFile.of(environment, home)
    if lost is not None and lost.private and lost.is_missing:
        key_id = sealed_by()
        if key_id is not None and lost.is_missing:  # another process may have made both meanwhile
            raise DatabaseUnfit(
                f"the master key file '{lost.path}' is missing; the database was sealed with key id {key_id}",
                hint="Put the file back from your copy, or set JACKFIELD_MASTER_KEY or JACKFIELD_MASTER_KEY_FILE to that key. "
                "No new key was made: it would open nothing.",
            )
    found = MasterKey.from_environment(environment, home)
    file = KeyFile.of(environment, home)
    return found if file is None else LiveKey(file)


def new_key_text() -> str:
    """Generate a random key, in the format of a key file."""
    return b64encode(secrets.token_bytes(_BYTES)).decode("ascii")


def _replace(path: str, content: bytes, before: os.stat_result) -> None:
    """Replace the file atomically, preserving owner and mode: readers see the old or the new content."""
    part = f"{path}.{secrets.token_hex(8)}"
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        try:
            if os.name == "posix":
                os.fchown(descriptor, before.st_uid, before.st_gid)
                os.fchmod(descriptor, before.st_mode & 0o777)
            os.write(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


@contextmanager
def _locked(path: str) -> Iterator[None]:
    """Hold an exclusive lock on the folder of ``path``. It is released if the process dies."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
        os.fsync(folder)
    finally:
        os.close(folder)
