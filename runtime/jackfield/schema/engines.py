"""The two engines behind one shape: ``jsonschema-rs``, and ``jsonschema`` where the first is not installed.

An engine only says whether a value is valid, and whether a pattern matches; why a value is not valid is told by us, so that both say
the same. Formats are our own functions in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from jackfield.schema.formats import FORMATS
from jackfield.schema.kinds import Json, SchemaError
from jackfield.schema.patterns import compiled, for_python, for_rust
from jackfield.schema.pointer import join
from jackfield.schema.sameness import first_twins, is_multiple
from jackfield.schema.wellformed import SUBSCHEMA, SUBSCHEMA_LISTS, SUBSCHEMA_MAPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

__all__ = ["Engine", "EngineName", "find"]

EngineName: TypeAlias = Literal["rs", "python"]
_NOT_OURS = ("uri-template", "iri", "iri-reference", "relative-json-pointer", "iri-template")
"""Formats that jsonschema-rs would judge by itself and jsonschema would not."""


@dataclass(frozen=True, slots=True)
class Engine:
    """``judge`` compiles a schema to its verdict, ``matcher`` a pattern to whether it is found in a text (ValueError: not a pattern)."""

    name: EngineName
    judge: Callable[[Json], Callable[[Json], bool]]
    matcher: Callable[[str], Callable[[str], bool]]


def find(name: EngineName | None) -> Engine:
    """The engine of this name; for None the faster one that is installed.

    :raises ImportError: it is not installed.
    """
    if name == "python":
        return _python()
    try:
        return _rust()
    except ImportError:
        if name == "rs":
            raise
        return _python()


def _rust() -> Engine:
    import jsonschema_rs as rs  # noqa: PLC0415 (31 ms, at the first schema only)

    formats = {name: _predicate(name) for name in FORMATS} | dict.fromkeys(_NOT_OURS, _anything)

    def judge(schema: Json) -> Callable[[Json], bool]:
        try:
            # mask: an engine's own message must never hold a value, even in a log of somebody else's
            validator = rs.Draft202012Validator(
                _with_patterns(schema, for_rust), validate_formats=True, formats=formats, mask="***", offline=True
            )
        except ValueError as error:
            raise SchemaError(join(getattr(error, "instance_path", ())), "the engine refuses it") from None
        return validator.is_valid

    def matcher(pattern: str) -> Callable[[str], bool]:
        return rs.Draft202012Validator({"pattern": for_rust(pattern)}).is_valid

    return Engine("rs", judge, matcher)


def _python() -> Engine:
    import jsonschema  # noqa: PLC0415 (needed only where jsonschema-rs is not installed)

    checker = jsonschema.FormatChecker(formats=())
    for name in FORMATS:
        checker.checkers[name] = (_predicate(name), ())
    own = {"multipleOf": _multiple_of, "uniqueItems": _unique_items}
    kind: Any = jsonschema.validators.extend(jsonschema.Draft202012Validator, own)  # type: ignore[no-untyped-call]

    def judge(schema: Json) -> Callable[[Json], bool]:
        try:
            kind.check_schema(schema, format_checker=jsonschema.FormatChecker(formats=()))
        except jsonschema.SchemaError as error:
            raise SchemaError(join(error.absolute_path), "the engine refuses it") from None
        is_valid: Callable[[Json], bool] = kind(_with_patterns(schema, for_python), format_checker=checker).is_valid
        return is_valid

    def matcher(pattern: str) -> Callable[[str], bool]:
        search = compiled(pattern).search
        return lambda text: search(text) is not None

    return Engine("python", judge, matcher)


def _anything(_text: str) -> bool:
    return True


def _predicate(name: str) -> Callable[[object], bool]:
    """The format as both engines call it; jsonschema asks about values that are no strings too."""
    judged = FORMATS[name]
    quick, fault = judged.quick, judged.fault
    if quick is None:
        return lambda text: not isinstance(text, str) or fault(text) is None
    match = quick.fullmatch
    return lambda text: not isinstance(text, str) or match(text) is not None or fault(text) is None


def _with_patterns(node: Json, rewrite: Callable[[str], str]) -> Json:
    """A copy of the schema whose patterns are in the engine's dialect."""
    if not isinstance(node, dict):
        return node
    return {keyword: _rewritten(keyword, value, rewrite) for keyword, value in node.items()}


def _rewritten(keyword: str, value: Json, rewrite: Callable[[str], str]) -> Json:
    if keyword == "pattern":
        return rewrite(value)
    if keyword in SUBSCHEMA:
        return _with_patterns(value, rewrite)
    if keyword in SUBSCHEMA_LISTS:
        return [_with_patterns(sub, rewrite) for sub in value]
    if keyword in SUBSCHEMA_MAPS:
        rename = rewrite if keyword == "patternProperties" else str
        return {rename(name): _with_patterns(sub, rewrite) for name, sub in value.items()}
    return value


def _multiple_of(_validator: Validator, step: float, value: Json, _schema: Mapping[str, Json]) -> Iterator[ValidationError]:
    from jsonschema import ValidationError  # noqa: PLC0415 (imported by now)

    if isinstance(value, int | float) and not isinstance(value, bool) and not is_multiple(value, step):
        yield ValidationError("multipleOf")


def _unique_items(_validator: Validator, wanted: bool, value: Json, _schema: Mapping[str, Json]) -> Iterator[ValidationError]:
    from jsonschema import ValidationError  # noqa: PLC0415 (imported by now)

    if wanted and isinstance(value, list) and first_twins(value):
        yield ValidationError("uniqueItems")
