"""Master keys in a file or in the environment, which wrap data keys in this process. The file is
created on first use.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import stat
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from string import hexdigits

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.durable import sync
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield_store.database.faults import DatabaseUnfit
from jackfield_store.keys.sealing import KEY_BYTES, bound, cipher, unwrap, wrap

_FILE = "master.key"
_HINT = "A key is 32 random bytes in base64: head -c 32 /dev/urandom | base64"
_LARGEST = 64 * 1024
_DIGITS = 43
"""Number of Base64 digits for 32 bytes, without the padding."""
_BASE64, _BASE64URL = re.compile(r"[A-Za-z0-9+/]*"), re.compile(r"[A-Za-z0-9_-]*")
_BOUND = b"\x02"
"""First byte of a key that is bound to its installation. Keys wrapped by an older version are one
byte shorter, and not bound to it.
"""
_UNBOUND_BYTES = 60


class LocalKey(SecretHolder):
    """Wrapper of data keys by a key of 32 bytes that this process has (AES-256-GCM)."""

    is_local = True

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.id = _key_id(key)

    def __repr__(self) -> str:
        return f"<LocalKey {self.id}>"

    def wrap(self, context: Mapping[str, str], data_key: bytes) -> bytes:
        """Encrypt a data key."""
        return _BOUND + wrap(cipher(self._key), _bound(context), data_key)

    def unwrap(self, context: Mapping[str, str], wrapped: bytes) -> bytes:
        """Decrypt a data key, also one wrapped by an older version.

        :raises SealBroken: if it was changed, or wrapped in another context.
        """
        if len(wrapped) == _UNBOUND_BYTES:
            return unwrap(
                cipher(self._key), bound((_PURPOSE, context["workspace"], context["key"])), wrapped
            )
        return unwrap(cipher(self._key), _bound(context), wrapped[len(_BOUND) :])

    def rewrap(self, context: Mapping[str, str], wrapped: bytes, source: str) -> bytes | None:
        """Encrypt again a key that this key encrypted; return None for another wrapper's key.

        :raises SealBroken: as ``unwrap`` does.
        """
        return self.wrap(context, self.unwrap(context, wrapped)) if source == self.id else None


_PURPOSE = "jackfield data key"


def _bound(context: Mapping[str, str]) -> bytes:
    return bound((_PURPOSE, context["installation"], context["workspace"], context["key"]))


class MasterKey(SecretHolder):
    """One or more keys of 32 bytes: the first wraps, all unwrap. Their ids may be shown, the keys
    never.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise DatabaseUnfit("a master key is not 32 bytes long", hint=_HINT)
        self._keys = {_key_id(key): key for key in keys}
        self.id = _key_id(keys[0])

    trouble = None
    """None, since a master key needs no service."""

    def __repr__(self) -> str:
        return f"<MasterKey {', '.join(self._keys)}>"

    @property
    def ids(self) -> tuple[str, ...]:
        """First 8 hexadecimal digits of each key's SHA-256, the wrapping key first."""
        return tuple(self._keys)

    @classmethod
    def generate(cls) -> MasterKey:
        """Generate a random key."""
        return cls([os.urandom(KEY_BYTES)])

    @classmethod
    def from_text(cls, text: str, source: str = "the master key") -> MasterKey:
        """Parse keys from ``text``, separated by commas or white space. ``source`` names their
        origin in errors.

        Each is Base64 or Base64url (RFC 4648, section 4 and 5) with or without padding, with or
        without the prefix ``base64:``, or 64 hexadecimal digits, as key generators write it. Lines
        that begin with ``#`` are comments.

        :raises DatabaseUnfit: if the text has no key, or any other content.
        """
        lines = (
            line
            for line in text.removeprefix("\ufeff").splitlines()
            if not line.lstrip().startswith("#")
        )
        parts = " ".join(lines).replace(",", " ").split()
        return cls([_parsed(part, source) for part in parts or [""]])

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], home: str | os.PathLike[str]
    ) -> MasterKey:
        """Read the key from ``JACKFIELD_MASTER_KEY``, the file named by
        ``JACKFIELD_MASTER_KEY_FILE``, or ``master.key`` in ``home``.

        ``master.key`` is created if it is missing.

        :raises DatabaseUnfit: if the key cannot be read or is invalid, or other accounts can read
            the file in ``home``.
        """
        text = environment.get("JACKFIELD_MASTER_KEY")
        if text:
            return cls.from_text(text, "JACKFIELD_MASTER_KEY")
        named = environment.get("JACKFIELD_MASTER_KEY_FILE")
        if named:
            return cls.from_file(named)
        path = Path(home, _FILE)
        if not path.exists():
            _write_new_key(path)
        return cls.from_file(path, private=True)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, private: bool = False) -> MasterKey:
        """Read the keys in a file.

        ``private``: only the account that runs this process may own or read the file. Otherwise
        only write access is restricted, because a mounted secret is readable by design.

        :raises DatabaseUnfit: if the permissions are wrong, or the file holds no key.
        """
        try:
            with Path(path).open("rb") as file:
                _check_permissions(str(path), os.fstat(file.fileno()), private=private)
                text = file.read(_LARGEST).decode("utf-8-sig")
        except OSError as fault:
            raise DatabaseUnfit(
                f"the master key file '{path}' cannot be read: {fault.strerror}", hint=_HINT
            ) from None
        except UnicodeError:
            raise DatabaseUnfit(f"the master key file '{path}' is not text", hint=_HINT) from None
        return cls.from_text(text, f"the master key file '{path}'")

    def wrapper(self, wrapper_id: str) -> LocalKey | None:
        """Return the key with this id; None if no key has it."""
        key = self._keys.get(wrapper_id)
        return None if key is None else LocalKey(key)


