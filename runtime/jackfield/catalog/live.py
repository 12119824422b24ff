"""Ports of live connectors: servers that describe themselves, and whose accepted manifests a
workspace stores.

They are only types: no call imports them. The store owns the rows; the package that declares the
kind (as ``live`` in the entry points ``jackfield.bindings``) interprets a server's description.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from jackfield.manifest.manifest import Manifest

Json = Mapping[str, Any]


class StoredManifests(Protocol):
    """Stored manifests that one workspace sees: its own, and the operator's shared ones."""

    @property
    def prefix(self) -> str:
        """Prefix of all keys: the kind and a dot."""

    def keys(self) -> Sequence[str]:
        """Return the keys, sorted.

        :raises Unavailable: if the database cannot be read.
        """

    def find(self, key: str) -> Manifest | None:
        """Return a manifest; None if the workspace sees none of this key.

        :raises UnknownConnector: if the manifest's row was changed in the database.
        """

    def load(self, key: str, version: str | None = None) -> Any:
        """Return the connector of a manifest, of the version that ``find`` has returned.

        :raises UnknownConnector: if there is no such connector.
        """

    def has_loaded(self, key: str, version: str | None = None) -> bool:
        """Return whether ``load`` needs neither the database nor an import."""


class LiveKind(Protocol):
    """Package that makes connectors from servers of one kind."""

    def described(
        self,
        key: str,
        url: str,
        *,
        title: str = "",
        trust: str = "none",
        pins: Mapping[str, Pin] | None = None,
        overlay: Mapping[str, Json] | None = None,
        credentials: tuple[str, str] | None = None,
        guard: Any = None,
        client: Any = None,
    ) -> Described:
        """Read a server's description, over ``client`` if a connection is given, else with
        ``credentials``, a header field and its value. ``pins`` are the accepted tools by name,
        which retain the keys of their actions; ``overlay`` has the operator's settings of tools, by
        the keys of their actions.

        :raises InvalidInput: if ``url`` is not a URL.
        :raises JackfieldError: if the server cannot be reached, or its list cannot be read. A
            server that requires a sign-in has no tools.
        """

    def unusable(self, report: Json) -> tuple[str, Sequence[str]]:
        """Return the message for a server without any usable tool, and the reasons."""

    def accepted(self, stored: Json, now: Json, tools: Collection[str]) -> dict[str, Any]:
        """Return the stored manifest with the current state of these tools; tools that the server
        no longer has are left out.
        """

    def pins(self, manifest: Json) -> Mapping[str, Pin]:
        """Return the accepted tools of a manifest, by name."""

    def overlays(self, manifest: Json) -> Mapping[str, Json]:
        """Return the operator's settings of tools, by the keys of their actions."""

    def overlaid(self, stored: Json, overlay: Mapping[str, Json]) -> dict[str, Any]:
        """Return the stored manifest with the operator's settings of tools, by the keys of their
        actions; an empty object removes the settings of a tool.

        :raises InvalidInput: if a setting is unknown or does not fit the tool.
        """

    def connector(self, manifest: Manifest, hint: str, *, abroad: bool) -> Any:
        """Return the connector of a manifest; ``hint`` says what to do about a changed tool.
        ``abroad``: the person who added the server may reach only public hosts, so other people's
        connections may, too.
        """


class Described(Protocol):
    """Description of a server."""

    @property
    def manifest(self) -> dict[str, Any]:
        """Manifest of all tools in their current state."""

    @property
    def report(self) -> dict[str, Any]:
        """Tools that were left out, each with the reason."""

    @property
    def needs_sign_in(self) -> bool:
        """True if the server lists its tools only for signed-in clients."""


class Pin(Protocol):
    """Tool that a manifest pins by its digest."""

    @property
    def action(self) -> str:
        """Key of the tool's action."""

    @property
    def digest(self) -> str:
        """Digest of the tool."""

    @property
    def parts(self) -> Mapping[str, str]:
        """Short digests of the tool's members."""
