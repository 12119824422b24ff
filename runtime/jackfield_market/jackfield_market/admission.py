"""Admission of wheels to a catalogue: each is verified, and its name and publisher are checked
against published ones.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import Version

from jackfield.kernel.errors import Detail, InvalidInvocation, NotAllowed
from jackfield_market.attestations import MAX_BYTES, SUFFIX, read_attestation, verify
from jackfield_market.names import LookAlikes
from jackfield_market.publishers import Publisher
from jackfield_market.registry import Registry
from jackfield_market.releases import Release, release_of
from jackfield_market.wheels import WheelRefused, parse_wheel, read_bounded

_SOURCES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".zip", ".egg")
_REPLACE = (
    "After a change of keys: jackfield catalogue revoke SITE OLDKEYID --successor PUBFILE "
    "[--keep-releases]."
)


class NotPublished(NotAllowed):
    """Refusal of a wheel by a catalogue; ``rule`` names the reason."""

    def __init__(self, rule: str, message: str, hint: str) -> None:
        super().__init__(
            f"{message} (rule '{rule}')", details=[Detail("", message, rule)], hint=hint
        )
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Candidate:
    """Verified wheel to be published. Its content is not held in memory, but read again when the
    wheel is written.
    """

    release: Release
    path: str
    attestation: bytes
    metadata: bytes

    def read(self) -> bytes:
        """Return the wheel's content.

        :raises NotPublished: if it has changed since it was verified.
        """
        content = read_bounded(self.path)
        if hashlib.sha256(content).hexdigest() != self.release.sha256:
            raise NotPublished(
                "altered", f"the wheel '{self.path}' was changed meanwhile", "Repeat the build."
            )
        return content


def wheels_in(dist: str) -> list[str]:
    """Return the paths of the wheels in a folder.

    :raises InvalidInvocation: if it cannot be read.
    :raises WheelRefused: if it has a source distribution.
    """
    try:
        names = sorted(os.listdir(dist))
    except OSError as error:
        raise InvalidInvocation(f"the folder '{dist}' cannot be read: {error.strerror}") from None
    source = next((name for name in names if name.endswith(_SOURCES)), None)
    if source is not None:
        raise WheelRefused(
            source,
            "wheel-only",
            "it is not a .whl file; source distributions run code when they are installed",
        )
    return [os.path.join(dist, name) for name in names if name.endswith(".whl")]


def verified(path: str, known: Mapping[str, Release]) -> Candidate | None:
    """Read a wheel and its attestation. Return None if the same wheel is published, or was
    withdrawn and is still signed with the withdrawn key.

    :raises NotPublished: if the wheel is not signed, or is published with other content.
    """
    file, content = os.path.basename(path), read_bounded(path)
    published = known.get(file)
    if published is not None:
        if published.sha256 != hashlib.sha256(content).hexdigest():
            message = (
                f"the release '{file}' is published with other content, and a release never changes"
            )
            raise NotPublished("immutable", message, "Publish the change as a new version.")
        if not published.is_revoked or _signer_of(path) == published.publisher["keyId"]:
            return None
    wheel = parse_wheel(file, content)
    if not file.startswith(f"{wheel.package}-"):
        raise NotPublished(
            "file-name",
            f"the name of '{file}' must begin with '{wheel.package}-'",
            "Build it with 'jackfield pack'.",
        )
    if not os.path.exists(f"{path}{SUFFIX}"):
        raise NotPublished(
            "unsigned",
            f"the wheel '{file}' has no attestation beside it",
            "Sign it: jackfield sign WHEEL --key KEYFILE.",
        )
    attested = read_bounded(f"{path}{SUFFIX}", MAX_BYTES)
    release = release_of(wheel, verify(wheel, read_attestation(attested)))
    return Candidate(release, path, attested, wheel.raw_metadata)


def _signer_of(path: str) -> str | None:
    """Return the key id that an attestation states; None if it states no key id."""
    if not os.path.exists(f"{path}{SUFFIX}"):
        return None
    return str(read_attestation(read_bounded(f"{path}{SUFFIX}", MAX_BYTES))["statement"]["keyId"])


def check_versions(candidates: Iterable[Candidate], published: Iterable[Release]) -> None:
    """Check that each version has one wheel; ``0.1`` and ``0.1.0`` are the same version.

    :raises NotPublished: if a version has two wheels.
    """
    added = [candidate.release for candidate in candidates]
    names, wheels = {release.name for release in added}, dict[tuple[str, Version], str]()
    for release in (*(one for one in published if one.name in names), *added):
        wheel = wheels.setdefault((release.name, release.order()), release.wheel)
        if wheel != release.wheel:
            message = (
                f"'{release.wheel}' has the same version as '{wheel}', and a version has one wheel"
            )
            raise NotPublished("immutable", message, "Publish the change as a new version.")


def admit(
    candidates: Iterable[Candidate],
    published: Iterable[str],
    registry: Registry,
    allowed: Sequence[str],
    now: str,
) -> None:
    """Enter new publishers and connector names into ``registry``.

    ``published`` are the keys of published connectors; the names in ``allowed`` may look like other
    names.

    :raises NotPublished: if a signing key or a name does not belong to the publisher.
    """
    alike: LookAlikes | None = None
    for candidate in candidates:
        release = candidate.release
        publisher = Publisher.from_json(release.publisher)
        owner = registry.owner_of(release.key)
        if owner is not None and owner != publisher.name:
            message = (
                f"'{release.name}' belongs to '{owner}', '{release.wheel}' is signed by "
                f"'{publisher.name}' ({publisher.key_id})"
            )
            raise NotPublished("owner", message, "Publish it under another name.")
        _admit_key(publisher, release, registry, now)
        if owner is None:
            alike = LookAlikes(published) if alike is None else alike
            _refuse_alike(release, publisher.name, alike, registry, allowed)
            alike.add(release.key)
            registry.place(release.key, publisher.name)


def _admit_key(publisher: Publisher, release: Release, registry: Registry, now: str) -> None:
    row = registry.find(publisher.key_id)
    if row is not None and row["status"] != "active":
        key = f"the key {publisher.key_id} of '{row['publisher']}'"
        message = (
            f"'{release.wheel}' is signed with {key}, which is {row['status']} since "
            f"{row['endedAt']}"
        )
        raise NotPublished("revoked-key", message, "Sign it with the publisher's current key.")
    if row is not None and row["publisher"] == publisher.name:
        return
    if row is not None or registry.knows(publisher.name):
        mine = registry.active(publisher.name) if row is None else row
        keys = (
            f"of '{mine['publisher']}' is {mine['keyId']}"
            if mine
            else f"of '{publisher.name}' is revoked"
        )
        message = (
            f"'{release.wheel}' is signed by '{publisher.name}' with the key "
            f"{publisher.key_id}; the key {keys}"
        )
        raise NotPublished("publisher-key", message, _REPLACE)
    registry.admit(publisher, now)


def _refuse_alike(
    release: Release, publisher: str, alike: LookAlikes, registry: Registry, allowed: Sequence[str]
) -> None:
    if release.key in allowed:
        return
    for other in alike.find(release.key):
        if registry.owner_of(other) != publisher:
            message = (
                f"the name '{release.key}' looks like '{other}' of '{registry.owner_of(other)}'"
            )
            raise NotPublished(
                "look-alike", message, f"Rename it, or accept it with --allow-name {release.key}."
            )
