"""Recipients that get no more messages. They are people's addresses, so a token with rules sees
none.
"""

from __future__ import annotations

from jackfield_service.shell.http.query_parts import BY_KEY, BY_MOMENT
from jackfield_service.shell.http.shape_parts import MOMENT, PROBLEM, STRING
from jackfield_service.shell.resource.resource import Act, Field, Is, Resource, Visit
from jackfield_store.journal.suppressions import Suppressions
from jackfield_store.management.suppressions import audited_suppressions


def _open(visit: Visit) -> Suppressions:
    return audited_suppressions(
        visit.storage, visit.workspace, visit.clock, visit.actor, visit.runtime.access.settings
    )


SUPPRESSIONS = Resource(
    "Suppression",
    "/v1/suppressions",
    _open,
    fields=(
        Field("recipient", STRING, Is.ALWAYS, title="Recipient"),
        Field("reason", {"enum": ["bounce", "complaint"]}, Is.ALWAYS, title="Reason"),
        Field("text", STRING),
        Field("at", MOMENT, Is.ALWAYS, title="Since"),
        Field("expiresAt", MOMENT, Is.ALWAYS, title="Until"),
        Field(
            "refusedBy",
            {
                "type": "array",
                "items": STRING,
                "description": (
                    "Connections whose guard refuses suppressed recipients, * for each "
                    "without a guard of its own; empty: they are sent to."
                ),
            },
            Is.ALWAYS,
        ),
        Field("problem", PROBLEM),
    ),
    acts=(
        Act(
            "list",
            Suppressions.page,
            "List the recipients to whom nothing more is sent, the latest first.",
            "read",
        ),
        Act("remove", Suppressions.remove, "Let a recipient be sent to again."),
    ),
    cursor=f"{BY_MOMENT}~{BY_KEY}",
    key="recipient",
    argument=("recipient", "ADDRESS"),
    filters=("reason",),
    listed=("recipient", "reason", "at", "expiresAt"),
    columns=("recipient", "reason", "text", "at", "expiresAt", "refusedBy"),
    unruled="this needs a token without rules",
)
RESOURCES = (SUPPRESSIONS,)
