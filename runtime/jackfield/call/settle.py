"""End of a call: check the output, redact secrets and build the Result."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from jackfield.call.check import wants_preview
from jackfield.call.masking import concealed, redactor_of
from jackfield.call.reached import Ended
from jackfield.connector.context import MAX_WARNINGS
from jackfield.connector.conversion import dumped
from jackfield.connector.failed_entries import MAX_FAILED_ENTRIES, FailedEntries
from jackfield.invocation import Meta, Result
from jackfield.invocation.provider_ids import references_in
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import (
    Detail,
    FailedInPart,
    InDoubt,
    InvalidOutput,
    JackfieldError,
    Provider,
    Sent,
)
from jackfield.kernel.pointers import find, pointer, shown
from jackfield.redaction.marks import MASK, Concealed, masked
from jackfield.redaction.outputs import OutputMask, masked_events
from jackfield.redaction.redactor import Redactor
from jackfield.schema.json_values import is_json, to_json

if TYPE_CHECKING:
    from types import ModuleType

    from jackfield.call.attempts import Attempts
    from jackfield.call.plan import Plan
    from jackfield.manifest.pagination import Pagination

_NO_JSON = "must be JSON: "
_NUMBER = re.compile(r"/[0-9]+(?=/|$)")
"""Regular expression of a step in a JSON Pointer to an item of a list."""


def check_output(
    output: Mapping[str, Any], plan: Plan, *, preview: bool = False
) -> tuple[Mapping[str, Any], ...]:
    """Validate the output, or the preview, against the action's schema. If the schema is only
    descriptive, return the differences.

    :raises InvalidOutput: if it does not match, which is a bug of the connector; the message names
        members, never values.
    """
    judge = plan.judge_of_preview if preview else plan.judge
    faults = () if judge is None else judge.judge(output)
    if not faults:
        return ()
    if plan.action.only_describes:
        return _differences(
            [fault for fault in faults if not _is_no_page(fault, output, plan.action.pagination)]
        )
    noun, done = (
        ("preview", "Nothing was sent") if preview else ("output", "The action was executed")
    )
    places = ", ".join(sorted({fault.path or "/" for fault in faults})[:5])
    raise InvalidOutput(
        f"the {noun} of '{plan.action.key}' violates its own schema at {places}",
        hint=f"{done}. This is a bug in the connector: report it to its author.",
    )


def _is_no_page(fault: Detail, output: Mapping[str, Any], paging: Pagination | None) -> bool:
    """Return whether a difference is a null in place of the next page's name: the list has ended,
    whatever the schema promises.
    """
    if paging is None or not fault.path or find(output, fault.path) is not None:
        return False
    places = (
        at if at.startswith("/") else pointer(at)
        for at in (*(path for _, path in paging.tokens), *paging.page_members)
    )
    return any(f"{at}/".startswith(f"{fault.path}/") for at in places)


def _differences(faults: Sequence[Detail]) -> tuple[Mapping[str, Any], ...]:
    """Return one warning for each kind of difference from the schema, since the items of a list
    mostly differ in the same way.
    """
    alike: dict[tuple[str, str | None], list[Detail]] = {}
    for fault in faults:
        alike.setdefault((_NUMBER.sub("/*", fault.path), fault.keyword), []).append(fault)
    told = islice(alike.values(), MAX_WARNINGS)
    return tuple(
        {"path": found[0].path, "message": _difference(found[0]) + _as_well(len(found) - 1)}
        for found in told
    )


def _as_well(others: int) -> str:
    return (
        f", and so do {others} more like it"
        if others > 1
        else ", and so does another like it"
        if others
        else ""
    )


def _difference(fault: Detail) -> str:
    """Return the message of a difference, without the value, which is the provider's."""
    if fault.message.startswith(_NO_JSON):
        return f"is null here: it {fault.message}"
    if fault.keyword == "required":
        return "is missing, which differs from the schema"
    return (
        "differs from the schema"
        if fault.keyword is None
        else f"differs from the schema in '{fault.keyword}'"
    )


_MOST_WITHHELD = 10
"""Maximum number of warnings about withheld members, each of which names one member."""


