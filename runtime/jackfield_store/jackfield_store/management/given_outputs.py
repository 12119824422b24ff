"""Outputs that a person gives when resolving a doubt as succeeded. Repeats get them like the
provider's own outputs, so they must have the same form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.call.masking import concealed
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Detail, InvalidInput, InvalidInvocation
from jackfield.manifest.reading import HOST
from jackfield.schema import compile_schema

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry
    from jackfield.manifest.manifest import Manifest

_HINT = (
    "Give what the provider shows of it, as the action's output has it, or leave the output out."
)


def judged_output(
    manifest: Manifest | None, entry: Entry, outcome: str, output: Any
) -> Mapping[str, Any]:
    """Return an output in its stored form: without its secrets.

    :raises InvalidInput: if it breaks the action's schema, with a pointer to each fault.
    :raises InvalidInvocation: if the outcome has no output, or the connector is not installed in
        this version, so that it cannot be checked.
    """
    name = f"'{entry.connector}/{entry.action}'"
    if outcome != "succeeded":
        raise InvalidInvocation(
            "only what has succeeded has an output",
            hint="Leave the output out, and say in the note what you know.",
        )
    action = None if manifest is None else manifest.actions.get(entry.action)
    if action is None and entry.connector == HOST:
        return _value_of_function(name, output)
    if (
        manifest is None
        or action is None
        or entry.connector_version not in (None, manifest.version)
    ):
        text = (
            f"the output cannot be judged: {name} is not here in the version "
            f"'{entry.connector_version}' that made the call"
        )
        raise InvalidInvocation(text, hint="Install that version, or leave the output out.")
    if action.hands_out:
        raise InvalidInvocation(
            f"the output of {name} has credentials, which are not kept",
            hint="Leave the output out.",
        )
    judge = compile_schema(action.output, noun="output")
    faults = [replace(fault, path=f"/output{fault.path}") for fault in judge.judge(output)]
    if faults or not isinstance(output, Mapping):
        raise InvalidInput(
            f"the output is none of {name}: it breaks the schema", details=faults, hint=_HINT
        )
    found: Mapping[str, Any] = concealed(
        output, (judge.secret_places is not None, judge.secret_places)
    )
    return found


def _value_of_function(name: str, output: Any) -> Mapping[str, Any]:
    """Return the output of a function that ``once`` has called: any JSON, since no schema declares
    it.
    """
    if isinstance(output, Mapping) and output.keys() == {"value"}:
        return output
    fault = Detail("/output", 'must be {"value": …}, with what the function returns')
    raise InvalidInput(f"the output is none of {name}", details=[fault], hint=_HINT)
