"""Connector as the runtime uses it, wherever its code runs and whatever it is made from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from jackfield.connector.actions import Action, OptionSource
from jackfield.connector.connection_steps import Account, Step
from jackfield.connector.context import OpenContext
from jackfield.connector.models import Documents, Explain
from jackfield.connector.triggers import Trigger


class LoadedConnector(Protocol):
    """Connector whose code can be called: declared in this process, described by a manifest (bound
    to HTTP or to a service of AWS), or in a separate process. The pipeline and the management of
    connections use no other members.
    """

    key: str
    title: str
    version: str

    @property
    def explain(self) -> Explain | None:
        """Mapping of the exceptions of the connector's client to errors with codes; None if the
        connector has no error map.
        """

    @property
    def actions(self) -> Mapping[str, Action]:
        """Actions by key, which may be created or imported on first access."""

    @property
    def connections(self) -> Mapping[str, type[Any]]:
        """Connection types by key: models of values that open a client."""

    @property
    def option_sources(self) -> Mapping[str, OptionSource]:
        """Option sources of forms by key."""

    @property
    def triggers(self) -> Mapping[str, Trigger]:
        """Triggers by key."""

    @property
    def tests(self) -> Sequence[Callable[[Any, OpenContext], Iterable[Step | Account]]]:
        """Steps that the connector adds to the test of a connection."""

    @property
    def test_permissions(self) -> Mapping[str, tuple[str, ...]]:
        """Permissions that the connector's tests need, by system."""

    @property
    def documents(self) -> Sequence[Documents]:
        """Functions that add documents to a connection's policy."""

    @property
    def on_demand(self) -> Collection[str]:
        """Keys of the actions that are compared with the manifest when they are first called."""

    def describe(self, actions: Collection[str] | None = None) -> dict[str, Any]:
        """Return the manifest as the code declares it, with all its actions or only some."""

    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """Return the permissions of all actions together, by system."""