def _parsed(text: str, source: str) -> bytes:
    digits = text.removeprefix("base64:")
    if digits is text and len(text) == 2 * KEY_BYTES and all(digit in hexdigits for digit in text):
        return bytes.fromhex(text)
    bare = digits.rstrip("=")
    if (
        len(bare) == _DIGITS
        and digits in {bare, f"{bare}="}
        and (_BASE64.fullmatch(bare) or _BASE64URL.fullmatch(bare))
    ):
        return base64.urlsafe_b64decode(f"{bare.replace('+', '-').replace('/', '_')}=")
    raise DatabaseUnfit(f"{source} is not 32 bytes in Base64 or in hexadecimal digits", hint=_HINT)


def _key_id(key: bytes) -> str:
    return sha256(key).hexdigest()[:8]


def _check_permissions(path: str, found: os.stat_result, *, private: bool) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if os.name != "posix":
        return
    if private and found.st_uid != os.geteuid():
        raise DatabaseUnfit(
            f"the master key file '{path}' belongs to another account",
            hint="Run jackfield as the file's owner, or change the owner.",
        )
    if mode & (0o077 if private else 0o022):
        raise DatabaseUnfit(
            f"the master key file '{path}' is open to other accounts (mode {mode:04o})",
            hint=(
                f"chmod 600 '{path}'; if others may have read it, rotate the key: 'jackfield "
                "keys rotate'."
            ),
        )


