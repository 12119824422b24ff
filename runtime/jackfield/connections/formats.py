"""Other systems' formats of connections, found by entry points in the group
``jackfield.connection_formats``, and the objects that their readers get.

An entry point names a ``Format``; aliases in manifests are looked up by its name. Documents are
recognised by content. A document with ``connections`` at the top is always read in jackfield's own
format.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from jackfield.catalog.discovery import entry_points
from jackfield.catalog.loading import of_one, package_of
from jackfield.connections.aliases import Aliases
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.exports import late_hints
from jackfield.kernel.failures import BrokenPart
from jackfield.kernel.fork import at_fork

if TYPE_CHECKING:
    from jackfield.catalog.installed import Catalog
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.manifest.manifest import Manifest

_GROUP = "jackfield.connection_formats"
_OWN = "expected 'connections: {name: {type: aws-ses/awsAssumeRole, values: {…}}}'"
_LOG = logging.getLogger("jackfield.connections")


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """One document of a file. ``source`` is the file's name, ``place`` the position in the file
    (``mail.yaml, document 2``), ``folder`` the start of relative paths, ``format`` its format if
    the source determines the format.
    """

    content: Any
    source: str
    place: str
    folder: str = "."
    format: str | None = None

    @property
    def path(self) -> str:
        """Path of the file."""
        return os.path.join(self.folder, self.source)


@dataclass(frozen=True, slots=True)
class Problem:
    """Sentence about an unreadable part, with file, document and field. ``fatal``: the other system
    would not start. ``path`` is the file's, if the problem leaves out a definition of the file.
    """

    text: str
    fatal: bool = False
    path: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Disabled:
    """Entry that a document disables: its names in the document, and a sentence that says where and
    how to enable it.
    """

    names: tuple[str, ...]
    text: str


class Surroundings:
    """Context in which readers resolve names: the environment, and the aliases of the installed
    connectors, read at first use.

    ``app_id`` is the application that a Dapr sidecar would serve; if None, components of all
    applications are read. ``strict`` accepts only what the other system's program accepts.
    ``reads_files`` allows documents to name files of this host.
    """

    def __init__(
        self,
        catalog: Callable[[], Catalog],
        environment: Mapping[str, str],
        *,
        app_id: str | None = None,
        strict: bool = False,
        reads_files: bool = True,
    ) -> None:
        self._catalog = catalog
        self.environment = environment
        self.app_id = app_id
        self.strict = strict
        self.reads_files = reads_files

    @property
    def catalog(self) -> Catalog:
        """Installed connectors."""
        return self._catalog()

    @cached_property
    def aliases(self) -> Aliases:
        """Aliases that translate foreign names."""
        return Aliases.installed(self.catalog)


# Python 3.11 holds one lock for all instances while it computes the value
at_fork(Surroundings.__dict__["aliases"])


Find = Callable[[str, "str | None"], "Manifest"]
"""Function that finds the manifest of a connector that the caller may see, by key and version."""


@dataclass(frozen=True, slots=True)
class Format:
    """Format of another system. A document goes to the first format by ``rank`` whose ``fits``
    returns True.

    ``system`` and ``expected`` describe the format for people; ``variable`` is an environment
    variable that has this format by convention. ``read`` gets all documents of the format together,
    since they may refer to one another; it refuses unknown members or warns of them.
    ``owns_beside`` returns whether a document of no known format belongs to the format's documents
    in the same folder. ``native_invocation`` and ``native_inputs`` translate invocations and inputs
    in this form; they are called only for data that the native form refuses.
    """

    name: str
    rank: int
    system: str
    expected: str
    fits: Callable[[object], bool]
    read: Callable[
        [Iterable[Document], Surroundings], Iterator[NamedConnection | Problem | Disabled]
    ]
    variable: str = ""
    owns_beside: Callable[[Document, Sequence[Document]], bool] | None = None
    native_invocation: Callable[[object, Find], dict[str, Any] | None] | None = None
    native_inputs: (
        Callable[[Mapping[str, Any], Collection[str], Manifest, str], dict[str, Any] | None] | None
    ) = None


def _installed() -> tuple[Format, ...]:
    return _installed_on(tuple(sys.path))


@lru_cache(maxsize=4)
def _installed_on(paths: tuple[str, ...]) -> tuple[Format, ...]:
    """Return the formats of packages that are installed on ``paths``. A format that cannot be
    loaded is logged and left out.
    """
    points, found = entry_points(paths).get(_GROUP, ()), list[Format]()
    for name in dict.fromkeys(point.name for point in points if "." not in point.name):
        try:
            found.append(
                of_one(
                    [point for point in points if point.name == name],
                    "connection_formats entry point",
                )
            )
        except BrokenPart as error:
            _LOG.warning("%s", error)
    return tuple(sorted(found, key=lambda form: (form.rank, form.name)))


def systems() -> str:
    """Return a sentence that names the systems whose formats are read."""
    names = [form.system for form in sorted(_installed(), key=lambda form: form.name)]
    if not names:
        return (
            "The only supported format is jackfield's own; those of other systems need: "
            f"{package_of(_GROUP)[1]}."
        )
    return (
        f"Supported formats are jackfield's own and those of {_enumeration(names, 'and')}; "
        "see the documentation."
    )


def expected() -> str:
    """Return the message for a document of no known format."""
    words = [form.expected for form in sorted(_installed(), key=lambda form: form.name)]
    if not words:
        package, command = package_of(_GROUP)
        return f"{_OWN}; files of other systems need the package {package}: {command}"
    return f"{_OWN}, {_enumeration(words, 'or')}"


def _enumeration(words: Sequence[str], last: str) -> str:
    return (
        words[0]
        if len(words) == 1
        else f"{', '.join(words[:-1])}{',' if last == 'or' else ''} {last} {words[-1]}"
    )


def recognise(content: object) -> str | None:
    """Return the name of a foreign document's format; None if no installed format matches."""
    return next((form.name for form in _installed() if form.fits(content)), None)


