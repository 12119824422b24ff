"""``docs/reference/connectors/aws-ses-doctor.md``: what the doctor for Amazon SES finds, and what cures it."""

from __future__ import annotations

import re

from generated.markdown import NOTICE, table
from jackfield_aws_ses.doctor.findings import KINDS

_TEXT = """# Doctor for Amazon SES

The action `doctor` and the command `jackfield doctor CONNECTION` examine the connection, the SES account, the sender's identity, its DNS
records, and the recipient. Nothing is sent or changed.

```sh
jackfield doctor acme-ses sender=noreply@example.com recipient=ada@example.com
jackfield invoke aws-ses doctor --connection acme-ses sender=noreply@example.com
```

- `sender` defaults to the connection's sender, `awsRegion` to its region. Without a sender, only the account is examined.
- The command also tests the connection and adds each failed step as a finding: `credentials`, `role`, `external_id_required`, `connect`,
  `tls`, `sign_in`.
- DNS is queried through the machine's resolver. `JACKFIELD_DNS_SERVERS=192.0.2.1,192.0.2.2:5353` sets other servers.
- If a DNS server does not respond, the finding is `dns_unreachable`; no record is reported as missing.
- The examination calls `ses:GetAccount`, `ses:GetEmailIdentity` and `ses:GetSuppressedDestination`. If a permission is missing, that part
  is reported as not checked.
- SMTP has no such API: only the endpoint and the DNS records of the sender's domain are examined.
- Interface endpoints of SES do not support endpoint policies: security groups determine who may use a private endpoint.

## Findings

An `error` means that sending fails or email is not delivered; a `warning`, that it may. Each finding also has its `evidence`. The *share*
of the quota is 80 %."""


def page() -> str:
    """The page: each code of the findings with its severity, its problem and its cure."""
    rows = [(f"`{code}`", kind.severity, _said(kind.message), _said(kind.cure)) for code, kind in KINDS.items()]
    return f"{NOTICE}\n\n{_TEXT}\n\n{table(('code', 'severity', 'problem', 'cure'), rows)}\n"


def _said(text: str) -> str:
    """A text whose places are names in italics, as a page shows them."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: f"*{found[1].replace('_', ' ')}*", text)
