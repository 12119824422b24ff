"""Step of the tour that queues a call, and reports its end to a receiver. It has a database and a
worker of its own.
"""

from __future__ import annotations

from jackfield_aws_ses_simulator.processes import own_place, receiving
from jackfield_aws_ses_simulator.stage import EXAMPLES, Report, Stage, faults

_EXAMPLE = "list-identities.json"


def told(stage: Stage) -> Report:
    """Run the step: queue an example for a worker, and wait for the callback about its end."""
    with own_place(stage.aws) as place, receiving() as receiver:
        with place.opened() as jackfield:
            identifier = jackfield.enqueue((EXAMPLES / _EXAMPLE).read_text(encoding="utf-8"))
        made = place.run(
            "callbacks", "add", receiver.url, "--types", "invocation.finished", "--json"
        )
        place.work_until_told(receiver)
        event = receiver.event
    queued, callback = (
        {"invocationId": identifier, "status": "queued"},
        {"id": made["id"], "url": receiver.url},
    )
    return Report(
        (("queued", queued), ("callback", callback), ("event", event)),
        faults=faults(
            {
                "the end arrived": event.get("type") == "invocation.finished",
                "it is that of the call": event.get("data", {}).get("subject") == identifier,
                "the signature is right": bool(receiver.headers)
                and receiver.verifies(made["secret"]),
            }
        ),
    )
