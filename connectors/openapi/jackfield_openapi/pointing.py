"""Resolution of ``$ref`` inside one document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from jackfield.connector import pointer
from jackfield.kernel.pointers import names

_CHAIN = 50
"""Maximum length of a chain of references."""


class Pointing:
    """Resolver of a document's local references."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root

    def find(self, at: str) -> Any:
        """Return the value at a JSON Pointer.

        :raises LookupError: if the document has no value there.
        """
        found: Any = self.root
        if at and not at.startswith("/"):
            raise LookupError(at)
        for name in names(at):
            if isinstance(found, dict):
                found = found[name]
            elif isinstance(found, list) and name.isascii() and name.isdecimal() and len(name) < 8:
                found = found[int(name)]
            else:
                raise LookupError(at)
        return found

    def resolved(self, node: Any, at: str) -> tuple[dict[str, Any], str]:
        """Follow the references of an object that is not a schema; return the target with its
        place.

        :raises LookupError: if a reference points to nothing, leaves the document or never ends.
        """
        for _ in range(_CHAIN):
            reference = node.get("$ref") if isinstance(node, dict) else ""
            if reference == "":  # no object, or a reference to nothing
                raise LookupError(at)
            if not isinstance(reference, str):
                return node, at
            at = local(reference)
            node = self.find(at)
        raise LookupError(at)


def local(reference: object) -> str:
    """Return the JSON Pointer of a reference within the document.

    :raises LookupError: if the reference leaves the document, names an anchor, or is no text.
    """
    base, _, fragment = str(reference).partition("#")
    at = unquote(fragment)
    if base or (at and not at.startswith("/")):
        raise LookupError(reference)
    return pointer(*names(at))
