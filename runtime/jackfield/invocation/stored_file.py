"""Stored file, to which an input refers by its ID. A higher package stores the files."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class StoredFile:
    """One stored file. ``sealed`` has its key, the digest of its content and its ``binding``,
    encrypted.
    """

    workspace: str
    id: str
    name: str | None
    content_type: str
    size: int
    sealed: bytes
    caller: str | None
    created_at: float
    expires_at: float

    @property
    def binding(self) -> bytes:
        """Digest of the facts that decide who may use the file and how its content is read."""
        return hashlib.sha256(
            json.dumps([self.name, self.content_type, self.size, self.caller]).encode()
        ).digest()

    def to_json(self) -> dict[str, Any]:
        """Return the file as JSON (docs/reference/http.md)."""
        about = {
            "file": self.id,
            "size": self.size,
            "contentType": self.content_type,
            "expiresAt": iso(self.expires_at),
        }
        return {**about, "name": self.name} if self.name is not None else about
