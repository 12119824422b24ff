"""The wrappers of an installation: master keys and key services, of which the first wraps new data
keys and all unwrap.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from jackfield.kernel.secrecy import SecretHolder
from jackfield_store.database.faults import DatabaseUnfit, WrongMasterKey
from jackfield_store.keys.master_key import KeyFile, LiveKey, live_master_key

if TYPE_CHECKING:
    from jackfield_store.keys.key_wrappers import KeyService, KeyServices
    from jackfield_store.keys.master_key import LocalKey

SETTING = "JACKFIELD_KEY_WRAPPERS"
FILE = "file:"
"""URI of the master key that the other settings name; a path may follow."""


class RingPart(Protocol):
    """Part of a ring: a master key or a key service."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the keys, in order of use."""

    @property
    def trouble(self) -> str | None:
        """Reason why the keys cannot be used at present, if that is known."""

    def wrapper(self, wrapper_id: str) -> LocalKey | KeyService | None:
        """Return the wrapper with this id; None if this part has no such wrapper."""


class KeyRing(SecretHolder):
    """Wrappers in the order of ``parts``. ``services`` opens the workspaces' own wrappers."""

    def __init__(
        self, parts: Sequence[RingPart], services: Callable[[str], KeyService] | None = None
    ) -> None:
        self.parts = tuple(parts)
        self._services = services

    def __repr__(self) -> str:
        return f"<KeyRing {', '.join(self.ids)}>"

    @classmethod
    def of(cls, given: KeyRing | RingPart) -> KeyRing:
        """Return ``given`` if it is a key ring, else a ring with this one part."""
        return given if isinstance(given, KeyRing) else cls([given])

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all wrappers, the active one first."""
        return tuple(dict.fromkeys(one for part in self.parts for one in part.ids))

    @property
    def first(self) -> LocalKey | KeyService:
        """Wrapper that wraps new data keys."""
        return self.having(self.parts[0].ids[0])

    @property
    def services(self) -> list[KeyService]:
        """The key services among the wrappers."""
        found = [
            part.wrapper(wrapper_id)
            for part in self.parts
            for wrapper_id in part.ids
            if ":" in wrapper_id
        ]
        return [cast("KeyService", one) for one in found if one is not None and not one.is_local]

    @property
    def trouble(self) -> str | None:
        """Reason why the first wrapper cannot be used at present; None if it can, or was not used
        yet.
        """
        return self.parts[0].trouble

    def wrapper(self, wrapper_id: str) -> LocalKey | KeyService | None:
        """Return the wrapper with this id; None if the ring has no such wrapper."""
        return next(
            (found for part in self.parts if (found := part.wrapper(wrapper_id)) is not None), None
        )

    def having(self, wrapper_id: str) -> LocalKey | KeyService:
        """Return the wrapper with this id.

        :raises WrongMasterKey: if the ring has no such wrapper.
        """
        found = self.wrapper(wrapper_id)
        if found is None:
            raise self.wrong(wrapper_id)
        return found

    def opened(self, uri: str) -> KeyService:
        """Return a key service that does not belong to the installation.

        :raises DatabaseUnfit: if the URI names no such service.
        """
        if self._services is None or uri.startswith(FILE):
            raise DatabaseUnfit(
                f"'{uri}' is not a key service",
                hint="Give a URI such as aws-kms://ARN or vault-transit://MOUNT/KEY.",
            )
        return self._services(uri)

    def check_files(self) -> None:
        """Check that the files of master keys can be read and have the keys in use; changes of the
        files are followed anyway.

        :raises DatabaseUnfit: if a file is not usable; the keys that were read before stay in use.
        """
        for part in self.parts:
            if isinstance(part, LiveKey):
                part.check()

    def behind(self, new: RingPart) -> KeyRing:
        """Return a ring whose first wrapper is ``new``."""
        return KeyRing([new, *self.parts], self._services)

    def wrong(self, wrapper_id: str) -> WrongMasterKey:
        """Return the error for a database that needs another wrapper."""
        local = "Set JACKFIELD_MASTER_KEY or JACKFIELD_MASTER_KEY_FILE to that key."
        setting = f"Add '{wrapper_id}' to {SETTING}." if ":" in wrapper_id else local
        return WrongMasterKey(
            f"the master key {', '.join(self.ids)} does not decrypt this database, which was "
            f"encrypted with key ID {wrapper_id}",
            hint=f"{setting} Nothing was changed.",
        )


def find_key_ring(
    environment: Mapping[str, str], home: str, sealed_by: Callable[[], str | None] = lambda: None
) -> KeyRing:
    """Return the wrappers that ``JACKFIELD_KEY_WRAPPERS`` lists; without it, the master key.

    ``sealed_by`` returns the id of a master key that the database needs: a missing key file is
    created only if the database needs no key.

    :raises DatabaseUnfit: if a key file cannot be read or created, or a URI is not valid.
    """
    opened: list[KeyServices] = []

    def service(uri: str) -> KeyService:
        if not opened:
            from jackfield_store.keys.key_wrappers import KeyServices  # few installations need them

            opened.append(KeyServices(environment))
        return opened[0].open(uri)

    parts: list[RingPart] = []
    for uri in uris(environment):
        if not uri.startswith(FILE):
            parts.append(service(uri))
        elif uri != FILE:
            parts.append(LiveKey(_key_file(uri)))
        elif not parts or not _is_missing(environment, home):
            parts.append(live_master_key(environment, home, sealed_by))
    return KeyRing(parts, service)


def uris(environment: Mapping[str, str]) -> list[str]:
    """Return the URIs of ``JACKFIELD_KEY_WRAPPERS``, separated by commas or white space; without
    it, the master key's URI.
    """
    return environment.get(SETTING, "").replace(",", " ").split() or [FILE]


def file_that_wraps(environment: Mapping[str, str], home: str) -> KeyFile | None:
    """Return the key file whose first key wraps; None if the wrapping key is in
    JACKFIELD_MASTER_KEY, or in a key service.
    """
    uri = uris(environment)[0]
    if uri == FILE:
        return KeyFile.of(environment, home)
    return _key_file(uri) if uri.startswith(FILE) else None


def _key_file(uri: str) -> KeyFile:
    return KeyFile(os.path.abspath(uri.removeprefix(FILE)), private=False)


def _is_missing(environment: Mapping[str, str], home: str) -> bool:
    """Return whether the master key's file is missing, so that an unused key is not created."""
    file = KeyFile.of(environment, home)
    return file is not None and file.is_missing
