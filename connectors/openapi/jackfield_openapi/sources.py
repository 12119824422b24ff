"""Sources of a document: a file or a URL, and the documents that its references name."""

from __future__ import annotations

import os
from functools import cache
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from jackfield.connector import (
    ANYWHERE,
    Guard,
    InvalidConnection,
    InvalidInput,
    Wire,
    WireFault,
    WireSettings,
    pointer,
)
from jackfield.wire.fetching import fetched as fetched_by
from jackfield.wire.outbound import ENVIRONMENT, way_out
from jackfield.wire.tls import client_context
from jackfield_openapi.composition import BUNDLED
from jackfield_openapi.discovery import is_discovery, openapi_of
from jackfield_openapi.reading import MAX_BYTES, parsed

_MOST = 200
"""Maximum number of documents in a fetched bundle."""
_MOST_BYTES = 256 * 1024 * 1024
"""Maximum total size of all files, in bytes."""
_PROSE = (".md", ".txt", ".html", ".rst")
"""Endings of text files, from which documents include descriptions."""
_TIMEOUT = 30.0
_DOWNLOAD = "Download it, and give the file's path."

Json = dict[str, Any]


def read(source: str) -> tuple[Json, bytes]:
    """Read a document and every document that it refers to, bundled into one; return it with the
    bytes of the main document.

    References of a public document are fetched from public addresses only, whatever their host's
    name resolves to later.

    :raises InvalidInput: if a document cannot be read.
    """
    is_public = is_url(source) and _is_public(source)
    content = _bytes(source)
    document = parsed(content, source)
    if is_discovery(document):
        return openapi_of(document), content
    return _Bundle(source, Guard() if is_public else ANYWHERE).bundled(document), content


def is_url(source: str) -> bool:
    """Return whether a source is a URL."""
    return source.startswith(("http://", "https://"))


