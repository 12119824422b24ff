"""Inputs of an operation, converted from JSON for botocore's serializers: files to bytes, ``5.0``
to 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jackfield.connector import Detail, StreamedFile, pointer
from jackfield.connector.models import read_file
from jackfield_aws.virtual.plain_values import BadValue, as_text, attribute_reader, is_attribute

Reader = Callable[[Any, tuple[Any, ...]], Any]
"""Function that converts a value; its second argument is the path to it. It returns the value
itself if no conversion is needed.
"""


class Readers:
    """Converters of one operation's shapes, made once. A shape without files and integers has no
    converter, so most inputs are not walked.
    """

    def __init__(self) -> None:
        self._made: dict[str, Reader | None] = {}

    def of(self, shape: Any) -> Reader | None:
        """Return the converter of a shape; None if its values need no conversion."""
        kind = shape.type_name
        if kind == "blob":
            return _content
        if kind in ("integer", "long"):
            return _whole
        if kind not in ("structure", "list", "map") or getattr(shape, "is_document_type", False):
            return None
        if shape.name in self._made:
            return self._made[shape.name]
        self._made[shape.name] = self._later(shape.name)  # for shapes that contain themselves
        made = self._compound(kind, shape)
        if made is not None and kind == "structure" and is_attribute(shape):
            made = attribute_reader(made)
        self._made[shape.name] = made
        return made

    def _later(self, name: str) -> Reader:
        def read(value: Any, path: tuple[Any, ...]) -> Any:
            return (self._made[name] or _same)(value, path)

        return read

    def _compound(self, kind: str, shape: Any) -> Reader | None:
        if kind == "structure":
            members = {
                name: read
                for name, member in shape.members.items()
                if (read := self.of(member)) is not None
            }
            return _members(members.get) if members else None
        inner = self.of(shape.member if kind == "list" else shape.value)
        if inner is None:
            return None
        return _items(inner) if kind == "list" else _members(lambda _name: inner)


def _same(value: Any, _path: tuple[Any, ...]) -> Any:
    return value


def _whole(value: Any, _path: tuple[Any, ...]) -> Any:
    return int(value) if isinstance(value, float) else value


def _content(value: Any, path: tuple[Any, ...]) -> bytes | StreamedFile:
    if isinstance(value, StreamedFile):
        return value
    try:
        return read_file(value).content
    except ValueError as error:
        raise BadValue(path, f"is not a file: its 'data' {error}") from None


def _members(reader_of: Callable[[str], Reader | None]) -> Reader:
    def read(value: Any, path: tuple[Any, ...]) -> Any:
        changed = None
        for name, item in value.items():
            reader = reader_of(name)
            if reader is not None:
                new = reader(item, (*path, name))
                if new is not item:
                    changed = changed or dict(value)
                    changed[name] = new
        return value if changed is None else changed

    return read


def _items(reader: Reader) -> Reader:
    def read(value: Any, path: tuple[Any, ...]) -> Any:
        return [reader(item, (*path, index)) for index, item in enumerate(value)]

    return read


class VirtualInputs:
    """Converted inputs of one call."""

    __slots__ = ("faults", "own", "parameters", "shape")

    def __init__(
        self,
        values: Mapping[str, Any],
        own: frozenset[str],
        reader: Reader | None,
        shape: Any = None,
    ) -> None:
        self.shape = shape
        """Shape of the operation's input in the service's model."""
        self.own = {name: item for name, item in values.items() if name in own}
        """Inputs of jackfield's own, which are not sent."""
        self.parameters = {name: item for name, item in values.items() if name not in own}
        """All sent members; a stored file that becomes the body is a ``StreamedFile``."""
        self.faults: tuple[Detail, ...] = ()
        if reader is not None:
            try:
                self.parameters = reader(self.parameters, ())
            except BadValue as error:
                self.faults = (Detail(pointer(*error.path), str(error), "contentEncoding"),)

    def __repr__(self) -> str:  # inputs stay out of logs
        return "VirtualInputs(…)"

    def rules(self) -> tuple[Detail, ...]:
        """Return the faults that the schema cannot express."""
        return self.faults


class InputModel:
    """Model of an operation's inputs in the runtime's form. The schema has already checked them."""

    def __init__(self, own: frozenset[str], shape: Any, json: str | None = None) -> None:
        self._own, self._shape, self._json = own, shape, json
        self._reader = Readers().of(shape) if shape is not None else None
        self._body = shape.serialization.get("payload") if shape is not None else None

    def model_validate(
        self, values: Mapping[str, Any], *, context: Mapping[str, Any] | None = None
    ) -> VirtualInputs:
        """Return the converted inputs. ``context`` holds the sources of stored files by ID."""
        sources = (context or {}).get("files")
        if sources:
            body = values.get(self._body or "")
            source = (
                sources.get(body["file"])
                if isinstance(body, Mapping) and body.keys() == {"file"}
                else None
            )
            if source is not None:
                values = {**values, str(self._body): StreamedFile(source)}
        if self._json is not None and self._json in values:
            values = {**values, self._json: as_text(values[self._json])}
        return VirtualInputs(values, self._own, self._reader, self._shape)