def recorded(result: Result, plan: Plan, *, queued: bool) -> Result:
    """Return a successful Result as the journal stores it, and as everyone but its caller sees it:
    without the secrets of its output.

    An output that hands out credentials is secret as a whole; any other by the marks of its schema.
    Up to 20 of these values, of 8 or more characters, are also masked in other members.
    """
    if result.output is None:
        return result
    has_secrets, places = plan.secrets
    if not has_secrets:
        return result
    try:
        found = Concealed(result.output, places)
    except RecursionError:
        return replace(result, output=None)
    if not found.count:
        return result
    meta, redactor = result.meta, redactor_of(found)
    following = None if meta.next is None else masked(plan.action.inputs, meta.next)
    if plan.action.hands_out and following is not None:
        following = dict.fromkeys(following, MASK)
    warnings = (_concealment(found, queued=queued), *redactor.clean_json([*meta.warnings]))
    meta = replace(meta, next=following, warnings=warnings[:MAX_WARNINGS])
    return without(replace(result, output=found.output, meta=meta), redactor)


def without(result: Result, given: Redactor | None) -> Result:
    """Return a Result for the record: secrets of ``given``, such as secret inputs, are masked
    wherever the provider returned them.
    """
    if given is None or result.output is None:
        return result
    mask, meta = OutputMask(given), result.meta
    output, withheld = mask.masked(result.output)
    following = meta.next and {
        name: MASK if mask.holds_token(token) else token for name, token in meta.next.items()
    }
    return replace(
        result,
        output=output,
        meta=replace(meta, next=following, warnings=_with_withheld(withheld, meta.warnings)),
    )


def _with_withheld(
    withheld: Sequence[str], warnings: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, Any], ...]:
    """Return the warnings of an output, and a warning for its withheld members."""
    if not withheld:
        return tuple(warnings)
    more = len(withheld) - _MOST_WITHHELD
    text = (
        "is withheld: it has a secret of the call that cannot be cut out of it (in Base64, a "
        "page token or a member's name)"
    )
    named = [{"path": path, "message": text} for path in withheld[:_MOST_WITHHELD]]
    if more > 0:
        named.append(
            {"path": "", "message": f"{more:,} more members are withheld for the same reason"}
        )
    return (*named, *warnings)[:MAX_WARNINGS]


def _concealment(found: Concealed, *, queued: bool) -> Mapping[str, Any]:
    """Return the warning that a record lacks a part of the call's output."""
    named = ", ".join(f"'{shown(place)}'" for place in found.places if place)
    more = f" and {found.count - len(found.places)} more" if found.count > len(found.places) else ""
    what = f"the secrets of the output ({named}{more})" if named else "the output"
    if queued:
        return {
            "path": "",
            "message": (
                f"nobody was shown {what}, because the invocation was queued: run the action "
                "directly to see it"
            ),
        }
    return {
        "path": "",
        "message": (
            f"only the caller of this call was shown {what}: records and replays have *** in "
            "its place"
        ),
    }


def settled(attempts: Attempts, output: Mapping[str, Any]) -> Ended:
    """Judge and mask the output of a success; return its forms for the caller and for the journal.

    :raises JackfieldError: if the output breaks its schema: a doubt, if the action may have changed
        something.
    """
    asked, plan = attempts.asked, attempts.plan
    meta, paging = asked.how.meta, plan.code.pagination
    try:
        warnings = check_output(output, plan) if attempts.unread is None else (attempts.unread,)
        if warnings and attempts.unread is None and not is_json(output):
            output = cast("Mapping[str, Any]", to_json(output)[0])
    except InvalidOutput as error:
        raise attempts.unusable(error, _masked(output, plan)) from None
    if attempts.remarks.warnings:
        warnings = (*(detail.to_json() for detail in attempts.remarks.warnings), *warnings)
    given = plan.secrets_in(asked.given.inputs)
    if warnings and (redactor := attempts.redactor) is not None:
        warnings = tuple(redactor.clean_json(list(warnings[:MAX_WARNINGS])))
    shown, withheld = _masked_output(attempts, output)
    meta.warnings = (
        _with_withheld(withheld, warnings)[:MAX_WARNINGS] if withheld or warnings else ()
    )
    if attempts.unread is not None:
        meta.complete = None
    elif paging is not None:
        following = paging.following(shown)
        meta.next = following and _paging().next_inputs(paging, attempts.inputs, following)
    if asked.invocation.partial == "fail":
        _refuse_part(attempts, output)
    result = Result(
        "succeeded",
        asked.how.ended(attempts.count),
        output=shown if attempts.unread is None else None,
    )
    if asked.row is None:
        return Ended(result, attempts)
    if plan.references:
        asked.row.references = references_in(output, plan.references, plan.manifest.key)
    return Ended(
        result,
        attempts,
        without(recorded(result, plan, queued=asked.how.claimed is not None), given),
    )


