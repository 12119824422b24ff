"""Author of an operation in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.local import COMMAND_LINE, account_keys


@dataclass(frozen=True, slots=True)
class Actor:
    """Author of an operation: a token, a user of the operator's identity provider, a person at the
    command line or a program.
    """

    kind: Literal["token", "user", "link", "cli", "library", "platform"]
    id: str = ""
    name: str = ""
    behalf: str = ""
    """User of the platform for whom its token acts, as the platform states."""

    @property
    def key(self) -> str:
        """Actor as one word, for filters: ``token:01a1…``, ``cli:ada``, ``library``."""
        return f"{self.kind}:{self.id}" if self.id else self.kind

    @property
    def person(self) -> str:
        """Actor as one word that names a person: the user behind ``sudo`` instead of root, and the
        account of a program instead of the program.
        """
        if self.kind == "library":
            return account_keys()[-1]
        return (
            f"{COMMAND_LINE}:{self.name}" if self.kind == COMMAND_LINE and self.name else self.key
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Actor:
        """Read an actor that ``to_json`` wrote; ignore members that a newer jackfield added.

        :raises KeyError: if the JSON has no kind.
        """
        return cls(
            data["kind"], data.get("id", ""), data.get("name", ""), data.get("onBehalfOf", "")
        )

    def to_json(self) -> dict[str, str]:
        """Return the actor as a JSON object without its empty members."""
        members = {"kind": self.kind, "id": self.id, "name": self.name, "onBehalfOf": self.behalf}
        return {name: value for name, value in members.items() if value}


LIBRARY = Actor("library")
"""Actor for a program that uses ``Jackfield`` without naming an actor."""
