"""Policies from outside: plugins that judge a listing, a call before it is made, and its output
(the hook ``judge``).

Without a plugin that judges, nothing here runs. Without a decision, a listing contains reads only,
a call with another effect than ``read`` does not begin, and an output is withheld until a decision
(``decided``). No policy changes the status of a call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.call.check import checked
from jackfield.call.filling import reserve
from jackfield.call.flat_bodies import unfolded
from jackfield.call.policy_steps import asker
from jackfield.call.reached import Ended
from jackfield.call.withholding import ALL, Place, missing, others, remaining, restored, without
from jackfield.callers.rules import Rules
from jackfield.invocation import Meta, Result
from jackfield.invocation.file_references import file_places, replaced
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import (
    InvalidInput,
    InvalidInvocation,
    JackfieldError,
    NotAllowed,
    Provider,
    Unavailable,
    brief,
)
from jackfield.kernel.pointers import names
from jackfield.manifest.manifest import WHOLE_BODY
from jackfield.redaction.marks import leaves, masked
from jackfield.redaction.messages import masked_members

if TYPE_CHECKING:
    from jackfield.call.how import How
    from jackfield.call.pipe import Judged
    from jackfield.call.policy_steps import ReadStep
    from jackfield.call.reached import Attempting
    from jackfield.call.tally import Dependencies
    from jackfield.callers import Caller
    from jackfield.connector.hooks import Plugins

_LOG = logging.getLogger("jackfield.policy")
_ONLY_READS = ("effect:change",)
_NONE = ("*",)
_KINDS: Mapping[str, type] = {
    "allow": bool,
    "approve": bool,
    "reason": str,
    "withhold": list,
    "keep": list,
}
"""Members of a decision, with their types. An unknown member, such as ``deny``, may have a meaning
that this version does not know.
"""


async def judge_call(plugins: Plugins, found: Judged, dependencies: Dependencies) -> None:
    """Ask whether a call may be made, before a key or connection is looked up or the call waits. A
    policy may demand a person's approval.

    :raises NotAllowed: if a policy refuses it.
    :raises Unavailable: if a policy has no decision, unless the call is a ``read``.
    """
    plan, how = found.plan, found.asked.how
    if how.channel is not None:
        raise NotAllowed(
            "not allowed: a policy judges outputs, and none judges the events of a stream",
            hint="Call it without streaming.",
        )
    shown, redactor = await _effective_inputs(found, dependencies), found.redactor
    question = {
        **_about(found, dependencies.workspace, "call", how.caller),
        "inputs": masked_members(shown if redactor is None else redactor.clean_json(shown)),
    }
    try:
        verdicts = await how.waiter.call(partial(_decisions, plugins, question))
    except JackfieldError as error:
        if isinstance(error, NotAllowed):  # what nobody can judge, since its caller has made it so
            raise
        if plan.action.rule_effect == "read":
            _LOG.warning("a read is made without the decision of a policy: %s", error.message)
            return
        raise Unavailable(f"{error.message}; nothing was sent", hint=error.hint) from None
    for verdict in verdicts:
        if verdict.get("allow") is not True:
            said = verdict.get("reason")
            reason = f": {said[:500]}" if isinstance(said, str) and said.isprintable() else ""
            raise _refusal(reason)
        if verdict.get("approve") is True and found.terms.asks is None:
            found.terms = replace(found.terms, asks="a policy asks for a person's approval")


async def judge_output(
    plugins: Plugins, found: Judged, ended: Ended, dependencies: Dependencies, caller: Caller
) -> Ended:
    """Ask which members of an output, or of a provider's error, the ``caller`` may have; return the
    end without the others. Without a decision the end has no output: the record stores it for
    ``decided``. Withheld files of this call are deleted, so that lists of files do not offer them.
    """
    how, attempts, result, known, names_all, undecided = (
        found.asked.how,
        ended.attempts,
        ended.result,
        ended.recorded,
        False,
        None,
    )
    question = {
        **_about(found, dependencies.workspace, "output", caller),
        **_facts_of_result(known),
    }
    try:
        verdicts = await how.waiter.call(partial(_decisions, plugins, question))
        places, names_all = (
            [*_places(verdicts, question["output"])],
            any("keep" in verdict for verdict in verdicts),
        )
    except (JackfieldError, TypeError, ValueError) as error:
        said = brief(error)
        _LOG.warning(
            "the output of the invocation %s is withheld: %s", result.meta.invocation_id, said
        )
        places = [ALL]
        if (
            known.output is not None
            and not known.meta.dry_run
            and (found.asked.row is not None or how.claimed is not None)
        ):
            about = {
                "next": known.meta.next,
                "requestId": known.meta.request_id,
                "warnings": [*known.meta.warnings],
            }
            undecided = {"question": question, **about}
    if missed := missing(question["output"], places):
        text = "the policy withholds '%s', which the invocation %s of %s/%s does not return"
        _LOG.warning(
            text,
            "', '".join(missed[:5]),
            result.meta.invocation_id,
            question["connector"],
            question["action"],
        )
    why = "withheld by a policy" if undecided is None else "withheld until a policy decides"
    conceals, shown = names_all or bool(places), without(result, places, why, names_all=names_all)
    if places[:1] == [ALL] or undecided is not None:
        _forget_requests(how, attempts)
    if attempts is not None:
        attempts.conceals = conceals
        if conceals or shown.error is not None:
            await _delete_files(how, attempts, dependencies, shown.output)
    return Ended(
        shown,
        attempts,
        None if known is result else without(known, places, why, names_all=names_all),
        undecided,
    )


def _facts_of_result(result: Result) -> dict[str, Any]:
    """Return the members of a question that describe a Result."""
    error = result.error
    if error is None:
        return {"status": result.status, "output": result.output}
    said = error.provider or Provider()
    about = {
        "code": error.code,
        "message": error.message,
        "provider": {"code": said.code, "message": said.message},
    }
    return {"status": result.status, "output": said.details, "error": about}


def _forget_requests(how: How, attempts: Attempting | None) -> None:
    how.meta.request_id = None
    if attempts is not None:
        for line in attempts.tally.log:
            line["requestId"] = None


def judge_choices(
    plugins: Plugins,
    caller: Caller,
    about: Mapping[str, Any],
    fetch: Callable[[], list[dict[str, str]]],
) -> list[dict[str, str]]:
    """Ask whether the choices of a form's field may be fetched from a provider, and which of them
    the caller may have.

    :raises NotAllowed: if a policy refuses them, or demands a person's approval.
    :raises Unavailable: if a policy has no decision.
    """
    question = {
        **about,
        "caller": asker(caller),
        "effect": "read",
        "invocationId": None,
        "dryRun": False,
    }
    _require_allowed(_decisions(plugins, {**question, "hook": "call"}))
    found = {"items": fetch()}
    places = [
        *_places(
            _decisions(
                plugins, {**question, "hook": "output", "status": "succeeded", "output": found}
            ),
            found,
        )
    ]
    left = without(Result("succeeded", Meta(""), found), places, "withheld").output
    return [] if left is None else [one for one in left.get("items", ()) if "value" in one]


def judge_step(plugins: Plugins, workspace: str, step: ReadStep, inputs: Mapping[str, Any]) -> None:
    """Ask whether a step that is not a call may be made. The step is a read: without a decision, it
    is made.

    :raises NotAllowed: if a policy refuses it, or demands a person's approval.
    """
    try:
        verdicts = _decisions(
            plugins, {**step.question("call", workspace), "inputs": masked_members(inputs)}
        )
    except NotAllowed:
        raise
    except JackfieldError as error:
        _LOG.warning("a read is made without the decision of a policy: %s", error.message)
        return
    _require_allowed(verdicts)


def left_of(plugins: Plugins, workspace: str, step: ReadStep, output: Any) -> Any:
    """Return the permitted part of a step's output; None if nothing is permitted.

    :raises Unavailable: if there is no decision.
    """
    question = {**step.question("output", workspace), "status": "succeeded", "output": output}
    try:
        return remaining(output, _places(_decisions(plugins, question), output))
    except JackfieldError as error:
        raise Unavailable(f"nothing is shown before a policy decides: {error.message}") from None


def decided(
    plugins: Plugins, result: Mapping[str, Any], undecided: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Ask again about an output that was withheld because no policy had decided. Return the
    Result's JSON as it would have been recorded; None if there is no decision yet.
    """
    try:
        question = undecided["question"]
        places = [*_places(_decisions(plugins, question), question["output"])]
        return without(
            restored(Result.from_json(result), undecided), places, "withheld by a policy"
        ).to_json()
    except (JackfieldError, LookupError, TypeError, ValueError):
        return None


