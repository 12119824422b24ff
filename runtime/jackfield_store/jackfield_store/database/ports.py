"""Port to the keys of workspaces, which belong to a higher layer. Types only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class VaultKeys(Protocol):
    """Keys of workspaces; ``keys.Vault`` implements it."""

    def attest(self, workspace: str, aad_parts: tuple[str, ...]) -> bytes:
        """Return a seal of public values."""

    def attests(self, workspace: str, aad_parts: tuple[Any, ...], seal: bytes | None) -> bool:
        """Return whether a seal matches these values."""

    def has_keys(self, workspace: str) -> bool:
        """Return whether a workspace's keys are cached."""

    def uses_services(self) -> bool:
        """Return whether key services wrap keys."""

    def services_of(self, workspaces: Sequence[str]) -> dict[str, str]:
        """Return the key services of workspaces that have one."""

    def prepare(self, workspace: str) -> None:
        """Unwrap a workspace's key."""

    def prepare_all(self, first: str, last: str) -> None:
        """Unwrap all keys of the workspaces from ``first`` to ``last``."""
