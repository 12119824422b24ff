"""Signing side of a catalogue's TUF metadata (The Update Framework, https://theupdateframework.github.io/specification/).

Four roles with one Ed25519 key each: ``root`` names the keys, ``targets`` the files with their hashes, ``snapshot`` and ``timestamp`` the
newest versions. Keys lie outside of the site; the site may then be served by anyone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from jackfield.errors import InvalidInvocation
from jackfield.market.files import write_file, write_secret

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner
    from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

METADATA = "metadata"
"""Folder of the metadata in a site."""
LIFETIMES = {"root": timedelta(days=730), "targets": timedelta(days=180), "snapshot": timedelta(days=180), "timestamp": timedelta(days=30)}
"""Time until the metadata of a role expires. ``catalogue build`` renews what has less than half of it left."""
_KEYS_OF_BUILD = ("targets", "snapshot", "timestamp")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def require_tuf() -> None:
    """Check that the library ``tuf`` is installed.

    :raises InvalidInvocation: if it is not.
    """
    if find_spec("tuf") is None:
        raise InvalidInvocation("catalogues need the extra 'market': tuf is not installed", hint="pip install 'jackfield[market]'")


def default_keys(site: str) -> str:
    """Return the folder of the keys of ``site`` unless another is named: its neighbour ``SITE.keys``."""
    return f"{os.path.abspath(site)}.keys"


def create(site: str, keys: str, now: datetime) -> dict[str, Any]:
    """Create the role keys of a new catalogue and its first root metadata; overwrite nothing.

    :raises InvalidInvocation: if the catalogue or a key exists, or the keys would be published with the site.
    """
    require_tuf()
    from securesystemslib.signer import CryptoSigner
    from tuf.api.metadata import Metadata, Root

    site, keys = os.path.abspath(site), os.path.abspath(keys)
    if os.path.commonpath([site, keys]) == site:
        raise InvalidInvocation(f"the folder of the keys '{keys}' lies in the site, which is published", hint="Choose another with --keys.")
    for path in (os.path.join(site, METADATA, "1.root.json"), *(_key_path(keys, role) for role in LIFETIMES)):
        if os.path.lexists(path):
            raise InvalidInvocation(f"the file '{path}' exists: nothing is overwritten", hint="Choose another SITE or --keys.")
    signers = {role: CryptoSigner.generate_ed25519() for role in LIFETIMES}
    root = Metadata(Root(version=1, expires=now + LIFETIMES["root"], consistent_snapshot=True))
    for role, signer in signers.items():
        root.signed.add_key(signer.public_key, role)
        write_secret(_key_path(keys, role), signer.private_bytes)
    root.sign(signers["root"])
    _write(site, "1.root.json", root)
    _write(site, "root.json", root)
    ids = {role: signer.public_key.keyid for role, signer in signers.items()}
    return {"site": site, "keys": keys, "root": os.path.join(site, METADATA, "root.json"), "keyIds": ids}


@dataclass(frozen=True, slots=True)
class Repository:
    """Metadata of an initialised catalogue, with the keys that sign a build."""

    site: str
    signers: Mapping[str, CryptoSigner]
    root: Metadata[Root]

    @staticmethod
    def load(site: str, keys: str) -> Repository:
        """Read the newest root and the keys.

        :raises InvalidInvocation: if the catalogue was not initialised, or a key is missing, readable by others, or not the root's.
        """
        require_tuf()
        newest = _newest_root(site)
        signers = {role: _signer(keys, role) for role in _KEYS_OF_BUILD}
        if os.path.exists(_key_path(keys, "root")):  # operators may keep it offline between renewals
            signers["root"] = _signer(keys, "root")
        for role, signer in signers.items():
            if signer.public_key.keyid not in newest.signed.roles[role].keyids:
                raise InvalidInvocation(f"the {role} key in '{keys}' is not of this catalogue", hint="Name its keys with --keys.")
        return Repository(os.path.abspath(site), signers, newest)

    def targets(self) -> Mapping[str, TargetFile]:
        """Return the files that the current metadata lists.

        :raises InvalidInvocation: if it was altered.
        """
        found: Metadata[Targets] | None = self._current("targets")
        return {} if found is None else found.signed.targets

    def publish(self, targets: Mapping[str, TargetFile], now: datetime) -> dict[str, Any]:
        """Sign and write new metadata where ``targets`` or the dates require it.

        The timestamp is written last, so readers see all of a build or nothing of it.
        """
        from tuf.api.metadata import MetaFile, Snapshot, Targets, Timestamp

        self._renew_root(now)
        listed, is_new = self._next("targets", Targets, now, lambda old: old.targets != targets)
        if is_new:
            listed.signed.targets = dict(targets)
            self._sign(listed, "targets", f"{listed.signed.version}.targets.json")
        version = listed.signed.version
        snapshot, is_new = self._next("snapshot", Snapshot, now, lambda old: old.meta["targets.json"].version != version)
        if is_new:
            snapshot.signed.meta = {"targets.json": MetaFile(version=version)}
            self._sign(snapshot, "snapshot", f"{snapshot.signed.version}.snapshot.json")
        stamped = snapshot.signed.version
        timestamp, is_new = self._next("timestamp", Timestamp, now, lambda old: old.snapshot_meta.version != stamped)
        if is_new:
            timestamp.signed.snapshot_meta = MetaFile(version=stamped)
            self._sign(timestamp, "timestamp", "timestamp.json")
        return {"targetsVersion": version, "expires": timestamp.signed.expires.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _next(self, role: str, kind: type[Any], now: datetime, differs: Any) -> tuple[Metadata[Any], bool]:
        """Return the current metadata of a role and False, or its successor, unsigned, and True."""
        from tuf.api.metadata import Metadata

        old = self._current(role)
        if old is not None and not differs(old.signed) and old.signed.expires - now > LIFETIMES[role] / 2:
            return old, False
        version = 1 if old is None else old.signed.version + 1
        return Metadata(kind(version=version, expires=now + LIFETIMES[role])), True

    def _current(self, role: str) -> Metadata[Any] | None:
        timestamp: Metadata[Timestamp] | None = self._read("timestamp", "timestamp.json")
        if role == "timestamp" or timestamp is None:
            return timestamp
        snapshot: Metadata[Snapshot] | None = self._read("snapshot", f"{timestamp.signed.snapshot_meta.version}.snapshot.json")
        if role == "snapshot" or snapshot is None:
            return snapshot
        return self._read("targets", f"{snapshot.signed.meta['targets.json'].version}.targets.json")

    def _read(self, role: str, name: str) -> Metadata[Any] | None:
        from tuf.api.exceptions import RepositoryError
        from tuf.api.metadata import Metadata

        path = os.path.join(self.site, METADATA, name)
        if not os.path.exists(path):
            return None
        try:
            found: Metadata[Any] = Metadata.from_file(path)
            self.root.signed.verify_delegate(role, found.signed_bytes, found.signatures)
        except (RepositoryError, OSError, ValueError) as error:
            raise InvalidInvocation(f"the metadata '{path}' is not signed by this catalogue's key: {error}") from None
        return found

    def _sign(self, metadata: Metadata[Any], role: str, name: str) -> None:
        metadata.sign(self.signers[role])
        _write(self.site, name, metadata)

    def _renew_root(self, now: datetime) -> None:
        root = self.root
        if "root" not in self.signers or root.signed.expires - now > LIFETIMES["root"] / 2:
            return
        root.signed.version += 1
        root.signed.expires = now + LIFETIMES["root"]
        root.sign(self.signers["root"])
        _write(self.site, f"{root.signed.version}.root.json", root)
        _write(self.site, "root.json", root)


def _newest_root(site: str) -> Metadata[Root]:
    from tuf.api.exceptions import RepositoryError
    from tuf.api.metadata import Metadata

    path = os.path.join(site, METADATA, "root.json")
    try:
        found: Metadata[Root] = Metadata.from_file(path)
        found.signed.verify_delegate("root", found.signed_bytes, found.signatures)
    except (RepositoryError, OSError, ValueError) as error:
        hint = f"Create it with 'jackfield catalogue init {site}'."
        raise InvalidInvocation(f"'{site}' is not a catalogue: {path} cannot be read ({error})", hint=hint) from None
    return found


def _key_path(keys: str, role: str) -> str:
    return os.path.join(keys, f"{role}.pem")


def _signer(keys: str, role: str) -> CryptoSigner:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    path = _key_path(keys, role)
    try:
        with open(path, "rb") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise InvalidInvocation(f"the key file '{path}' can be read by other users", hint=f"Run: chmod 600 '{path}'")
            private = load_pem_private_key(file.read(), None)
    except OSError as error:
        raise InvalidInvocation(f"the key file '{path}' cannot be read: {error.strerror}", hint="Name the folder with --keys.") from None
    except (ValueError, TypeError) as error:
        raise InvalidInvocation(f"the key file '{path}' is not a private key in PEM format: {error}") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise InvalidInvocation(f"the key file '{path}' does not hold an Ed25519 key")
    return CryptoSigner(private)


def _write(site: str, name: str, metadata: Metadata[Any]) -> None:
    from tuf.api.serialization.json import JSONSerializer

    write_file(os.path.join(site, METADATA, name), metadata.to_bytes(JSONSerializer(compact=False)))
