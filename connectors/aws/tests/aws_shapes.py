"""Random inputs for AWS operations: valid ones by botocore's shapes, and mutations of them; and the
verdicts on both.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from botocore.validate import ParamValidator

from jackfield.kernel.pointers import follow
from jackfield.schema import CompiledSchema, compile_schema
from jackfield_aws.virtual.inputs import InputModel
from jackfield_aws.virtual.models import service_model
from jackfield_aws.virtual.operations import OWN, describe

_DEEPEST = 4
_INT32 = 2**31
_TOKEN = "6f0e3a8c-6a0d-4d6b-9d9e-0f4b3c1c2a11"
_CLASSES: Mapping[str, str] = {
    "maxLength": "above a maximum",
    "maxItems": "above a maximum",
    "maxProperties": "above a maximum",
    "minimum": "outside the wire type",
    "minLength": "empty label",
    "minProperties": "map with too few members",
}
"""Classes of inputs that the schema refuses and botocore accepts, by the keyword; see ``_class_of``
for the others.
"""
_FOREIGN: tuple[Any, ...] = (
    None,
    [],
    {},
    "x",
    7,
    5.0,
    True,
    [None],
    {"nope": 1},
    2**40,
    -(2**70),
    "",
    "a\r\nX: y",
    "..",
)


@dataclass(frozen=True)
class Disagreement:
    """Input on which schema and botocore differ in a way that no rule explains."""

    operation: str
    inputs: Mapping[str, Any]
    schema_says: str
    botocore_says: str


class Judge:
    """Verdicts on the inputs of one operation."""

    def __init__(self, service: str, name: str) -> None:
        self.name = f"{service}.{name}"
        self.shape = service_model(service).operation_model(name).input_shape
        found = describe(service, name, texts=False)
        self.properties: Mapping[str, Any] = found.inputs["properties"]
        self.schema: CompiledSchema = compile_schema(found.inputs)
        self.output: CompiledSchema = compile_schema(found.output)
        self._tokens = found.tokens
        taken = frozenset(self.shape.members) if self.shape is not None else frozenset[str]()
        self._region = {} if "awsRegion" in taken else {"awsRegion": "eu-west-1"}
        self._model = InputModel(OWN - taken, self.shape)
        self.stricter: Counter[str] = Counter()
        """Inputs that the schema refused and botocore accepted, by class."""

    def differs(self, inputs: Mapping[str, Any]) -> Disagreement | None:
        """Judge an input by both; return the disagreement, if it is none of the known kinds."""
        checked = self.schema.check({**self._region, **inputs})
        if checked.details:
            return self._stricter(inputs, checked)
        given = self._model.model_validate(checked.value)
        if given.faults:
            return None
        said = self._botocore({**dict.fromkeys(self._tokens, _TOKEN), **given.parameters})
        return Disagreement(self.name, inputs, "accepts", said) if said else None

    def _stricter(self, inputs: Mapping[str, Any], checked: Any) -> Disagreement | None:
        try:
            parameters = self._model.model_validate(inputs).parameters
            if self._botocore({**dict.fromkeys(self._tokens, _TOKEN), **parameters}):
                return None
        except (ValueError, TypeError, AttributeError, OverflowError, RuntimeError):
            # no JSON that botocore could take
            return None
        if any(_is_emptied(inputs, detail) for detail in checked.details):
            return None
        classes = [_class_of(inputs, detail) for detail in checked.details]
        self.stricter.update({name for name in classes if name is not None})
        if None not in classes:
            return None
        return Disagreement(
            self.name,
            inputs,
            "; ".join(f"{item.path} {item.message}" for item in checked.details),
            "accepts",
        )

    def _botocore(self, parameters: Mapping[str, Any]) -> str:
        if self.shape is None:
            return "" if not parameters else "takes no parameters"
        report = ParamValidator().validate(parameters, self.shape)
        return report.generate_report() if report.has_errors() else ""


def _class_of(inputs: Any, detail: Any) -> str | None:
    """Return the class of a fault that botocore does not see; None if there is no rule for it.

    botocore takes true for a number, reads nearly any text as a time, and sees the values
    converted: bytes instead of a file's members.
    """
    if detail.keyword in _CLASSES:
        return _CLASSES[detail.keyword]
    try:
        value, owner = follow(inputs, detail.path), follow(inputs, detail.path.rpartition("/")[0])
    except LookupError:
        return None
    if detail.keyword == "maximum":
        return "outside the wire type" if abs(value) >= _INT32 else "above a maximum"
    if detail.keyword in ("pattern", "propertyNames"):
        return (
            "line break in a header"
            if "\r" in str(value)
            else "label of dots, or not of a host name"
        )
    if isinstance(value, bool):
        return "true for a number or a time"
    return "unknown member of a file" if isinstance(owner, dict) and "data" in owner else None


def _is_emptied(inputs: Any, detail: Any) -> bool:
    """Return whether an empty value of another type was converted to an empty list, which botocore
    would not do.
    """
    try:
        return detail.keyword == "type" and follow(inputs, detail.path) in ({}, "")
    except LookupError:
        return False


def valid_inputs(shape: Any, chance: random.Random, depth: int = 0) -> Any:
    """Make a value that fits a shape."""
    kind = shape.type_name
    if getattr(shape, "is_document_type", False) or "jsonvalue" in shape.serialization:
        return {"a": [1, "b"]} if kind != "string" else '{"a": 1}'
    if kind == "structure":
        return _structure(shape, chance, depth)
    least = int(shape.metadata.get("min", 0) or 0)
    if kind in ("list", "map"):
        count = least if depth >= _DEEPEST else max(least, chance.randint(0, 2))
        count = min(count, int(shape.metadata.get("max", count)), 60)
        if kind == "list":
            return [valid_inputs(shape.member, chance, depth + 1) for _ in range(count)]
        keys = {_text(shape.key, chance, f"k{number}") for number in range(count)}
        return {key: valid_inputs(shape.value, chance, depth + 1) for key in sorted(keys)}
    return _scalar(kind, shape, chance)


def _structure(shape: Any, chance: random.Random, depth: int) -> dict[str, Any]:
    members = list(shape.members.items())
    if shape.is_tagged_union:
        members = [chance.choice(members)]
        return {name: valid_inputs(member, chance, depth + 1) for name, member in members}
    share = 0.5 if depth == 0 else 0.25
    wanted = {
        name
        for name, _ in members
        if name in shape.required_members or (depth < _DEEPEST and chance.random() < share)
    }
    return {
        name: valid_inputs(member, chance, depth + 1) for name, member in members if name in wanted
    }


def _scalar(kind: str, shape: Any, chance: random.Random) -> Any:
    if kind == "blob":
        return chance.choice(["text", {"data": "AAEC"}, {"data": "", "contentType": "image/png"}])
    if kind == "timestamp":
        return chance.choice(
            ["2026-01-31T08:30:00Z", "2026-01-31", 1_700_000_000, "2026-01-31T08:30:00+02:00"]
        )
    if kind == "boolean":
        return chance.random() < 0.5
    if kind in ("integer", "long", "float", "double"):
        least = float(shape.metadata.get("min", 0))
        return int(least) if least.is_integer() else least + 0.5
    return _text(shape, chance, "value")


def _text(shape: Any, chance: random.Random, text: str) -> str:
    if shape.metadata.get("enum"):
        return str(chance.choice(shape.metadata["enum"]))
    least = int(shape.metadata.get("min", 0) or 0)
    most = int(shape.metadata.get("max", 10**6))
    return (text + "x" * max(0, least - len(text)))[: max(most, least)]


def mutations(value: Any, chance: random.Random) -> Iterator[Any]:
    """Yield values that differ from ``value`` in one place."""
    while True:
        changed = deepcopy(value)
        places = list(_places(changed))
        holder, step = chance.choice(places) if places else (changed, None)
        how = chance.randrange(4)
        if step is None or how == 0:
            if isinstance(holder, dict):
                holder[chance.choice(["Nope", "name", "Tag"])] = chance.choice(_FOREIGN)
            elif isinstance(holder, list):
                holder.append(chance.choice(_FOREIGN))
        elif how == 1:
            del holder[step]
        elif how == 2 and isinstance(holder[step], str):
            holder[step] *= chance.choice([0, 400])
        else:
            holder[step] = deepcopy(chance.choice(_FOREIGN))
        yield changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        for step, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, step
            yield from _places(item)


def disagreements(
    service: str, name: str, valid: int, mutated: int
) -> tuple[Counter[str], list[Disagreement]]:
    """Judge random inputs of an operation; return the inputs that only the schema refused by class,
    and the other disagreements.
    """
    chance, judge = random.Random(f"0/{service}.{name}"), Judge(service, name)
    found: list[Disagreement] = []
    values = [
        valid_inputs(judge.shape, chance) if judge.shape is not None else {} for _ in range(valid)
    ]
    for value in values:
        checked = judge.differs(value)
        found += [checked] if checked else []
    for _ in range(mutated):
        checked = judge.differs(next(mutations(chance.choice(values), chance)))
        found += [checked] if checked else []
    return judge.stricter, found
