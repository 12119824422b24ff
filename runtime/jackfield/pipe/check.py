"""The second stage: the action's JSON Schema judges the inputs; then the author's rules do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.errors import Detail, InvalidInput
from jackfield.hints import NextStep
from jackfield.json_pointer import pointer
from jackfield.pipe.admit import Admitted
from jackfield.schema.cache import Schemas

if TYPE_CHECKING:
    from pydantic import ValidationError

    from jackfield.connector import Action, Inputs

__all__ = ["check", "model_faults", "typed"]


def check(admitted: Admitted, defaults: Mapping[str, Any], schemas: Schemas) -> Mapping[str, Any]:
    """The inputs as the action will get them: defaults filled in, strings read losslessly, judged by the schema.

    What the connection's type waives may be left out; where it is given, it is judged all the same.

    :raises InvalidInput: with every fault at once.
    """
    waived, schema = admitted.waived, admitted.action.inputs
    if waived:
        schema = {**schema, "required": [name for name in schema.get("required", ()) if name not in waived]}
    key = (admitted.manifest.key, admitted.manifest.version, "inputs", admitted.action.key, *waived)
    checked = schemas.find(key, schema).check(_given(admitted), defaults=defaults)
    if checked.details:
        raise _refused(admitted, checked.details, checked.count)
    return checked.value


def _given(admitted: Admitted) -> Mapping[str, Any]:
    """The invocation's inputs, and those that the connection's own file brings along for the action; one that is given, even as blank,
    goes before."""
    given, target = admitted.invocation.inputs, admitted.target
    brought = target.inputs.get(f"{admitted.manifest.key}/{admitted.action.key}") if target is not None else None
    return {**brought, **given} if brought else given


def typed(admitted: Admitted, action: Action, values: Mapping[str, Any]) -> Inputs:
    """The author's typed view of judged inputs; what was waived and left out is None there.

    :raises InvalidInput: where the author's rules refuse them.
    """
    required = admitted.action.inputs.get("required", ())
    left_out = {name: None for name in admitted.waived if name in required and name not in values}
    try:
        inputs = action.inputs.model_validate({**left_out, **values} if left_out else values)
    except ValueError as error:
        from pydantic import ValidationError

        if not isinstance(error, ValidationError):
            raise
        raise _refused(admitted, model_faults(error)) from None
    faults = list(inputs.rules())
    if faults:
        raise _refused(admitted, faults)
    return inputs


def model_faults(error: ValidationError) -> list[Detail]:
    """What an author's model says about values that their schema let through; no value is quoted."""
    return [Detail(pointer(*item["loc"]), _sentence(item)) for item in error.errors(include_url=False, include_input=False)]


def _sentence(item: Mapping[str, Any]) -> str:
    reason = item.get("ctx", {}).get("error")
    return str(reason) if isinstance(reason, ValueError) else "is not valid"


def _refused(admitted: Admitted, faults: Sequence[Detail], count: int | None = None) -> InvalidInput:
    """``count`` is how many faults there are, where ``faults`` does not tell each."""
    count = len(faults) if count is None else count
    return InvalidInput(
        "1 input is not valid" if count == 1 else f"{count} inputs are not valid",
        details=faults,
        hint=NextStep("action_schema", connector=admitted.manifest.key, action=admitted.action.key),
    )