def _bytes(source: str, guard: Guard = ANYWHERE) -> bytes:
    if is_url(source):
        return fetched(source, guard)
    try:
        with open(source, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(
            f"'{source[:200]}' cannot be read: {error.strerror}",
            hint="Give the path of a document, or its URL.",
        ) from None


def _is_public(url: str) -> bool:
    try:
        return Guard().permits(urlsplit(url).hostname or "")
    except ValueError:
        return False


def fetched(url: str, guard: Guard) -> bytes:
    """Return the content of a URL.

    :raises InvalidInput: if the URL cannot be fetched.
    """
    wire = Wire(
        WireSettings(
            guard=guard, tls=cache(client_context), route=way_out(os.environ, usual=ENVIRONMENT)
        )
    )
    try:
        return fetched_by(wire, url, "*/*", _TIMEOUT, MAX_BYTES, _stay)
    except InvalidConnection as error:
        refused = error.details[0].message if error.details else error.message
        reason = refused if guard.internal else f"a public document refers to it, and {refused}"
    except WireFault as fault:
        reason = fault.words
    except ValueError as error:
        reason = str(error)
    raise InvalidInput(f"'{url[:200]}' cannot be fetched: {reason}", hint=_DOWNLOAD)


def _stay(old: str, new: str) -> None:
    """Refuse a redirect to another origin; a redirect from http to https of the same host is
    allowed.

    :raises InvalidInput: for a redirect to another origin.
    """
    here, there = urlsplit(old), urlsplit(new)
    if here[:2] != there[:2] and not (
        (here.scheme, there.scheme) == ("http", "https") and here.netloc == there.netloc
    ):
        shown = "".join(letter for letter in new[:200] if letter.isprintable())
        text = f"'{old[:200]}' redirects to another origin, '{shown}'"
        raise InvalidInput(
            text, hint="Give that address if you trust it, or download the document."
        )


_SAMPLES = frozenset({"x-codeSamples", "x-code-samples"})
"""Members that the generator does not read, and whose references name source code."""


class _Bundle:
    """Bundler of documents. A fetched document may refer to its own origin only, a file to its own
    folder and folders below.
    """

    def __init__(self, main: str, guard: Guard) -> None:
        self._guard = guard
        self._main = main if is_url(main) else os.path.realpath(main)
        self._places = {self._main: ""}
        self._documents: dict[str, Any] = {}
        self._size = 0

    def bundled(self, document: Json) -> Json:
        waiting: list[tuple[Any, str]] = [(document, self._main)]
        while waiting:
            self._rewrite(*waiting.pop(), waiting)
        if self._documents:
            document[BUNDLED] = self._documents
        return document

    def _rewrite(self, value: Any, base: str, loaded: list[tuple[Any, str]]) -> None:
        """Point the references of a document to the bundled documents; add new documents to
        ``loaded``.
        """
        waiting = [value]
        while waiting:
            node = waiting.pop()
            if isinstance(node, dict):
                self._put_prose(node, base)
                reference = node.get("$ref")
                if isinstance(reference, str) and not (
                    base == self._main and reference.startswith("#")
                ):
                    node["$ref"] = self._moved(reference, base, loaded)
                self._rewrite_mapping(node.get("discriminator"), base, loaded)
                waiting.extend(member for name, member in node.items() if name not in _SAMPLES)
            elif isinstance(node, list):
                waiting.extend(node)

    def _put_prose(self, node: Json, base: str) -> None:
        """Replace references to files of prose by the files' content."""
        for name, member in node.items():
            reference = (
                member.get("$ref") if isinstance(member, dict) and len(member) == 1 else None
            )
            if isinstance(reference, str) and reference.lower().endswith(_PROSE):
                target = self._target(reference, base)
                if target is not None and not is_url(target):
                    node[name] = self._load_bytes(target).decode("utf-8", "replace")

    def _rewrite_mapping(
        self, discriminator: Any, base: str, loaded: list[tuple[Any, str]]
    ) -> None:
        mapping = discriminator.get("mapping") if isinstance(discriminator, dict) else None
        if not isinstance(mapping, dict):
            return
        for value, target in mapping.items():
            if isinstance(target, str) and (
                "#" in target or "/" in target or target.endswith((".json", ".yaml", ".yml"))
            ):
                mapping[value] = (
                    target
                    if base == self._main and target.startswith("#")
                    else self._moved(target, base, loaded)
                )

    def _moved(self, reference: str, base: str, loaded: list[tuple[Any, str]]) -> str:
        relative, _, fragment = reference.partition("#")
        target = base if not relative else self._target(relative, base)
        if target is None:
            return reference  # reported where the schema is converted
        if target not in self._places:
            if is_url(target) and len(self._places) >= _MOST:
                raise InvalidInput(
                    f"the document refers to more than {_MOST} others",
                    hint="Download it, or bundle it into one document.",
                )
            key = self._key(target)
            self._places[target] = pointer(BUNDLED, key)
            self._documents[key] = parsed(self._load_bytes(target), target, part=True)
            loaded.append((self._documents[key], target))
        return f"#{quote(self._places[target])}{fragment if fragment.startswith('/') else ''}"

    def _key(self, target: str) -> str:
        """Return a unique key from the file's name, which becomes the name of its schema."""
        name = (
            os.path.splitext(os.path.basename(urlsplit(target).path if is_url(target) else target))[
                0
            ]
            or "document"
        )
        key, number = name, 1
        while key in self._documents:
            number += 1
            key = f"{name}_{number}"
        return key

    def _load_bytes(self, target: str) -> bytes:
        content = _bytes(target, self._guard)
        self._size += len(content)
        if self._size > _MOST_BYTES:
            raise InvalidInput(
                f"the document and its files have more than {_MOST_BYTES // 1024 // 1024} MB",
                hint="Select a part of it.",
            )
        return content

    def _target(self, relative: str, base: str) -> str | None:
        if is_url(self._main):
            try:
                found = urljoin(base, relative)
                # scheme and host
                return found if urlsplit(found)[:2] == urlsplit(self._main)[:2] else None
            except ValueError:  # no URL
                return None
        if "://" in relative or "\0" in relative:
            return None
        path = os.path.realpath(os.path.join(os.path.dirname(base), relative))
        inside = os.path.commonpath([os.path.dirname(self._main), path]) == os.path.dirname(
            self._main
        )
        return path if inside and os.path.isfile(path) else None
