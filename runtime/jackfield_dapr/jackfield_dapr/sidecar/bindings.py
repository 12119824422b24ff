"""Output bindings of one application: components, and the conversion of their requests to
invocations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from jackfield.connections.aliases import Alias
from jackfield.connections.formats import Document, Problem, Surroundings
from jackfield.connections.named_connection import NamedConnection
from jackfield.invocation import Result
from jackfield_dapr.sidecar.calls import BindingError, Call, ReadFile, Request, Response
from jackfield_dapr.sidecar.kinds import respond
from jackfield_dapr.sidecar.resiliency import Limits, Resiliency, is_resiliency
from jackfield_formats.dapr import ReadComponent, read_components


@dataclass(frozen=True, slots=True, repr=False)
class Binding:
    """Callable component. ``connection`` names the connection that it authenticates with, ``path``
    is the file that defines it.
    """

    name: str
    type: str
    version: str
    alias: Alias
    fields: Mapping[str, str]
    connection: str
    strict: bool = False
    path: str = ""
    limits: Limits = field(default_factory=Limits)

    def respond(
        self, request: Request, invoke: Callable[..., Result], read_file: ReadFile
    ) -> Response:
        """Carry out a request with ``invoke``, which is ``Jackfield.invoke``.

        :raises BindingError: for an unsupported operation, a missing property or unreadable data,
            or if the call fails.
        """
        if request.operation not in self.alias.operations:
            supported = " ".join(self.alias.operations)
            raise BindingError(
                f"binding {self.name} does not support operation {request.operation}. supported "
                f"operations:{supported}"
            )
        limits = self.limits
        send = partial(invoke, tries=limits.tries)
        return respond(
            Call(
                self.name,
                self.alias,
                self.fields,
                self.connection,
                request,
                send,
                read_file,
                limits.timeout,
                self.strict,
            )
        )


@dataclass(frozen=True, slots=True, repr=False)
class Bindings:
    """Bindings of a sidecar by name, the connections that they need, and the problems of its
    components.

    ``seen`` has the state of the files before they were read: size, time and inode by path.
    """

    by_name: Mapping[str, Binding]
    connections: Mapping[str, Mapping[str, Any]]
    problems: tuple[Problem, ...] = ()
    seen: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)


def read_bindings(documents: Iterable[Document], around: Surroundings) -> Bindings:
    """Read the bindings of component documents, with the limits that Resiliency documents set."""
    documents = list(documents)
    resiliency = Resiliency.read(documents, around)
    found: dict[str, Binding] = {}
    connections: dict[str, Mapping[str, Any]] = {}
    problems: list[Problem] = []
    for item in read_components((one for one in documents if not is_resiliency(one)), around):
        if isinstance(item, Problem):
            problems.append(item)
            continue
        problems.extend(_lacking(item))
        stored = item.connection
        if stored.name in connections:
            text = (
                f"component '{item.component.name}': another component has almost the same "
                "name; choose a name of letters, digits and '._-'"
            )
            problems.append(Problem(f"{item.component.place}: {text}", fatal=True))
            continue
        connections[stored.name] = {"type": stored.type, "values": stored.values}
        found[item.component.name] = _binding(
            item, stored, resiliency.of(item.component.name), strict=around.strict
        )
    problems.extend((*resiliency.problems, *resiliency.unknown(found)))
    return Bindings(found, connections, tuple(problems))


def _lacking(item: ReadComponent) -> Iterable[Problem]:
    for name in item.lacking:
        variables = " or ".join(
            source[1:] for source in item.alias.defaults.get(name, ()) if source.startswith("$")
        )
        otherwise = f", and {variables} is not set" if variables else ""
        text = (
            f"component '{item.component.name}': '{name}' is missing{otherwise}: its calls "
            "will be refused"
        )
        yield Problem(f"{item.component.place}: {text}")


def _binding(
    item: ReadComponent, stored: NamedConnection, limits: Limits, *, strict: bool
) -> Binding:
    one = item.component
    return Binding(
        one.name,
        one.type,
        one.version,
        item.alias,
        item.fields,
        stored.name,
        strict,
        one.document.path,
        limits,
    )
