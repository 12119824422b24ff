"""A connector whose users approve at an authorization server, as an installed package: for servers
and for commands.
"""

from __future__ import annotations

from pathlib import Path

from plugboard import make_connector

ASK = {"connector": "people", "action": "whoAmI", "connection": "ada", "inputs": {}}
"""An invocation that asks the provider who has approved."""
_PEOPLE = '''
from jackfield.connector import Connector, Inputs, Output
from jackfield_http import HttpClient, OAuth2AuthorizationCode

connector = Connector("people", title="People", version="1.0.0", connections=[OAuth2AuthorizationCode])

class Nothing(Inputs):
    """Nothing."""

class Person(Output):
    """Who has approved."""

    sub: str

@connector.action("whoAmI", effect="read")
def who_am_i(inputs: Nothing, api: HttpClient) -> Person:
    """Ask."""
    return Person(sub=api.get("/me").json("/sub"))
'''


def make_people(folder: Path) -> Path:
    """Write the connector ``people`` into a folder of installed packages."""
    return make_connector(folder, "people", _PEOPLE)
