"""Policies from outside: plugins that judge a listing, a call before it is made, and its output (the hook ``judge``).

Nothing of it runs unless a plugin judges. Without a decision, a listing has reads only, a call of another effect than ``read`` does not
begin, and an output is withheld. What was withheld is recorded nowhere, and no policy changes the status of a call.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.callers.rules import Rules
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import InvalidInvocation, JackfieldError, NotAllowed, Unavailable
from jackfield.kernel.pointers import names
from jackfield.redaction.marks import masked

if TYPE_CHECKING:
    from jackfield.callers import Caller
    from jackfield.connector.hooks import Plugins
    from jackfield.invocation import Result
    from jackfield.pipe.run import Run

_LOG = logging.getLogger("jackfield.policy")
_ONLY_READS = ("effect:write", "effect:idempotent")
_WITHHELD = "withheld by a policy"


async def judge_call(plugins: Plugins, run: Run, workspace: str) -> None:
    """Ask whether a call may be made, before anything of it is looked up or waits. A policy may demand a person's approval.

    :raises NotAllowed: if a policy refuses it.
    :raises Unavailable: if a policy has no decision, unless the call is a ``read``.
    """
    plan = run.plan
    if plan is None:
        raise TypeError("the call has no plan")
    if run.channel is not None:
        raise NotAllowed("not allowed: a policy judges outputs, and none judges the events of a stream", hint="Call it without streaming.")
    schema, redactor = plan.action.inputs, run.redactor
    shown = masked(schema, run.inputs)
    question = {**_about(run, workspace, "call"), "inputs": shown if redactor is None else redactor.clean_json(shown)}
    try:
        verdicts = await run.waiter.call(partial(_asked, plugins, question))
    except JackfieldError as error:
        if plan.action.rule_effect == "read":
            _LOG.warning("a read is made without the decision of a policy: %s", error.message)
            return
        raise Unavailable(f"{error.message}; nothing was sent", hint=error.hint) from None
    for verdict in verdicts:
        if verdict.get("allow") is not True:
            said = verdict.get("reason")
            reason = f": {said[:500]}" if isinstance(said, str) and said.isprintable() else ""
            raise NotAllowed(f"not allowed: a policy refuses it{reason}", hint="Ask the operator of jackfield what the policy allows.")
        if verdict.get("approve") is True and run.asks is None:
            run.asks = "a policy asks for a person's approval"


async def judge_output(plugins: Plugins, run: Run, result: Result, workspace: str) -> Result:
    """Ask which members of an output the caller may have; return the Result without the others. Without a decision it has no output."""
    known = run.recorded or result
    try:
        question = {**_about(run, workspace, "output"), "output": known.output}
        verdicts = await run.waiter.call(partial(_asked, plugins, question))
        places = [*_places(verdicts)]
    except (JackfieldError, TypeError, ValueError) as error:
        said = error.message if isinstance(error, JackfieldError) else type(error).__name__
        _LOG.warning("the output of the invocation %s is withheld: %s", result.meta.invocation_id, said)
        places = [("", ())]
    if run.recorded is not None:
        run.recorded = _without(run.recorded, places)
    return _without(result, places)


def judged_listing(plugins: Plugins, caller: Caller, workspace: str) -> Caller:
    """Return a caller who sees what policies leave of the connectors and actions; only reads, if there is no decision."""
    question = {"hook": "listing", "workspace": workspace, "caller": _caller(caller)}
    try:
        hidden = [pattern for verdict in _asked(plugins, question) for pattern in _texts(verdict)]
        own = caller.rules or Rules()
        rules = Rules.checked(own.allow, (*own.block, *hidden), own.approve) if hidden else own
    except (JackfieldError, ValueError, TypeError) as error:
        _LOG.warning("a listing has reads only: %s", error)
        own = caller.rules or Rules()
        rules = Rules.checked(own.allow, (*own.block, *_ONLY_READS), own.approve)
    return replace(caller, rules=rules)


def _asked(plugins: Plugins, question: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = plugins.judge(question)
    if not all(isinstance(verdict, Mapping) for verdict in found):
        raise Unavailable("a policy has given no decision")
    return found


def _about(run: Run, workspace: str, hook: str) -> dict[str, Any]:
    plan = run.plan
    if plan is None:
        raise TypeError("the call has no plan")
    return {
        "hook": hook, "workspace": workspace, "caller": _caller(run.caller), "invocationId": run.meta.invocation_id,
        "connector": plan.manifest.key, "connectorVersion": plan.manifest.version, "action": plan.action.key,
        "effect": plan.action.rule_effect, "connection": None if plan.target is None else plan.target.name,
        "dryRun": run.invocation.dry_run,
    }  # fmt: skip


def _caller(caller: Caller) -> dict[str, Any]:
    return {"name": caller.name, "token": caller.token, "scope": caller.scope, "remote": caller.remote, "audience": caller.audience}


def _texts(verdict: Mapping[str, Any]) -> list[str]:
    found = verdict.get("withhold", [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InvalidInvocation("a policy's 'withhold' must be an array of texts")
    return found


def _places(verdicts: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for verdict in verdicts:
        if verdict.get("allow") is False:
            yield "", ()
        for text in _texts(verdict):
            yield text, tuple(names(text))


def _without(result: Result, places: Iterable[tuple[str, tuple[str, ...]]]) -> Result:
    """Return a Result without some members of its output, the deepest and last first, and a warning for each."""
    output: Any = copy.deepcopy(result.output)
    warnings = []
    for text, steps in sorted(set(places), key=lambda place: [(len(step), step) for step in place[1]], reverse=True):
        if not steps:
            warnings, output = [{"path": "", "message": f"the output is {_WITHHELD}"}], None
            break
        if _removed(output, steps):
            warnings.append({"path": text, "message": _WITHHELD})
    if not warnings:
        return result
    return replace(result, output=output, meta=replace(result.meta, warnings=(*result.meta.warnings, *warnings)))


def _removed(owner: Any, steps: tuple[str, ...]) -> bool:
    *way, last = steps
    try:
        for step in way:
            owner = owner[int(step)] if isinstance(owner, list) else owner[step]
        del owner[int(last) if isinstance(owner, list) else last]
    except (LookupError, ValueError, TypeError):
        return False
    return True
