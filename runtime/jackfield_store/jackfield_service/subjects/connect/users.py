"""Users of connections that no session has assigned: connections made over the API, or before
sessions stored their users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.callers import Caller, Rules
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Detail, InvalidInvocation, UnknownConnection
from jackfield_service.subjects.connect.records import ConnectRecord, ConnectRecords
from jackfield_service.subjects.connect.session import LONGEST_TEXT
from jackfield_store.access import Audit

if TYPE_CHECKING:
    from jackfield.callers.actor import Actor
    from jackfield.kernel.clock import Clock
    from jackfield_service.subjects.connect.connecting import Opened


def assign(runtime: Opened, clock: Clock, connection: str, user: str, actor: Actor) -> None:
    """Assign a stored connection to a user; from then on only this user's sessions list it. An
    empty ``user`` removes the assignment.

    :raises InvalidInvocation: if the user is not a printable text of at most ``LONGEST_TEXT``
        characters.
    :raises UnknownConnection: if the connection is not stored in the database.
    """
    if len(user) > LONGEST_TEXT or not user.isprintable():
        text = f"must be a printable text of at most {LONGEST_TEXT} characters"
        raise InvalidInvocation(f"the user {text}", details=[Detail("/user", text)])
    row = runtime.connections_of(Caller("connect session", "manage", Rules())).show(connection)
    if row.get("source", "store") != "store":
        raise UnknownConnection(f"the connection '{connection}' is not stored in the database")
    database, workspace = runtime.storage.database, runtime.workspace
    records = ConnectRecords(database, lambda: runtime.storage.vault, workspace, clock)
    audit = Audit(database, lambda: runtime.storage.vault, workspace, clock, actor).prepare()
    record = replace(records.of(connection).get(connection, ConnectRecord()), user=user)
    with database.write() as transaction:
        records.keep(transaction, connection, record)
        audit.append(transaction, "connect.assigned", f"connection:{connection}", {"user": user})
