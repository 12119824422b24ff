"""Where the engine is installed without the service: calls and connections work, and what the
service does is refused by name.
"""

from __future__ import annotations

from shell import Shell

pytest_plugins = ["shell_fixture"]
ENGINE = """
[jackfield.parts]
management = jackfield_store.management.managed:WorkspaceManagement
store = jackfield_store.store:DatabaseStore
stored-manifests = jackfield_store.connections.manifest_table:ManifestTable
"""
EVENTS = """
from jackfield import Jackfield, JackfieldError

call = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "x"}}
with Jackfield() as jackfield:
    print(jackfield.invoke(call).status, len(jackfield.journal.entries(limit=9)[0]))
    jackfield.connections.add("mine", "echo/token", {"token": "t"}, test=False)
    jackfield.connections.remove("mine")
    try:
        jackfield.events()
    except JackfieldError as error:
        print(error)
"""


def test_calls_and_connections_need_none(shell: Shell) -> None:
    """A call is kept in the journal, a connection is stored and removed; only events are
    refused.
    """
    engine = shell.plugs / "jackfield_store-0.dist-info"
    engine.mkdir()
    (engine / "METADATA").write_text("Metadata-Version: 2.1\nName: jackfield-store\nVersion: 0\n")
    (engine / "entry_points.txt").write_text(ENGINE)
    shell.set(JACKFIELD_DATABASE_URL=f"sqlite:///{shell.folder}/kept.db")
    answer = shell.python(EVENTS)
    assert answer.out.splitlines()[0] == "succeeded 1", answer.err
    assert "events need the package jackfield_service" in answer.out
