"""What the name of an SES endpoint says: the region that it belongs to."""

from __future__ import annotations

from jackfield_aws import partition_of

__all__ = ["HOST_EXPECTED", "HOST_PATTERN", "region_of"]

_LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST_PATTERN = f"^{_LABEL}(\\.{_LABEL})*$"
"""A JSON Schema ``pattern`` for a host name or an IPv4 address (RFC 1123 §2.1; with the underscores that private zones have)."""
HOST_EXPECTED = "a host name such as email-smtp.eu-west-1.amazonaws.com, without scheme and port"
"""What completes "… is not"."""

_SERVICES = frozenset({"email-smtp", "email-smtp-fips"})


def region_of(hostname: str) -> str | None:
    """The region in the name of an SMTP endpoint of SES, public or private; None where the name is of another shape.

    Public: ``email-smtp.<region>.amazonaws.com`` (or another partition's domain). Private, regional or of one zone:
    ``vpce-<id>.email-smtp.<region>.vpce.amazonaws.com`` (AWS PrivateLink).
    """
    labels = hostname.lower().split(".")
    if labels[0].startswith("vpce-"):
        del labels[0]
    if len(labels) < 4 or labels[0] not in _SERVICES:
        return None
    return labels[1] if partition_of(labels[1]) else None
