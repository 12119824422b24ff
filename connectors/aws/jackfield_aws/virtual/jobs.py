"""Steps of a job after its start: they call the polling operation until it reports the state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector import JobFailed, Progress, Sent
from jackfield.connector.actions import Action, JobSteps
from jackfield.connector.jobs import NoOutput, PolledJob, Started, polled, steps_with
from jackfield.kernel.dataclass import replace
from jackfield_aws.clients import AwsClients
from jackfield_aws.virtual.calls import CalledOperation
from jackfield_aws.virtual.inputs import VirtualInputs
from jackfield_aws.virtual.operations import OWN, callable_of
from jackfield_aws.virtual.waits import WAIT_UNTIL, can_cancel


def as_job(action: Action, operation: CalledOperation) -> Action:
    """Return an action with the steps of a job for calls with ``waitUntil``; the action itself if
    its operation has no waiters.
    """
    service, waiters = operation.service, operation.waiters
    if not waiters:
        return action

    def poll(handle: Mapping[str, Any], aws: AwsClients) -> PolledJob:
        waiter = waiters[handle["inputs"][WAIT_UNTIL]]
        found = _called(service, waiter.operation, handle["inputs"], aws)
        if isinstance(found, Started):
            return polled(Progress(None, found.model_dump()["state"], waiter.delay))
        return PolledJob(output={**handle.get("started", {}), **found.model_dump()})

    def cancel(handle: Mapping[str, Any], aws: AwsClients) -> NoOutput:
        start = waiters[handle["inputs"][WAIT_UNTIL]].start
        if start is None or start.cancel is None:
            raise JobFailed("nobody waits for it any more", sent=Sent.REFUSED)
        _called(
            service,
            start.cancel[0],
            {name: value for name, value in handle["cancel"].items() if name != WAIT_UNTIL},
            aws,
        )
        return NoOutput()

    return replace(
        action, job=JobSteps(*steps_with(action, poll, cancel if can_cancel(waiters) else None))
    )


def _called(service: str, name: str, inputs: Mapping[str, Any], aws: AwsClients) -> Any:
    function, shape = callable_of(service, name)
    return function(
        VirtualInputs(inputs, OWN - frozenset(() if shape is None else shape.members), None), aws
    )