def judged_listing(plugins: Plugins, caller: Caller, workspace: str) -> Caller:
    """Return a caller who sees only the connectors and actions that policies permit; only reads, if
    there is no decision.
    """
    question = {"hook": "listing", "workspace": workspace, "caller": asker(caller)}
    own = caller.rules or Rules()
    try:
        verdicts = _decisions(plugins, question)
        hidden = [
            pattern
            for verdict in verdicts
            for pattern in (_NONE if verdict.get("allow") is False else _texts(verdict))
        ]
        rules = Rules.checked(own.allow, (*own.block, *hidden), own.approve) if hidden else own
    except (JackfieldError, ValueError, TypeError) as error:
        _LOG.warning("a listing has reads only: %s", error)
        rules = Rules.checked(own.allow, (*own.block, *_ONLY_READS), own.approve)
    return replace(caller, rules=rules)


def _require_allowed(verdicts: Iterable[Mapping[str, Any]]) -> None:
    """Check that policies allow a step that cannot wait for a person.

    :raises NotAllowed: if a policy refuses the step, or demands a person's approval.
    """
    if not all(
        verdict.get("allow") is True and verdict.get("approve") is not True for verdict in verdicts
    ):
        raise _refusal()


def _refusal(reason: str = "") -> NotAllowed:
    return NotAllowed(
        f"not allowed: a policy refuses it{reason}",
        hint="Ask the operator of jackfield what the policy allows.",
    )


