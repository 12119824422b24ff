"""Findings about an SMTP endpoint: its region, its port and the limits of private endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jackfield_aws_ses.doctor.findings import finding
from jackfield_aws_ses.finding import Finding
from jackfield_aws_ses.smtp.hosts import region_of

_ZONAL = re.compile(r"^vpce-[0-9a-f]+-[0-9a-z]+-([a-z]{2}(?:-[a-z]+)+-\d[a-z])\.", re.IGNORECASE)
"""Pattern of a zonal name, ``vpce-<id>-<suffix>-<zone>.email-smtp.<region>.vpce.amazonaws.com``
(AWS PrivateLink, interface endpoint DNS names).
"""
_UNSUPPORTED = {
    "us-east-1": "use1-az2, use1-az3, use1-az5",
    "us-west-1": "usw1-az2",
    "us-west-2": "usw2-az4",
    "ap-northeast-2": "apne2-az4",
    "ca-central-1": "cac1-az3, cac1-az4",
}
"""Availability Zones without private endpoints of SES (SES developer guide, Setting up VPC
endpoints, read 2026-11).
"""
_THROTTLED = 25


def smtp_findings(hostname: str, port: int, region: str | None) -> Iterator[Finding]:
    """Yield findings about the endpoint of an SMTP connection. ``region`` is the region that the
    caller expects.
    """
    found = region_of(hostname)
    if region and found and region != found:
        yield finding("region_differs", f"The host name is {hostname}.", found=found, region=region)
    if port == _THROTTLED:
        yield finding("port_throttled", f"The connection's port is {port}.")
    zonal = _ZONAL.match(hostname)
    if zonal is None:
        return
    yield finding("link_of_one_zone", f"The host name {hostname} contains the zone {zonal[1]}.")
    if found in _UNSUPPORTED:
        zones = (
            f"SES has no private endpoints in the zone IDs {_UNSUPPORTED[found]}. The names "
            "of zones differ between accounts."
        )
        yield finding("link_zone_unsupported", zones, region=found)
