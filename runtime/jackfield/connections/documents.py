"""YAML and JSON documents from strangers: bounded, without duplicate members, without code."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

__all__ = ["MAX_FILE", "DocumentError", "documents", "parted", "read_text"]

MAX_FILE = 8 * 1024 * 1024
"""Bytes: the largest connection file that is read."""
_MAX_NODES = 200_000
_MAX_DEPTH = 100
_MAX_FAULTS = 10
_BOUNDARY = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_NOTHING = re.compile(r"(?:[ \t]*(?:[#%].*)?(?:\r?\n|\Z))*\Z")
_MERGE = "tag:yaml.org,2002:merge"
_NOT_JSON = frozenset(f"tag:yaml.org,2002:{name}" for name in ("binary", "omap", "pairs", "set", "timestamp"))
"""What YAML has and JSON has not; an untagged date is a string."""


class DocumentError(ValueError):
    """The file cannot be read as YAML or JSON; the message says why and where."""


def read_text(path: str) -> str:
    """The text of a file.

    :raises DocumentError: where it cannot be read, is too large, or is not UTF-8.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (a cold invoke saves pathlib's import)
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise DocumentError(f"it cannot be read: {error.strerror}") from None
    if len(content) > MAX_FILE:
        raise DocumentError(f"it is larger than {MAX_FILE:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"it is not UTF-8 text (byte {error.start})") from None


def documents(text: str, name: str) -> Iterator[Any]:
    """The documents of a file: one for JSON, one or more for YAML.

    :raises DocumentError: for a document that is broken, has a member twice, or unfolds to more than 200,000 nodes.
    """
    if _is_json(text, name):
        try:
            document = json.loads(text, object_pairs_hook=_unique)
        except DocumentError:
            raise
        except RecursionError:
            raise DocumentError(f"it is nested deeper than {_MAX_DEPTH} levels") from None
        except ValueError as error:
            raise DocumentError(f"it is not JSON: {error}") from None
        _check_size(document)
        yield document
        return
    yield from _yaml_documents(text)


def parted(text: str, name: str) -> Iterator[tuple[str, Any]]:
    """The documents of a file, each with the words for its place in it (``", document 2"``; ``""`` for the only one); where one is broken,
    a DocumentError in its stead, so that the others can be used. What a whole file may unfold to bounds all of them together.
    """
    pieces = [(0, text)] if _is_json(text, name) else list(_pieces(text))
    nodes = faults = 0
    for number, (line, piece) in enumerate(pieces, start=1):
        place = f", document {number}" if len(pieces) > 1 else ""
        try:
            for document in documents(piece, name) if _is_json(text, name) else _yaml_documents(piece, line):
                nodes += _check_size(document, nodes)
                yield place, document
        except DocumentError as error:
            faults += 1
            yield place, error
        if faults >= _MAX_FAULTS:
            yield "", DocumentError(f"{faults} of its documents are broken; the rest is not read")
            return


def _is_json(text: str, name: str) -> bool:
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 (a cold invoke saves pathlib's import)
    return suffix == ".json" or (suffix not in (".yaml", ".yml") and text.lstrip().startswith(("{", "[")))


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """YAML documents as text, each with the number of lines before it. ``---`` at the start of a line begins one, wherever it stands (YAML
    1.2.2 §9.1.2); directives and comments before it belong to it."""
    begin = line = 0
    for end in [found.start() for found in _BOUNDARY.finditer(text)] + [len(text)]:
        piece = text[begin:end]
        if end < len(text) and _NOTHING.match(piece):
            continue
        yield line, piece
        line += piece.count("\n")
        begin = end


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DocumentError(f"the member '{twice[:80]}' occurs twice in one object")
    return members


def _yaml_documents(text: str, line: int = 0) -> Iterator[Any]:
    import yaml  # noqa: PLC0415 (only YAML files pay for it)

    loaded = None
    while True:
        try:
            if loaded is None:
                _check_depth(yaml.parse(text, Loader=_loader()))
                loaded = yaml.load_all(text, Loader=_loader())
            document = next(loaded)
        except StopIteration:
            return
        except DocumentError:
            raise
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            where = f" at line {line + mark.line + 1}, column {mark.column + 1}" if mark else ""
            raise DocumentError(f"it is not YAML: {error.problem}{where}") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise DocumentError(f"it is not YAML: {str(error)[:200]}") from None
        _check_size(document)
        if document is not None:
            yield document


def _check_depth(events: Iterable[Any]) -> None:
    """Refuse deep nesting while it is still a flat row of events: libyaml's composer recurses in C and would crash the process."""
    depth = 0
    for event in events:
        name = type(event).__name__
        depth += name in {"MappingStartEvent", "SequenceStartEvent"}
        depth -= name in {"MappingEndEvent", "SequenceEndEvent"}
        if depth > _MAX_DEPTH:
            raise DocumentError(f"it is nested deeper than {_MAX_DEPTH} levels")


def _check_size(document: object, before: int = 0) -> int:
    """Count nodes and levels as they unfold, so that aliases of aliases (a "bomb") and cycles are refused before anyone walks them."""
    nodes, waiting = 0, [(document, 1)]
    while waiting:
        item, depth = waiting.pop()
        nodes += 1
        if before + nodes > _MAX_NODES:
            raise DocumentError(f"it unfolds to more than {_MAX_NODES:,} nodes (aliases)")
        if isinstance(item, dict | list):
            if depth > _MAX_DEPTH:
                raise DocumentError(f"it is nested deeper than {_MAX_DEPTH} levels")
            waiting.extend((child, depth + 1) for child in (item.values() if isinstance(item, dict) else item))
    return nodes


@functools.cache
def _loader() -> Any:  # noqa: ANN401 (PyYAML's loader classes are untyped)
    import yaml  # noqa: PLC0415 (only YAML files pay for it)

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """The safe loader, for what is JSON: keys and dates are text, and a key that occurs twice is refused."""

        yaml_constructors: ClassVar[dict[str, Any]] = {tag: made for tag, made in base.yaml_constructors.items() if tag not in _NOT_JSON}
        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
            first: [(tag, pattern) for tag, pattern in known if tag not in _NOT_JSON]
            for first, known in base.yaml_implicit_resolvers.items()
        }

        def flatten_mapping(self, node: Any) -> None:  # noqa: ANN401 (PyYAML's signature)
            super().flatten_mapping(node)
            if len(node.value) > _MAX_NODES:  # merges of merges unfold while they are read
                raise DocumentError(f"it unfolds to more than {_MAX_NODES:,} nodes (merges)")

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: ANN401 (PyYAML's signature)
            seen: set[str] = set()
            for key_node, _ in getattr(node, "value", ()):
                key = key_node.value
                if not isinstance(key, str) or key_node.tag == _MERGE:
                    continue
                if key in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"the key '{key[:80]}' occurs twice", key_node.start_mark)
                seen.add(key)
                key_node.tag = "tag:yaml.org,2002:str"
            return super().construct_mapping(node, deep)

    return Loader
