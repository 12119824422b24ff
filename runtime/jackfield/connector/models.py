"""The three models that an author writes: the inputs and the output of an action, the values of a connection."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, ClassVar, NoReturn

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from jackfield.connector.context import Account, OpenContext, Step
from jackfield.errors import Detail
from jackfield.manifest import Serves

__all__ = ["ConnectionType", "Inputs", "Output", "spelt_out"]
_NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def spelt_out(key: str) -> str:
    """The title of what has none: ``zipCode`` and ``zip_code`` are a Zip Code."""
    words = _NEW_WORD.sub(" ", key).replace("_", " ").split()
    return " ".join(word[:1].upper() + word[1:] for word in words)


_CLOSED = ConfigDict(
    field_title_generator=lambda name, field: spelt_out(field.alias or name),
    alias_generator=to_camel,
    validate_by_alias=True,
    validate_by_name=True,
    serialize_by_alias=True,
    extra="forbid",
    frozen=True,
    hide_input_in_errors=True,
)


class Inputs(BaseModel):
    """What an action takes. Field names are snake_case here and camelCase in JSON; the docstring says what it is."""

    model_config = _CLOSED

    def rules(self) -> Iterable[Detail]:
        """What a schema cannot say about the inputs: a Detail for each fault, before anything is sent. By default: nothing."""
        return ()

    def __repr__(self) -> str:  # inputs stay out of logs
        return f"{type(self).__name__}(…)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("inputs are not pickled: they may hold secrets and messages")


class Output(BaseModel):
    """What an action gives back, under the provider's own member names (by ``alias``)."""

    model_config = _CLOSED


class ConnectionType(BaseModel):
    """What a connector needs to sign in: the values as fields, and how to open them into a client.

    ``key``, ``title``, ``auth`` (how it signs in: ``aws``, ``apiKey``, ``oauth2`` …), ``family`` and ``setup`` (a guide in Markdown) are
    class attributes. ``reports_begin`` says that its clients call ``Call.begin()``; otherwise entering the action counts as sent.
    ``permission_system`` names the system of its actions' permissions (``aws:iam``) from which the type can make policies: it then has
    a method ``policies(permissions, principal_arn=None)`` that gives documents by name. ``serves`` limits the type to some actions, with
    the reason. ``waives`` names inputs (in JSON's spelling) that actions do not require over it: they are None then, so the models of these
    actions declare them as ``X | None`` without a default.
    """

    model_config = _CLOSED

    key: ClassVar[str]
    title: ClassVar[str]
    auth: ClassVar[str] = "custom"
    family: ClassVar[str | None] = None
    setup: ClassVar[str] = ""
    reports_begin: ClassVar[bool] = False
    permission_system: ClassVar[str | None] = None
    serves: ClassVar[Serves | None] = None
    waives: ClassVar[tuple[str, ...]] = ()

    @property
    def reads_host(self) -> bool:
        """Whether opening reads an identity of the machine that jackfield runs on, which an operator must allow (contract §2)."""
        return False

    @property
    def reads_host_at(self) -> str:
        """JSON Pointer to the value that makes it so, or that would make it not so."""
        return ""

    def needed_permissions(self, permissions: Collection[str]) -> Collection[str]:
        """Return those of the actions' permissions that are needed over this connection; all of them by default."""
        return permissions

    def open(self, context: OpenContext) -> Any:
        """Give a client for one try. Called for each try: keep what is dear with ``context.cached`` and ``context.lease``."""
        raise NotImplementedError

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Try the connection without changing anything; each step says what it found. By default: open it."""
        self.open(context)
        yield Step("open", "Open the connection", passed=True, message="The values were accepted.")

    def __repr__(self) -> str:  # connection values stay out of logs
        return f"{type(self).__name__}(…)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("connection values are not pickled: they hold secrets")
