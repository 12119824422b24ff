"""Parsers of YAML and JSON documents from untrusted sources: bounded, without duplicate members,
without code.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from jackfield.connections.document_limits import (
    MAX_DEPTH,
    MAX_DOCUMENTS,
    MAX_VALUES,
    DocumentError,
    Repeated,
)
from jackfield.invocation.wire import repeated_members

__all__ = [
    "MAX_FILE",
    "DocumentError",
    "documents",
    "is_json",
    "read_text",
    "shown_path",
    "split_documents",
]

MAX_FILE = 8 * 1024 * 1024
"""Maximum size of a connection file in bytes."""
_MAX_FAULTS = 10
_BOUNDARY = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_NOTHING = re.compile(r"(?>(?:[ \t]*+(?:[#%].*+)?(?:\r?\n|\Z))*)\Z")
_NO_PATH = re.compile(r"""[{}"'\r\n]|:\s|^\s""")
_FLOW = re.compile(r"\s*(?:\[\s*)?\{\s*['\w$]")
_ENTRIES = ("connections", "providers", "workflows")
"""Members of a document that contain independent entries: a duplicate entry does not invalidate the
others.
"""


def shown_path(path: str) -> str:
    """Return a path for a message. A string that may be a document instead of a path is not
    returned, since it may contain secrets.
    """
    return "a text that is no path of a file" if _NO_PATH.search(path) else path[:200]


def read_text(path: str) -> str:
    """Read the text of a file.

    :raises DocumentError: if the file cannot be read, is too large, or is not UTF-8.
    """
    if _NO_PATH.search(path) and not os.path.exists(path):
        # the system's error would quote it
        raise DocumentError(f"it cannot be read: {os.strerror(errno.ENOENT)}")
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise DocumentError(f"it cannot be read: {error.strerror}") from None
    return text_of(content)


