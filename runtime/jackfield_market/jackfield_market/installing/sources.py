"""Catalogues at a URL or in a folder, which an installer reads only through their TUF metadata.

The first root of a source is pinned in the data folder; from then on only roots that its keys have
signed replace it. Old, mixed, expired and altered metadata is refused before any listed file is
read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from tuf.api import exceptions
from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization import DeserializationError
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from jackfield.kernel.clock import monotonic
from jackfield.kernel.errors import InvalidInvocation, Unavailable
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.price import TooCostly, check_json
from jackfield.wire.client import Wire
from jackfield.wire.connection import WireSettings
from jackfield.wire.faults import WireFault
from jackfield.wire.fetching import opened
from jackfield.wire.outbound import ENVIRONMENT, way_out
from jackfield.wire.reply import Reply
from jackfield.wire.tls import client_context
from jackfield_market.attestations import SUFFIX
from jackfield_market.files import write_file
from jackfield_market.installing.receipts import one_writer
from jackfield_market.refusals import NotInstalled
from jackfield_market.releases import LIST, REVOKED, Release, read_release
from jackfield_market.repository import METADATA
from jackfield_market.site.shelf import path_of
from jackfield_market.site.site_files import PUBLISHERS
from jackfield_market.wheels import MAX_BYTES, read_bounded

if TYPE_CHECKING:
    from tuf.api.metadata import TargetFile

T = TypeVar("T")

FOLDER = "catalogues"
"""Folder of the pinned roots and of downloads, in the data folder."""
_ROOT = "root.json"
_TARGETS = "targets"
_ROOT_BYTES = 512 * 1024
_ROTATIONS = 256
"""Maximum number of roots of a source, as in the TUF client."""
LIST_BYTES = 256 * 1024 * 1024
"""Maximum size of a list of targets, publishers or releases, in bytes."""
LIST_VALUES = 5_000_000
"""Maximum number of JSON values in a list or in a file of metadata."""
CACHE_BYTES = 512 * 1024 * 1024
"""Maximum total size of a source's cached downloads, in bytes."""
DOWNLOAD_SECONDS = 600
"""Seconds after which a single download is stopped."""
_SILENCE = 30.0
_FAILURE = 400
_ANEW = (
    "If the catalogue was set up anew, and its operator confirms it, delete '{}' and install "
    "with --root FILE."
)


