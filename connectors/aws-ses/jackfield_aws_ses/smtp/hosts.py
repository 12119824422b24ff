"""Names of SES endpoints: their validation and their regions."""

from __future__ import annotations

import re

from jackfield_aws import partition_of

_ZONAL = re.compile(r"(vpce-[0-9a-z]+-[0-9a-z]+)-([a-z]{2}(?:-[a-z]+)+-[0-9]+[a-z])[.]")
_LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST_PATTERN = f"^{_LABEL}(\\.{_LABEL})*$"
"""JSON Schema ``pattern`` for a host name or an IPv4 address (RFC 1123 §2.1; including underscores,
which private zones use).
"""
HOST_EXPECTED = "a host name such as email-smtp.eu-west-1.amazonaws.com, without scheme and port"
"""Phrase for a valid host name; it completes "is not …"."""

_SERVICES = frozenset({"email-smtp", "email-smtp-fips"})


def region_of(hostname: str) -> str | None:
    """Return the region in the name of a public or private SES SMTP endpoint; None for names of
    another form.

    Public: ``email-smtp.<region>.amazonaws.com`` (or another partition's domain). Private, regional
    or zonal: ``vpce-<id>.email-smtp.<region>.vpce.amazonaws.com`` (AWS PrivateLink).
    """
    labels = hostname.lower().split(".")
    if labels[0].startswith("vpce-"):
        del labels[0]
    if len(labels) < 4 or labels[0] not in _SERVICES:
        return None
    return labels[1] if partition_of(labels[1]) else None


def is_private(hostname: str) -> bool:
    """Return whether this is AWS's name of an interface endpoint (AWS PrivateLink)."""
    return hostname.lower().startswith("vpce-") and ".vpce.amazonaws." in hostname.lower()


def zone_of(hostname: str) -> tuple[str, str] | None:
    """Return the availability zone in the zonal name of a private endpoint, and the endpoint's
    regional name; None for other names.

    A zonal name is ``vpce-<id>-<id>-<zone>.email-smtp.<region>.vpce.amazonaws.com``.
    """
    found = _ZONAL.match(hostname.lower())
    return (
        (found[2], f"{found[1]}.{hostname.lower()[found.end() :]}")
        if found and is_private(hostname)
        else None
    )
