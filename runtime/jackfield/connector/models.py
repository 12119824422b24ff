"""The three models that an author subclasses: inputs and output of an action, and the values of a connection."""

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
    """Return a title derived from a key: both ``zipCode`` and ``zip_code`` become "Zip Code"."""
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
    """Inputs of an action. Field names are snake_case in Python and camelCase in JSON.

    A subclass's docstring describes the inputs as a whole.
    """

    model_config = _CLOSED

    def rules(self) -> Iterable[Detail]:
        """Yield a Detail for each fault that a schema cannot express. Runs before anything is sent; the default finds none."""
        return ()

    def __repr__(self) -> str:  # inputs stay out of logs
        return f"{type(self).__name__}(…)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("inputs cannot be pickled: they may hold secrets and messages")


class Output(BaseModel):
    """Output of an action, under the provider's own member names (by ``alias``)."""

    model_config = _CLOSED


class ConnectionType(BaseModel):
    """Values that a connector needs to authenticate, as fields, and the code that opens a client with them.

    Class attributes:

    - ``key``, ``title``, ``family``; ``auth``: the method (``aws``, ``apiKey``, ``oauth2`` …); ``setup``: a guide in Markdown.
    - ``reports_begin``: the type's clients call ``Call.begin()``; otherwise entering the action counts as sent.
    - ``permission_system``: the system of the actions' permissions (``aws:iam``) for which the type can generate policies. It then has a
      method ``policies(permissions, principal_arn=None)`` that returns documents by name.
    - ``serves``: restricts the type to some actions and states the reason.
    - ``waives``: inputs (in JSON spelling) that actions do not require with this type. They are then None, so the models of these actions
      declare them as ``X | None`` without a default.
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
        """True if opening uses an identity of the host machine; operators must allow it (docs/reference/invocation.md)."""
        return False

    @property
    def reads_host_at(self) -> str:
        """JSON Pointer to the value that decides ``reads_host``."""
        return ""

    def needed_permissions(self, permissions: Collection[str]) -> Collection[str]:
        """Return those of the actions' permissions that this connection needs; by default all of them."""
        return permissions

    def open(self, context: OpenContext) -> Any:
        """Return a client for one attempt. Runs for each attempt: store expensive objects with ``context.cached`` and ``context.lease``."""
        raise NotImplementedError

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Test the connection without changing anything, and yield a Step for each finding. The default opens it."""
        self.open(context)
        yield Step("open", "Open the connection", passed=True, message="The values were accepted.")

    def __repr__(self) -> str:  # connection values stay out of logs
        return f"{type(self).__name__}(…)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("connection values cannot be pickled: they hold secrets")