@dataclass(frozen=True, slots=True)
class Source:
    """Address of a catalogue: ``http``, ``https`` or ``file``, without a slash at its end."""

    url: str

    @staticmethod
    def parse(text: str) -> Source:
        """Read a URL or the path of a folder.

        :raises InvalidInvocation: if the text is neither a URL nor a folder.
        """
        parts = urlsplit(text)
        if parts.scheme in {"http", "https"} and parts.hostname:
            if parts.query or parts.fragment or parts.username is not None:
                raise InvalidInvocation(
                    "a catalogue's URL has no user, query or fragment",
                    hint="Give the URL of the site, as --from URL.",
                )
            return Source(text.rstrip("/"))
        path = unquote(parts.path) if parts.scheme == "file" else text
        if "://" in path or not os.path.isdir(path):
            raise InvalidInvocation(
                f"'{text[:200]}' is neither an http(s) URL nor a folder",
                hint="Give --from URL or --from SITE.",
            )
        return Source(f"file://{quote(os.path.abspath(path))}")

    def require_privacy(self) -> None:
        """Check that nobody on the network can choose the first root: it is read from a folder,
        over TLS, or from this machine.

        :raises InvalidInvocation: if it is read over plain HTTP from another machine.
        """
        host = urlsplit(self.url).hostname or ""
        if self.url.startswith("http:") and not _is_loopback(host):
            raise InvalidInvocation(
                f"{self.url} is read over plain HTTP, so anyone on the network could choose the "
                "root of trust",
                hint="Give the catalogue's root.json with --root FILE, or use https.",
            )

    @property
    def state(self) -> str:
        """Name of the folder for the roots and downloads of this source."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:32]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@dataclass(frozen=True, slots=True)
class Offer:
    """Published and withdrawn releases of one connector."""

    releases: tuple[Release, ...]
    revoked: tuple[Release, ...]

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Offer:
        """Read a connector's row of a list.

        :raises ValueError: if a release belongs to another connector, or a version has several
            wheels.
        """
        releases, revoked = (
            tuple(map(read_release, row.get(name, ()))) for name in ("releases", "revoked")
        )
        if any(release.key != row["key"] for release in (*releases, *revoked)):
            raise ValueError(f"the releases of '{row['key']}' are of another connector")
        if len({release.order() for release in releases}) < len(releases):
            raise ValueError(f"a version of '{row['key']}' has several wheels")
        return Offer(releases, revoked)


class Catalogue:
    """Verified content of a source, after one refresh of its metadata."""

    def __init__(
        self, source: Source, updater: Updater, folder: str, roots: Sequence[bytes]
    ) -> None:
        self.source = source
        self.roots = tuple(hashlib.sha256(root).hexdigest() for root in roots)
        """SHA-256 of the pinned ``root.json``, as sha256sum prints it, and of the roots before and
        after it that were seen.
        """
        self._updater = updater
        self._folder = folder

    @property
    def root_sha256(self) -> str:
        """SHA-256 of the pinned ``root.json``."""
        return self.roots[0]

    def connector(self, key: str) -> Offer:
        """Return the releases of a connector; an Offer without releases if the catalogue does not
        have the connector.
        """
        return self._read(
            path_of(key), lambda row: Offer.from_json({**row, "key": key}), Offer((), ())
        )

    def connectors(self) -> list[Offer]:
        """Return the releases of all connectors, by key.

        :raises NotInstalled: if the list differs from the signed list.
        """
        return self._read(
            LIST, lambda data: [Offer.from_json(row) for row in data["connectors"]], []
        )

    def owners(self) -> Mapping[str, str]:
        """Return the key id of the publisher of each connector, by the connector's key."""
        return self._read(
            PUBLISHERS,
            lambda data: {
                key: row["keyId"] for row in _publishers(data) for key in row["connectors"]
            },
            {},
        )

    def lets_sign(self, publisher: Mapping[str, str], connector: str) -> bool:
        """Return whether a publisher's key may sign releases of a connector, by a list that the
        ``targets`` key signs; that key can be offline.
        """

        def read(data: Any) -> bool:
            rows = [
                row
                for row in _publishers(data)
                if row["keyId"] == publisher["keyId"] and row["publisher"] == publisher["publisher"]
            ]
            return any(
                row["status"] != "revoked" and connector in row["connectors"] for row in rows
            )

        return self._read(PUBLISHERS, read, False)

    def succeeds(self, former: Mapping[str, str], publisher: Mapping[str, str]) -> bool:
        """Return whether the catalogue's operator has declared a publisher's key the successor of a
        former one.
        """

        def read(data: Any) -> bool:
            rows = {row["keyId"]: (row["publisher"], row["status"]) for row in _publishers(data)}
            (old, status), (new, now) = (
                rows.get(key["keyId"], ("", "")) for key in (former, publisher)
            )
            return (
                {old, new} == {former["publisher"]} == {publisher["publisher"]}
                and status != "active"
                and now == "active"
            )

        return self._read(PUBLISHERS, read, False)

    def revoked(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the revoked publisher keys by key id."""
        return self._read(
            REVOKED,
            lambda data: {row["keyId"]: {"at": row["endedAt"], **row} for row in data["keys"]},
            {},
        )

    def fetch(self, release: Release) -> tuple[bytes, bytes]:
        """Return the bytes of a wheel and of its attestation, from the cache if they were
        downloaded before.

        :raises NotInstalled: if the files or their metadata differ from the signed files or
            metadata.
        """
        target = self._target(release.path)
        stated = None if target is None else target.unrecognized_fields.get("custom")
        if (
            target is None
            or stated != release.custom()
            or target.hashes.get("sha256") != release.sha256
        ):
            message = (
                f"the signed metadata of {self.source.url} does not describe "
                f"'{release.wheel}' as its list does"
            )
            raise NotInstalled("mixed", message, "Ask the catalogue's operator to build it again.")
        return self._content(release.path, MAX_BYTES), self._content(
            f"{release.path}{SUFFIX}", MAX_BYTES
        )

    def _target(self, path: str) -> TargetFile | None:
        with _alone(self._folder), _translating(self.source, self._folder):
            return self._updater.get_targetinfo(path)

    def _read(self, path: str, read: Callable[[Any], T], absent: T) -> T:
        """Return a list as parsed by ``read``, or ``absent`` if the catalogue has no such list.

        :raises NotInstalled: if it differs from the signed list, or is not valid.
        """
        if self._target(path) is None:
            return absent
        try:
            content = self._content(path, LIST_BYTES)
            check_json(content, LIST_VALUES)
            return read(json.loads(content))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            message = f"'{path}' of {self.source.url} is not valid: {type(error).__name__}: {error}"
            raise NotInstalled(
                "metadata", message, "Ask the catalogue's operator to build it again."
            ) from None

    def _content(self, path: str, limit: int) -> bytes:
        target = self._target(path)
        if target is None:
            message = f"the signed metadata of {self.source.url} has no '{path}'"
            raise NotInstalled("mixed", message, "Ask the catalogue's operator to build it again.")
        with _alone(self._folder), _translating(self.source, self._folder):
            return read_bounded(
                self._updater.find_cached_target(target) or self._updater.download_target(target),
                limit,
            )


def _publishers(data: Any) -> list[dict[str, Any]]:
    """Return the rows of the list of publishers.

    :raises ValueError: if a row is not valid.
    """
    rows: list[dict[str, Any]] = data["publishers"]
    for row in rows:
        names = [row["keyId"], row["publisher"], row["status"], *row["connectors"]]
        if not isinstance(row["connectors"], list) or not all(
            isinstance(name, str) for name in names
        ):
            raise ValueError("the row of a publisher is not valid")
    return rows


@dataclass(frozen=True, slots=True)
class Anchor:
    """Trusted root: the content of a ``root.json``, its SHA-256 from a lock file, both, or
    neither.
    """

    content: bytes | None = None
    sha256: str | None = None

    @property
    def is_given(self) -> bool:
        """Return whether a content or a hash is given."""
        return self.content is not None or self.sha256 is not None

    def accepts(self, content: bytes) -> bool:
        """Return whether ``content`` matches the given content and hash."""
        return self.content in {None, content} and self.sha256 in {
            None,
            hashlib.sha256(content).hexdigest(),
        }


def open_catalogue(
    source: Source, home: str, anchor: Anchor, warn: Callable[[str], None]
) -> Catalogue:
    """Refresh the metadata of a source and return its content.

    A new source begins with the root of ``anchor``. If it names none, the root of the first use is
    trusted and ``warn`` is called with its fingerprint.

    :raises NotInstalled: if the metadata is not signed by the pinned root, or is expired, older
        than before or mixed.
    :raises Unavailable: if the source cannot be reached.
    """
    folder = os.path.join(home, FOLDER, source.state)
    with _alone(folder), _translating(source, folder):
        if not os.path.lexists(folder):
            _pin(source, folder, anchor, warn)
        pinned = _pinned(source, folder, anchor)
        updater = _refreshed(source, folder, pinned)
        _prune(os.path.join(folder, _TARGETS))
        return Catalogue(source, updater, folder, [pinned, *_history(folder)])


def read_root(path: str) -> bytes:
    """Read a trusted ``root.json``.

    :raises InvalidInvocation: if the file cannot be read, or is no root of a catalogue.
    """
    content = read_bounded(path, _ROOT_BYTES)
    try:
        found = Metadata[Root].from_bytes(content).signed
    except DeserializationError:
        found = None
    if not isinstance(found, Root):
        raise InvalidInvocation(
            f"'{path}' is not the root.json of a catalogue",
            hint="Take the file that 'jackfield catalogue init' made.",
        )
    return content


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Exclude other threads and processes from the stored data of a source. The lock is next to the
    folder, which may be removed.
    """
    with one_writer(os.path.dirname(folder), f"{os.path.basename(folder)}.lock"):
        yield


def _pin(source: Source, folder: str, anchor: Anchor, warn: Callable[[str], None]) -> None:
    """Pin the first root of a new source, once the metadata fits it. The folder appears as a whole
    or not at all.
    """
    fetcher, part = _fetcher(source), f"{folder}.part"
    if os.path.isdir(part):  # of a process that was killed
        shutil.rmtree(part)
    with OnFailure(shutil.rmtree, part, True):
        first = _first_root(
            source,
            anchor,
            lambda name: fetcher.download_bytes(f"{source.url}/{METADATA}/{name}", _ROOT_BYTES),
        )
        _refreshed(source, part, first)
        write_file(os.path.join(part, _ROOT), first)
        write_file(os.path.join(part, "source.json"), json.dumps({"url": source.url}).encode())
        os.rename(part, folder)
    if not anchor.is_given:
        fingerprint = hashlib.sha256(first).hexdigest()
        warn(
            f"trusting {source.url} on first use: its root.json has SHA-256 {fingerprint}; pass "
            "--root FILE to verify it"
        )


def _refreshed(source: Source, folder: str, pinned: bytes) -> Updater:
    config = UpdaterConfig(
        prefix_targets_with_hash=False,
        root_max_length=_ROOT_BYTES,
        snapshot_max_length=LIST_BYTES,
        targets_max_length=LIST_BYTES,
    )
    targets = os.path.join(folder, _TARGETS)
    os.makedirs(targets, exist_ok=True)
    metadata = (os.path.join(folder, METADATA), f"{source.url}/{METADATA}/")
    updater = Updater(
        *metadata, targets, f"{source.url}/", _fetcher(source), config, bootstrap=pinned
    )
    updater.refresh()
    return updater


def _pinned(source: Source, folder: str, anchor: Anchor) -> bytes:
    """Return the pinned root.

    :raises NotInstalled: if no root is pinned, or the anchor names another root.
    """
    path = os.path.join(folder, _ROOT)
    if not os.path.isfile(path):
        raise NotInstalled(
            "root", f"the root that was pinned for {source.url} is gone", _ANEW.format(folder)
        )
    pinned = read_bounded(path, _ROOT_BYTES)
    if not any(map(anchor.accepts, [pinned, *_history(folder)])):
        message = (
            f"the given root is not the one that was pinned for {source.url}, nor one that "
            "replaced it"
        )
        raise NotInstalled("root", message, _ANEW.format(folder))
    return pinned


def _first_root(source: Source, anchor: Anchor, download: Callable[[str], bytes]) -> bytes:
    """Return the root of a new source: the anchor's content, or the site's root with the anchor's
    hash, or the site's current root.
    """
    if anchor.content is not None:
        found: bytes | None = anchor.content
    elif anchor.sha256 is None:
        found = download("root.json")
    else:
        found, number = None, 1
        while found is None and number <= _ROTATIONS:
            try:
                content = download(f"{number}.root.json")
            except DownloadHTTPError:
                break
            found, number = (content if anchor.accepts(content) else None), number + 1
    if found is None or not anchor.accepts(found):
        message = (
            f"{source.url} does not have the root with the SHA-256 {anchor.sha256}, which "
            "the lock file names"
        )
        raise NotInstalled(
            "root", message, "Check --from and the lock file, and ask the catalogue's operator."
        )
    return found


def _prune(folder: str) -> None:
    """Remove the oldest downloads beyond ``CACHE_BYTES``."""
    total = 0
    for entry in sorted(os.scandir(folder), key=lambda found: found.stat().st_mtime, reverse=True):
        total += entry.stat().st_size
        if total > CACHE_BYTES:
            os.remove(entry.path)


def _history(state: str) -> list[bytes]:
    """Return the former roots of a source, from the TUF client's history."""
    folder = os.path.join(state, METADATA, "root_history")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [read_bounded(os.path.join(folder, name), _ROOT_BYTES) for name in names]


class _JudgedFetcher(FetcherInterface):
    """Reader that checks metadata before the TUF client parses it and verifies its signatures."""

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Download a file of metadata.

        :raises RepositoryError: if the file has too many values to be parsed.
        """
        content = super().download_bytes(url, max_length)
        try:
            check_json(content, LIST_VALUES)
        except TooCostly as reason:
            raise exceptions.RepositoryError(f"'{urlsplit(url).path}' {reason}") from None
        return content


class _HttpFetcher(_JudgedFetcher):
    """Reader over HTTP by jackfield's proxy settings; it abandons a download after
    ``DOWNLOAD_SECONDS``.
    """

    def __init__(self) -> None:
        self._wire = Wire(
            WireSettings(tls=cache(client_context), route=way_out(os.environ, usual=ENVIRONMENT))
        )

    def _fetch(self, url: str) -> Iterator[bytes]:
        end = monotonic() + DOWNLOAD_SECONDS
        reply = opened(self._wire, url, "*/*", lambda: min(_SILENCE, end - monotonic()))
        if reply.status >= _FAILURE:
            reply.close()
            raise DownloadHTTPError(f"it answered {reply.status}", reply.status)
        return self._pieces(reply)

    @staticmethod
    def _pieces(reply: Reply) -> Iterator[bytes]:
        try:
            yield from reply.raw()
        finally:
            reply.close()


def _fetcher(source: Source) -> FetcherInterface:
    if not source.url.startswith("file:"):
        return _HttpFetcher()

    class FolderFetcher(_JudgedFetcher):
        """Reader of a site in a folder."""

        def _fetch(self, url: str) -> Iterator[bytes]:
            path = unquote(urlsplit(url).path)
            if not os.path.isfile(path):
                raise DownloadHTTPError(f"the file '{path}' is missing", 404)
            return self._chunks(path)

        @staticmethod
        def _chunks(path: str) -> Iterator[bytes]:
            with open(path, "rb") as file:
                while chunk := file.read(1 << 20):
                    yield chunk

    return FolderFetcher()


@contextmanager
def _translating(source: Source, folder: str) -> Iterator[None]:
    """Translate the errors of the TUF client into errors of jackfield."""
    again = "Try again; if it persists, do not install, and ask the catalogue's operator."
    try:
        yield
    except exceptions.ExpiredMetadataError as error:
        raise NotInstalled(
            "expired",
            f"the metadata of {source.url} is expired: {error}",
            "Its operator must run 'jackfield catalogue refresh'.",
        ) from None
    except exceptions.BadVersionNumberError as error:
        raise NotInstalled(
            "replayed",
            f"the metadata of {source.url} is older than before, or mixed: {error}",
            again,
        ) from None
    except exceptions.UnsignedMetadataError as error:
        raise NotInstalled(
            "signature",
            f"the metadata of {source.url} is not signed by the keys of its root: {error}",
            _ANEW.format(folder),
        ) from None
    except (exceptions.LengthOrHashMismatchError, exceptions.DownloadLengthMismatchError) as error:
        raise NotInstalled(
            "altered", f"a file of {source.url} does not match its signed metadata: {error}", again
        ) from None
    except exceptions.RepositoryError as error:
        raise NotInstalled(
            "metadata", f"the metadata of {source.url} is not valid: {error}", again
        ) from None
    except exceptions.DownloadHTTPError as error:
        raise Unavailable(
            f"{source.url} is no complete catalogue: {error}",
            hint="Check --from: it is the URL or folder of 'jackfield catalogue build'.",
        ) from None
    except (exceptions.DownloadError, WireFault, OSError) as error:
        cause = error.__cause__ or error
        reason = cause.words if isinstance(cause, WireFault) else cause
        raise Unavailable(
            f"the catalogue {source.url} cannot be read: {reason}",
            hint="Check the address and the network.",
        ) from None
