"""``jackfield demo --serve``: the local AWS simulator keeps running, so that the examples can be
run by hand.
"""

from __future__ import annotations

import shlex
import signal
import threading
from types import FrameType

from jackfield_aws_ses_simulator.aws.messages import SentMessage
from jackfield_aws_ses_simulator.embedded import EmbeddedAws
from jackfield_aws_ses_simulator.show import Show
from jackfield_aws_ses_simulator.stage import EXAMPLES

GENERATED = "jf-*"
"""Pattern of the External IDs that jackfield generates: the first role connection created in the
console works without a trust policy.
"""
_POLL = 0.5
"""Seconds between checks for a stop, so that Windows also notices Ctrl-C."""


def serve(show: Show) -> int:
    """Run the local AWS simulator until Ctrl-C or SIGTERM, and print each accepted message."""
    over = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        over.set()

    def shown(message: SentMessage) -> None:
        show.message(message)

    previous = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with EmbeddedAws(on_sent=shown, trusted_ids=GENERATED) as aws:
            _announce(show, aws)
            while not over.wait(_POLL):
                pass
    finally:
        for number, old in previous.items():
            signal.signal(number, old)
    return 0


def _announce(show: Show, aws: EmbeddedAws) -> None:
    variables = {**aws.environment(), "JACKFIELD_CONNECTIONS": str(EXAMPLES / "connections.yaml")}
    if show.one_line:
        show.line({"url": aws.url, "environment": variables, "examples": str(EXAMPLES)})
        return
    show.text(
        f"A local AWS simulator runs at {aws.url} until Ctrl-C. In another terminal:\n", "bold"
    )
    for name, value in variables.items():
        show.text(f"export {name}={shlex.quote(value)}")
    show.text(
        "\njackfield connections test demo\njackfield invoke --file "
        f"{shlex.quote(str(EXAMPLES / 'send-email.json'))}\njackfield serve\n\n"
        "'jackfield serve' prints a link to the console. To connect the role there, choose New "
        "connection, AWS Role ARN, and enter\n"
        f"the role ARN and the keys above and the region {aws.region}; leave both endpoints "
        "empty. The role keeps the External ID of the\n"
        "first connection, as in AWS. For another one, enter a role of its own, such as "
        f"{aws.role_arn}-2.\n"
    )
