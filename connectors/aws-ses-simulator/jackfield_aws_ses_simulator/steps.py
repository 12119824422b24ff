"""The guided tour: its steps with their expected outcomes, run and checked one by one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from jackfield import Jackfield, JackfieldError
from jackfield_aws_ses_simulator.aws.messages import SentMessage
from jackfield_aws_ses_simulator.bounced import EXAMPLE as BOUNCE
from jackfield_aws_ses_simulator.bounced import bounced
from jackfield_aws_ses_simulator.callback import told
from jackfield_aws_ses_simulator.doubtful import EXAMPLE as LOST
from jackfield_aws_ses_simulator.doubtful import doubtful
from jackfield_aws_ses_simulator.embedded import EmbeddedAws
from jackfield_aws_ses_simulator.show import Show
from jackfield_aws_ses_simulator.stage import (
    EXAMPLES,
    Played,
    Report,
    Stage,
    Step,
    faults,
    message_json,
)

_CONNECTOR = "aws-ses"
_CONNECTION = "demo"
_PAGE, _ALL, _PAGES = 5, 12, 3
"""Page size of the examples, email addresses in the local AWS simulator, and the resulting number
of pages.
"""
_FAULTY = {"/attachments/report.pdf/data", "/priority", "/subject", "/text", "/to/1", "/to/2"}
"""Expected pointers of the faults in ``invalid-input.json``."""
_SESSIONS = 2
"""Expected number of AssumeRole calls: one by the connection test, one for all invocations."""


def _installed(stage: Stage) -> Report:
    rows = [
        entry.to_json() for entry in stage.jackfield.catalog.entries() if entry.key == _CONNECTOR
    ]
    return Report(
        (("connectors", rows),),
        faults=faults(
            {"the connector is installed and works": [row["status"] for row in rows] == ["ok"]}
        ),
    )


def _tested(stage: Stage) -> Report:
    found = stage.jackfield.test(_CONNECTION)
    steps: list[Mapping[str, Any]] = found["lastTest"]["steps"]
    return Report(
        (("connection", found),),
        faults=faults(
            {
                "the connection works": found["status"] == "ok",
                "every step of the test passed": all(step["passed"] for step in steps),
                "nothing was sent": not stage.aws.sent,
            }
        ),
    )


def _sent(stage: Stage) -> Report:
    played = stage.play("send-email.json")
    return played.report(
        {
            "the message was sent": played.status == "succeeded",
            "AWS received it once": len(played.received) == 1,
            "the Result has its message id": [message.message_id for message in played.received]
            == [played.output.get("MessageId")],
        }
        | _whole(played.received[0] if played.received else None, played.invocation["inputs"])
    )


def _whole(message: SentMessage | None, inputs: Mapping[str, Any]) -> dict[str, bool]:
    if message is None:
        return {}
    received = message_json(message)
    return {
        "the subject is complete": message.subject == inputs["subject"],
        "both texts are complete": (message.text, message.html) == (inputs["text"], inputs["html"]),
        "every recipient is in the envelope": all(
            received[name] == inputs[name] for name in ("to", "cc", "bcc")
        ),
        "the attachments arrived": [part.name for part in message.attachments]
        == [*inputs["attachments"]],
    }


def _list_page(stage: Stage) -> Report:
    played = stage.play("list-identities.json")
    return played.report(
        {
            "the page was read": played.status == "succeeded",
            "it has the requested size": len(played.output.get("Identities", ())) == _PAGE,
            "there is a token for the next page": bool(played.output.get("NextToken")),
            "the Result says that more pages follow": _complete(played) is False,
        }
    )


def _listed_all(stage: Stage) -> Report:
    before = stage.aws.count("ListIdentities")
    played = stage.play("list-all-identities.json")
    found = played.output.get("Identities", [])
    return played.report(
        {
            "the list was read": played.status == "succeeded",
            "every identity occurs exactly once": len(found) == len(set(found)) == _ALL,
            "it was read page by page": stage.aws.count("ListIdentities") - before == _PAGES,
            "the Result says that it is complete": _complete(played) is True,
        }
    )


def _dry(stage: Stage) -> Report:
    before = len(stage.aws.calls)
    played = stage.play("dry-run.json")
    return played.report(
        {
            "the invocation is right": played.status == "succeeded",
            "the action was not called": played.result["meta"]["attempts"] == 0,
            "AWS was not asked": len(stage.aws.calls) == before,
        }
    )


def _invalid_inputs(stage: Stage) -> Report:
    before = len(stage.aws.calls)
    played = stage.play("invalid-input.json")
    return played.report(
        {
            "the inputs are refused": played.error.get("code") == "invalid_input",
            "every error names its input": {
                item["path"] for item in played.error.get("details", ())
            }
            == _FAULTY,
            "AWS was not asked": len(stage.aws.calls) == before,
        }
    )


def _unauthenticated(stage: Stage) -> Report:
    played = stage.play("wrong-external-id.json")
    return played.report(
        {
            "AWS refuses the role": played.error.get("code") == "unauthenticated",
            "the hint shows the trust policy": "sts:ExternalId" in played.error.get("hint", ""),
            "nothing was sent": not played.received,
        }
    )


def _rejected(stage: Stage) -> Report:
    played = stage.play("unverified-sender.json")
    return played.report(
        {
            "the sender is rejected": played.error.get("code") == "rejected",
            "the hint says what to verify": played.invocation["inputs"]["sender"]
            in played.error.get("hint", ""),
            "AWS accepted nothing": not played.received,
        }
    )


def _summed_up(stage: Stage) -> Report:
    aws = stage.aws
    summary = {
        "assumeRole": {
            "granted": aws.count("AssumeRole"),
            "refused": aws.count("AssumeRole", granted=False),
        },
        "sendEmail": {
            "accepted": aws.count("SendEmail"),
            "rejected": aws.count("SendEmail", granted=False),
        },
        "listIdentities": aws.count("ListIdentities"),
        "messages": len(aws.sent),
    }
    return Report(
        (("AWS", summary),),
        faults=faults(
            {
                "all invocations shared one session": aws.count("AssumeRole") <= _SESSIONS,
                "one message was accepted": len(aws.sent) == 1,
            }
        ),
    )


def _complete(played: Played) -> object:
    return played.result["meta"].get("complete")


STEPS = (
    Step("installed", "What is installed", _installed),
    Step(
        "connection",
        "Test the connection: a role, assumed with an External ID; nothing is sent",
        _tested,
    ),
    Step("send", "Send an email with two texts, attachments, Cc and Bcc", _sent, "send-email.json"),
    Step("list", "List identities: one page", _list_page, "list-identities.json"),
    Step(
        "listAll",
        "List identities: every page, at AWS's limit of one request per second",
        _listed_all,
        "list-all-identities.json",
    ),
    Step(
        "dryRun", "A dry run: everything is checked, AWS is not asked to send", _dry, "dry-run.json"
    ),
    Step(
        "invalid",
        "Invalid inputs: every error at once, before anything is sent",
        _invalid_inputs,
        "invalid-input.json",
    ),
    Step(
        "externalId",
        "Someone else's External ID: AWS refuses the role",
        _unauthenticated,
        "wrong-external-id.json",
    ),
    Step(
        "rejected",
        "An unverified sender: AWS rejects the message",
        _rejected,
        "unverified-sender.json",
    ),
    Step("summary", "What AWS saw", _summed_up),
    Step("callback", "Queue a call for a worker: its end arrives at a callback, signed", told),
    Step(
        "bounce",
        "A mail bounces: the event comes back, the recipient is suppressed, the next send is "
        "refused",
        bounced,
        BOUNCE,
    ),
    Step(
        "doubt",
        "The answer to a send is lost: evidence settles the doubt, and nothing is sent twice",
        doubtful,
        LOST,
    ),
)
"""Steps in the order of the tour."""

_NEXT = """
What to try next
  jackfield new acme-crm      a connector of your own; docs/tutorial/first-connector.md
  jackfield shelf list        100 ready services; 'jackfield try NAME' calls one without an account
  jackfield demo --serve      keep the simulator running, for examples/ and your own calls from another terminal
  jackfield serve             the console and the HTTP API"""


def tour(show: Show, steps: tuple[Step, ...] = STEPS) -> int:
    """Run ``steps`` on a local AWS simulator; return 0 if each passed and could be shown, else
    1.
    """
    started = time.monotonic()
    failing: list[str] = []
    with EmbeddedAws() as aws, _connected(aws) as jackfield:
        if not show.one_line:
            services = "IAM, STS, SES, SNS, SQS and CloudWatch"
            show.text(
                f"A local AWS simulator runs at {aws.url}: {services}.\nAuthorisation is "
                "enforced. No account, no network."
            )
        stage = Stage(jackfield, aws)
        for number, step in enumerate(steps, start=1):
            show.begin(number, step)
            report = _report(step, stage)
            show.end(number, step, report)
            if report.faults:
                failing.append(f"{number} ({step.key})")
    _close(show, len(steps), failing, time.monotonic() - started)
    return 1 if failing or show.lost else 0


def _connected(aws: EmbeddedAws) -> Jackfield:
    """Open a runtime with the examples' connections; its environment contains only the local AWS
    simulator's variables.
    """
    return Jackfield(
        connections=[EXAMPLES / "connections.yaml"],
        database_url="none",
        environment=aws.environment(),
    )


def _report(step: Step, stage: Stage) -> Report:
    try:
        return step.run(stage)
    except JackfieldError as error:
        return Report(faults=(str(error),))


def _close(show: Show, count: int, failing: list[str], seconds: float) -> None:
    if show.one_line:
        show.line(
            {
                "passed": not failing,
                "steps": count,
                "failing": failing,
                "seconds": round(seconds, 1),
            }
        )
        return
    if failing:
        show.text(
            f"\n{len(failing)} of {count} steps did not come out as expected: "
            f"{', '.join(failing)}.",
            "bold red",
        )
    else:
        show.text(
            f"\nAll {count} steps came out as expected, in {seconds:.1f} seconds.", "bold green"
        )
    show.text(_NEXT)
