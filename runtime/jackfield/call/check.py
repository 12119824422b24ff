"""Check of the inputs: against the action's JSON Schema, then against the author's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.call.call_rules import refuse_job_timeout
from jackfield.call.filling import by_value, fill
from jackfield.connector.model_faults import model_faults
from jackfield.invocation.file_references import names_files
from jackfield.kernel.errors import Detail, InvalidInput
from jackfield.kernel.exact import without_decimals
from jackfield.kernel.hints import NextStep
from jackfield.kernel.pointers import names
from jackfield.manifest.manifest import WHOLE_BODY

if TYPE_CHECKING:
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Asked
    from jackfield.call.tally import Dependencies
    from jackfield.catalog.installed import Catalog
    from jackfield.connector import Inputs


async def checked_inputs(plan: Plan, asked: Asked, dependencies: Dependencies) -> Mapping[str, Any]:
    """Return the valid inputs of a call, with the stored files that they refer to.

    :raises InvalidInput: with all faults at once.
    """
    given, how = asked.given, asked.how
    if WHOLE_BODY in (folded := given.inputs):
        from jackfield.call.flat_bodies import pointing_into, unfolded

        given.inputs = unfolded(plan.action, folded)
        if given.inputs is not folded:
            with pointing_into(plan.action, folded):
                return await checked_inputs(plan, asked, dependencies)
    if asked.row is not None and asked.row.keeps:
        asked.row.keep_inputs()
    if names_files(given.inputs):
        filled = await fill(
            how.waiter,
            given.inputs,
            plan.action.inputs,
            dependencies.files,
            dependencies.workspace,
            how.caller.owner,
            given.files,
        )
        given.inputs, given.sources = filled
    check = partial(checked, plan, given.inputs)
    return (
        await how.waiter.compute(check, how.deadline)
        if how.waiter.suspends and plan.checks_long(given.inputs)
        else check()
    )


async def filled_inputs(
    plan: Plan, asked: Asked, dependencies: Dependencies, catalog: Catalog
) -> Mapping[str, Any]:
    """Return the valid inputs as ``checked_inputs`` does; the machine's defaults fill in values
    that inputs and connection lack.

    :raises InvalidInput: with all faults at once.
    """
    try:
        return await checked_inputs(plan, asked, dependencies)
    except InvalidInput as error:
        if not await plan.filled_by_host(error.details, catalog, asked.how.waiter):
            raise
    return await checked_inputs(plan, asked, dependencies)


async def typed_inputs(
    plan: Plan, inputs: Mapping[str, Any], asked: Asked, dependencies: Dependencies
) -> tuple[Inputs, Mapping[str, Any]]:
    """Apply the author's rules to valid inputs; return the typed model, and the inputs that it was
    made from.

    :raises InvalidInput: if the rules refuse the inputs, or a preview is requested outside a dry
        run.
    :raises InvalidInvocation: if ``jobTimeoutSeconds`` is set for an action that is not a job.
    """
    if not plan.code.takes_streams and names_files(inputs):
        how, files = asked.how, asked.given.files
        inputs = await by_value(
            how.waiter,
            inputs,
            plan.action.inputs,
            dependencies.files,
            dependencies.workspace,
            how.caller.owner,
            files,
        )
    if plan.loan is not None:
        inputs = plan.loan.confirmed(inputs)
    values = typed(plan, inputs, asked.given.sources)
    if plan.code.marker is not None:
        plan.code.marker.refuse_foreign(inputs)
    if plan.code.preview is not None and wants_preview(values) and not asked.invocation.dry_run:
        fault = Detail(
            "/preview", "a preview is the output of a dry run: set 'dryRun', or omit 'preview'"
        )
        raise InvalidInput(
            "1 input is not valid",
            details=[fault],
            hint="Nothing was sent. Set 'dryRun' to true for the preview.",
        )
    if asked.invocation.job_timeout_seconds is not None:
        refuse_job_timeout(plan.action)
    return values, inputs


def wants_preview(values: Inputs) -> bool:
    """Return whether the inputs request a preview."""
    return getattr(values, "preview", False) is True


def checked(plan: Plan, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the inputs for the action: defaults filled in, strings converted losslessly, validated
    against the schema.

    Inputs that the connection's type waives may be left out; if given, they are validated, too.
    Inputs under the provider's names or in another system's form are translated only if their
    native reading is refused. The same holds for Python's ``Decimal``, for a service that accepts
    all its digits. If the translation is refused, too, the caller sees its faults.

    :raises InvalidInput: with all faults at once.
    """
    try:
        return _natively(plan, given)
    except InvalidInput as error:
        if plan.manifest.virtual and (exact := without_decimals(given)) is not given:
            return checked(plan, exact)
        from jackfield.call.flat_bodies import renamed
        from jackfield.connections.formats import native_inputs

        refused = {names(detail.path)[0] for detail in error.details if "/" in detail.path}
        translated = renamed(plan.action, given) or native_inputs(
            given, refused, plan.manifest, plan.action.key
        )
        if translated is None:
            raise
    return _natively(plan, translated)


def _natively(plan: Plan, given: Mapping[str, Any]) -> Mapping[str, Any]:
    brought, defaults = plan.brought, _NO_DEFAULTS
    if brought:
        given = {**brought, **given}  # the invocation's take precedence, even if blank
    if plan.fills:
        defaults = plan.defaults(given)
    found = plan.inputs.check(given, defaults=defaults)
    if found.details:
        raise _refusal(plan, found.details, found.count)
    if plan.fills and plan.fixed and (faults := list(_replaced(plan, given, found.value))):
        raise _refusal(plan, faults)
    return found.value


def _replaced(plan: Plan, given: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[Detail]:
    """Yield the faults of inputs that differ from the connection's value if only the connection may
    set it.
    """
    asked = {
        name: source for name, source in plan.fixed.items() if name in given and name in values
    }
    decided = plan.defaults({}) if asked else _NO_DEFAULTS
    for name, source in asked.items():
        if decided.get(source) not in (None, "", values[name]):
            yield Detail(
                f"/{name}",
                "is not the connection's own, which nobody may replace: omit it, or use another "
                "connection",
                "const",
            )


_NO_DEFAULTS: Mapping[str, Any] = {}


def typed(plan: Plan, values: Mapping[str, Any], files: Mapping[str, Any] | None = None) -> Inputs:
    """Build the author's typed model of validated inputs; waived inputs that were left out are
    None. ``files`` are the sources of streamed files by ID.

    :raises InvalidInput: if the author's rules refuse the inputs.
    """
    if plan.waived:
        required = plan.action.inputs.get("required", ())
        values = {
            **{name: None for name in plan.waived if name in required and name not in values},
            **values,
        }
    try:
        inputs = plan.code.inputs.model_validate(
            values, context={"files": files} if files else None
        )
    except ValueError as error:
        raise _refusal(plan, model_faults(error)) from None
    faults = list(inputs.rules())
    if faults:
        raise _refusal(plan, faults)
    return inputs


def _refusal(plan: Plan, faults: Sequence[Detail], count: int | None = None) -> InvalidInput:
    """Build the error; ``count`` is the number of faults if ``faults`` does not list all of
    them.
    """
    count = len(faults) if count is None else count
    return InvalidInput(
        "1 input is not valid" if count == 1 else f"{count} inputs are not valid",
        details=faults,
        hint=NextStep("action_schema", connector=plan.manifest.key, action=plan.action.key),
    )
