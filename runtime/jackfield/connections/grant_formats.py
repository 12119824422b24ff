"""Other systems' exports of grants, found as ``grants`` in the entry points
``jackfield.connection_formats``, and the rows of their readers.

An entry point names a function that gets the text of an export and yields its rows. A row says
whose tokens it has. The connection type, or a registered OAuth client, decides where tokens are
sent, never a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jackfield.catalog.loading import declared, of_role, package_of
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield.kernel.failures import BrokenPart
from jackfield.kernel.secrecy import SecretHolder

_GROUP = "jackfield.connection_formats"
_ROLE = "grants"
MEMBERS = frozenset({"refreshToken", "accessToken", "expiresAt", "scopes", "user", "metadata"})
"""Members of a grant. ``user`` is the ID of its owner in the caller's product; ``metadata`` is any
object.
"""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ForeignGrant(SecretHolder):
    """Row of an export. ``place`` identifies the row in messages (``line 3``). ``provider`` and
    ``id`` identify it in the other system; ``type`` is the connection type if the export names one.
    ``values`` are the connection's; ``grant`` has the ``MEMBERS``. ``fault`` says why the row
    cannot be imported; it contains no value of the row.
    """

    place: str
    id: str = ""
    provider: str = ""
    type: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    grant: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""


Reader = Callable[[str], Iterator[ForeignGrant]]


def grant_formats() -> list[str]:
    """Return the names of the installed formats."""
    return sorted({point.name for point in of_role(_GROUP, _ROLE)})


def grant_reader(name: str) -> Reader:
    """Return the reader of a format.

    :raises InvalidInvocation: if no such format is installed, or it cannot be loaded.
    """
    try:
        found: Reader | None = declared(_GROUP, f"{name}.{_ROLE}")
    except BrokenPart as error:
        raise InvalidInvocation(str(error), hint="Reinstall the package.") from None
    if found is None:
        known = ", ".join(grant_formats())
        package, command = package_of(_GROUP)
        text = f"is none of: {known}" if known else f"needs the package {package}"
        raise InvalidInvocation(
            f"the format '{name[:50]}' is not installed",
            details=[Detail("/from", text, "enum")],
            hint="Use one of those." if known else f"Install it: {command}.",
        )
    return found
