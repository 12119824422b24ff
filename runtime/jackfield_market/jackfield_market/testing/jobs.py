"""Conformance rules about jobs: their polls, their ends, and the effect of cancelling, by the
recordings of their examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from jackfield.connector import Action, JobFailed
from jackfield.connector.conversion import Handle
from jackfield.kernel.failures import Raised
from jackfield_market.testing.driving import Drive, drivable, drive
from jackfield_market.testing.loopback_provider import RESET, Answer
from jackfield_market.testing.playing import expected
from jackfield_market.testing.subject import Rule, Subject

_MOST = 100
"""Maximum number of polls of one recording."""
_FAULTS = {
    "a 500": Answer({"message": "no"}, 500),
    "a 503": Answer({"message": "no"}, 503),
    "a 429": Answer(status=429),
    "a reset": RESET,
}
_BROKEN = {"a response that is not JSON": Answer(content=b"<html>")}


@dataclass(frozen=True)
class _Job:
    """Job of an example that was played from its start to its end: its handle, and its polls in
    order.
    """

    subject: Subject
    action: Action
    example: Mapping[str, Any]
    handle: Handle
    polls: tuple[Drive, ...]

    def poll(self, script: Any) -> Drive:
        """Poll the job once more."""
        return _step(self.subject, self.action, self.example, script, self.handle)


def _step(
    subject: Subject,
    action: Action,
    example: Mapping[str, Any],
    script: Any,
    handle: Handle,
    *,
    cancels: bool = False,
) -> Drive:
    job = action.job
    return drive(
        subject,
        action,
        example,
        script,
        step=None if job is None else job.cancel if cancels else job.poll,
        handle=handle,
    )


def _jobs(subject: Subject) -> Iterator[_Job]:
    """Yield the jobs whose examples are recorded."""
    for action, example in drivable(subject):
        key = (action.key, "job")
        if action.job is not None and key not in subject.outcomes:
            subject.outcomes[key] = _played(subject, action, example)
        if action.job is not None and subject.outcomes[key] is not None:
            yield subject.outcomes[key]


def _played(subject: Subject, action: Action, example: Mapping[str, Any]) -> _Job | None:
    script = expected(subject, example)
    handle = drive(subject, action, example, script).answer
    if not isinstance(handle, Handle):
        return None
    polls: list[Drive] = []
    while len(polls) < _MOST and (not polls or _progress(polls[-1]) is not None):
        polls.append(_step(subject, action, example, script, handle))
    return _Job(subject, action, example, handle, tuple(polls))


def _progress(poll: Drive) -> Mapping[str, Any] | None:
    """Return the progress that a poll reports; None if the job has ended, or the poll failed."""
    return None if isinstance(poll.answer, Raised) else poll.answer.get("progress")


def _polls_only_look(subject: Subject) -> Iterator[str]:
    for job in _jobs(subject):
        key, last = job.action.key, job.polls[-1]
        sent = [request for poll in job.polls for request in poll.requests[poll.opened :]]
        changing = next((request.method for request in sent if request.changes), None)
        if changing is not None and key not in subject.safe_posts:
            yield f"'{key}' sends a {changing} in its poll"
        if any(poll.call.deadline.clock.waited for poll in job.polls):  # type: ignore[attr-defined]  # the clock of an attempt
            yield f"'{key}' waits in its poll"
        again = job.poll(_constantly(subject, job))
        if not isinstance(last.answer, Raised) and (
            isinstance(again.answer, Raised) or again.answer != last.answer
        ):
            yield f"'{key}' returns another output if a job that has ended is polled again"


def _constantly(subject: Subject, job: _Job) -> Any:
    """Return a script that answers every poll as at the job's end."""
    script = expected(subject, job.example)
    for _ in job.polls:
        job.poll(script)
    return script


def _failures_end_nothing(subject: Subject) -> Iterator[str]:
    for job in _jobs(subject):
        for what, answer in {**_FAULTS, **_BROKEN}.items():
            found = job.poll(lambda _number, _request, answer=answer: answer)
            if isinstance(found.error, JobFailed):
                yield f"'{job.action.key}' ends its job as failed if a poll gets {what}"
            elif found.raised is None and _progress(found) is None:
                yield f"'{job.action.key}' ends its job as succeeded if a poll gets {what}"


def _progress_rises(subject: Subject) -> Iterator[str]:
    for job in _jobs(subject):
        key, last = job.action.key, job.polls[-1]
        told = [found.get("fraction") for found in map(_progress, job.polls) if found is not None]
        fractions = [fraction for fraction in told if fraction is not None]
        if any(not 0 <= fraction <= 1 for fraction in fractions):
            yield f"'{key}' tells a fraction of {max(fractions, key=abs)}, which is not from 0 to 1"
        elif fractions != sorted(fractions):
            yield f"'{key}' tells less progress than before"
        output = None if isinstance(last.answer, Raised) else last.answer.get("output")
        if output is None:
            yield f"'{key}' does not end with an output where its recording ends: {last.raised!r}"
            continue
        faults = subject.compiled(f"output of {key}", subject.manifest.actions[key].output).judge(
            output
        )
        yield from (
            f"'{key}' returns an output that violates its schema at {fault.path or '/'}"
            for fault in faults
        )


def _cancel_is_sent(subject: Subject) -> Iterator[str]:
    for job in _jobs(subject):
        if job.action.job is None or job.action.job.cancel is None:
            continue
        for time in ("", " a second time"):
            found = _step(
                subject,
                job.action,
                job.example,
                expected(subject, job.example),
                job.handle,
                cancels=True,
            )
            if found.raised is not None and not isinstance(found.error, JobFailed):
                yield f"'{job.action.key}' cannot be cancelled{time}: {found.raised!r}"
            elif not any(request.changes for request in found.requests):
                yield f"'{job.action.key}' tells the provider nothing if it is cancelled{time}"


def _no_job(subject: Subject) -> str | None:
    return None if next(_jobs(subject), None) else "no action that can be run is a job"


_drives = partial(Rule, drives=True, reason=_no_job)

JOBS = (
    _drives(
        "polls-only-look",
        "A job's poll changes nothing and does not wait, and says the same again of a job that "
        "has ended.",
        _polls_only_look,
        "bronze",
        "Send GET requests only, keep nothing in the class, and return Progress where the job "
        "still runs: the runtime waits.",
    ),
    _drives(
        "failed-polls-end-nothing",
        "A poll that fails or gets no clear response does not end its job.",
        _failures_end_nothing,
        "bronze",
        "Raise JobFailed for a state that the provider has told, and for nothing else.",
    ),
    _drives(
        "progress-rises",
        "A job's progress is from 0 to 1 and never falls, and its end is an output that fits its "
        "schema.",
        _progress_rises,
        "silver",
        "Divide percentages by 100, and leave the fraction out where the provider does not tell "
        "it.",
    ),
    _drives(
        "cancel-is-sent",
        "Cancelling a job sends the provider a request that changes something, each time.",
        _cancel_is_sent,
        "silver",
        "Send the provider's request for it in cancel(), or leave cancel() out if there is none.",
    ),
)
