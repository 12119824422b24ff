"""Outcomes of accepted messages: deliveries, bounces and complaints, decided by the mailbox
simulator and the suppression list.

Addresses of the mailbox simulator from
https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.mailboxes import addresses_of
from jackfield_aws_ses_simulator.aws.messages import SentMessage
from jackfield_aws_ses_simulator.aws.resources import is_on_suppression_list

_DOMAIN = "simulator.amazonses.com"
_EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""EICAR test file, which virus scanners recognise: SES rejects a message with it."""
_BOUNCE, _COMPLAINT, _DELIVERY, _REJECT = "Bounce", "Complaint", "Delivery", "Reject"
_SIMULATED = {
    "bounce": (_BOUNCE,),
    "complaint": (_DELIVERY, _COMPLAINT),
    "suppressionlist": (_BOUNCE,),
}
_SUBTYPES = {"suppressionlist": "Suppressed"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome for one recipient. ``subtype`` is set for a bounce."""

    kind: str
    address: str
    subtype: str = "General"


def outcomes(ledger: Ledger, message: SentMessage) -> list[Outcome]:
    """Return the outcomes of a message, one or two for each recipient; rejections if SES rejects it
    for its content.
    """
    if _is_infected(message):
        return [Outcome(_REJECT, address) for address in addresses_of(message.recipients)]
    return [
        one
        for address in addresses_of(message.recipients)
        for one in _of(ledger, message.region, address)
    ]


def _of(ledger: Ledger, region: str, address: str) -> Iterator[Outcome]:
    local, _, domain = address.lower().rpartition("@")
    name = local.partition("+")[0] if domain == _DOMAIN else ""
    if is_on_suppression_list(ledger, region, address):
        yield Outcome(_BOUNCE, address, "OnAccountSuppressionList")
        return
    for kind in _SIMULATED.get(name, (_DELIVERY,)):
        yield Outcome(kind, address, _SUBTYPES.get(name, "General"))


def _is_infected(message: SentMessage) -> bool:
    return _EICAR in message.raw or any(
        _EICAR in attachment.data for attachment in message.attachments
    )
