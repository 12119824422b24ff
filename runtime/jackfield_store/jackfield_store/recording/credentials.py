"""Digest of the credentials of a call: two calls with one digest are of one account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.kernel.errors import InvalidConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from jackfield.call.reached import Attempting

OF_HOST = "host"
"""Substitute for a digest of the host's credentials. They differ from host to host and may change
unnoticed: two reads with them may be of two accounts.
"""


def credentials_of(
    digest: Callable[[Mapping[str, Any]], str], attempts: Attempting | None
) -> str | None:
    """Return the keyed ``digest`` of the credentials that a connection is opened with; None without
    a connection, ``OF_HOST`` for the host's credentials. A connection's version does not cover a
    referenced secret, its OAuth client, or the person who approved it: each may lead to another
    account.
    """
    opening = None if attempts is None else attempts.opening
    if opening is None:
        return None
    if opening.kind.reads_host:
        return OF_HOST
    try:
        grant = "" if opening.grants is None else opening.grants.find().id
    except InvalidConnection:
        grant = ""  # nobody has approved it: its type works without
    return digest({"values": opening.cache.values, "grant": grant})
