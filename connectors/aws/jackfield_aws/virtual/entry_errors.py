"""Failed entries among successful ones in a response, found by each operation's model.

A rule finds them: an operation that changes something returns a list of objects, and the object has
a member for an error. Three small tables, reviewed one by one, cover cases that the models do not
show. These are errors that are an object's state and no outcome of the call, errors shown only by a
status, and outputs with an entry for each entry of the request.
``connectors/aws/tests/entry_errors.txt`` lists the rule's results.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.kernel.dataclass import dataclass

FAILURES = re.compile(
    r"(?:failed|unprocessed|unsuccessful)\w*|\w*failures|\w+failurestatuses|errorlist|errorentries|\w+errordetails|\w+errormap"
    r"|invalid(?:answers|labels|executions|parameters)|\w*errors|\w*notfound|missing[a-z]+s|skippedentries",
    re.IGNORECASE,
)
"""Pattern of output members that hold failed or missing entries, for operations that change
something and for batches.
"""
_ERROR = re.compile(
    r"(?:error|exception|failure|fault)(?:code|cause|details?|message|info|information|response|string)?",
    re.IGNORECASE,
)
"""Pattern of an entry's members that exist only if it failed."""
STATES: Mapping[tuple[str, str], str] = {
    ("datazone", "assets"): "a grant of which an asset had failed may be changed or deleted",
    ("ec2", "NatGatewayAddresses"): "an address that had failed may be taken away",
    ("ec2", "SpotInstanceRequests"): "a request is evaluated later",
    ("evs", "entitlements"): "an entitlement that had failed may be deleted",
    (
        "fsx",
        "AdministrativeActions",
    ): "actions are carried out later, and earlier ones are listed, too",
    (
        "opensearch",
        "DomainPackageDetailsList",
    ): "a package whose association had failed may be dissociated",
    ("workspaces", "PendingRequests"): "what is pending has not failed",
}
"""Lists whose errors are an object's state, by service and member, with the reason."""
READS = frozenset({("location", "CalculateRouteMatrix"), ("geo-routes", "CalculateRouteMatrix")})
"""Reads whose entries fail individually although the name has no ``Batch``."""
_BY_STATUS: Mapping[tuple[str, str], tuple[str, str, frozenset[str]]] = {
    ("emr", "CancelSteps"): ("CancelStepsInfoList", "Status", frozenset({"SUBMITTED"})),
    ("ses", "SendBulkTemplatedEmail"): ("Status", "Status", frozenset({"Success"})),
    ("sesv2", "SendBulkEmail"): ("BulkEmailEntryResults", "Status", frozenset({"SUCCESS"})),
    ("workdocs", "AddResourcePermissions"): ("ShareResults", "Status", frozenset({"SUCCESS"})),
}
"""Lists with a status for failures: the list, the status, and its values for successful entries."""
_ASKED: Mapping[tuple[str, str], str] = {
    ("clouddirectory", "BatchRead"): "Operations",
    ("dynamodb", "BatchExecuteStatement"): "Statements",
    ("eventbridgev2", "PutEvents"): "Entries",
    ("eventbridgev2", "PutRawEvents"): "Entries",
    ("events", "PutEvents"): "Entries",
    ("events", "PutPartnerEvents"): "Entries",
    ("firehose", "PutRecordBatch"): "Records",
    ("kinesis", "PutRecords"): "Records",
    ("ses", "SendBulkTemplatedEmail"): "Destinations",
    ("sesv2", "SendBulkEmail"): "BulkEmailEntries",
}
"""Inputs that correspond to an output list entry by entry, in the same order (API reference of each
operation).
"""


@dataclass(frozen=True, slots=True)
class EntryErrors:
    """Output list whose entries may have failed individually.

    ``errors`` are the members that only failed entries have; ``status`` is a member whose values
    ``fine`` mean success. ``asked`` is the corresponding input; None if no order is documented.
    """

    member: str
    errors: tuple[str, ...]
    status: str | None
    fine: frozenset[str]
    asked: str | None

    def failed(self, entry: Mapping[str, Any]) -> bool:
        """Return whether an entry failed."""
        status = entry.get(self.status) if self.status is not None else None
        return any(entry.get(name) for name in self.errors) or (
            status is not None and status not in self.fine
        )


def entry_errors(service: str, operation: Any, effect: str) -> tuple[EntryErrors, ...]:
    """Return the lists of an operation's output whose entries may fail individually."""
    key = (service, operation.name)
    if operation.output_shape is None or (effect == "read" and key not in READS):
        return ()
    return tuple(_entry_errors(key, operation.output_shape.members))


def _entry_errors(key: tuple[str, str], members: Mapping[str, Any]) -> Iterator[EntryErrors]:
    listed, status, fine = _BY_STATUS.get(key, ("", None, frozenset()))
    for name, shape in members.items():
        entry = shape
        while entry.type_name == "list":
            entry = entry.member
        if (
            entry is shape
            or entry.type_name != "structure"
            or FAILURES.fullmatch(name)
            or (key[0], name) in STATES
        ):
            continue
        errors = tuple(member for member in entry.members if _ERROR.fullmatch(member))
        if errors or name == listed:
            given = (status, fine) if name == listed else (None, frozenset[str]())
            yield EntryErrors(name, errors, *given, _ASKED.get(key))