async def _delete_files(
    how: How, attempts: Attempting, dependencies: Dependencies, left: Any
) -> None:
    """Delete the files of a call's output, except the files that the caller may have (``left``)."""
    kept = {*leaves(left)} if attempts.returned else ()
    for identifier in attempts.returned:
        if identifier not in kept:
            await how.waiter.call(
                partial(dependencies.files.delete, dependencies.workspace, identifier)
            )


async def _effective_inputs(found: Judged, dependencies: Dependencies) -> Any:
    """Return the effective inputs of a call, including the connection's, with secrets masked; files
    are references. Invalid inputs are returned as given, since the call is refused whatever a
    policy decides.
    """
    plan, how, files = found.plan, found.asked.how, found.asked.given.files
    given, schema = found.asked.given.inputs, plan.action.inputs
    try:
        inputs = unfolded(plan.action, given) if WHOLE_BODY in given else given
        inputs, _ = files.put(inputs, schema)
        judged, _ = await reserve(
            how.waiter,
            inputs,
            schema,
            dependencies.files,
            dependencies.workspace,
            how.caller.owner,
            files,
        )
        effective = masked(schema, checked(plan, judged))
    except InvalidInput:
        return masked(schema, given)
    with suppress(LookupError, TypeError):  # another system's form, which moves a file
        return replaced(
            effective,
            [(place.steps, {"file": place.identifier}) for place in file_places(inputs, schema)],
        )
    return effective


def _decisions(plugins: Plugins, question: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the decisions of the plugins.

    :raises Unavailable: if a plugin has no decision, or a malformed one.
    """
    found = plugins.judge(question)
    if not all(isinstance(verdict, Mapping) for verdict in found):
        raise Unavailable("a policy has given no decision")
    for verdict in found:
        if unknown := [name for name in verdict if name not in _KINDS]:
            raise Unavailable(
                f"a policy has given no decision: '{unknown[0]!s:.80}' is no member of one"
            )
        wrong = next(
            (
                name
                for name, kind in _KINDS.items()
                if name in verdict and not isinstance(verdict[name], kind)
            ),
            None,
        )
        if wrong is not None:
            raise Unavailable(f"a policy has given no decision: its '{wrong}' is of another type")
        if not verdict and question["hook"] == "output":
            raise Unavailable("a policy has given no decision: its result is empty")
    return found


def _about(found: Judged, workspace: str, hook: str, caller: Caller) -> dict[str, Any]:
    plan, asked, invocation = found.plan, found.asked, found.asked.invocation
    return {
        "hook": hook,
        "workspace": workspace,
        "caller": asker(caller),
        "invocationId": asked.how.meta.invocation_id,
        "connector": plan.manifest.key,
        "connectorVersion": plan.manifest.version,
        "action": plan.action.key,
        "effect": plan.action.rule_effect,
        "connection": None if plan.target is None else plan.target.name,
        "connectionType": None
        if plan.target is None
        else plan.manifest.full_name(plan.target.kind),
        "inline": asked.inline is not None,
        "dryRun": invocation.dry_run,
        "trace": invocation.trace,
        "partial": invocation.partial,
        "select": invocation.select,
    }


def _texts(verdict: Mapping[str, Any], name: str = "withhold") -> list[str]:
    found = verdict.get(name, [])
    if not all(isinstance(one, str) for one in found):
        raise InvalidInvocation(f"a policy's '{name}' must be an array of texts")
    return found  # type: ignore[no-any-return]  # ``_decisions`` has looked at its type


def _places(verdicts: Iterable[Mapping[str, Any]], content: Any) -> Iterator[Place]:
    for verdict in verdicts:
        if verdict.get("allow") is False:
            yield ALL
        for text in _texts(verdict):
            yield text, tuple(names(text))
        if "keep" in verdict:
            yield from others(content, [tuple(names(text)) for text in _texts(verdict, "keep")])
