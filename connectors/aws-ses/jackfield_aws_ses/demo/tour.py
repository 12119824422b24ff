"""The guided tour: runs every step and checks its outcome."""

from __future__ import annotations

import time

from jackfield import Jackfield, JackfieldError
from jackfield_aws_ses.demo.embedded import EmbeddedAws
from jackfield_aws_ses.demo.show import Show
from jackfield_aws_ses.demo.stage import EXAMPLES, Report, Stage, Step
from jackfield_aws_ses.demo.steps import STEPS

__all__ = ["tour"]

_NEXT = """
What to try next
  jackfield demo --serve                      keep this AWS up; it prints what another terminal needs to use it
  jackfield connectors show aws-ses           the manifest: actions, connection types, schemas
  jackfield schema aws-ses sendEmail          the inputs of an action, as JSON Schema
  jackfield invoke --file examples/send-email.json
                                              one of the examples by hand; see examples/README.md"""


def tour(show: Show, steps: tuple[Step, ...] = STEPS) -> int:
    """Run ``steps`` on a local AWS simulator; return 0 if each passed and could be shown, else 1."""
    started = time.monotonic()
    failing: list[str] = []
    with EmbeddedAws() as aws, _connected(aws) as jackfield:
        if not show.one_line:
            show.text(f"A local AWS simulator runs at {aws.url}: IAM, STS and SES, with authorisation enforced. No account, no network.")
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
    """Open a runtime with the examples' connections; its environment contains only the local AWS simulator's variables."""
    return Jackfield(connections=[EXAMPLES / "connections.yaml"], database_url="none", environment=aws.environment())


def _report(step: Step, stage: Stage) -> Report:
    try:
        return step.run(stage)
    except JackfieldError as error:
        return Report(faults=(str(error),))


def _close(show: Show, count: int, failing: list[str], seconds: float) -> None:
    if show.one_line:
        show.line({"passed": not failing, "steps": count, "failing": failing, "seconds": round(seconds, 1)})
        return
    if failing:
        show.text(f"\n{len(failing)} of {count} steps did not come out as expected: {', '.join(failing)}.", "bold red")
    else:
        show.text(f"\nAll {count} steps came out as expected, in {seconds:.1f} seconds.", "bold green")
    show.text(_NEXT)
