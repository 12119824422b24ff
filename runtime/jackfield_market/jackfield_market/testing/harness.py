"""Connector of a project with the real pipeline, for tests: scripted providers, recordings, a fake
clock and a journal.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Self

from jackfield.catalog import Catalog
from jackfield.catalog.discovery import EntryPoint
from jackfield.kernel.errors import InvalidInvocation, UnknownConnection
from jackfield.manifest.manifest import Manifest
from jackfield.redaction.marks import hidden_values
from jackfield.redaction.redactor import Redactor
from jackfield.runtime import Jackfield
from jackfield_market.testing.driving import server_names, server_type, server_values
from jackfield_market.testing.fake_clock import FakeClock
from jackfield_market.testing.loopback_provider import Provider, Script, Step
from jackfield_market.testing.offline import offline
from jackfield_market.testing.project import Project
from jackfield_market.testing.recording_account import RecordingAccount
from jackfield_market.testing.recordings import Player, Recorder, RecordingMismatch, Scrubber

if TYPE_CHECKING:
    from jackfield.call.ports import Journal
    from jackfield.invocation import Result
    from jackfield.invocation.entry import Entry


_OPTIONS = "options"
"""Name of the stored connection over which option sources query the provider."""


def project_of(file: str) -> Project:
    """Read the project that a file belongs to, and put its package on ``sys.path``.

    :raises InvalidInvocation: if no folder above the file has a pyproject.toml with one connector.
    """
    for folder in Path(file).resolve().parents:
        if (folder / "pyproject.toml").is_file():
            project = Project.read(folder)
            place = str(project.package.parent)
            if place not in sys.path:
                sys.path.insert(0, place)
            return project
    raise InvalidInvocation(
        f"no folder above '{file}' has a pyproject.toml",
        hint="Put the tests into the connector's project.",
    )


def open_project(file: str) -> Jackfield:
    """Open a runtime with only the connector of the project that ``file`` belongs to: no database,
    journal or plugins.

    Pass ``__file__``, and connections inline: ``{"type": …, "values": …}``.
    """
    return Jackfield(
        connections=[],
        database_url="none",
        catalog=_catalog(project_of(file)),
        environment={},
        groups={},
    )


def _catalog(project: Project) -> Catalog:
    return Catalog([EntryPoint(project.key, project.points[project.key], project.key)])


class Harness:
    """Runtime with the connector of one project, for tests; a context manager. pytest has it as the
    fixture ``harness``.

    Invocations pass the whole pipe: validation, retries, paging, masking and the journal. ``clock``
    is a fake one, so that back-off takes no time, except while a recording is made: a job of a real
    provider does not end sooner. ``serve`` scripts the provider; ``replay`` plays a recording. Both
    set the connection's server URL to the loopback provider's address, which is the one way in
    which a client reaches it. A connector whose address is fixed needs an optional value for it,
    such as ``endpoint``. ``tool.jackfield.check`` in pyproject.toml then says ``values = { endpoint
    = "${url}" }``.

    ``project`` is the connector's; ``recordings`` is the folder of the recordings. ``record`` names
    a connection of the user over which recordings are made anew; "" selects the only one that fits.
    """

    def __init__(self, project: Project, recordings: Path, record: str | None = None) -> None:
        self.clock = FakeClock()
        self.project = project
        self.manifest = Manifest.from_json(project.manifest())
        self.recordings = recordings
        self._account = (
            None
            if record is None
            else RecordingAccount.named(record, _catalog(project), self.manifest)
        )
        self._stack = ExitStack()
        home = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="jackfield-harness-"))
        self.jackfield = self._stack.enter_context(
            Jackfield(
                connections=[],
                database_url=f"sqlite:///{home}/jackfield.db",
                catalog=_catalog(project),
                clock=self.clock,
                environment={"JACKFIELD_HOME": home},
                groups={},
            )
        )
        self._kind = server_type(
            self.manifest, project.check.get("values", {}), project.check.get("connection")
        )
        self._serving = self._stack.enter_context(ExitStack())
        self._provider: Provider | None = None
        self._recorder: Recorder | None = None
        self._player: Player | None = None
        self._ignore: tuple[str, ...] = ()
        self._redactor = Redactor()

    @classmethod
    def of(cls, file: str, record: str | None = None) -> Self:
        """Open a harness for the project that the test file ``file`` belongs to; recordings are in
        the folder ``recordings`` next to it.
        """
        return cls(project_of(file), Path(file).parent / "recordings", record)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        with self._stack:
            if kind is None:
                self.finish()

    @property
    def provider(self) -> Provider:
        """Return the provider of the last ``serve`` or ``replay``.

        :raises InvalidInvocation: if none was started.
        """
        if self._provider is None:
            raise InvalidInvocation(
                "no provider is scripted", hint="Call harness.serve(…) or harness.replay(…) first."
            )
        return self._provider

    @property
    def journal(self) -> Journal:
        """Return the journal of the runtime."""
        journal = self.jackfield.journal
        assert journal is not None
        return journal

    def entry(self, result: Result) -> Entry:
        """Return the journal's entry of a Result: its status, attempts and each attempt's
        outcome.
        """
        return self.journal.find(result.meta.invocation_id)

    def serve(self, *script: Step | Script) -> Provider:
        """Start a loopback provider that plays ``script``: steps in order, the last step for all
        later requests, or one function.
        """
        self.finish()
        return self._start(script[0] if len(script) == 1 and callable(script[0]) else script)  # type: ignore[arg-type]

    def replay(self, name: str, *, ignore: Sequence[str] = ()) -> Provider:
        """Play the recording ``name`` strictly: each request must equal the recorded one. With
        ``--record``, record it anew instead.

        ``ignore`` are names of JSON members and parameters whose values differ from run to run.

        :raises InvalidInvocation: if there is no such recording, or no connection to record over.
        """
        self.finish()
        self._ignore = (*ignore,)
        path = self.recordings / f"{name}.json"
        if self._account is None:
            player = Player(
                path, lambda: Scrubber(self._redactor, self._ignore), lambda: self.provider.url
            )
            self._player = player
            self._serving.enter_context(offline(player.reached))
            return self._start(player)
        recorder = Recorder(
            path, self._account.endpoint(self._server_names), lambda: self.provider.url
        )
        self._recorder, self.clock.is_real = recorder, True
        return self._start(recorder)

    def finish(self) -> None:
        """End the current script: write the recording, or check that all its requests were sent.
        The fixture calls it after the test.

        :raises RecordingMismatch: if the requests differ from the recording, or it cannot be
            written.
        """
        player, recorder, redactor = self._player, self._recorder, self._redactor
        self._player = self._recorder = self._provider = None
        self._redactor, self.clock.is_real = Redactor(), False
        self._serving.pop_all().close()
        if player is not None and (player.fault or player.left):
            raise RecordingMismatch(player.fault or player.left)
        if recorder is not None:
            if recorder.fault:
                raise RecordingMismatch(recorder.fault)
            recorder.save(redactor, self._ignore)

    def discard(self) -> None:
        """End the current script without writing or checking anything, as after a failed test."""
        self._player = self._recorder = None
        self.finish()

    def invoke(
        self,
        action: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        connection: Mapping[str, Any] | None = None,
        cancelled: Event | None = None,
        **members: Any,
    ) -> Result:
        """Run an action through the whole pipeline and return its Result.

        ``connection`` is ``{"type": …, "values": …}``; the default is a connection to the scripted
        provider. ``members`` are further members of the invocation, as on the wire:
        ``idempotencyKey``, ``timeoutSeconds``, ``onDoubt``. Another thread may set ``cancelled``.

        :raises RecordingMismatch: if a request differs from the recording.
        """
        given = {
            "connector": self.project.key,
            "action": action,
            "inputs": dict(inputs or {}),
            **members,
        }
        used = connection or self.connection
        if used is not None:
            given["connection"] = used
            kind = self.manifest.connection_type(str(used.get("type")))
            self._hide(kind.schema if kind is not None else {}, used.get("values", {}))
        if action in self.manifest.actions:
            self._hide(self.manifest.actions[action].inputs, given["inputs"])
        self._redactor = self._redactor.extended(filter(None, [given.get("idempotencyKey")]))
        result = self.jackfield.invoke(given, cancelled=cancelled, named=self._hide_text)
        if result.output is not None:
            self._hide(self.manifest.actions[action].output, result.output)
        fault = self._player.fault if self._player is not None else None
        if fault is not None:
            self._player = None  # reported here
            raise RecordingMismatch(fault)
        return result

    def options(self, source: str, **inputs: Any) -> list[dict[str, str]]:
        """Return the choices of an option source, over the scripted provider if there is one;
        ``inputs`` are the form's current values.
        """
        used = self.connection
        if used is not None:
            with suppress(UnknownConnection):
                self.jackfield.connections.remove(_OPTIONS)
            self.jackfield.connections.add(_OPTIONS, used["type"], used["values"], test=False)
        name = None if used is None else _OPTIONS
        return self.jackfield.options(self.project.key, source, connection=name, inputs=inputs)

    @property
    def connection(self) -> Mapping[str, Any] | None:
        """Return an inline connection to the scripted provider; None without a provider, or if no
        connection type names a server.
        """
        if self._kind is None or self._provider is None:
            return None
        kind, url = self.manifest.connection_types[self._kind], self._provider.url
        if self._recorder is not None and self._account is not None:
            values = self._account.values(self._server_names, url)
        else:
            values = server_values(kind.schema, self.project.check.get("values", {}), url)
        return {"type": self.manifest.full_name(kind), "values": values}

    @property
    def values(self) -> Mapping[str, Any]:
        """Return the values of ``connection``; empty without a connection."""
        values: Mapping[str, Any] = (self.connection or {}).get("values", {})
        return values

    @property
    def _server_names(self) -> Mapping[str, str]:
        schema = self.manifest.connection_types[self._kind].schema if self._kind is not None else {}
        return server_names(schema, self.project.check.get("values", {}))

    def _start(self, script: Script | Sequence[Step]) -> Provider:
        self._provider = self._serving.enter_context(Provider(script))
        return self._provider

    def _hide_text(self, text: str) -> None:
        self._redactor = self._redactor.extended([text])

    def _hide(self, schema: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        self._redactor = self._redactor.extended(hidden_values(schema, values))