def _refuse_part(attempts: Attempts, output: Mapping[str, Any]) -> None:
    """Raise an error for a call that the provider carried out only in part.

    :raises FailedInPart: with a detail for each entry that failed, which points into the inputs,
        and the output as the provider's details.
    """
    parts = [warning for warning in attempts.remarks.warnings if isinstance(warning, FailedEntries)]
    if not parts:
        return
    details = [entry.fault for part in parts for entry in part.entries]
    told = concealed(output, attempts.plan.secrets)
    provider = Provider(
        request_id=attempts.asked.how.meta.request_id,
        details=told if isinstance(told, Mapping) else None,
    )
    raise FailedInPart(
        "; ".join(dict.fromkeys(part.message for part in parts)),
        details=details[:MAX_FAILED_ENTRIES],
        hint=(
            "The rest took effect: send only the entries that failed again, as a new request "
            "with a key of its own."
        ),
        provider=provider,
        sent=Sent.REFUSED,
    )


def _masked_output(
    attempts: Attempts, output: Mapping[str, Any]
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Mask the connection's secrets in the output; return it with the places of withheld members.

    :raises JackfieldError: if a page token has a secret: neither the token nor a part of it could
        fetch the next page.
    """
    opening, paging = attempts.opening, attempts.plan.code.pagination
    if opening is None:
        return output, ()
    mask = opening.cache.output_mask
    if attempts.remarks.handed:
        return masked_events(output, mask)
    if paging is None or attempts.unread is not None:
        return mask.masked(output)
    if (following := paging.following(output)) is not None and mask.holds_token(following):
        raise attempts.unusable(_paging().secret_token())
    return mask.masked(output, paging.found(output))


def _paging() -> ModuleType:
    from jackfield.call import paging

    return paging


def _masked(output: Mapping[str, Any], plan: Plan) -> Any:
    return masked(plan.action.output, concealed(output, plan.secrets))


_UNCONNECTED = {
    "path": "",
    "message": "no connection fits: signing in was not tried, nor what a connection fills in",
}


async def rehearsed(attempts: Attempts) -> Result:
    """Return the Result of a dry run, with the action's preview as output if the inputs ask for
    it.
    """
    code, values, how = attempts.plan.code, attempts.values, attempts.asked.how
    await attempts.opened()
    if attempts.plan.is_unconnected:
        how.meta.warnings = (_UNCONNECTED,)
    if code.verify is not None:
        await how.waiter.call(partial(code.verify, values, attempts.dependencies.workspace))
    if code.request is not None:
        how.meta.request = await how.waiter.call(partial(_request, attempts, code.request))
    if code.preview is None or not wants_preview(values):
        return succeeded(how.ended(attempts.count), None)
    return _previewed(attempts, await how.waiter.call(partial(code.preview.function, values)))


def _request(
    attempts: Attempts, describe: Callable[[Any], Mapping[str, Any] | None]
) -> Mapping[str, Any] | None:
    """Describe the request of a call from its inputs, with secrets masked. None if the description
    needs data that only the real call has.
    """
    given, code, redactor = attempts.asked.given, attempts.plan.code, attempts.redactor
    try:
        shown, context = masked(attempts.plan.action.inputs, given.inputs), {"files": given.sources}
        found = describe(code.inputs.model_validate(shown, context=context))
    except (JackfieldError, ValueError):  # such as a mask that does not fit into its place
        return None
    return found if found is None or redactor is None else redactor.clean_json(found)


def _previewed(attempts: Attempts, preview: object) -> Result:
    """Return the Result of a dry run with a preview.

    :raises InvalidOutput: if the preview breaks the action's schema.
    """
    output, how = dumped(preview), attempts.asked.how
    check_output(output, attempts.plan, preview=True)
    redactor = attempts.redactor
    if redactor is not None:
        output, withheld = OutputMask(redactor).masked(output)
        how.meta.warnings = _with_withheld(withheld, how.meta.warnings)
    return succeeded(how.ended(attempts.count), output)


def succeeded(meta: Meta, output: Mapping[str, Any] | None) -> Result:
    """Build the Result of a success; ``output`` is None for a dry run without a preview."""
    return Result("succeeded", meta, output=output)


def failed(meta: Meta, error: JackfieldError) -> Result:
    """Build the Result of a failure or a doubt."""
    return Result("in_doubt" if isinstance(error, InDoubt) else "failed", meta, error=error)