def format_of_variable(name: str) -> str | None:
    """Return the format that an environment variable has by convention; None if no format uses the
    variable.
    """
    return next((form.name for form in _installed() if form.variable == name), None)


def read(
    documents: Iterable[Document], around: Surroundings
) -> Iterator[NamedConnection | Problem | Disabled]:
    """Yield the connections in documents, and the entries that they disable. A fault affects only
    the entry that contains it.
    """
    by_format: dict[str | None, list[Document]] = {}
    for document in documents:
        by_format.setdefault(document.format or recognise(document.content), []).append(document)
    for document in by_format.get(None, ()):
        if not any(
            form.owns_beside is not None
            and form.owns_beside(document, by_format.get(form.name, ()))
            for form in _installed()
        ):
            yield Problem(f"{document.place}: {expected()}")
    for form in _installed():
        if form.name in by_format:
            yield from form.read(by_format[form.name], around)


def native_invocation(given: object, find: Find) -> dict[str, Any] | None:
    """Translate an invocation's JSON that the native form refuses; None if it has the form of no
    installed format.

    :raises InvalidInvocation: if a member has the form, but cannot be translated.
    """
    translated = (
        form.native_invocation(given, find)
        for form in _installed()
        if form.native_invocation is not None
    )
    return next((found for found in translated if found is not None), None)


def native_inputs(
    inputs: Mapping[str, Any], refused: Collection[str], manifest: Manifest, action: str
) -> dict[str, Any] | None:
    """Translate inputs that the action's schema refuses, by the aliases of its connector. Return
    None if the inputs have the form of no format.

    :raises InvalidInput: if an input is a reference, which only the other system can resolve.
    """
    if not manifest.raw.get("aliases"):
        return None
    translated = (
        form.native_inputs(inputs, refused, manifest, action)
        for form in _installed()
        if form.native_inputs is not None
    )
    return next((found for found in translated if found is not None), None)


late_hints(__name__)
