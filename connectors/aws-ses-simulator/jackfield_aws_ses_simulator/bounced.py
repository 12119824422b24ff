"""Step of the tour in which a mail bounces. Its event returns through a topic and a queue, and the
guard refuses the next send.
"""

from __future__ import annotations

import json
from typing import Any

from jackfield_aws_ses_simulator.processes import Place, own_place, receiving
from jackfield_aws_ses_simulator.stage import Played, Report, Stage, faults

EXAMPLE = "bounce.json"
_SET_UP = {
    "connector": "aws-ses",
    "action": "setUpEvents",
    "connection": "demo",
    "inputs": {"configurationSetName": "receipts", "queue": True},
}
_BOUNCED = "aws_ses.bounced"


def bounced(stage: Stage) -> Report:
    """Run the step: set up events, send to an address that bounces, let a worker read the event,
    and send again.
    """
    with own_place(stage.aws) as place, receiving() as receiver:
        place.run("callbacks", "add", receiver.url, "--types", _BOUNCED, "--json")
        with place.opened() as jackfield:
            made = jackfield.invoke(_SET_UP).to_json()
            first = Stage(jackfield, stage.aws).play(EXAMPLE)
            subscription = _subscribed(place, str((made.get("output") or {}).get("QueueUrl")))
            place.work_until_told(receiver)
            again = Stage(jackfield, stage.aws).play(EXAMPLE)
        suppressed: list[dict[str, Any]] = place.run("suppressions", "list", "--json")
        outcome = _outcome(place, first)
    event = receiver.event
    shown = (
        ("setUpEvents", made.get("output") or made.get("error")),
        ("invocation", first.invocation),
        ("result", first.result),
        (
            "subscription",
            {name: subscription.get(name) for name in ("name", "trigger", "connection", "guard")},
        ),
        ("event", event),
        ("outcome", outcome),
        ("suppressed", suppressed),
        ("again", again.result),
    )
    whom = first.invocation["inputs"]["to"]
    expected = {
        "topic, queue and event destination were made": made["status"] == "succeeded",
        "SES accepted the mail": first.status == "succeeded",
        "the bounce came back as an event": event.get("type") == _BOUNCED,
        "it names the call that sent the mail": outcome.startswith("bounced"),
        "the recipient is suppressed": [row["recipient"] for row in suppressed] == whom,
        "the guard refuses the next send": again.error.get("code") == "not_allowed"
        and not again.received,
    }
    return Report(shown, first.received, faults(expected))


def _subscribed(place: Place, queue_url: str) -> dict[str, Any]:
    """Add a subscription to the queue, with a guard; return it."""
    inputs = place.folder / "queue.json"
    inputs.write_text(json.dumps({"queueUrl": queue_url}), encoding="utf-8")
    words = (
        "--trigger",
        "aws-ses/mailQueue",
        "--connection",
        "demo",
        "--inputs",
        str(inputs),
        "--guard",
        "--json",
    )
    found: dict[str, Any] = place.run("subscriptions", "add", "receipts", *words)
    return found


def _outcome(place: Place, played: Played) -> str:
    """Return the outcome of a call's mail, such as ``bounced``."""
    found = place.run("invocations", "show", played.result["meta"]["invocationId"], "--json")
    return str(found.get("outcome", ""))
