"""Messages by which Amazon SES stops sending, over its API and over SMTP, with remedies: one table
for both.

Only AWS suspends an account and ends its suspension. A pause may also be the owner's, for the
account, a configuration set, a tenant or an identity.
"""

from __future__ import annotations

from jackfield.kernel.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Stop:
    """Explanation of a refusal: a message, and a hint as a template with ``{region}``."""

    says: str
    hint: str


SUSPENDED = Stop(
    "Sending is suspended",
    "AWS has suspended sending of this account in {region}: read its mail to the account's "
    "address, and answer it in the AWS Support "
    "Center. No change of the message helps.",
)
PAUSED = Stop(
    "Sending is paused",
    "Sending is paused for the account, the tenant or the configuration set in {region}: see the "
    "account's status in the SES console, then "
    "resume it. "
    "If AWS has paused it, the console shows its review; answer that first.",
)
_SET = Stop(
    "Sending is paused for the configuration set",
    "Resume sending of the configuration set in {region} (SES console > Configuration sets; "
    "'PutConfigurationSetSendingOptions'): it is "
    "paused by hand, or by an alarm of its reputation.",
)
TENANT_PAUSED = Stop(
    "Sending is paused for the tenant",
    "The tenant is paused in {region}: 'getTenantReputation' shows who paused it and why. Resolve "
    "the findings, then let it send again "
    "with 'updateTenantSending'. A pause by Amazon SES itself ends in AWS Support only. Other "
    "tenants are not affected.",
)
_IDENTITY = Stop(
    "Sending is paused for the identity",
    "Sending is disabled for the identity of the sender in {region}: see it in SES console > "
    "Identities, or send from another one.",
)
_VERBS = tuple(
    f"sending {verb}"
    for verb in (
        "paused",
        "is paused",
        "has been paused",
        "disabled",
        "is disabled",
        "has been disabled",
    )
)
_ENDS = {
    _SET: (" for configuration set", " for this configuration set", " for the configuration set"),
    TENANT_PAUSED: (" for tenant", " for this tenant", " for the tenant"),
    _IDENTITY: (" for identity", " for this identity", " for the identity"),
}
STOPS: tuple[tuple[str, Stop], ...] = (
    *(
        (f"sending {verb}", SUSPENDED)
        for verb in ("suspended", "is suspended", "has been suspended")
    ),
    *(
        (f"account {verb}", SUSPENDED)
        for verb in ("suspended", "is suspended", "has been suspended", "is shut down")
    ),
    *((f"{verb}{end}", stop) for stop, ends in _ENDS.items() for end in ends for verb in _VERBS),
    *(
        (f"{kind} {verb}", stop)
        for kind, stop in (("configuration set sending", _SET), ("tenant sending", TENANT_PAUSED))
        for verb in ("paused", "is paused", "disabled", "is disabled")
    ),
    *((f"account {verb}", PAUSED) for verb in ("paused", "is paused", "has been paused")),
    *((verb, PAUSED) for verb in _VERBS),
)
"""Meanings by lower-case parts of a refusal's message; the first match counts."""
