"""Second stage, check: validate the inputs against the action's JSON Schema, then against the author's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.errors import Detail, InvalidInput
from jackfield.hints import NextStep
from jackfield.pipe.admit import Admitted
from jackfield.schema.cache import Schemas

if TYPE_CHECKING:
    from jackfield.connector import Action, Inputs


def check(admitted: Admitted, defaults: Mapping[str, Any], schemas: Schemas) -> Mapping[str, Any]:
    """Return the inputs for the action: defaults filled in, strings converted losslessly, validated against the schema.

    Inputs that the connection's type waives may be left out; if given, they are validated, too.

    :raises InvalidInput: with all faults at once.
    """
    waived, schema = admitted.waived, admitted.action.inputs
    if waived:
        schema = {**schema, "required": [name for name in schema.get("required", ()) if name not in waived]}
    key = (admitted.manifest.key, admitted.manifest.version, "inputs", admitted.action.key, *waived)
    checked = schemas.find(key, schema).check(_merged_inputs(admitted), defaults=defaults)
    if checked.details:
        raise _refused(admitted, checked.details, checked.count)
    return checked.value


def checks_long(admitted: Admitted, schemas: Schemas) -> bool:
    """Return True if ``check`` may take so long that an event loop should not wait for it."""
    manifest = admitted.manifest
    return schemas.takes_long((manifest.key, manifest.version, "inputs", admitted.action.key, *admitted.waived), admitted.invocation.inputs)


def _merged_inputs(admitted: Admitted) -> Mapping[str, Any]:
    """Merge the invocation's inputs with the default inputs from the connection's file; the invocation's take precedence, even if blank."""
    given, target = admitted.invocation.inputs, admitted.target
    brought = target.inputs.get(f"{admitted.manifest.key}/{admitted.action.key}") if target is not None else None
    return {**brought, **given} if brought else given


def typed(admitted: Admitted, action: Action, values: Mapping[str, Any], files: Mapping[str, Any] | None = None) -> Inputs:
    """Build the author's typed model of validated inputs; waived inputs that were left out are None. ``files`` are the sources of streamed
    files by id.

    :raises InvalidInput: if the author's rules refuse them.
    """
    waived = admitted.waived
    if waived:
        required = admitted.action.inputs.get("required", ())
        values = {**{name: None for name in waived if name in required and name not in values}, **values}
    try:
        inputs = action.inputs.model_validate(values, context={"files": files} if files else None)
    except ValueError as error:
        from pydantic import ValidationError

        from jackfield.connector.models import model_faults

        if not isinstance(error, ValidationError):
            raise
        raise _refused(admitted, model_faults(error)) from None
    faults = list(inputs.rules())
    if faults:
        raise _refused(admitted, faults)
    return inputs


def _refused(admitted: Admitted, faults: Sequence[Detail], count: int | None = None) -> InvalidInput:
    """Build the error; ``count`` is the number of faults if ``faults`` does not list them all."""
    count = len(faults) if count is None else count
    return InvalidInput(
        "1 input is not valid" if count == 1 else f"{count} inputs are not valid",
        details=faults,
        hint=NextStep("action_schema", connector=admitted.manifest.key, action=admitted.action.key),
    )
