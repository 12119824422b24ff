"""Requests with many items that AWS answered with success although all items failed, and the error
for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.connector import FailedEntry, Provider, Rejected, Sent, current_call
from jackfield.connector.failed_entries import MAX_FAILED_ENTRIES, shortened

_HINT = (
    "Nothing took effect: mend what 'details' say, and call again. What was throttled or not "
    "processed can be sent again later as it is."
)


def all_refused(entries: Sequence[FailedEntry], output: Mapping[str, Any]) -> Rejected:
    """Return the error of a request whose items were all refused, with a detail for each, and
    record that nothing took effect.
    """
    request_id = None
    if (call := current_call()) is not None:
        call.refused()
        request_id = call.request_id
    reasons = list(dict.fromkeys(entry.message for entry in entries))
    count = "the only item was" if len(entries) == 1 else f"all {len(entries):,} items were"
    more = f", and {len(reasons) - 1:,} further reasons" if len(reasons) > 1 else ""
    return Rejected(
        f"AWS answered, but {count} refused: {reasons[0]}{more}",
        details=[shortened(entry).fault for entry in entries[:MAX_FAILED_ENTRIES]],
        hint=_HINT,
        provider=Provider(request_id=request_id, details=output),
        sent=Sent.REFUSED,
    )