def text_of(content: bytes) -> str:
    """Return the text of a file's content, of which more than ``MAX_FILE`` bytes may be missing.

    :raises DocumentError: if it is too large, or is not UTF-8.
    """
    if len(content) > MAX_FILE:
        raise DocumentError(f"it is larger than {MAX_FILE:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"it is not UTF-8 text (byte {error.start})") from None


def documents(text: str, name: str) -> Iterator[Any]:
    """Yield the documents of a file: one for JSON, one or more for YAML.

    :raises DocumentError: if a document is broken, has a duplicate member, or contains more than
        200,000 values after its aliases are expanded.
    """
    for document, _, faults in _parse_documents(text, is_json(text, name)):
        if faults:
            raise faults[0]
        yield document


def split_documents(text: str, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the documents of a file, each with its place in words (``", document 2"``; ``""`` for
    the only one).

    A broken document is replaced by a DocumentError, so that the others can be used. A duplicate
    entry is removed, and a DocumentError for it follows its document. The limits of a file apply to
    all its documents together.
    """
    as_json = is_json(text, name)
    pieces = [(0, text)] if as_json else list(islice(_pieces(text), MAX_DOCUMENTS + 1))
    values = broken = 0
    for number, (line, piece) in enumerate(pieces[:MAX_DOCUMENTS], start=1):
        place = f", document {number}" if len(pieces) > 1 else ""
        faults: list[DocumentError] = []
        try:
            for document, size, repeated in _parse_documents(piece, as_json, line, values):
                values += size
                faults += repeated
                yield place, document
        except DocumentError as error:
            faults.append(error)
        yield from ((place, fault) for fault in faults)
        broken += bool(faults)
        if broken >= _MAX_FAULTS:
            yield "", DocumentError(f"{broken} of its documents are broken; the rest is not read")
            return
    if len(pieces) > MAX_DOCUMENTS:
        yield (
            "",
            DocumentError(f"it has more than {MAX_DOCUMENTS:,} documents; the rest is not read"),
        )


def _parse_documents(
    text: str, as_json: bool, line: int = 0, before: int = 0
) -> Iterator[tuple[Any, int, list[DocumentError]]]:
    """Yield each document without its duplicate entries, its number of values, and a fault for each
    duplicate entry.
    """
    if as_json:
        found = iter([_json_document(text)])
    else:
        from jackfield.connections.yaml_documents import yaml_documents

        found = yaml_documents(text, line, before)
    for document, repeats in found:
        size = _size(document, before, "has" if as_json else "expands to")
        faults = list(_without_repeated(document)) if repeats else []
        more = (
            [DocumentError(f"{len(faults) - _MAX_FAULTS:,} more of its entries occur twice")]
            if len(faults) > _MAX_FAULTS
            else []
        )
        yield document, size, [*faults[:_MAX_FAULTS], *more]


def _json_document(text: str) -> tuple[Any, bool]:
    repeats = False

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeats
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        repeats = True
        found = Repeated(
            {
                name: f"the member '{name[:80]}' occurs twice in one object"
                for name in repeated_members(pairs)
            }
        )
        found.update(members)
        return found

    try:
        return json.loads(text, object_pairs_hook=made), repeats
    except RecursionError:
        raise DocumentError(f"it is nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise DocumentError(f"it is not JSON: {error}{_advice(text, error.pos)}") from None
    except ValueError as error:  # a number with more digits than Python converts
        raise DocumentError(f"it is not JSON: {error}") from None


def _advice(text: str, place: int) -> str:
    """Return advice on common faults of pasted samples at the place of a JSON error."""
    before, after = text[:place].rstrip(), text[place:].lstrip()
    if after.startswith(("...", "\u2026")):
        return (
            "; the '...' of an abridged sample stands there: paste the whole document, or "
            "remove the dots"
        )
    if before.endswith(",") and after.startswith(("}", "]")):
        return f"; remove the comma before the '{after[0]}'"
    if after.startswith(",") and after[1:].lstrip().startswith(("}", "]")):
        return f"; remove the comma before the '{after[1:].lstrip()[0]}'"
    return ""


def _without_repeated(document: object) -> Iterator[DocumentError]:
    """Remove duplicate entries and yield a fault for each, since the intended entry is unknown.

    :raises DocumentError: for any other duplicate member, which leaves the meaning of the whole
        document unknown.
    """
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while waiting:
        path, item = waiting.pop()
        for name, sentence in item.twice.items() if isinstance(item, Repeated) else ():
            if len(path) != 1 or path[0] not in _ENTRIES:
                raise DocumentError(f"{_format_place(path)}: {sentence}" if path else sentence)
            if name in item:
                del item[name]
                yield DocumentError(f"{_format_place((*path, name))}: {sentence}; neither is read")
        members = (
            item.items()
            if isinstance(item, dict)
            else enumerate(item)
            if isinstance(item, list)
            else ()
        )
        waiting.extend(((*path, key), child) for key, child in reversed(list(members)))


def _format_place(path: tuple[str | int, ...]) -> str:
    return "".join(
        f"[{part}]" if isinstance(part, int) else f".{part[:80]}" for part in path
    ).removeprefix(".")


def is_json(text: str, name: str) -> bool:
    """Return whether a file is JSON, by its name or else by its beginning; ``{name: …}`` without
    quotes is YAML in flow style.
    """
    suffix = os.path.splitext(name)[1].lower()
    return suffix == ".json" or (
        suffix not in (".yaml", ".yml")
        and text.lstrip().startswith(("{", "["))
        and not _FLOW.match(text)
    )


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Split YAML into documents, each with the number of lines before it. ``---`` at the start of a
    line begins a document, wherever it occurs (YAML 1.2.2 §9.1.2); directives and comments before
    it belong to that document.
    """
    begin = line = 0
    for end in [found.start() for found in _BOUNDARY.finditer(text)] + [len(text)]:
        piece = text[begin:end]
        if end < len(text) and _NOTHING.match(piece):
            continue
        yield line, piece
        line += piece.count("\n")
        begin = end


def _size(document: object, before: int, verb: str) -> int:
    """Return the number of values with aliases expanded, so that aliases of aliases (a "bomb") are
    refused before any code traverses them.
    """
    values, waiting = 0, [(document, 1)]
    while waiting:
        item, depth = waiting.pop()
        values += 1
        if before + values > MAX_VALUES:
            raise DocumentError(f"it {verb} more than {MAX_VALUES:,} values")
        if isinstance(item, dict | list):
            if depth > MAX_DEPTH:
                raise DocumentError(f"it is nested deeper than {MAX_DEPTH} levels")
            waiting.extend(
                (child, depth + 1) for child in (item.values() if isinstance(item, dict) else item)
            )
    return values
