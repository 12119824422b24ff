"""Asynchronous jobs of a provider: an action starts a job, or gets a job's handle, and polls until
the job has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from jackfield.connector import Detail, JobFailed, NotYet, Progress, Sent, current_call
from jackfield.kernel.dataclass import dataclass
from jackfield_http.answers import Answer
from jackfield_http.client import HttpClient

_GROWTH = 1.5
_LEAST = 0.1
"""Minimum interval between two polls in seconds, even if the server requests 0."""
_LAST = 0.5
"""Time in seconds before the deadline at which waiting ends, so that its error can still be
returned.
"""
_DAY = 86_400.0
ACCEPTED = 202
"""Status of a response about a running job, where responses have no state."""


@dataclass(frozen=True, slots=True)
class Job:
    """Declaration of a job's polls: ``state`` points at the job's state in a response, ``done`` and
    ``failed`` are its final states. Without ``state``, status 202 means that the job is still
    running, and any other success that it is done.

    ``message`` points at the reason of a failure. Polls are ``every`` seconds apart at first, up to
    ``longest`` later; ``Retry-After`` takes precedence. A queued invocation is run again for at
    most ``within`` seconds.

    ``poll`` is for an action of ``kind="job"``, which the runtime polls until it ends. ``percent``
    points at the percentage done, from 0 to 100.

    ``wait`` is for any other action. Such an action, which starts a job and waits for it, accepts
    the handle as an optional input, too. After a deadline, the error names the handle, as a member
    of the response that started the job. The caller passes the handle to continue waiting.
    """

    state: str | None = None
    done: Collection[str] = ()
    failed: Collection[str] = ()
    message: str = "/message"
    every: float = 1.0
    longest: float = 30.0
    within: float = _DAY
    percent: str | None = None

    def poll(
        self, api: HttpClient, path: str, values: Mapping[str, Any], **options: Any
    ) -> Answer | Progress:
        """Poll once; return the response if the job is done, else its progress. ``options`` are the
        options of ``HttpClient.request``.

        :raises JobFailed: if the job has failed.
        """
        return self.judged(api.get(path, values, **options))

    def judged(self, answer: Answer) -> Answer | Progress:
        """Return the response to a poll if the job is done, else the job's progress.

        :raises JobFailed: if the job has failed.
        """
        state = answer.json(self.state) if self.state is not None else "running"
        if state in self.done or (self.state is None and answer.status != ACCEPTED):
            return answer
        if state in self.failed:
            raise self._failure(answer, str(state))
        percent = None if self.percent is None else answer.json(self.percent)
        fraction = percent / 100 if isinstance(percent, int | float) else None
        return Progress(fraction, str(state), answer.headers.retry_after)

    def wait(self, api: HttpClient, path: str, values: Mapping[str, Any], **options: Any) -> Answer:
        """Poll until the job is done and return the last response; ``options`` are the options of
        ``HttpClient.request``.

        :raises JobFailed: if the job has failed.
        :raises NotYet: if the job has not ended shortly before the deadline.
        """
        pause = self.every
        while isinstance(found := self.poll(api, path, values, **options), Progress):
            seconds = pause if found.retry_after is None else max(found.retry_after, _LEAST)
            call = current_call()
            if call is None or seconds + _LAST >= call.deadline.remaining():
                raise self._not_yet(found.text, seconds)
            call.deadline.clock.sleep(seconds)
            pause = min(self.longest, pause * _GROWTH)
        return found

    def _failure(self, answer: Answer, state: str) -> JobFailed:
        reason = answer.json(self.message)
        text = f"the job has ended as '{state[:80]}'"
        return JobFailed(
            f"{text}: {reason[:500]}" if isinstance(reason, str) else text, sent=Sent.REFUSED
        )

    def _not_yet(self, state: str, seconds: float) -> NotYet:
        return NotYet(
            "the job has not ended yet",
            details=[Detail("", f"its state is '{state[:80]}'")],
            hint="Call the action again with the job's handle to wait for its end.",
            retry_after=max(seconds, _LEAST),
            within=self.within,
            until={self.state: next(iter(self.done))}
            if self.state is not None and self.done
            else None,
        )