def _write_new_key(path: Path) -> None:
    """Write a new key. If two processes do so at once, the first key stays."""
    part = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.write(descriptor, base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with suppress(FileExistsError):
            os.link(part, path)
        part.unlink()
        sync(path.parent)
    except OSError as fault:
        with suppress(OSError):
            part.unlink()
        raise DatabaseUnfit(
            f"the master key file '{path}' cannot be created: {fault.strerror}",
            hint="Make its folder writable, or set JACKFIELD_MASTER_KEY.",
        ) from None


_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Location of the master keys, of which the first wraps. ``private`` is True if the file is in
    the home: only the process's account may access it.
    """

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

        :raises DatabaseUnfit: if it cannot be read, holds no key, or is accessible to other
            accounts.
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
        """Hold the lock for changes to the file and to the keys that it wraps. The next holder sees
        those changes.

        :raises DatabaseUnfit: if the file's folder cannot be opened.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(_locked(self.path))
            except OSError as fault:
                raise DatabaseUnfit(
                    f"the folder of the master key file '{self.path}' cannot be opened: "
                    f"{fault.strerror}",
                    hint="Give the account that runs jackfield read permission on that folder.",
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
                _replace(
                    self.path,
                    "".join(f"{line}\n" for line in lines).encode("ascii"),
                    os.fstat(file.fileno()),
                )
        except OSError as fault:
            raise DatabaseUnfit(
                f"the master key file '{self.path}' cannot be written: {fault.strerror}",
                hint=(
                    "Write the new key as its first line and keep the old one below it; then "
                    "run 'jackfield keys rotate' again."
                ),
            ) from None


class LiveKey(MasterKey):
    """Master key that follows changes of its file.

    A file without the wrapping key is ignored until the database needs a key of that file: it may
    belong to another installation, or be a mistake. A new data key that only such a file could
    decrypt would be lost with the file.
    """

    def __init__(self, file: KeyFile) -> None:
        self.file = file
        self._seen = file.identity()
        self._take(file.read())

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the keys in the file, the wrapping key first."""
        self._refresh(self.id)
        return super().ids

    def wrapper(self, wrapper_id: str) -> LocalKey | None:
        """Return the key with this id, even if it was added to the file meanwhile; None if the file
        has no such key.
        """
        found = super().wrapper(wrapper_id)
        if found is None:
            self._refresh(wrapper_id)
            found = super().wrapper(wrapper_id)
        return found

    def check(self) -> None:
        """Check that the file can be read and has the wrapping key.

        :raises DatabaseUnfit: if the file is not usable; the keys that were read before stay in
            use.
        """
        if self.id not in self.file.read().ids:
            raise DatabaseUnfit(
                f"the master key file '{self.file.path}' no longer has the key {self.id}, which "
                "is in use",
                hint=(
                    "Write the new key as its first line and keep the old one below it; then "
                    "run 'jackfield keys rotate'."
                ),
            )

    def _refresh(self, wanted: str) -> None:
        seen = self.file.identity()
        if seen is None or seen == self._seen:
            return
        with suppress(DatabaseUnfit):  # continue with the keys read before
            fresh = self.file.read()
            if wanted in fresh.ids:
                self._take(fresh)
                self._seen = seen

    def _take(self, fresh: MasterKey) -> None:
        self._keys = fresh._keys  # noqa: SLF001 (same class)
        self.id = fresh.id


def live_master_key(
    environment: Mapping[str, str], home: str, sealed_by: Callable[[], str | None] = lambda: None
) -> MasterKey:
    """Find the master key as ``MasterKey.from_environment`` does. Create one only if nothing in the
    database needs an existing key.

    ``sealed_by`` returns the id of a key that the database needs.

    :raises DatabaseUnfit: if the key cannot be read or created, or its file is gone.
    """
    lost = KeyFile.of(environment, home)
    if lost is not None and lost.private and lost.is_missing:
        key_id = sealed_by()
        if key_id is not None and lost.is_missing:  # another process may have made both meanwhile
            raise DatabaseUnfit(
                f"the master key file '{lost.path}' is missing; the database was encrypted with "
                f"key ID {key_id}",
                hint="Put the file back from your copy, or set JACKFIELD_MASTER_KEY or "
                "JACKFIELD_MASTER_KEY_FILE to that key. "
                "No new key was created, because it could not decrypt the database.",
            )
    found = MasterKey.from_environment(environment, home)
    file = KeyFile.of(environment, home)
    return found if file is None else LiveKey(file)


def new_key_text() -> str:
    """Generate a random key, in the format of a key file."""
    return b64encode(secrets.token_bytes(_BYTES)).decode("ascii")


def _replace(path: str, content: bytes, before: os.stat_result) -> None:
    """Replace the file atomically, preserving owner and mode: readers see the old or the new
    content.
    """
    part = f"{path}.{secrets.token_hex(8)}"
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with OnFailure(_remove, part):
        try:
            if os.name == "posix":
                os.fchown(descriptor, before.st_uid, before.st_gid)
                os.fchmod(descriptor, before.st_mode & 0o777)
            os.write(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(part, path)


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


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
