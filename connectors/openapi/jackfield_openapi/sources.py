"""Where a document comes from: a file or a URL, with the other documents that its references name."""

from __future__ import annotations

import os
from http.client import HTTPException
from typing import Any
from urllib.parse import urljoin, urlsplit

from jackfield.connector import ANYWHERE, Guard, InvalidConnection, InvalidInput
from jackfield_openapi.fetching import opener
from jackfield_openapi.reading import MAX_BYTES, parsed

_MOST = 200
"""Limit of documents that one refers to."""
_BUNDLED = "x-jackfield-bundled"
_TIMEOUT = 30.0
_DOWNLOAD = "Download it, and give the file's path."

Json = dict[str, Any]


def read(source: str) -> tuple[Json, bytes]:
    """Read a document and everything that it refers to, bundled into one; return it with the bytes of the main document.

    What a public document refers to is fetched from public addresses only, whatever its host's name resolves to by then.

    :raises InvalidInput: if a document cannot be read.
    """
    is_public = is_url(source) and _is_public(source)
    content = _bytes(source)
    return _Bundle(source, Guard() if is_public else ANYWHERE).bundled(parsed(content, source)), content


def is_url(source: str) -> bool:
    """Return whether a source is fetched."""
    return source.startswith(("http://", "https://"))


def _bytes(source: str, guard: Guard = ANYWHERE) -> bytes:
    if is_url(source):
        return _fetched(source, guard)
    try:
        with open(source, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"'{source[:200]}' cannot be read: {error.strerror}", hint="Give the path of a document, or its URL.") from None


def _is_public(url: str) -> bool:
    try:
        Guard().check(urlsplit(url).hostname or "")
    except (InvalidConnection, ValueError):
        return False
    return True


def _fetched(url: str, guard: Guard) -> bytes:
    try:
        with opener(guard, _TIMEOUT).open(url, timeout=_TIMEOUT) as answer:
            content: bytes = answer.read(MAX_BYTES + 1)
    except InvalidConnection:
        raise InvalidInput(f"'{url[:200]}' is inside this network, and a public document refers to it", hint=_DOWNLOAD) from None
    except (OSError, HTTPException, ValueError) as error:
        raise InvalidInput(f"'{url[:200]}' cannot be fetched: {error}", hint=_DOWNLOAD) from None
    return content


class _Bundle:
    """Bundle of documents. A fetched one reaches its own origin only, a file its own folder and those below."""

    def __init__(self, main: str, guard: Guard) -> None:
        self._guard = guard
        self._main = main if is_url(main) else os.path.realpath(main)
        self._places = {self._main: ""}
        self._documents: dict[str, Any] = {}

    def bundled(self, document: Json) -> Json:
        self._rewrite(document, self._main)
        if self._documents:
            document[_BUNDLED] = self._documents
        return document

    def _rewrite(self, value: Any, base: str) -> None:
        waiting = [value]
        while waiting:
            node = waiting.pop()
            if isinstance(node, dict):
                reference = node.get("$ref")
                if isinstance(reference, str) and not (base == self._main and reference.startswith("#")):
                    node["$ref"] = self._moved(reference, base)
                waiting.extend(node.values())
            elif isinstance(node, list):
                waiting.extend(node)

    def _moved(self, reference: str, base: str) -> str:
        relative, _, fragment = reference.partition("#")
        target = base if not relative else self._target(relative, base)
        if target is None:
            return reference  # reported where the schema is converted
        if target not in self._places:
            if len(self._places) >= _MOST:
                raise InvalidInput(f"the document refers to more than {_MOST} others", hint="Bundle it into one document first.")
            key = str(len(self._places))
            self._places[target] = f"/{_BUNDLED}/{key}"
            loaded = self._documents[key] = parsed(_bytes(target, self._guard), target)
            self._rewrite(loaded, target)
        return f"#{self._places[target]}{fragment if fragment.startswith('/') else ''}"

    def _target(self, relative: str, base: str) -> str | None:
        if is_url(self._main):
            try:
                found = urljoin(base, relative)
                return found if urlsplit(found)[:2] == urlsplit(self._main)[:2] else None  # scheme and host
            except ValueError:  # no URL
                return None
        if "://" in relative or "\0" in relative:
            return None
        path = os.path.realpath(os.path.join(os.path.dirname(base), relative))
        inside = os.path.commonpath([os.path.dirname(self._main), path]) == os.path.dirname(self._main)
        return path if inside and os.path.isfile(path) else None
