"""Output bindings of one application: components, and the conversion of their requests to invocations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jackfield.connections.aliases import Alias, is_blank
from jackfield.connections.formats import Document, Problem, Surroundings
from jackfield.connections.named_connection import NamedConnection
from jackfield.invocation import Result
from jackfield.kernel.errors import LimitReached
from jackfield_dapr.sidecar.payload import PayloadError
from jackfield_dapr.sidecar.resiliency import Limits, Resiliency, is_resiliency
from jackfield_formats.dapr import ReadComponent, read_components
from jackfield_formats.translating import inputs_of

Payload = Callable[[tuple[str, ...], bool], "str | Mapping[str, Any]"]
"""Reads a request's data, given the allowed members of an object and whether to read strictly."""


class BindingError(Exception):
    """A request that cannot be carried out or failed; the text is what Dapr's clients expect. ``result`` is set if it was invoked."""

    def __init__(self, text: str, result: Result | None = None) -> None:
        super().__init__(text)
        self.result = result

    @property
    def is_limited(self) -> bool:
        """True if it never began, since a limit of the workspace is reached: a later repeat may succeed."""
        return self.result is not None and isinstance(self.result.error, LimitReached)


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One call of a binding."""

    operation: str
    metadata: Mapping[str, str]
    payload: Payload
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Binding:
    """One callable component. ``connection`` names the connection that it authenticates with, ``path`` is the file that defines it."""

    name: str
    type: str
    version: str
    alias: Alias
    fields: Mapping[str, str]
    connection: str
    strict: bool = False
    path: str = ""
    limits: Limits = field(default_factory=Limits)

    def invocation(self, request: Request) -> dict[str, Any]:
        """Convert the request to an invocation.

        :raises BindingError: for an unsupported operation, a missing property or unreadable data.
        """
        action = self.alias.operations.get(request.operation)
        if action is None:
            supported = " ".join(self.alias.operations)
            raise BindingError(f"binding {self.name} does not support operation {request.operation}. supported operations:{supported}")
        inputs = self._inputs(self._request_properties(request.metadata))
        body = self._body(request.payload)
        made: dict[str, Any] = {
            "connector": self.alias.connector,
            "action": action,
            "connection": self.connection,
            "inputs": {**inputs, **body},
        }
        made |= {"timeoutSeconds": self.limits.timeout} if self.limits.timeout is not None else {}
        return {**made, "context": {"traceparent": request.traceparent}} if request.traceparent else made

    def answer(self, result: Result) -> dict[str, str]:
        """Return the response's metadata for a success, or for a job that still runs.

        :raises BindingError: for any other outcome.
        """
        if result.error is not None:
            raise BindingError(self.alias.message("failed", "{reason}", reason=_reason(result)), result)
        if result.status == "running":
            return {"invocationId": result.meta.invocation_id, "status": result.status}
        output, named = result.output or {}, self.alias.raw.get("result")
        wanted = named.items() if isinstance(named, Mapping) else ()
        return {name: str(output[member]) for name, member in wanted if member in output}

    def _request_properties(self, metadata: Mapping[str, str]) -> dict[str, str]:
        """Return the request's properties under the alias's spelling; their names are case-insensitive."""
        known = {name.lower(): name for name in self.alias.inputs}
        written: dict[str, str] = {}
        for name in metadata:
            other = written.setdefault(name.lower(), name)
            if other != name and name.lower() in known:
                if self.strict:  # ambiguous properties are not read at all
                    return {}
                raise BindingError(f"the metadata contains '{other}' and '{name}', which are the same property")
        return {known[name.lower()]: value for name, value in metadata.items() if name.lower() in known}

    def _inputs(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Merge the request's properties over the configured ones and convert them to inputs; an empty value removes a configured one."""
        merged = {name: value for name, value in {**self.fields, **given}.items() if name in self.alias.inputs}
        for name in self.alias.raw.get("needed") or ():
            if is_blank(merged.get(name)):
                raise BindingError(self.alias.message("absent", "{field} property not supplied", field=str(name)))
        return inputs_of(self.alias, merged, strict=self.strict)

    def _body(self, payload: Payload) -> Mapping[str, Any]:
        members = tuple(map(str, self.alias.raw.get("members") or ()))
        try:
            body = payload(members, self.strict)
        except PayloadError as error:
            raise BindingError(self.alias.message("data", "data: {reason}", reason=str(error))) from None
        return {str(self.alias.raw.get("data", "data")): body} if isinstance(body, str) else body


@dataclass(frozen=True, slots=True)
class Bindings:
    """Bindings of a sidecar by name, the connections that they need, and the problems of its components.

    ``seen`` tells the state of the files before they were read: size, time and inode by path.
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
                f"component '{item.component.name}': another component has almost the same name; choose a name of letters, digits and '._-'"
            )
            problems.append(Problem(f"{item.component.place}: {text}", fatal=True))
            continue
        connections[stored.name] = {"type": stored.type, "values": stored.values}
        found[item.component.name] = _binding(item, stored, resiliency.of(item.component.name), strict=around.strict)
    problems.extend((*resiliency.problems, *resiliency.unknown(found)))
    return Bindings(found, connections, tuple(problems))


def _lacking(item: ReadComponent) -> Iterable[Problem]:
    for name in item.lacking:
        variables = " or ".join(source[1:] for source in item.alias.defaults.get(name, ()) if source.startswith("$"))
        otherwise = f", and {variables} is not set" if variables else ""
        text = f"component '{item.component.name}': '{name}' is missing{otherwise}: its calls will be refused"
        yield Problem(f"{item.component.place}: {text}")


def _binding(item: ReadComponent, stored: NamedConnection, limits: Limits, *, strict: bool) -> Binding:
    one = item.component
    return Binding(one.name, one.type, one.version, item.alias, item.fields, stored.name, strict, one.document.path, limits)


def _reason(result: Result) -> str:
    """Return the provider's message under its own code; else jackfield's message with every detail."""
    error = result.error
    if error is None:
        return ""
    said = error.provider
    if said is not None and said.code:
        return f"{said.code}: {said.message or error.message}"
    faults = (f"{detail.path} {detail.message}".lstrip() for detail in error.details if detail.path or detail.message not in error.message)
    details = "; ".join(faults)
    return f"{error.code}: {error.message}" + (f" ({details})" if details else "")
