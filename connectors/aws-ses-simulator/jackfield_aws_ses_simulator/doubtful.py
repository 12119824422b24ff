"""Step of the tour in which the answer to a send is lost. Evidence settles the doubt, and the mail
is sent once.
"""

from __future__ import annotations

import json
from typing import Any

from jackfield_aws_ses_simulator.processes import own_place, receiving
from jackfield_aws_ses_simulator.stage import Report, Stage, faults

EXAMPLE = "lost-answer.json"
_SET_UP = {
    "connector": "aws-ses",
    "action": "setUpEvents",
    "connection": "demo",
    "inputs": {"configurationSetName": "receipts", "queue": True, "types": ["sent"]},
}
_RESOLVED = "invocation.resolved"


def doubtful(stage: Stage) -> Report:
    """Run the step: lose the answer to a send, let a worker settle the doubt by the mail's event,
    then repeat the call.
    """
    with own_place(stage.aws) as place, receiving() as receiver:
        place.run("settings", "set", "settle", "on", "--json")
        place.run("callbacks", "add", receiver.url, "--types", _RESOLVED, "--json")
        with place.opened() as jackfield:
            made = jackfield.invoke(_SET_UP).to_json()
            inputs = place.folder / "queue.json"
            output = made.get("output") or {}
            inputs.write_text(
                json.dumps(
                    {
                        "queueUrl": output.get("QueueUrl"),
                        "topicArn": output.get("TopicArn"),
                        "types": ["sent"],
                    }
                )
            )
            words = (
                "--trigger",
                "aws-ses/mailQueue",
                "--connection",
                "demo",
                "--inputs",
                str(inputs),
                "--json",
            )
            place.run("subscriptions", "add", "receipts", *words)
            stage.aws.lose_answer("SendEmail")
            played = Stage(jackfield, stage.aws)
            first = played.play(EXAMPLE)
            place.work_until_told(receiver)
            again = played.play(EXAMPLE)
        entry: dict[str, Any] = place.run(
            "invocations", "show", first.result["meta"]["invocationId"], "--json"
        )
    told, settled = (
        receiver.event,
        {name: entry.get(name) for name in ("status", "resolvedBy", "output", "looks")},
    )
    shown = (
        ("invocation", first.invocation),
        ("result", first.result),
        ("event", told),
        ("settled", settled),
        ("again", again.result),
    )
    expected = {
        "topic, queue and event destination were made": made["status"] == "succeeded",
        "the call is in doubt": first.status == "in_doubt",
        "AWS had taken the mail": len(first.received) == 1,
        "its end was told": told.get("type") == _RESOLVED,
        "evidence settled it": (entry["status"], entry.get("resolvedBy"))
        == ("succeeded", "evidence"),
        "with the ID that AWS had given": [one.message_id for one in first.received]
        == [(entry.get("output") or {}).get("MessageId")],
        "the repeated call has that Result": again.result["meta"]["replayed"]
        and again.output == entry.get("output"),
        "nothing was sent twice": not again.received,
    }
    return Report(shown, first.received, faults(expected))
