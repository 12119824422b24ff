"""References to stored files in inputs (``{"file": id}``): their places, and the kind of file that
the schema declares there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, Literal

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidInput
from jackfield.kernel.hints import NextStep
from jackfield.kernel.pointers import pointer
from jackfield.kernel.walk import Schema, below, extension, nodes

if TYPE_CHECKING:
    from jackfield.invocation.given_files import GivenFile

_DEPTH = 20
_NESTING = (dict, list)
_ATOMS = frozenset({str, int, float, bool, type(None)})
# what a FILE has besides its content may stand beside its id
_REFERENCE = frozenset({"file", "contentType", "disposition", "contentId"})
_BYTES = (bytes, bytearray, memoryview)


@dataclass(frozen=True, slots=True)
class FileLocation:
    """Location of one ``{"file": id}``: the steps to it, and whether the action reads it as a
    stream.
    """

    steps: tuple[str | int, ...]
    identifier: str
    is_streamed: bool = False

    @property
    def path(self) -> str:
        """JSON Pointer of the reference (RFC 6901)."""
        return pointer(*self.steps)


def names_files(value: object) -> bool:
    """Return whether the inputs contain any ``{"file": …}``."""
    left: list[Any] = [value] if isinstance(value, _NESTING) else []
    # a list that grows meanwhile: recursion would take longer, and every invocation passes here
    for item in left:
        parts = item
        if isinstance(item, dict):
            if "file" in item and item.keys() <= _REFERENCE:
                return True
            parts = item.values()
        left += [part for part in parts if isinstance(part, _NESTING)]
    return False


def holds_objects(value: dict[str, Any]) -> bool:
    """Return whether the inputs contain anything but parsed JSON: a path, an open file, a date, a
    model.
    """
    left: list[Any] = [value]
    for item in left:  # as above
        for part in item.values() if type(item) is dict else item:
            kind = type(part)
            if kind is dict or kind is list:
                left.append(part)
            elif kind not in _ATOMS:
                return True
    return False


def is_content(value: object) -> bool:
    """Return whether a Python object is a file: a path, bytes, or a readable stream."""
    kind = type(value)
    if kind in _ATOMS:
        return False
    return (
        issubclass(kind, _BYTES)
        or hasattr(kind, "__fspath__")
        or (hasattr(kind, "__enter__") and hasattr(value, "read"))
    )


def file_places(inputs: object, schema: Schema) -> list[FileLocation]:
    """Return the places where ``inputs`` refer to files and the schema accepts a FILE."""
    return list(_places(inputs, schema)) if names_files(inputs) else []


def named_files(inputs: object) -> set[str]:
    """Return the IDs of all references, wherever they are."""
    return {place.identifier for place in _candidates(inputs, ())} if names_files(inputs) else set()


Form = Literal["map", "pairs", "pair", "array", "file", "text"]
"""Form in which a schema accepts files: ``{"a.pdf": FILE}``, ``[{"key", "value": FILE}]``, an item
of the latter, ``[FILE]``, FILE, or text.
"""


def form_of_files(root: Schema, applying: Iterable[Schema]) -> Form:
    """Return the form in which the parts of a schema that apply to a value accept files."""
    branches = nodes(root, *applying)
    if any(_is_file(root, branch.get("additionalProperties")) for branch in branches):
        return "map"
    if any(_is_pair(root, branch.get("items")) for branch in branches):
        return "pairs"
    if any(_is_file(root, branch.get("items")) for branch in branches):
        return "array"
    if any(_is_pair(root, branch) for branch in branches):
        return "pair"
    return "file" if any(_is_file(root, branch) for branch in branches) else "text"


def _is_file(root: Schema, schema: object) -> bool:
    return any(
        {"data", "contentType"} <= _properties(branch).keys() for branch in nodes(root, schema)
    )


def _is_pair(root: Schema, schema: object) -> bool:
    return any(
        "key" in _properties(branch) and _is_file(root, _properties(branch).get("value"))
        for branch in nodes(root, schema)
    )


def _properties(schema: Schema) -> Mapping[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def large_contents(inputs: object, schema: Schema, least: int) -> list[tuple[str | int, ...]]:
    """Return the steps to each ``{"data", "contentType"}`` of at least ``least`` characters where
    the schema accepts a FILE.
    """
    found = _find(
        inputs,
        (),
        lambda value: value.keys() == {"data", "contentType"} and len(str(value["data"])) >= least,
    )
    return [
        steps
        for steps, _ in found
        if any(_takes_file(node) or _is_stream(node) for node in _applying(schema, steps))
    ]


def _applying(schema: Schema, steps: Sequence[str | int]) -> list[Schema]:
    return list(reduce(partial(below, schema), steps, nodes(schema, schema)))


def _places(inputs: object, schema: Schema) -> Iterator[FileLocation]:
    for place in _candidates(inputs, ()):
        applying = _applying(schema, place.steps)
        if any(map(_is_stream, applying)):
            yield FileLocation(place.steps, place.identifier, is_streamed=True)
        elif any(map(_takes_file, applying)):
            yield place


def _candidates(value: object, steps: tuple[str | int, ...]) -> Iterator[FileLocation]:
    for found, item in _find(value, steps, _is_reference):
        yield FileLocation(found, item["file"])


def _is_reference(item: Mapping[str, Any]) -> bool:
    return "file" in item and item.keys() <= _REFERENCE and isinstance(item["file"], str)


def _find(
    value: object, steps: tuple[str | int, ...], wanted: Callable[[dict[str, Any]], bool]
) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    if steps and isinstance(value, dict) and wanted(value):
        yield steps, value
    elif isinstance(value, dict | list) and len(steps) <= _DEPTH:
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, dict | list):
                yield from _find(item, (*steps, step), wanted)


def _takes_file(schema: Schema) -> bool:
    """Return whether the schema is a FILE in its long form and has no ``file`` property of its
    own.
    """
    properties = schema.get("properties")
    return (
        isinstance(properties, Mapping)
        and {"data", "contentType"} <= properties.keys()
        and "file" not in properties
    )


def _is_stream(schema: Schema) -> bool:
    return extension(schema).get("file") == "stream"


def replaced(inputs: Any, values: Sequence[tuple[tuple[str | int, ...], Any]]) -> Any:
    """Return a copy of the inputs with other values at some places. Members next to a reference to
    a file stay next to the file's content.
    """
    copy = _copied(inputs)
    for steps, value in values:
        parent = copy
        for step in steps[:-1]:
            parent = parent[step]
        before = parent[steps[-1]]
        beside = isinstance(value, dict) and isinstance(before, dict) and "file" in before
        parent[steps[-1]] = (
            {**value, **{name: item for name, item in before.items() if name != "file"}}
            if beside
            else value
        )
    return copy


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copied(item) for name, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def with_digests(inputs: Any, digests: Mapping[str, Any]) -> Any:
    """Return a copy of the inputs with a digest in place of each reference, so that equal files
    count as equal requests.
    """
    found = [
        (place.steps, digests[place.identifier])
        for place in _candidates(inputs, ())
        if place.identifier in digests
    ]
    return replaced(inputs, found) if found else inputs


def check_there(missing: Sequence[FileLocation]) -> None:
    """Check that no file is missing.

    :raises InvalidInput: with a detail for each missing file's place.
    """
    if missing:
        count = "1 input is" if len(missing) == 1 else f"{len(missing)} inputs are"
        details = [
            Detail(f"{place.path}/file", "the file does not exist or has expired")
            for place in missing
        ]
        raise InvalidInput(f"{count} not valid", details=details, hint=NextStep("upload"))


def too_large_together(places: Sequence[FileLocation], weight: int, limit: int) -> InvalidInput:
    """Return the error for files that are too large in total to be passed by value."""
    text = (
        f"the files of an invocation must not exceed {limit:,} bytes in total; these have "
        f"{weight:,}"
    )
    several = (
        "is one of several files that together exceed the limit"
        if len(places) > 1
        else "exceeds the limit"
    )
    details = [Detail(f"{place.path}/file", several) for place in places]
    return InvalidInput(text, details=details, hint="Use fewer or smaller files.")


_GIVEN = "given-"


def without_given(value: Any) -> Any:
    """Return recorded inputs without files that the caller passed as objects, since their IDs were
    valid only in that call.
    """
    if isinstance(value, dict):
        return {name: without_given(item) for name, item in value.items() if not _is_given(item)}
    return (
        [without_given(item) for item in value if not _is_given(item)]
        if isinstance(value, list)
        else value
    )


def _is_given(value: object) -> bool:
    return isinstance(value, dict) and _is_reference(value) and value["file"].startswith(_GIVEN)


class GivenFiles(dict[str, "GivenFile"]):
    """Files of one call by their IDs in its inputs."""

    def lift(self, value: Any) -> Any:
        """Store each file in a value, and return the value with ``{"file": id}`` in place of each
        file.
        """
        if isinstance(value, dict):
            return {name: self.lift(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.lift(item) for item in value]
        if not is_content(value):
            return value
        from jackfield.invocation.given_files import GivenFile

        identifier = f"{_GIVEN}{len(self) + 1}"
        self[identifier] = GivenFile(value)
        return {"file": identifier}

    def places(self, places: Iterable[FileLocation]) -> list[FileLocation]:
        """Return the places that refer to these files."""
        return [place for place in places if place.identifier in self]

    def put(
        self, inputs: Mapping[str, Any], schema: Schema
    ) -> tuple[Mapping[str, Any], list[FileLocation]]:
        """Return the inputs and the places of all files in them. A file where the schema accepts
        files by name is put under its own name. Where the schema accepts no file, the caller's
        object stays, so that the schema refuses it.

        :raises InvalidInput: for content without a name where the schema accepts files by name.
        """
        places = file_places(inputs, schema)
        taken = {place.steps for place in places}
        strays = [
            place for place in self.places(_candidates(inputs, ())) if place.steps not in taken
        ]
        if not strays:
            return inputs, places
        found: Mapping[str, Any] = replaced(
            inputs, [(place.steps, self._value_of_file(place, schema)) for place in strays]
        )
        return found, file_places(found, schema)

    def _value_of_file(self, place: FileLocation, schema: Schema) -> Any:
        file, form = self[place.identifier], form_of_files(schema, _applying(schema, place.steps))
        if form in ("text", "file"):
            return file.original
        if file.name is None:
            text = "files need names here: pass {'report.pdf': content}"
            raise InvalidInput(
                "1 input is not valid",
                details=[Detail(place.path, text)],
                hint="Pass a path, or the content by its name.",
            )
        reference = {"file": place.identifier}
        if form == "map":
            return {file.name: reference}
        pair = {"key": file.name, "value": reference}
        return pair if form == "pair" else [pair if form == "pairs" else reference]

    def check(self, inputs: Mapping[str, Any]) -> None:
        """Check that the files to which the inputs refer can be read.

        :raises InvalidInput: with a detail for each file that cannot be read.
        """
        details = []
        for place in self.places(_candidates(inputs, ())):
            file = self[place.identifier]
            try:
                _ = file.size
            except (OSError, ValueError) as error:
                reason = (
                    error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                )
                named = f"the file '{file.name[:200]}'" if file.name else "the file"
                details.append(Detail(place.path, f"{named} cannot be read: {reason}"))
        if details:
            count = "1 input is" if len(details) == 1 else f"{len(details)} inputs are"
            raise InvalidInput(
                f"{count} not valid", details=details, hint="Check the path and its permissions."
            )
