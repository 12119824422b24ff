"""The master key of a running process: a key file that 'keys rotate' adds to is read again when a newer key is needed."""

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
    """Where the master key stands, the first key being the one that wraps. ``private``: it lies in the home, and is ours alone."""

    path: str
    private: bool

    @classmethod
    def of(cls, environment: Mapping[str, str], home: str) -> KeyFile | None:
        """The key file; None where JACKFIELD_MASTER_KEY holds the key itself."""
        if environment.get("JACKFIELD_MASTER_KEY"):
            return None
        named = environment.get("JACKFIELD_MASTER_KEY_FILE")
        if named:
            return cls(os.path.realpath(named), private=False)  # a mounted secret may be a link
        return cls(os.path.join(home, "master.key"), private=True)

    @property
    def is_missing(self) -> bool:
        """Whether there is no such file, rather than one that cannot be looked at."""
        try:
            os.stat(self.path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return False

    def read(self) -> MasterKey:
        """The keys in the file.

        :raises DatabaseUnfit: where it cannot be read, holds no key, or is open to others.
        """
        return MasterKey.from_file(self.path, private=self.private)

    def identity(self) -> tuple[int, int] | None:
        """What changes when the file does; None where it cannot be looked at."""
        with suppress(OSError):
            found = os.stat(self.path)
            return found.st_ino, found.st_mtime_ns
        return None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One after another among the processes that change the file, and what it wraps: who comes second finds what the first one put.

        :raises DatabaseUnfit: where its folder cannot be opened.
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
        """Have ``key`` wrap from now on; the keys that are there stay behind it, for what they have wrapped. All or nothing. In a block of
        ``alone``: else of two processes that do so at once one is forgotten.

        :raises DatabaseUnfit: where the file cannot be written.
        """
        try:
            with open(self.path, "rb") as file:
                there = file.read().decode("ascii").replace(",", " ").split()
                lines = dict.fromkeys([*key.replace(",", " ").split(), *there])
                _replace(self.path, "".join(f"{line}\n" for line in lines).encode("ascii"), os.fstat(file.fileno()))
        except OSError as fault:
            raise DatabaseUnfit(
                f"the master key file '{self.path}' cannot be written: {fault.strerror}",
                hint="Write the new key as its first line and keep the old one below it; then run 'jackfield keys rotate' again.",
            ) from None


class LiveKey(MasterKey):
    """The master key of a file, as it stands there now."""

    def __init__(self, file: KeyFile) -> None:
        self._file = file
        self._seen = file.identity()
        self._take(file.read())

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys in the file; the wrapping key's is first."""
        self._refresh()
        return super().ids

    def unwrap(self, workspace: str, key_id: str, master_key_id: str, wrapped: bytes) -> bytes:
        """The data key in ``wrapped``, also where its master key came into the file meanwhile."""
        if master_key_id not in super().ids:
            self._refresh()
        return super().unwrap(workspace, key_id, master_key_id, wrapped)

    def _refresh(self) -> None:
        seen = self._file.identity()
        if seen is None or seen == self._seen:
            return
        with suppress(DatabaseUnfit):  # what was read before goes on being used
            self._take(self._file.read())
            self._seen = seen

    def _take(self, fresh: MasterKey) -> None:
        self._keys = fresh._keys  # noqa: SLF001 (its own kind)
        self.id = fresh.id


def live_master_key(environment: Mapping[str, str], home: str, sealed_by: Callable[[], str | None] = lambda: None) -> MasterKey:
    """The master key that the environment names, as ``MasterKey.from_environment`` finds it: made where there is none and nothing needs
    one. ``sealed_by`` gives the id of a key that the database needs.

    :raises DatabaseUnfit: where it cannot be read or made, or the file that held it is gone.
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
    """A new random key, as a key file holds it."""
    return b64encode(secrets.token_bytes(_BYTES)).decode("ascii")


def _replace(path: str, content: bytes, before: os.stat_result) -> None:
    """Put ``content`` in the file's place, with its owner and mode, so that a reader sees the old or the new and nothing between."""
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
    """Alone in the folder of ``path`` among those who ask; a process that dies lets go."""
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
